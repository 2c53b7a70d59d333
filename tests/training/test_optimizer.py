import math

import pytest
import torch
from torch import nn

from training.ema import Ema
from training.optimizer import Plateau, build_optimizer, learning_rate, moments, set_steps
from training.settings import OptimizerSettings


def settings(**values: object) -> OptimizerSettings:
    return OptimizerSettings.model_validate({"learning_rate": 1.0, "warmup_steps": 4} | values)


def test_the_learning_rate_rises_from_the_first_step_on_to_its_peak() -> None:
    assert [learning_rate(step, 100, settings()) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]


def test_without_a_warm_up_it_starts_at_its_peak() -> None:
    assert learning_rate(0, 100, settings(warmup_steps=0)) == 1.0


def test_a_cosine_ends_at_its_final_share() -> None:
    cosine = settings(schedule="cosine", final_share=0.1)
    rates = [learning_rate(step, 104, cosine) for step in range(4, 105)]
    assert rates[0] == 1.0
    assert rates[50] == pytest.approx(0.55)
    assert rates[100] == pytest.approx(0.1)
    assert rates == sorted(rates, reverse=True)


def test_a_cosine_equals_that_of_pytorch() -> None:
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50, eta_min=0.1)
    cosine = settings(schedule="cosine", final_share=0.1, warmup_steps=0)
    for step in range(50):
        assert learning_rate(step, 50, cosine) == pytest.approx(theirs.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        theirs.step()


def test_a_plateau_cuts_the_rate_after_its_patience() -> None:
    plateau = Plateau()
    for loss in (3.0, 2.0, 2.1, 2.0):
        plateau.saw(loss, patience=3)
    assert plateau.cuts == 0
    plateau.saw(2.5, patience=3)
    assert (plateau.cuts, plateau.stale) == (1, 0)
    rate = learning_rate(50, 100, settings(schedule="plateau", plateau_factor=0.5), plateau.cuts)
    assert rate == 0.5


def test_a_plateau_survives_a_checkpoint_even_before_its_first_loss() -> None:
    for plateau in (Plateau(), Plateau(best=1.5, stale=2, cuts=1)):
        assert Plateau.of(plateau.state()) == plateau
    assert Plateau().state()["best"] is None
    assert math.isinf(Plateau.of(Plateau().state()).best)


class Toy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.norm = nn.LayerNorm(2)
        self.null = nn.Parameter(torch.ones(1, 2))


def test_weight_decay_is_on_matrices_of_linear_layers_only() -> None:
    toy = Toy()
    optimizer = build_optimizer(toy, settings(weight_decay=0.3))
    decayed = {
        id(parameter)
        for group in optimizer.param_groups
        if group["weight_decay"]
        for parameter in group["params"]
    }
    assert decayed == {id(toy.linear.weight)}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 5


def test_moments_that_are_read_back_go_on_as_if_never_saved() -> None:
    def step(toy: Toy, optimizer: torch.optim.AdamW) -> None:
        optimizer.zero_grad()
        toy.norm(toy.linear(torch.arange(3.0))).square().sum().backward()
        optimizer.step()

    torch.manual_seed(0)
    first = Toy()
    before = build_optimizer(first, settings())
    for _ in range(3):
        step(first, before)
    second = Toy()
    second.load_state_dict(first.state_dict())
    after = build_optimizer(second, settings())
    held = moments(second, after)
    for name, one in moments(first, before).items():
        held[name].copy_(one)
    set_steps(second, after, 3)
    step(first, before)
    step(second, after)
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_average_of_weights_is_over_all_steps_at_first_and_then_slow() -> None:
    toy = nn.Linear(1, 1, bias=False)
    ema = Ema(toy, decay=0.9)
    with torch.no_grad():
        toy.weight.fill_(0.0)
    start = ema.averages["weight"].clone()
    ema.update(1)
    assert torch.allclose(ema.averages["weight"], start * 2 / 11)
    ema.update(10_000)
    assert torch.allclose(ema.averages["weight"], start * 2 / 11 * 0.9)


def test_the_average_is_in_the_model_only_meanwhile() -> None:
    toy = nn.Linear(2, 2)
    ema = Ema(toy, decay=0.5)
    weight, average = toy.weight.detach().clone(), torch.full((2, 2), 7.0)
    ema.averages["weight"].copy_(average)
    with pytest.raises(RuntimeError), ema.applied():
        assert torch.equal(toy.weight, average)
        raise RuntimeError
    assert torch.equal(toy.weight, weight)
    assert torch.equal(ema.averages["weight"], average)
