"""Embeddings come out of Arrow as they went in, without those that are missing."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from curation.copy_embeddings import READ_CLIPS, frame_embeddings
from curation.tables import SCORES

MODELS = ["open-nsfw:1", "sscd:240436cc531e-1"]


def scores(*rows: dict) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=SCORES)


def row(name: str, embeddings: list | None, models: list[str] = MODELS) -> dict:
    return {
        "clip_id": f"{name}-0-90",
        "video_id": name,
        "copy_embedding": embeddings,
        "models": models,
    }


def test_each_clip_has_its_own_frames_and_those_without_are_named() -> None:
    table = scores(
        row("v1", [[1, 0, 0], [0, 1, 0]]), row("v2", None), row("v3", []), row("v4", [[0, 0, 1]])
    )
    for form in (table, table.slice(0), ds.dataset(table)):
        clips, without = frame_embeddings(form)
        assert clips.ids == ["v1-0-90", "v4-0-90"]
        assert clips.videos == ["v1", "v4"]
        assert clips.embeddings.dtype == np.float16
        assert clips.embeddings.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
        assert clips.clip_of.tolist() == [0, 0, 1]
        assert clips.model == "sscd:240436cc531e-1"
        assert without == ["v2-0-90", "v3-0-90"]


def test_many_batches_of_many_files_are_those_of_one_list(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    number = 2 * READ_CLIPS + 7
    made = [
        random.normal(size=(count, 8)).astype(np.float16).astype(np.float32)
        for count in random.integers(0, 5, number)
    ]
    table = scores(*(row(f"v{i}", frames.tolist()) for i, frames in enumerate(made)))
    for part, start in enumerate(range(0, number, 1000)):
        pq.write_table(table.slice(start, 1000), tmp_path / f"{part}.parquet")
    clips, without = frame_embeddings(ds.dataset(tmp_path))
    expected = {f"v{i}-0-90": frames for i, frames in enumerate(made)}
    assert sorted([*clips.ids, *without]) == sorted(expected)
    for position in random.choice(len(clips.ids), 200, replace=False):
        own = clips.embeddings[clips.clip_of == position]
        assert np.array_equal(own, expected[clips.ids[position]])
    assert all(len(expected[name]) == 0 for name in without)


def test_a_dataset_is_read_as_its_filter_says() -> None:
    table = scores(row("v1", [[1, 0]]), row("v2", [[0, 1]]))
    clips, without = frame_embeddings(ds.dataset(table).filter(ds.field("video_id") == "v2"))
    assert (clips.ids, clips.embeddings.tolist(), without) == (["v2-0-90"], [[0, 1]], [])


def test_no_rows_are_no_clips() -> None:
    clips, without = frame_embeddings(SCORES.empty_table())
    assert (clips.ids, len(clips.embeddings), without) == ([], 0, [])


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.list_(pa.float64())),
        pa.large_list(pa.list_(pa.float32(), 2)),
        pa.list_(pa.list_(pa.float16())),
    ],
)
def test_a_file_of_two_columns_is_enough_whatever_its_lists_are(kind: pa.DataType) -> None:
    values = pa.array([[[1, 0]], None, [[0, 1], [1, 0]]], pa.list_(pa.list_(pa.float32())))
    table = pa.table({"clip_id": ["a", "b", "c"], "copy_embedding": values.cast(kind)})
    clips, without = frame_embeddings(table)
    assert clips.embeddings.tolist() == [[1, 0], [0, 1], [1, 0]]
    assert (clips.ids, clips.videos, clips.model) == (["a", "c"], [None, None], None)
    assert without == ["b"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"id": ["a"]}), "the column clip_id is missing; there are id"),
        (pa.table({"clip_id": ["a"]}), "the column copy_embedding is missing"),
        (pa.table({"clip_id": ["a"], "copy_embedding": [[1.0, 0.0]]}), "a list of embeddings for"),
        (scores(row("a", [[1.0], [1.0, 0.0]])), r"several lengths .* \[1, 2\]"),
        (scores(row("a", [[1.0]]), row("b", [[1.0], None])), "is null"),
        (scores(row("a", [[1.0, None]])), "is null"),
        (scores(row("a", [[1.0]]) | {"clip_id": None}), "a clip_id is null"),
        (
            scores(row("a", [[1.0]], ["sscd:1"]), row("b", [[1.0]], ["sscd:2"])),
            "several models cannot be compared: sscd:1, sscd:2",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(table: pa.Table, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        frame_embeddings(table)
