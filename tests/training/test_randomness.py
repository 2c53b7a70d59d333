import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from training.randomness import generator, initialise, normal, uniform

KEYS: list[tuple[str | int, ...]] = [
    (),
    ("",),
    ("", ""),
    ("a", "bc"),
    ("ab", "c"),
    ("abc",),
    ("1",),
    (1,),
    (-1,),
    (1, 1),
    (11,),
    ("s", 1),
    (1, "s"),
    ("é",),
]


def test_each_key_has_its_own_numbers():
    draws = [
        (normal((8,), seed, *key), uniform(seed, *key), generator(seed, *key).initial_seed())
        for seed in (0, 1)
        for key in KEYS
    ]
    for one, other in itertools.combinations(draws, 2):
        assert not torch.equal(one[0], other[0])
        assert one[1] != other[1]
        assert one[2] != other[2]


def test_numbers_do_not_depend_on_what_was_drawn_before_or_on_threads():
    first = normal((3, 5), 7, "clip", 0)
    normal((100,), 7, "clip", 1)
    torch.manual_seed(3)
    np.random.seed(3)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert torch.equal(normal((3, 5), 7, "clip", 0), first)
    finally:
        torch.set_num_threads(threads)


def test_drawing_leaves_the_global_generators_alone():
    layer = nn.Linear(2, 2)
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    normal((10,), 0, "a")
    uniform(0, "a")
    torch.randn(3, generator=generator(0, "a"))
    initialise(layer, 0, lambda name, parameter: 1.0)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)


def test_numbers_are_those_of_every_release():
    """Changing them would change every training run that is under way."""
    expected = [0.579247236251831, -0.25119829177856445, 1.4312547445297241]
    assert normal((3,), 0, "noise", "clip", 1).tolist() == expected
    assert uniform(0, "time", "clip", 1) == 0.8662624173408723
    assert generator(0, "order", 2).initial_seed() == 3503128572


def test_numbers_are_standard_normal():
    numbers = normal((400, 500), 0, "moments").double()
    assert numbers.shape == (400, 500)
    assert abs(float(numbers.mean())) < 4 / math.sqrt(numbers.numel())
    assert abs(float(numbers.var()) - 1) < 4 * math.sqrt(2 / numbers.numel())
    below = (numbers < torch.tensor([-2.0, -1, 0, 1, 2]).view(-1, 1, 1)).double().mean((1, 2))
    expected = torch.special.ndtr(torch.tensor([-2.0, -1, 0, 1, 2], dtype=torch.float64))
    torch.testing.assert_close(below, expected, atol=0.005, rtol=0)


def test_neighbouring_keys_are_independent():
    numbers = torch.stack([normal((4000,), 0, "noise", "clip", visit) for visit in range(6)])
    correlations = torch.corrcoef(numbers) - torch.eye(6)
    assert float(correlations.abs().max()) < 4.5 / math.sqrt(4000)


def test_uniform_numbers_fill_the_open_interval():
    numbers = np.sort([uniform(0, "time", index) for index in range(4000)])
    assert numbers[0] > 0 and numbers[-1] < 1
    # Kolmogorov's bound at one in a thousand.
    assert np.abs(numbers - (np.arange(4000) + 0.5) / 4000).max() < 1.95 / math.sqrt(4000)


def test_normal_numbers_of_no_dimension_and_of_no_element():
    assert normal((), 0, "a").shape == ()
    assert normal((2, 0), 0, "a").shape == (2, 0)


@pytest.fixture
def layers() -> nn.Module:
    return nn.ModuleDict({"first": nn.Linear(64, 64), "second": nn.Linear(64, 64)})


def _std(name: str, parameter: nn.Parameter) -> float | None:
    if name == "second.bias":
        return None
    return 0.0 if parameter.ndim == 1 else 0.02


def test_initialising_gives_each_parameter_the_std_that_it_should_have(layers):
    kept = layers["second"].bias.detach().clone()
    initialise(layers, 0, _std)
    first, second = layers["first"].weight, layers["second"].weight
    assert abs(float(first.detach().std()) / 0.02 - 1) < 0.05
    assert not torch.equal(first, second)
    assert not layers["first"].bias.any()
    assert torch.equal(layers["second"].bias, kept)


def test_initialising_does_not_depend_on_the_order_or_number_of_parameters(layers):
    initialise(layers, 0, _std)
    other = nn.ModuleDict({"third": nn.Linear(8, 8), "second": nn.Linear(64, 64)})
    initialise(other, 0, _std)
    assert torch.equal(layers["second"].weight, other["second"].weight)


def test_a_slice_of_a_parameter_can_be_initialised_from_its_name(layers):
    initialise(layers, 5, _std)
    whole = normal((64, 64), 5, "parameter", "first.weight") * 0.02
    assert torch.equal(layers["first"].weight[32:], whole[32:])


def test_initialising_in_low_precision_rounds_the_same_numbers(layers):
    initialise(layers, 0, _std)
    half = nn.ModuleDict({"first": nn.Linear(64, 64)}).to(torch.bfloat16)
    initialise(half, 0, _std)
    assert torch.equal(half["first"].weight, layers["first"].weight.bfloat16())
