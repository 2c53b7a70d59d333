import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.quotas import balanced
from curation.resampling import (
    Quota,
    ResamplingSettings,
    largest_remainder,
    resample,
)


@st.composite
def subsets(draw, max_clips=60):
    """Ids, concepts, landscape, people of some clips."""
    kinds = draw(
        st.lists(
            st.tuples(st.integers(0, 5), st.booleans(), st.booleans()),
            min_size=1,
            max_size=max_clips,
        )
    )
    concepts, landscape, people = (np.array(column) for column in zip(*kinds, strict=True))
    return [f"clip-{number}" for number in range(len(kinds))], concepts, landscape, people


def a_subset(sizes, landscape_every=2, people_every=3):
    """Concepts of these sizes, with clips of all kinds in those that are large enough."""
    concepts = np.repeat(np.arange(len(sizes)), sizes)
    number = np.arange(len(concepts))
    ids = [f"clip-{one}" for one in number]
    return ids, concepts, number % landscape_every == 0, number % people_every == 0


def resampled(subset, **settings):
    return resample(*subset, ResamplingSettings.model_validate(settings))


@settings(deadline=None)
@given(subsets(), st.integers(1, 300), st.integers(0, 3))
def test_copies_add_up_to_the_budget_and_weights_have_mean_one(subset, budget, floor):
    ids, concepts, _, _ = subset
    needed = np.minimum(np.bincount(concepts), floor)
    if needed.sum() > budget:
        with pytest.raises(ValueError, match=f"needs {needed.sum()} samples .* is {budget}"):
            resampled(subset, budget=budget, rare_floor=floor)
        return
    found = resampled(subset, budget=budget, rare_floor=floor)
    assert found.copies.shape == found.weights.shape == (len(ids),)
    assert found.copies.sum() == budget and found.copies.min() >= 0
    assert found.weights.mean() == pytest.approx(1) and found.weights.min() > 0
    dealt, due = (
        np.bincount(concepts, one) for one in (found.copies, found.weights * budget / len(ids))
    )
    assert (np.abs(dealt - due) < 1 + 1e-6).all()
    assert (dealt >= needed).all() and (due >= needed - 1e-6).all()


@settings(deadline=None)
@given(subsets(), st.randoms())
def test_the_order_of_the_clips_decides_nothing(subset, random):
    order = list(range(len(subset[0])))
    random.shuffle(order)
    found = resampled(subset, budget=40)
    again = resampled(([subset[0][row] for row in order], *(one[order] for one in subset[1:])),
                      budget=40)  # fmt: skip
    assert (again.copies == found.copies[order]).all()
    assert (again.weights == found.weights[order]).all()


@pytest.mark.parametrize("exponent", [0, 0.5, 1])
def test_without_quotas_a_clip_weighs_one_over_a_power_of_the_size_of_its_concept(exponent):
    sizes = np.array([400, 100, 25, 4])
    found = resampled(a_subset(sizes), exponent=exponent)
    by_hand = np.repeat(1 / sizes**exponent, sizes)
    np.testing.assert_allclose(found.weights, by_hand / by_hand.mean())
    masses = np.bincount(np.repeat(range(4), sizes), found.copies)
    assert (masses == largest_remainder(sizes ** (1 - exponent), sizes.sum())).all()


def test_copies_of_a_concept_are_spread_evenly_and_the_seed_decides_who_gets_one_more():
    subset = a_subset([30, 9])
    copies = resampled(subset, exponent=0, budget=50).copies
    assert set(copies) == {1, 2}
    assert (resampled(subset, exponent=0, budget=50, seed=1).copies != copies).any()


@settings(deadline=None)
@given(st.lists(st.floats(0.01, 9), min_size=1, max_size=4), st.integers(0, 6))
def test_a_largest_remainder_is_the_nearest_in_whole_numbers(quotas, total):
    exact = np.array(quotas) / sum(quotas) * total
    options = itertools.product(range(total + 1), repeat=len(quotas))
    best = min(((np.array(one) - exact) ** 2).sum() for one in options if sum(one) == total)
    found = largest_remainder(np.array(quotas), total)
    assert found.sum() == total
    assert ((found - exact) ** 2).sum() <= best + 1e-6


@settings(deadline=None)
@given(subsets(max_clips=12), *[st.floats(0, 0.9), st.floats(0.1, 1)] * 2)
def test_quotas_are_met_or_refused_where_nothing_meets_them(subset, low, high, less, more):
    _, _, landscape, people = subset
    assume(low <= high and less <= more)
    quotas = {"landscape": {"min": low, "max": high}, "people": {"min": less, "max": more}}
    # Brute force: mixtures of the kinds of clip that there are, in steps of a twentieth.
    kinds = sorted({*zip(landscape.tolist(), people.tolist(), strict=True)})
    steps = [
        [*one, 20 - sum(one)]
        for one in itertools.product(range(21), repeat=len(kinds) - 1)
        if sum(one) <= 20
    ]
    mixtures = np.array(steps) / 20 @ np.array(kinds, float)
    inside = (mixtures >= [low, less]) & (mixtures <= [high, more])
    near = (mixtures >= [low - 0.05, less - 0.05]) & (mixtures <= [high + 0.05, more + 0.05])
    try:
        weights = resampled(subset, rare_floor=0, **quotas).weights
    except ValueError as error:
        assert "allow" in str(error)
        assert not inside.all(axis=1).any()
        return
    assert near.all(axis=1).any()
    assert low - 1e-4 <= (weights * landscape).mean() <= high + 1e-4
    assert less - 1e-4 <= (weights * people).mean() <= more + 1e-4
    assert weights.min() > 0 and weights.mean() == pytest.approx(1)


def test_copies_meet_the_quotas_even_where_a_concept_gets_one_or_two():
    subset = a_subset([40] * 50)
    _, concepts, landscape, people = subset
    quotas = {"landscape": {"min": 0.6, "max": 0.6}, "people": {"min": 0.45}}
    copies = resampled(subset, budget=80, **quotas).copies
    assert set(np.bincount(concepts, copies)) == {1, 2}
    assert abs((copies * landscape).sum() - 48) <= 1
    assert (copies * people).sum() >= 35


def test_quotas_change_the_weights_as_little_as_they_can():
    """Against a search over all weights of four cells that meet the quota, by relative entropy."""
    base = np.array([0.4, 0.1, 0.3, 0.2])
    concept, kinds = np.array([0, 0, 1, 1]), np.array([[True], [False], [True], [False]])
    found = balanced(base, concept, np.array([0.0, 0.56]), kinds, [Quota(min=0.1, max=0.5)])
    assert found[kinds[:, 0]].sum() <= 0.5 + 1e-6
    assert found[2:].sum() >= 0.56 - 1e-6

    def distance(shares):
        return (shares * np.log(shares / base)).sum(axis=-1)

    grid = np.arange(1, 100) / 100
    first, second, third = (one.ravel() for one in np.meshgrid(grid, grid, grid))
    options = np.column_stack([first, second, third, 1 - first - second - third])
    options = options[options[:, 3] > 0.005]
    meets = (options[:, [0, 2]].sum(axis=1) <= 0.5) & (options[:, 2:].sum(axis=1) >= 0.56)
    best = distance(options[meets]).min()
    assert distance(found) <= best + 1e-9
    assert distance(found) == pytest.approx(best, abs=2e-3)


def test_a_quota_that_another_one_fulfils_changes_nothing():
    """People are in wide clips only: with enough of them, enough are wide."""
    base = np.array([0.2, 0.1, 0.7])
    kinds = np.array([[True, True], [True, False], [False, False]])
    both, one = (
        balanced(base, np.zeros(3, int), np.zeros(1), kinds, [wide, Quota(min=0.8)])
        for wide in (Quota(min=0.5), Quota())
    )
    np.testing.assert_allclose(both, one, atol=1e-7)


def test_equal_remainders_go_to_the_first_in_spite_of_rounding():
    assert largest_remainder(np.array([1, 1 + 1e-13, 1]), 4).tolist() == [2, 1, 1]


def test_copies_of_every_kind_in_every_concept_are_near_their_share():
    random = np.random.default_rng(4)
    concepts = random.zipf(1.4, 4000) % 60
    landscape, people = random.random((2, 4000)) < [[0.3], [0.5]]
    subset = ([f"clip-{number}" for number in range(4000)], concepts, landscape, people)
    found = resampled(subset, budget=900, landscape={"min": 0.6}, people={"max": 0.3})
    cells = 4 * concepts + 2 * landscape + people
    off = np.bincount(cells, found.copies) - np.bincount(cells, found.weights * 900 / 4000)
    assert np.abs(off).max() < 1
    assert abs((found.copies * landscape).sum() - 540) <= 1
    assert abs((found.copies * people).sum() - 270) <= 1


def test_a_rare_concept_keeps_its_floor_under_a_small_budget_and_quotas():
    subset = a_subset([5000, 3, 2, 40])
    found = resampled(subset, budget=60, rare_floor=10, landscape={"min": 0.7})
    dealt = np.bincount(subset[1], found.copies)
    assert (dealt >= [10, 3, 2, 10]).all() and dealt.sum() == 60
    without = np.bincount(subset[1], resampled(subset, budget=60, rare_floor=0).copies)
    assert (without[[1, 2]] < [3, 2]).all()


def test_a_floor_that_the_budget_cannot_hold_is_refused_in_words():
    with pytest.raises(ValueError, match="needs 20 samples for 2 concepts, the budget is 15"):
        resampled(a_subset([30, 30]), budget=15, rare_floor=10)


def test_impossible_quotas_say_what_the_clips_allow():
    ids, concepts = ["a", "b", "c", "d"], np.zeros(4, int)
    tall, wide = np.zeros(4, bool), np.ones(4, bool)
    with pytest.raises(ValueError, match=r"landscape from 0\.8 to 1 .* allow 0 to 0"):
        resampled((ids, concepts, tall, wide), landscape={"min": 0.8})
    # People are in tall clips only: more of the one is less of the other.
    wide_or_people = np.array([True, True, False, False])
    with pytest.raises(ValueError, match=r"people from 0\.5 to 1 .* 0\.6 to 1 .* allow 0 to 0\.4"):
        resampled(
            (ids, concepts, wide_or_people, ~wide_or_people),
            landscape={"min": 0.6},
            people={"min": 0.5},
        )
    # The floor of the tall concept is half of the budget.
    with pytest.raises(ValueError, match=r"landscape from 0\.7 to 1 .* allow 0\.5 to 0\.5"):
        resampled((ids, np.array([0, 0, 1, 1]), wide_or_people, tall),
                  landscape={"min": 0.7}, rare_floor=2)  # fmt: skip


def test_few_old_clips_change_when_one_in_a_hundred_is_added():
    random = np.random.default_rng(0)
    concepts = random.zipf(1.5, 10_100) % 40
    landscape, people = random.random((2, 10_100)) < 0.4
    ids = [f"clip-{number}" for number in range(10_100)]
    quotas = {"landscape": {"min": 0.6}, "people": {"min": 0.5}}
    old = resampled((ids[:10_000], *(one[:10_000] for one in (concepts, landscape, people))),
                    **quotas)  # fmt: skip
    new = resampled((ids, concepts, landscape, people), **quotas)
    assert (old.copies != new.copies[:10_000]).mean() < 0.02
    np.testing.assert_allclose(new.weights[:10_000], old.weights, rtol=0.1)


def test_no_clips_have_no_weights_and_one_clip_has_the_whole_budget():
    none = np.zeros(0, bool)
    empty = resampled(([], np.zeros(0, int), none, none), landscape={"min": 0.5})
    assert empty.weights.shape == empty.copies.shape == (0,)
    one = resampled((["a"], np.array([7]), ~np.zeros(1, bool), np.zeros(1, bool)), budget=3)
    assert one.weights.tolist() == [1.0] and one.copies.tolist() == [3]


def test_settings_that_mean_nothing_are_refused():
    wrongs = (
        {"budget": 0}, {"exponent": 2}, {"landscape": {"min": 0.8, "max": 0.6}},
        {"people": {"min": 1.0}}, {"people": {"max": 0}}, {"unknown": 1},
    )  # fmt: skip
    for wrong in wrongs:
        with pytest.raises(ValidationError):
            ResamplingSettings.model_validate(wrong)
