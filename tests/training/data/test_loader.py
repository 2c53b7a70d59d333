import gc
import itertools
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds
import pytest
import torch

from tests.training.data.tables import (
    TEXT,
    index_of,
    latent_row,
    loader_of,
    overwrite,
    settings,
    write,
)
from training.data.latent_reader import LatentReader
from training.data.loader import Batch, Loader, State
from training.data.order import plan_epoch
from training.errors import TrainingError
from training.flow import time_of
from training.randomness import normal, uniform
from training.settings import TimeSettings

START = State()


def take(loader: Loader, count: int, state: State = START) -> list[Batch]:
    batches = loader.batches(state)
    found = list(itertools.islice(batches, count))
    batches.close()
    return found


def content(batch: Batch) -> list[Any]:
    """All of a batch but how long it was waited for, in a form that can be compared."""
    tensors = [batch.data, batch.noise, batch.times, *batch.text.values.values()]
    tensors += [*batch.text.masks.values(), batch.text.dropped]
    plain = [batch.bucket, batch.is_image, batch.ids, batch.rows, batch.visits]
    return [*plain, batch.unreadable, batch.next_state, *(one.numpy().tobytes() for one in tensors)]


@pytest.fixture
def dataset(tmp_path: Path) -> ds.Dataset:
    rows = [latent_row(number) for number in range(12)]
    return write(tmp_path, [*rows, *(latent_row(number, image=True) for number in range(12, 16))])


def test_going_on_from_any_batch_gives_the_very_batches_that_came_next(
    dataset: ds.Dataset,
) -> None:
    data = settings(image_share=0.3, text_dropout=0.5)
    whole = take(loader_of(dataset, data), 25)
    assert whole[-1].next_state.epoch >= 2, "several epochs"
    for done in range(24):
        rest = take(
            loader_of(dataset, data, prefetch=done % 3), 25 - done - 1, whole[done].next_state
        )
        assert [content(batch) for batch in rest] == [content(batch) for batch in whole[done + 1 :]]


def test_reading_ahead_changes_nothing(dataset: ds.Dataset) -> None:
    data = settings(image_share=0.3)
    plain = [content(batch) for batch in take(loader_of(dataset, data), 20)]
    for prefetch in (1, 5):
        ahead = take(loader_of(dataset, data, prefetch), 20)
        assert [content(batch) for batch in ahead] == plain


def test_another_seed_is_another_order_and_other_noise(dataset: ds.Dataset) -> None:
    one, other = (take(loader_of(dataset, settings(), seed=seed), 6) for seed in (0, 1))
    assert [batch.ids for batch in one] != [batch.ids for batch in other]
    noise = [
        {
            (name, visit): sample
            for batch in batches
            for name, visit, sample in zip(batch.ids, batch.visits, batch.noise, strict=True)
        }
        for batches in (one, other)
    ]
    both = noise[0].keys() & noise[1].keys()
    assert both and not any((noise[0][key] == noise[1][key]).any() for key in both)


def test_noise_time_and_dropout_are_keyed_by_id_and_visit(dataset: ds.Dataset) -> None:
    data, times = settings(text_dropout=0.4), TimeSettings(shift=3.0)
    reader = LatentReader(index_of(dataset, data), TEXT)
    for batch in take(Loader(reader, data, times, TEXT, seed=5), 12):
        for row, key in enumerate(zip(batch.ids, batch.visits, strict=True)):
            assert (batch.noise[row] == normal(batch.data.shape[1:], 5, "noise", *key)).all()
            uniforms = torch.tensor([uniform(5, "time", *key)], dtype=torch.float64)
            assert batch.times[row] == time_of(uniforms, times)[0]
            assert batch.text.dropped[row] == (uniform(5, "drop", *key) < 0.4)


def test_a_sample_has_other_noise_and_time_at_every_visit(dataset: ds.Dataset) -> None:
    batches = take(loader_of(dataset, settings(image_share=0.5)), 60)
    times = [time for batch in batches for time in batch.times.tolist()]
    assert len({*times}) == len(times)
    noise = {sample.flatten()[0].item() for batch in batches for sample in batch.noise}
    assert len(noise) == len(times)


def test_the_share_of_dropped_prompts_is_that_of_the_settings(dataset: ds.Dataset) -> None:
    dropped = [
        one
        for batch in take(loader_of(dataset, settings(text_dropout=0.3)), 150)
        for one in batch.text.dropped.tolist()
    ]
    assert abs(np.mean(dropped) - 0.3) < 4 * (0.3 * 0.7 / len(dropped)) ** 0.5


def test_ranks_that_split_a_step_see_what_one_rank_sees(dataset: ds.Dataset) -> None:
    loader = loader_of(dataset, settings(tokens_per_step=96))
    for step in plan_epoch(loader.index, settings(tokens_per_step=96), 0, 0):
        whole, _ = loader.batch(step, START)
        assert whole is not None
        for world in (2, 3):
            parts = [
                loader_of(dataset, settings()).batch(
                    replace(step, rows=step.rows[rank::world], visits=step.visits[rank::world]),
                    START,
                )[0]
                for rank in range(min(world, len(step.rows)))
            ]
            for rank, part in enumerate(parts):
                assert part is not None
                assert part.ids == whole.ids[rank::world]
                for name in ("data", "noise", "times"):
                    assert (getattr(part, name) == getattr(whole, name)[rank::world]).all()
                assert (part.text.dropped == whole.text.dropped[rank::world]).all()


def test_batches_are_of_their_bucket_and_carry_text_of_every_encoder(dataset: ds.Dataset) -> None:
    for batch in take(loader_of(dataset, settings(image_share=0.5)), 10):
        count = len(batch.ids)
        bucket = batch.bucket
        shape = (count, 2, bucket.frames, bucket.height, bucket.width)
        assert batch.data.shape == batch.noise.shape == shape
        assert batch.data.dtype == batch.noise.dtype == batch.times.dtype == torch.float32
        assert batch.is_image == (bucket.frames == 1)
        assert {*batch.text.values} == {"prompt", "spelling"}
        assert batch.text.values["prompt"].shape[0] == count


def broken(numbers: set[int]) -> list[dict[str, Any]]:
    rows = [latent_row(number) for number in range(24)]
    return [row | {"latent": None} if at in numbers else row for at, row in enumerate(rows)]


def test_unreadable_samples_are_skipped_and_named(tmp_path: Path) -> None:
    rows = broken({3, 8})
    loader = loader_of(write(tmp_path, rows), settings(max_unreadable_share=0.1))
    steps = len(plan_epoch(loader.index, settings(), 0, 0))
    epoch = [batch for batch in take(loader, steps) if batch.next_state <= State(1, 0)]
    skipped = [one for batch in epoch for one in batch.unreadable]
    assert {one.id for one in skipped} <= {rows[3]["clip_id"], rows[8]["clip_id"]}
    ids = [one for batch in epoch for one in batch.ids]
    assert len(ids) + len(skipped) == 24
    assert all(one.reason == "its latent is missing" for one in skipped)
    assert not {one.id for one in skipped} & {*ids}


def test_a_step_without_any_readable_sample_is_skipped(tmp_path: Path) -> None:
    data = settings(tokens_per_step=1, max_unreadable_share=0.2)
    rows = broken({0, 7, 11})
    loader = loader_of(write(tmp_path, rows), data)
    batches = take(loader, 21)
    assert sum(len(batch.ids) for batch in batches) == 21
    named = [one.id for batch in batches for one in batch.unreadable]
    steps = plan_epoch(loader.index, data, 0, 0)
    ids = [loader.index.ids[step.rows[0]].as_py() for step in steps]
    before_last = ids[: batches[-1].next_state.step or len(ids)]
    bad = {rows[at]["clip_id"] for at in (0, 7, 11)}
    assert named == [one for one in before_last if one in bad]
    assert [one for batch in batches for one in batch.ids] == [
        one for one in ids if one not in bad
    ][:21]


@pytest.mark.parametrize("prefetch", [0, 3])
def test_too_many_unreadable_samples_end_training_with_their_names(
    tmp_path: Path, prefetch: int
) -> None:
    rows = broken({*range(12)})
    loader = loader_of(write(tmp_path, rows), settings(max_unreadable_share=0.1), prefetch)
    seen = 0
    with pytest.raises(TrainingError, match="samples of 256p cannot be read") as raised:
        for batch in loader.batches(START):
            seen += batch.num_read
    assert "and data.max_unreadable_share allows 0.1 of them" in str(raised.value)
    named = [row["clip_id"] for row in rows[:12] if row["clip_id"] in str(raised.value)]
    assert len(named) == 5
    assert "its latent is missing" in str(raised.value)
    assert 0 < seen < 24, "a first few do not end it, and no epoch is waited for"


def test_an_epoch_without_any_readable_sample_ends_training_whatever_is_allowed(
    tmp_path: Path,
) -> None:
    rows = [latent_row(number) | {"latent": None} for number in range(4)]
    loader = loader_of(write(tmp_path, rows), settings(max_unreadable_share=1.0))
    with pytest.raises(TrainingError, match="4 of the first 4 samples"):
        next(loader.batches(START))
    with pytest.raises(TrainingError, match="4 of the first 4 samples"):
        next(loader_of(write(tmp_path, rows[:2]), settings()).batches(START, 2, 2))


def test_an_epoch_without_any_readable_clip_ends_training_though_images_are_readable(
    tmp_path: Path,
) -> None:
    dataset = write(tmp_path, broken({*range(24)})[:2])
    loader = loader_of(dataset, settings(image_share=0.5, max_unreadable_share=1.0))
    with pytest.raises(TrainingError, match=r"of the first \d samples"):
        take(loader, 4)
    images = loader_of(dataset, settings(image_share=1, max_unreadable_share=0))
    assert all(batch.is_image for batch in take(images, 4))


def test_an_epoch_that_nothing_is_readable_of_any_more_ends_training_after_a_resume(
    tmp_path: Path,
) -> None:
    data = settings(tokens_per_step=1, max_unreadable_share=1.0)
    index = index_of(write(tmp_path, broken(set())), data)
    reader = LatentReader(index, TEXT, cache_bytes=0)
    batches = Loader(reader, data, TimeSettings(), TEXT, 0).batches(State(0, 20), 20, 0)
    assert next(batches).next_state == State(0, 21)
    for path in tmp_path.iterdir():
        overwrite(path, "latent")
    with pytest.raises(TrainingError, match=r"27 of the first 48 samples"):
        next(batches)


def test_one_broken_sample_of_a_few_is_skipped_in_every_epoch(tmp_path: Path) -> None:
    data = settings()
    loader = loader_of(write(tmp_path, broken({3})[:10]), data)
    batches = take(loader, 200)
    epochs = batches[-1].next_state.epoch
    assert epochs > 20
    skipped = sum(len(batch.unreadable) for batch in batches)
    assert epochs - 1 <= skipped <= epochs + 1


def test_a_share_of_zero_allows_none(tmp_path: Path) -> None:
    data = settings(max_unreadable_share=0)
    loader = loader_of(write(tmp_path, broken({3})), data)
    with pytest.raises(TrainingError, match="1 of the first"):
        take(loader, 24)


@pytest.mark.parametrize("prefetch", [0, 4])
def test_a_pause_at_any_batch_changes_nothing_of_when_training_ends(
    tmp_path: Path, prefetch: int
) -> None:
    """The counts go with the place, and what is read ahead and thrown away is in none."""
    data = settings(max_unreadable_share=0.1)
    dataset = write(tmp_path, broken({3, 8, 13, 15, 20, 22}))

    def run(every: int) -> tuple[int, str]:
        loader = loader_of(dataset, data, prefetch)
        state, num_read, num_unreadable = START, 0, 0
        while num_read < 100:
            batches = loader.batches(state, num_read, num_unreadable)
            try:
                for batch in itertools.islice(batches, every):
                    num_read += batch.num_read
                    num_unreadable += len(batch.unreadable)
                    state = batch.next_state
            except TrainingError as error:
                return num_read, str(error)
            batches.close()
        return num_read, "no end"

    whole = run(10**6)
    assert 10 < whole[0] < 24 and "6 of the first 2" in whole[1]
    for every in (1, 2, 5):
        assert run(every) == whole


def test_what_a_batch_read_is_all_that_the_plan_has_up_to_it(tmp_path: Path) -> None:
    data = settings(tokens_per_step=1, max_unreadable_share=0.5)
    loader = loader_of(write(tmp_path, broken({0, 7, 11})), data)
    num_read = 0
    for batch in take(loader, 40):
        num_read += batch.num_read
        assert batch.num_read == len(batch.ids) + len(batch.unreadable)
        assert num_read == 24 * batch.next_state.epoch + batch.next_state.step


def test_resuming_at_an_unreadable_end_of_an_epoch_is_no_reason_to_end(tmp_path: Path) -> None:
    data = settings(tokens_per_step=1, max_unreadable_share=0.2)
    loader = loader_of(write(tmp_path, broken({0})), data)
    plan = [
        (epoch, step.rows[0])
        for epoch in range(60)
        for step in plan_epoch(loader.index, data, 0, epoch)[-1:]
    ]
    bad = loader.index.ids.to_pylist().index(broken({0})[0]["clip_id"])
    epoch = next(epoch for epoch, row in plan if row == bad)
    [batch] = take(loader, 1, State(epoch, 23))
    assert [one.id for one in batch.unreadable] == [broken({0})[0]["clip_id"]]
    assert batch.next_state == State(epoch + 1, 1)


def test_no_thread_is_left_when_batches_are_not_wanted_any_more(dataset: ds.Dataset) -> None:
    batches = loader_of(dataset, settings(), prefetch=2).batches(START)
    assert next(batches).wait_s > 0
    assert any(one.name == "prefetch" for one in threading.enumerate())
    del batches
    gc.collect()
    assert not any(one.name == "prefetch" for one in threading.enumerate())
