import numpy as np
import pytest
import torch
from torch import Tensor, nn

from training.errors import TrainingError
from training.evaluation import (
    HeldOutBatch,
    LossRow,
    evaluate,
    evaluation_noise,
    evaluation_times,
)
from training.flow import interpolate, velocity
from training.randomness import initialise, normal
from training.settings import EvaluationSettings
from training.text.conditioning import TextBatch

IDS = ("clip-a", "clip-b", "clip-c", "clip-d", "clip-e")
LATENTS = normal((5, 4, 2, 6, 10), 0, "latents")
SETTINGS = EvaluationSettings(num_times=4)


class Model(nn.Module):
    """Answers by its input, the time, and the prompt where there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv3d(4, 4, 3, padding=1)
        self.seen: list[tuple[Tensor, Tensor, TextBatch]] = []
        initialise(self, 0, lambda name, parameter: 0.1)

    def forward(self, latents: Tensor, times: Tensor, text: TextBatch) -> Tensor:
        assert not torch.is_grad_enabled()
        self.seen.append((latents, times, text))
        prompt = torch.where(text.dropped, 0.0, text.values["words"].sum((1, 2)))
        shift = (times + prompt).view(-1, 1, 1, 1, 1)
        answer: Tensor = self.mix(latents) + shift
        return answer


def _batch(*rows: int, dropped: bool = False) -> HeldOutBatch:
    words = normal((5, 3, 8), 0, "words")
    return HeldOutBatch(
        ids=tuple(IDS[row] for row in rows),
        bucket="2x6x10",
        latents=LATENTS[list(rows)],
        text=TextBatch(
            {"words": words[list(rows)]},
            {"words": torch.ones(len(rows), 3, dtype=torch.bool)},
            torch.full((len(rows),), dropped),
        ),
        concepts=tuple(None if row == 4 else row % 2 for row in rows),
        sources=tuple("ab"[row // 3] for row in rows),
    )


def _by_sample(rows: list[LossRow]) -> dict[tuple[str, float], float]:
    assert len({(row.id, row.time) for row in rows}) == len(rows)
    return {(row.id, row.time): row.squared_error for row in rows}


def test_rows_hold_the_error_of_each_sample_at_each_time():
    model = Model()
    rows = evaluate(model, [_batch(0, 1, 2, 3, 4)], SETTINGS, seed=3)
    assert len(rows) == 20
    found = _by_sample(rows)
    for index, time in enumerate([0.0, 0.25, 0.5, 0.75]):
        for row, id in enumerate(IDS):
            noise = normal((4, 2, 6, 10), 3, "evaluation", id, index).unsqueeze(0)
            data, times = LATENTS[[row]], torch.tensor([time])
            with torch.no_grad():
                predicted = model(interpolate(noise, data, times), times, _batch(row).text)
            expected = float((predicted - velocity(noise, data)).double().square().sum())
            assert found[id, time] == pytest.approx(expected, rel=1e-5)
    last = rows[-1]
    assert (last.id, last.bucket, last.concept, last.source) == ("clip-e", "2x6x10", None, "b")
    assert last.num_elements == 4 * 2 * 6 * 10


def test_times_are_those_of_mlperf():
    assert evaluation_times(8) == [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875]
    assert evaluation_times(1) == [0.0]


def test_the_model_is_asked_at_these_times_in_float32():
    model = Model()
    evaluate(model, [_batch(0, 1)], EvaluationSettings(num_times=8), seed=0)
    times = torch.stack([times for _, times, _ in model.seen])
    assert times.dtype == torch.float32
    assert torch.equal(times, torch.tensor(evaluation_times(8)).unsqueeze(1).expand(8, 2))


@pytest.mark.parametrize("order", [[(0,), (1,), (2,), (3,), (4,)], [(4, 2), (0, 3, 1)]])
def test_the_loss_does_not_depend_on_batches_or_on_who_evaluates_them(order):
    together = _by_sample(evaluate(Model(), [_batch(0, 1, 2, 3, 4)], SETTINGS, seed=0))
    apart: dict[tuple[str, float], float] = {}
    for rows in order:  # each as a rank of its own would
        apart.update(_by_sample(evaluate(Model(), [_batch(*rows)], SETTINGS, seed=0)))
    assert apart == pytest.approx(together, rel=1e-6)


def test_the_noise_of_a_sample_is_its_own_whatever_the_batch():
    together = evaluation_noise(LATENTS, IDS, 2, seed=0)
    for row, id in enumerate(IDS):
        assert torch.equal(evaluation_noise(LATENTS[[row]], [id], 2, seed=0)[0], together[row])
    others = [(IDS, 3, 0), (IDS, 2, 1), (IDS[::-1], 2, 0)]
    for ids, index, seed in others:
        assert not torch.equal(evaluation_noise(LATENTS, ids, index, seed), together)


def test_an_evaluation_neither_moves_nor_heeds_the_global_generators():
    torch.manual_seed(0)
    first = evaluate(Model(), [_batch(0, 1)], SETTINGS, seed=0)
    torch.manual_seed(1)
    model = Model()
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    second = evaluate(model, [_batch(0, 1)], SETTINGS, seed=0)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)
    assert first == second


def test_gradients_are_kept_again_after_it_also_where_it_fails():
    model = Model()
    evaluate(model, [_batch(0)], SETTINGS, seed=0)
    assert torch.is_grad_enabled()
    damaged = HeldOutBatch(**{**vars(_batch(0)), "latents": LATENTS[[0]] * torch.nan})
    with pytest.raises(TrainingError, match="clip-a"):
        evaluate(model, [damaged], SETTINGS, seed=0)
    assert torch.is_grad_enabled()


def test_prompts_are_seen_whatever_training_drops():
    model = Model()
    seen = evaluate(model, [_batch(0, 1)], SETTINGS, seed=0)
    assert evaluate(model, [_batch(0, 1, dropped=True)], SETTINGS, seed=0) == seen
    assert not any(text.dropped.any() for _, _, text in model.seen)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_an_error_that_is_not_finite_names_its_sample(bad):
    def predict(latents: Tensor, times: Tensor, text: TextBatch) -> Tensor:
        answer = latents.clone()
        answer[1, 0, 0, 0, 0] = bad
        return answer

    with pytest.raises(TrainingError, match="held-out sample clip-c at time 0"):
        evaluate(predict, [_batch(0, 2)], SETTINGS, seed=0)


def test_errors_of_low_precision_are_summed_in_float32():
    def predict(latents: Tensor, times: Tensor, text: TextBatch) -> Tensor:
        return torch.zeros_like(latents).bfloat16()

    (row,) = evaluate(predict, [_batch(0)], EvaluationSettings(num_times=1), seed=0)
    noise = normal((4, 2, 6, 10), 0, "evaluation", "clip-a", 0)
    expected = float(velocity(noise, LATENTS[0]).double().square().sum())
    assert row.squared_error == pytest.approx(expected, rel=1e-6)
