from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.data.tables import (
    CHANNELS,
    TEXT,
    index_of,
    latent_row,
    settings,
    write,
)
from training.data.latent_reader import LatentReader
from training.data.readers import Example, Unreadable


def read(folder: Path, rows: list[dict[str, Any]], is_image: bool = False) -> dict[str, Any]:
    index = index_of(write(folder, rows), settings())
    found = LatentReader(index, TEXT).read([*range(len(index))], is_image)
    return dict(zip(index.ids.to_pylist(), found, strict=True))


def test_an_example_is_what_was_stored(tmp_path: Path) -> None:
    rows = [latent_row(number) for number in range(9)]
    for row in rows:
        example = read(tmp_path, rows)[row["clip_id"]]
        stored = np.frombuffer(row["latent"], "<f2").reshape(row["latent_shape"])
        assert example.latent.dtype == torch.float32
        assert (example.latent.numpy() == stored).all()
        for text in row["text"]:
            array = example.text[text["name"]]
            kind = {"float16": "<f2", "uint8": np.uint8}[text["dtype"]]
            assert (array == np.frombuffer(text["values"], kind).reshape(text["shape"])).all()
        assert example.text["prompt"].dtype == np.float32
        example.latent.add_(1)  # what is read is not a view of the stored bytes


def test_an_image_of_a_clip_is_its_middle_frame_and_of_an_image_itself(tmp_path: Path) -> None:
    clip, image = latent_row(1), latent_row(2, image=True)
    of_clip = read(tmp_path / "clip", [clip], is_image=True)[clip["clip_id"]]
    stored = np.frombuffer(clip["image_latent"], "<f2").reshape(clip["image_shape"])
    assert (of_clip.latent.numpy() == stored).all()
    of_image = read(tmp_path / "image", [image, clip])
    alone = of_image[image["clip_id"]]
    stored = np.frombuffer(image["latent"], "<f2").reshape(image["latent_shape"])
    assert (alone.latent.numpy() == stored).all()


def test_a_loader_and_an_evaluation_may_read_at_the_same_time(tmp_path: Path) -> None:
    rows = [latent_row(number) for number in range(40)]
    index = index_of(write(tmp_path, rows), settings())
    reader = LatentReader(index, TEXT, cache_bytes=4000)
    alone = reader.read([*range(40)], False)
    orders = [np.random.default_rng(number).permutation(40).tolist() for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        for order, found in zip(
            orders * 5, pool.map(lambda order: reader.read(order, False), orders * 5), strict=True
        ):
            for row, one in zip(order, found, strict=True):
                expected = alone[row]
                assert isinstance(one, Example) and isinstance(expected, Example)
                assert (one.latent == expected.latent).all()
    assert reader._rows._held_bytes == sum(table.nbytes for table in reader._rows._groups.values())


SHAPE = [CHANNELS, 4, 4, 4]
NAN = np.full(SHAPE, 1, "<f2")
NAN[1, 2, 3, 1] = np.nan
HUGE = np.full(SHAPE, 1, "<f2")
HUGE[0, 0, 0, 0] = -np.inf
WHOLE = latent_row(1)
PROMPT, SPELLING = WHOLE["text"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"latent": NAN.tobytes()}, "its latent has values that are not finite"),
        ({"latent": HUGE.tobytes()}, "its latent has values that are not finite"),
        ({"latent": WHOLE["latent"][:-1]}, r"its latent has 255 bytes, .* float16 \[2, 4, 4, 4\]"),
        ({"latent": b""}, "its latent has 0 bytes"),
        ({"latent": None}, "its latent is missing"),
        ({"text": [PROMPT]}, "it has no text of encoder spelling"),
        ({"text": None}, "it has no text of encoder prompt, spelling"),
        ({"text": [PROMPT, SPELLING, PROMPT | {"name": "ul2"}]}, "text of an encoder ul2"),
        ({"text": [PROMPT | {"shape": [2, 3]}, SPELLING]}, "its text of prompt has 6 bytes"),
        ({"text": [PROMPT | {"shape": [3, 1]}, SPELLING]}, r"is \[3, 1\], not \['L', 3\]"),
        ({"text": [PROMPT | {"shape": [3]}, SPELLING]}, r"is \[3\], not \['L', 3\]"),
        ({"text": [PROMPT | {"shape": None}, SPELLING]}, "its text of prompt is missing"),
        ({"text": [PROMPT | {"shape": [-1, -3]}, SPELLING]}, "its text of prompt has 6 bytes"),
        ({"text": [PROMPT | {"dtype": "float64"}, SPELLING]}, "is float64, not float16"),
        ({"text": [PROMPT, SPELLING | {"dtype": "float16"}]}, "is float16, not uint8"),
        (
            {"text": [PROMPT | {"values": b"\x00\x7c" * 3}, SPELLING]},
            "its text of prompt has values that are not finite",
        ),
    ],
)
def test_a_broken_sample_says_what_is_wrong_and_harms_no_other(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    rows = [latent_row(0), latent_row(1) | changes, latent_row(2)]
    found = read(tmp_path, rows)
    bad = found.pop(rows[1]["clip_id"])
    assert isinstance(bad, Unreadable) and bad.id == rows[1]["clip_id"]
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(bad.reason)
    assert all(isinstance(one, Example) for one in found.values())


def test_a_file_that_vanishes_or_is_cut_short_after_the_index_was_read_is_not_silent(
    tmp_path: Path,
) -> None:
    rows = [latent_row(number) for number in range(20)]
    for number, harm in enumerate((Path.unlink, lambda path: path.write_bytes(b"PAR1"))):
        folder = tmp_path / str(number)
        index = index_of(write(folder, rows, per_file=10), settings())
        reader = LatentReader(index, TEXT)
        harm(folder / "part-000010.parquet")
        found = reader.read([*range(20)], False)
        bad = [one for one in found if isinstance(one, Unreadable)]
        assert {one.id for one in bad} == {row["clip_id"] for row in rows[10:]}
        assert all("part-000010.parquet" in one.reason for one in bad)
