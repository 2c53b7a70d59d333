from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from deltalake import write_deltalake

from curation.tables import LATENTS, SELECTION
from pipelines.workspace import Workspace
from tests.training.data.tables import (
    HASH,
    POSITIONS,
    bare_index,
    index_of,
    latent_row,
    overwrite,
    settings,
    write,
)
from training.data.buckets import Bucket
from training.data.index import read_index
from training.data.split import is_held_out, units
from training.settings import PositionSettings


def selection_of(*rows: dict[str, Any]) -> pa.Table:
    base = {"subset": "256p", "status": "ok"}
    return pa.Table.from_pylist([base | row for row in rows], SELECTION)


def test_rows_come_by_id_whatever_files_they_are_in(tmp_path: Path) -> None:
    rows = [latent_row(number, image=number == 3) for number in range(20)]
    one = index_of(write(tmp_path / "one", rows, per_file=20), settings())
    other = index_of(write(tmp_path / "other", rows[::-1], per_file=3), settings())
    by_id = sorted(rows, key=lambda row: row["clip_id"])
    for index in (one, other):
        assert index.ids.to_pylist() == [row["clip_id"] for row in by_id]
        assert index.sources.to_pylist() == [row["source"] for row in by_id]
        for place, row in enumerate(by_id):
            assert index.buckets[index.bucket[place]] == Bucket(*row["latent_shape"][1:])
            middle = row["image_shape"] or row["latent_shape"]
            assert index.buckets[index.image_bucket[place]] == Bucket(*middle[1:])
            assert index.is_image[place] == (row["num_frames"] == 1)
    assert (one.keys == other.keys).all()


def test_a_delta_table_is_read_at_its_committed_rows(tmp_path: Path) -> None:
    rows = [latent_row(number) for number in range(6)]
    table = Workspace(tmp_path).table("latents/256p")
    for part in (rows[:2], rows[2:5]):
        write_deltalake(table.uri, pa.Table.from_pylist(part, LATENTS), mode="append")
    index = index_of(table.dataset(), settings())
    assert set(index.ids.to_pylist()) == {row["clip_id"] for row in rows[:5]}


def test_arrays_are_not_read(tmp_path: Path) -> None:
    rows = [latent_row(number) for number in range(9)]
    dataset = write(tmp_path, rows)
    for path in tmp_path.iterdir():
        overwrite(path, "latent", "image_latent", "text.list.element.values")
    index = index_of(dataset, settings())
    assert index.ids.to_pylist() == sorted(row["clip_id"] for row in rows)


def test_rows_that_are_not_ok_are_left_out(tmp_path: Path) -> None:
    failed = {"clip_id": "0", "video_id": "v", "subset": "256p", "status": "failed"}
    rejected = latent_row(1) | {"status": "rejected"}
    index = index_of(write(tmp_path, [failed, rejected, latent_row(2)]), settings())
    assert index.ids.to_pylist() == [latent_row(2)["clip_id"]]


def test_the_selection_says_weight_and_concept_and_what_is_kept(tmp_path: Path) -> None:
    rows = [latent_row(number) for number in range(4)]
    ids = [row["clip_id"] for row in rows]
    selection = selection_of(
        {"clip_id": ids[0], "weight": 2.5, "concept_id": 7},
        {"clip_id": ids[1], "weight": 0.5},
        {"clip_id": ids[1], "weight": 9.0, "subset": "768p"},
        {"clip_id": ids[2], "weight": 3.0, "subset": "768p"},
        {"clip_id": ids[3], "status": "rejected"},
    )
    index = index_of(write(tmp_path, rows), settings(), selection)
    found = zip(index.ids.to_pylist(), index.weights, index.concepts, strict=True)
    assert {id: (weight, concept) for id, weight, concept in found} == {
        ids[0]: (2.5, 7),
        ids[1]: (0.5, -1),
    }
    assert index.num_unselected == 2
    with pytest.raises(ValueError, match="selection of subset 256p keeps none of the 4"):
        index_of(write(tmp_path, rows), settings(), selection_of({"clip_id": "other"}))


def test_without_a_selection_weights_are_the_stored_ones(tmp_path: Path) -> None:
    rows = [latent_row(0) | {"weight": 0.25}, latent_row(1) | {"weight": None}]
    index = index_of(write(tmp_path, rows), settings())
    weights = dict(zip(index.ids.to_pylist(), index.weights, strict=True))
    assert weights == {rows[0]["clip_id"]: 0.25, rows[1]["clip_id"]: 1.0}


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_is_none_is_refused(tmp_path: Path, weight: float) -> None:
    rows = [latent_row(0), latent_row(1) | {"weight": weight}]
    with pytest.raises(ValueError, match=f"weight of {rows[1]['clip_id']}"):
        index_of(write(tmp_path, rows), settings())


def test_stale_latents_are_refused_with_both_hashes_and_the_command(tmp_path: Path) -> None:
    dataset = write(tmp_path, [latent_row(0), latent_row(1)])
    with pytest.raises(
        ValueError, match=r"latents/256p is stale.*encoders-1.*new-2.*moviola encode"
    ):
        read_index(dataset, None, settings(), POSITIONS, "new-2")
    assert len(read_index(dataset, None, settings(), POSITIONS, None)) == 2


def test_a_mixture_of_encoders_is_refused(tmp_path: Path) -> None:
    dataset = write(tmp_path, [latent_row(0), latent_row(1) | {"encoder_hash": "old-0"}])
    for expected in (HASH, None):
        with pytest.raises(ValueError, match=r"encoders-1 and old-0.*moviola encode"):
            read_index(dataset, None, settings(), POSITIONS, expected)


def test_a_table_of_another_version_is_refused_by_its_columns(tmp_path: Path) -> None:
    dataset = write(tmp_path, [latent_row(0)])
    schema = pa.schema([field for field in LATENTS if field.name not in ("text", "image_shape")])
    older = ds.dataset(tmp_path, schema=schema)
    with pytest.raises(ValueError, match=r"no column image_shape, text.*moviola encode"):
        index_of(older, settings())
    more = ds.dataset(tmp_path, schema=LATENTS.append(pa.field("of_a_later_version", pa.int8())))
    assert len(index_of(more, settings())) == len(index_of(dataset, settings())) == 1


def test_an_empty_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="latents/256p has no rows"):
        index_of(write(tmp_path, []), settings())
    failed = {"clip_id": "0", "video_id": "v", "subset": "256p", "status": "failed"}
    with pytest.raises(ValueError, match="none of the 1 rows of latents/256p is ok"):
        index_of(write(tmp_path, [failed]), settings())


def test_an_id_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{latent_row(1)['clip_id']} more than once"):
        index_of(write(tmp_path, [latent_row(1), latent_row(0), latent_row(1)]), settings())


def test_a_file_that_was_cut_short_is_named(tmp_path: Path) -> None:
    dataset = write(tmp_path, [latent_row(number) for number in range(9)])
    path = tmp_path / "part-000007.parquet"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"part-000007\.parquet cannot be read.*moviola verify"):
        index_of(dataset, settings())


@pytest.mark.parametrize("shape", [[2, 4, 4], [2, 0, 4, 4], []])
def test_a_shape_that_is_none_is_refused(tmp_path: Path, shape: list[int]) -> None:
    rows = [latent_row(0), latent_row(1) | {"latent_shape": shape}]
    with pytest.raises(ValueError, match=f"latent_shape of {rows[1]['clip_id']}"):
        index_of(write(tmp_path, rows), settings())


def test_latents_of_several_numbers_of_channels_are_refused(tmp_path: Path) -> None:
    rows = [latent_row(0), latent_row(1) | {"latent_shape": [3, 4, 4, 4]}]
    with pytest.raises(ValueError, match="2 and 3 channels"):
        index_of(write(tmp_path, rows), settings())


def test_a_bucket_beyond_the_tables_of_positions_is_refused_where_it_is_used(
    tmp_path: Path,
) -> None:
    dataset = write(tmp_path, [latent_row(number) for number in range(3)])
    small = PositionSettings(frames=2, height=4, width=4)
    with pytest.raises(ValueError, match=r"256p has samples of bucket 4x4x4.*positions\.frames"):
        read_index(dataset, None, settings(), small)
    # Its middle frames are used only, and they fit.
    assert len(read_index(dataset, None, settings(image_share=1), small)) == 3


def test_a_stage_finds_the_kind_of_samples_it_asks_for(tmp_path: Path) -> None:
    images = [latent_row(number, image=True) for number in range(3)]
    with pytest.raises(ValueError, match=r"only images.*image_share of the stage to 1"):
        index_of(write(tmp_path / "images", images), settings(image_share=0.5))
    bare = [latent_row(0) | {"image_latent": None, "image_shape": None}]
    with pytest.raises(ValueError, match=r"neither images nor middle frames"):
        index_of(write(tmp_path / "bare", bare), settings(image_share=0.5))


def test_clips_give_images_only_where_there_are_no_images() -> None:
    every = np.arange(8)
    assert bare_index(8).images(every).tolist() == [*range(8)]
    assert bare_index(5, num_images=3).images(every).tolist() == [5, 6, 7]
    assert bare_index(5, num_images=3).images(every[:5]).tolist() == []


def test_videos_are_held_out_whole_by_their_id_alone() -> None:
    videos = pa.array([f"video-{number % 400}" for number in range(2000)])
    held = is_held_out(videos, 0.1)
    out, kept = ({*videos.filter(pa.array(one)).to_pylist()} for one in (held, ~held))
    assert not out & kept
    assert 20 < len(out) < 60
    assert (is_held_out(videos[::-1], 0.1) == held[::-1]).all()
    more = is_held_out(videos, 0.3)
    assert more[held].all() and more.sum() > held.sum()
    some = is_held_out(videos[:100], 0.1)
    assert (some == held[:100]).all()


def test_one_video_at_least_is_held_out_and_never_all() -> None:
    for number in range(2, 12):
        videos = pa.array([f"{number}-{one}" for one in range(number)] * 2)
        assert 2 <= is_held_out(videos, 1e-9).sum() < 2 * number
        assert 2 <= is_held_out(videos, 1 - 1e-9).sum() < 2 * number
        assert not is_held_out(videos, 0).any()
    assert not is_held_out(pa.array(["one"] * 5), 0.9).any()


def test_of_one_video_clips_are_held_out_and_of_several_whole_videos() -> None:
    clips = pa.array(list("abcde"))
    assert units(pa.array(["one"] * 5), clips) == clips
    assert units(pa.array(["one"] * 4 + ["two"]), clips).to_pylist() == ["one"] * 4 + ["two"]
