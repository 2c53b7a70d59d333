from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from curation.media.errors import MediaError
from curation.media.samples import encode_video
from curation.tables import SHARD
from training.autoencoder.shard_clips import ShardClips


def clip(level: int) -> bytes:
    return encode_video(np.full((4, 32, 32, 3), level, np.uint8), 8.0)


def written(folder: Path, *rows: dict[str, object]) -> ds.Dataset:
    whole = [{"video_id": "v", "num_frames": 4, "status": "ok"} | row for row in rows]
    ds.write_dataset(pa.Table.from_pylist(whole, schema=SHARD), folder, format="parquet")
    return ds.dataset(folder)


def test_clips_are_in_the_order_of_their_ids_and_only_good_ones(tmp_path: Path) -> None:
    clips = ShardClips(
        written(
            tmp_path,
            {"clip_id": "b", "video": clip(200)},
            {"clip_id": "c", "video": clip(90), "status": "failed"},
            {"clip_id": "a", "video": clip(20), "video_id": "w"},
        )
    )
    assert (clips.clip_ids, clips.video_ids, clips.num_frames) == (["a", "b"], ["w", "v"], [4, 4])
    for number, level in ((1, 200), (0, 20)):
        frames = clips.read(number)
        assert frames.shape == (4, 32, 32, 3)
        assert abs(int(frames.mean()) - level) <= 2


def test_a_clip_that_cannot_be_read_is_said_when_it_is_read(tmp_path: Path) -> None:
    clips = ShardClips(
        written(tmp_path, {"clip_id": "a", "video": b"nothing"}, {"clip_id": "b", "video": None})
    )
    for number in (0, 1):
        with pytest.raises(MediaError):
            clips.read(number)


def test_shards_without_a_good_sample_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no sample that is ok"):
        ShardClips(written(tmp_path, {"clip_id": "a", "status": "failed"}))
