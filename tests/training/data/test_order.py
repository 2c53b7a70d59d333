from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tests.training.data.tables import bare_index, settings
from training.data.order import Step, plan_epoch


def rows(steps: list[Step]) -> list[int]:
    return [row for step in steps for row in step.rows]


def test_an_epoch_has_every_sample_once_and_each_step_one_bucket_within_its_tokens() -> None:
    index = bare_index(100)
    steps = plan_epoch(index, settings(), seed=0, epoch=0)
    assert sorted(rows(steps)) == list(range(100))
    for step in steps:
        assert {index.buckets[index.bucket[row]] for row in step.rows} == {step.bucket}
        assert len(step.rows) * step.bucket.tokens <= 48 or len(step.rows) == 1
    full = [step for step in steps if len(step.rows) == max(1, 48 // step.bucket.tokens)]
    assert len(steps) - len(full) <= 3, "a bucket has one smaller step at most"


def test_a_sample_larger_than_the_tokens_of_a_step_is_a_step_of_its_own() -> None:
    steps = plan_epoch(bare_index(9), settings(tokens_per_step=1), seed=0, epoch=0)
    assert [len(step.rows) for step in steps] == [1] * 9


def test_the_order_is_a_function_of_seed_and_epoch_and_each_epoch_has_another() -> None:
    index = bare_index(60)
    plans = {
        (seed, epoch): plan_epoch(index, settings(), seed, epoch)
        for seed in (0, 1)
        for epoch in (0, 1, 2)
    }
    assert plans[0, 1] == plan_epoch(index, settings(), 0, 1)
    orders = {tuple(rows(plan)) for plan in plans.values()}
    assert len(orders) == len(plans)
    kinds = {tuple(step.bucket for step in plan) for plan in plans.values()}
    assert len(kinds) == len(plans), "steps of the buckets are shuffled anew too"


def test_neighbours_of_one_epoch_are_not_neighbours_of_the_next() -> None:
    index = bare_index(3000, buckets=lambda _: 0)
    data = settings(tokens_per_step=12 * 10)
    mates = [
        {pair for step in plan_epoch(index, data, 0, epoch) for pair in _pairs(step)}
        for epoch in (0, 1)
    ]
    expected = len(mates[0]) * 9 / 2999
    assert len(mates[0] & mates[1]) < expected + 5 * expected**0.5


def _pairs(step: Step) -> set[frozenset[int]]:
    return {frozenset((one, other)) for one in step.rows for other in step.rows if one != other}


def test_the_first_step_of_an_epoch_has_any_sample_with_equal_chance() -> None:
    index = bare_index(12, buckets=lambda _: 0)
    data = settings(tokens_per_step=12)
    counts = Counter(plan_epoch(index, data, 7, epoch)[0].rows[0] for epoch in range(2400))
    chi_square = sum((counts[row] - 200) ** 2 / 200 for row in range(12))
    assert chi_square < 31.3, "the 0.999 quantile with 11 degrees of freedom"


def test_visits_of_a_sample_are_never_equal() -> None:
    index = bare_index(10, weights=[9.0] + [1.0] * 9)
    for share in (0.0, 0.5, 1.0):
        seen = Counter(
            (row, visit)
            for epoch in range(5)
            for step in plan_epoch(index, settings(image_share=share), 0, epoch)
            for row, visit in zip(step.rows, step.visits, strict=True)
        )
        assert set(seen.values()) == {1}


def test_samples_come_by_their_weight_rounded_up_or_down_each_epoch() -> None:
    weights = np.random.default_rng(0).uniform(0.1, 4, 200)
    index = bare_index(200, weights=[*weights])
    expected, epochs = weights / weights.mean(), 200
    total = np.zeros(200)
    for epoch in range(epochs):
        counts = np.bincount(rows(plan_epoch(index, settings(), 3, epoch)), minlength=200)
        assert counts.sum() == 200
        assert ((counts == np.floor(expected)) | (counts == np.ceil(expected))).all()
        total += counts
    fraction = expected % 1
    z = (total - epochs * expected) / np.sqrt(epochs * fraction * (1 - fraction))
    # 200 of unit variance, and their sum is fixed.
    assert 140 < (z**2).sum() < 265
    assert np.abs(z).max() < 4.5


def test_a_sample_of_weight_zero_never_comes() -> None:
    index = bare_index(30, weights=[0.0] * 10 + [1.0] * 19 + [0.0])
    for epoch in range(20):
        assert not {*range(10), 29} & {*rows(plan_epoch(index, settings(), 0, epoch))}


@pytest.mark.parametrize("share", [1 / 11, 0.25, 0.5, 0.8])
@pytest.mark.parametrize("num_images", [0, 40])
def test_the_share_of_steps_on_images_is_exact_and_evenly_mixed(
    share: float, num_images: int
) -> None:
    index = bare_index(300, num_images=num_images)
    steps = plan_epoch(index, settings(image_share=share), 0, 0)
    kinds = np.array([step.is_image for step in steps])
    assert abs(kinds.sum() - share * len(steps)) <= 1
    running = np.cumsum(kinds) - share * np.arange(1, len(kinds) + 1)
    assert np.ptp(running) < 2.5, "never more than a step or two away from the share"
    clips = [row for step in steps if not step.is_image for row in step.rows]
    assert sorted(clips) == list(range(300))
    images = {row for step in steps if step.is_image for row in step.rows}
    assert images <= {*(range(300, 340) if num_images else range(300))}
    assert {step.bucket.frames for step in steps if step.is_image} == {1}


def test_images_come_by_their_weight_however_few_or_many_steps_there_are() -> None:
    weights = [1.0] * 100 + [1.0] * 10 + [3.0] * 10
    index = bare_index(100, weights=weights, num_images=20)
    for share in (0.1, 0.7):
        counts = np.zeros(120)
        for epoch in range(100):
            steps = plan_epoch(index, settings(image_share=share), 0, epoch)
            images = [row for step in steps if step.is_image for row in step.rows]
            counts += np.bincount(images, minlength=120)
        light, heavy = counts[100:110], counts[110:]
        assert 2.7 < heavy.mean() / light.mean() < 3.3
        assert heavy.std() < 0.15 * heavy.mean()


def test_short_epochs_do_not_lose_their_images() -> None:
    index = bare_index(3, num_images=5)
    data = settings(image_share=0.1, tokens_per_step=1)
    steps = [step for epoch in range(400) for step in plan_epoch(index, data, 0, epoch)]
    share = np.mean([step.is_image for step in steps])
    assert abs(share - 0.1) < 0.03


def test_a_stage_of_images_alone_has_each_once_and_no_clips() -> None:
    for num_images, expected in ((0, range(50)), (7, range(50, 57))):
        index = bare_index(50, num_images=num_images)
        steps = plan_epoch(index, settings(image_share=1), 0, 0)
        assert all(step.is_image for step in steps)
        assert sorted(rows(steps)) == list(expected)


def test_held_out_samples_are_in_no_step() -> None:
    index = bare_index(200, num_images=50, held_out_share=0.2)
    held = {*index.held_out_rows.tolist()}
    assert 20 < len(held) < 80
    for share in (0.0, 0.3, 1.0):
        assert not held & {*rows(plan_epoch(index, settings(image_share=share), 0, 0))}


def test_the_order_does_not_depend_on_what_comes_with_the_samples() -> None:
    index = bare_index(40)
    other = replace(index, sources=index.ids[::-1], num_unselected=3)
    assert plan_epoch(index, settings(), 0, 4) == plan_epoch(other, settings(), 0, 4)
