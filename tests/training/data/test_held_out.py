import logging
from pathlib import Path
from typing import Any

import pytest

from tests.training.data.tables import TEXT, index_of, latent_row, settings, write
from training.data.draws import keys_of
from training.data.held_out import held_out_batches
from training.data.latent_reader import LatentReader
from training.evaluation import HeldOutBatch
from training.settings import EvaluationSettings


def batches(
    folder: Path, rows: list[dict[str, Any]], batch_size: int = 3, most: int = 100, **values: Any
) -> tuple[LatentReader, list[HeldOutBatch]]:
    data = settings(**{"held_out_share": 0.4} | values)
    reader = LatentReader(index_of(write(folder, rows), data), TEXT)
    evaluation = EvaluationSettings(batch_size=batch_size, max_samples=most)
    return reader, list(held_out_batches(reader, data, evaluation, TEXT))


CLIPS = [latent_row(number, video=number // 2) for number in range(40)]


def test_held_out_clips_come_once_in_batches_of_one_bucket(tmp_path: Path) -> None:
    reader, found = batches(tmp_path, CLIPS)
    index = reader.index
    ids = [one for batch in found for one in batch.ids]
    assert sorted(ids) == index.ids.take(index.held_out_rows).to_pylist()
    for batch in found:
        assert 1 <= len(batch.ids) <= 3
        assert batch.bucket == "x".join(map(str, batch.latents.shape[2:]))
        assert not batch.text.dropped.any()
        assert batch.concepts == (None,) * len(batch.ids)
        by_id = {row["clip_id"]: row["source"] for row in CLIPS}
        assert batch.sources == tuple(by_id[one] for one in batch.ids)


def test_no_video_is_both_trained_on_and_evaluated_on(tmp_path: Path) -> None:
    reader, found = batches(tmp_path, CLIPS)
    video_of = {row["clip_id"]: row["video_id"] for row in CLIPS}
    evaluated = {video_of[one] for batch in found for one in batch.ids}
    index = reader.index
    trained = {video_of[one] for one in index.ids.take(index.training_rows).to_pylist()}
    assert evaluated and trained and not evaluated & trained


def test_the_same_samples_are_evaluated_whatever_the_batch_size_and_the_files(
    tmp_path: Path,
) -> None:
    _, one = batches(tmp_path / "one", CLIPS, most=7)
    _, other = batches(tmp_path / "other", CLIPS[::-1], batch_size=1, most=7)
    _, more = batches(tmp_path / "more", CLIPS, most=9)
    sets = [{id for batch in found for id in batch.ids} for found in (one, other, more)]
    assert sets[0] == sets[1] < sets[2]
    assert [len(one) for one in sets] == [7, 7, 9]
    _, whole = batches(tmp_path / "whole", CLIPS)
    every = sorted((one for batch in whole for one in batch.ids), key=lambda id: keys_of([id])[0])
    assert sets[0] == {*every[:7]}, "the first by the hash of their ids"
    latents = [
        {
            id: latent.numpy().tobytes()
            for batch in found
            for id, latent in zip(batch.ids, batch.latents, strict=True)
        }
        for found in (one, other)
    ]
    assert latents[0] == latents[1]


def test_a_joint_stage_is_evaluated_on_clips_and_on_images(tmp_path: Path) -> None:
    _, alone = batches(tmp_path, CLIPS)
    _, images = batches(tmp_path, CLIPS, image_share=1)
    _, joint = batches(tmp_path, CLIPS, image_share=0.1)
    kinds = [
        {(batch.bucket.startswith("1x"), id) for batch in found for id in batch.ids}
        for found in (alone, images, joint)
    ]
    assert kinds[0] | kinds[1] == kinds[2]
    assert {is_image for is_image, _ in kinds[0]} == {False}
    assert {is_image for is_image, _ in kinds[1]} == {True}


def test_nothing_held_out_is_nothing_to_evaluate(tmp_path: Path) -> None:
    assert batches(tmp_path, CLIPS, held_out_share=0.0)[1] == []


def test_a_sample_that_cannot_be_read_is_left_out_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, whole = batches(tmp_path, CLIPS)
    bad = whole[0].ids[0]
    rows = [row | {"latent": b"1"} if row["clip_id"] == bad else row for row in CLIPS]
    with caplog.at_level(logging.WARNING):
        _, found = batches(tmp_path, rows)
    left = {one for batch in found for one in batch.ids}
    assert left == {one for batch in whole for one in batch.ids} - {bad}
    assert bad in caplog.text and "its latent has 1 bytes" in caplog.text
