import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import torch

from curation.media.samples import decode_sample, encode_video
from curation.tables import SHARD
from training.data.buckets import Bucket
from training.data.index import SampleIndex, read_index
from training.data.loader import Loader, State
from training.data.readers import Example, Unreadable
from training.data.shard_reader import LatentsOfShards, ShardReader
from training.pixels import encoded_frames
from training.settings import DataSettings, LatentsSettings, PositionSettings, TimeSettings
from training.text.spec import TextSpec

SPEC = TextSpec("words", 1, 16, "embedding")


class Means:
    """An autoencoder in form: the mean of each 8x8x8 block, the first frame by itself."""

    latent_channels, space_factor = 3, 8

    def latent_frames(self, num_frames: int) -> int:
        return 1 + math.ceil((num_frames - 1) / 8)

    def encode(self, video_BCTHW: torch.Tensor) -> torch.Tensor:
        assert not torch.is_grad_enabled() and len(video_BCTHW) == 1
        later = video_BCTHW[:, :, 1:].split(8, dim=2) if video_BCTHW.shape[2] > 1 else ()
        parts = [part.mean(2) for part in (video_BCTHW[:, :, :1], *later)]
        return torch.nn.functional.avg_pool2d(torch.stack(parts, 2)[0], 8)[None]


class Lengths:
    """A text encoder in form: the length of each word."""

    spec = SPEC

    def __call__(self, prompts: Sequence[str]) -> list[np.ndarray]:
        return [
            np.array([[len(word)] for word in one.split()], np.float32).reshape(-1, 1)
            for one in prompts
        ]


MODELS: Any = (Means(), [Lengths()])


def clip(number: int, num_frames: int = 17) -> np.ndarray:
    grey = 40 + 10 * number + 4 * np.arange(num_frames)
    return np.broadcast_to(grey[:, None, None, None], (num_frames, 48, 64, 3)).astype(np.uint8)


def shard_row(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "clip_id": f"{number:03}",
        "video_id": f"v{number}",
        "subset": "256p",
        "video": encode_video(clip(number), 16.0),
        "bucket": "4:3-17",
        "num_frames": 17,
        "width": 64,
        "height": 48,
        "fps": 16.0,
        "fps_token": "FPS-16",
        "caption": "A grey view.",
        "prompt": "FPS-16 A grey view.",
        "weight": 1.0,
        "status": "ok",
    } | changes


def image_row(number: int) -> dict[str, Any]:
    jpeg = cv2.imencode(".jpg", clip(number)[0], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    image = {"video": jpeg, "bucket": "4:3-1", "num_frames": 1, "fps": None, "fps_token": None}
    return shard_row(number, **image, prompt="A grey view.")


def index_of(
    folder: Path, rows: list[dict[str, Any]], latents: LatentsSettings, **values: Any
) -> SampleIndex:
    pq.write_table(pa.Table.from_pylist(rows, SHARD), folder / "part.parquet", row_group_size=2)
    data = DataSettings(**{"subset": "256p", "source": "shards", "held_out_share": 0} | values)
    sizes = LatentsOfShards(latents, MODELS[0])
    dataset = ds.dataset(folder, schema=SHARD)
    return read_index(dataset, None, data, PositionSettings(), None, sizes)


def test_buckets_are_the_latents_that_samples_become(tmp_path: Path) -> None:
    rows = [shard_row(0), image_row(1)]
    for settings, expected in (
        (LatentsSettings(), Bucket(3, 6, 8)),
        (LatentsSettings(frame_stride=2), Bucket(2, 6, 8)),
        (LatentsSettings(max_frames=1), Bucket(1, 6, 8)),
        (LatentsSettings(base_px=32), Bucket(3, 4, 4)),
    ):
        index = index_of(tmp_path, rows, settings)
        found = [index.buckets[one] for one in index.bucket]
        image = Bucket(1, expected.height, expected.width)
        assert found == [expected, image]
        assert [index.buckets[one] for one in index.image_bucket] == [image, image]
        assert index.is_image.tolist() == [False, True], "a clip of one frame is no image"
        examples = ShardReader(index, settings, *MODELS).read([0, 1], False)
        for one, bucket in zip(examples, found, strict=True):
            assert isinstance(one, Example)
            assert one.latent.shape == (3, bucket.frames, bucket.height, bucket.width)


def test_examples_are_the_decoded_scaled_and_encoded_samples(tmp_path: Path) -> None:
    settings = LatentsSettings(frame_stride=2, base_px=32)
    row = shard_row(3)
    reader = ShardReader(index_of(tmp_path, [row], settings), settings, *MODELS)
    [example] = reader.read([0], False)
    [middle] = reader.read([0], True)
    assert isinstance(example, Example) and isinstance(middle, Example)
    frames = encoded_frames(decode_sample(row["video"]), "4:3", settings)
    assert len(frames) == 9
    video = torch.from_numpy(frames).permute(3, 0, 1, 2)[None] / 127.5 - 1
    with torch.no_grad():
        assert torch.allclose(example.latent, MODELS[0].encode(video)[0], atol=1e-6)
        assert torch.allclose(middle.latent, MODELS[0].encode(video[:, :, 4:5])[0], atol=1e-6)
    # The rate is that of the frames that are left.
    assert example.text["words"].ravel().tolist() == [
        len(word) for word in ("FPS-8", "A", "grey", "view.")
    ]


def test_what_cannot_be_decoded_is_unreadable_with_its_reason(tmp_path: Path) -> None:
    good = shard_row(0)
    rows = [
        good,
        shard_row(1, video=good["video"][:-500]),
        shard_row(2, video=b"no video"),
        shard_row(3, video=None),
        shard_row(4, num_frames=25),
        shard_row(5, width=80),
        shard_row(6, caption=None),
    ]
    settings = LatentsSettings()
    index = index_of(tmp_path, rows, settings)
    found = ShardReader(index, settings, *MODELS).read([*range(7)], False)
    assert isinstance(found[0], Example)
    reasons = [one.reason for one in found[1:] if isinstance(one, Unreadable)]
    assert len(reasons) == 6 and all(reasons)
    assert "no video" in reasons[2]
    assert "17 frames, not 25" in reasons[3]
    assert "(3, 6, 8), and its bucket 3x6x10" in reasons[4]
    assert "no prompt" in reasons[5]


def test_samples_without_a_prompt_are_not_in_the_index(tmp_path: Path) -> None:
    rows = [shard_row(0), shard_row(1, caption=None, prompt=None)]
    assert index_of(tmp_path, rows, LatentsSettings()).ids.to_pylist() == ["000"]


def test_a_table_of_shards_without_its_columns_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([shard_row(0)], SHARD), tmp_path / "part.parquet")
    names = ("prompt", "video")
    schema = pa.schema([field for field in SHARD if field.name not in names])
    data = DataSettings(subset="256p", source="shards")
    with pytest.raises(ValueError, match=r"shards/256p has no column .*video.*moviola curate"):
        read_index(ds.dataset(tmp_path, schema=schema), None, data, PositionSettings())


def test_a_loader_of_shards_gives_the_same_batches_after_a_resume(tmp_path: Path) -> None:
    settings = LatentsSettings()
    rows = [*map(shard_row, range(4)), image_row(4)]
    data = DataSettings(
        subset="256p", source="shards", held_out_share=0, image_share=0.5, tokens_per_step=72
    )
    index = index_of(tmp_path, rows, settings)

    def batches(state: State, count: int, prefetch: int) -> list[Any]:
        reader = ShardReader(index, settings, *MODELS)
        loader = Loader(reader, data, TimeSettings(), [SPEC], 0, prefetch)
        found = loader.batches(state)
        taken = list(itertools.islice(found, count))
        found.close()
        return taken

    whole = batches(State(), 8, 2)
    rest = batches(whole[2].next_state, 5, 0)
    assert {one.is_image for one in whole} == {True, False}
    for one, other in zip(whole[3:], rest, strict=True):
        assert one.ids == other.ids
        assert (one.data == other.data).all() and (one.noise == other.noise).all()
        assert one.data.requires_grad is False
