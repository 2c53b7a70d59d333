"""The latents stage: what is in a row, what becomes of broken samples, and when a row is redone."""

import pickle
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.media.samples import decode_sample, encode_video
from curation.tables import LATENTS, SHARD, content_sha256
from tests.training.toy_models import BlockMeans, array, block_means, caption
from training.encode import INPUTS, SAMPLES, LatentsStage, latent_inputs
from training.pixels import encoded_frames
from training.settings import LatentsSettings
from training.text.encoders import TextEncoder, text_encoders
from training.text.settings import TextEncoderSettings

SETTINGS = LatentsSettings(base_px=32, frame_stride=2, max_frames=12)
PART = "part-a-0.parquet"


def texts(**settings: Any) -> list[TextEncoder]:
    form = {"kind": "bytes", "max_tokens": 64} | settings
    said = {
        "all": TextEncoderSettings(**form),
        "quoted": TextEncoderSettings(**form | {"of": "quoted"}),
    }
    return text_encoders(said, None)  # type: ignore[arg-type]  # bytes need no weights


def video(seed: int, num_frames: int = 32) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (num_frames, 6, 8, 3), np.uint8)
    return encode_video(noise.repeat(16, 1).repeat(16, 2), 16)


def sample(row: int, content: bytes, **changes: Any) -> dict[str, Any]:
    made = {
        "clip_id": f"clip-{row}",
        "video_id": f"video-{row}",
        "subset": "256p",
        "video": content,
        "video_sha256": content_sha256(content),
        "bucket": "4:3-32",
        "num_frames": 32,
        "fps": 16.0,
        "fps_token": "FPS-16",
        "camera_prefix": "Pan right." if row % 2 else None,
        "caption": caption(row),
        "captioner": "facts",
        "weight": 0.5,
        "source": "made",
        "licence": "CC0",
        "status": "ok",
    }
    return made | changes


def image() -> bytes:
    import cv2

    picture = np.random.default_rng(9).integers(0, 256, (6, 8, 3), np.uint8)
    _, jpeg = cv2.imencode(".jpg", picture.repeat(16, 0).repeat(16, 1))
    return jpeg.tobytes()


IMAGE = {"num_frames": 1, "bucket": "4:3-1", "fps": None, "fps_token": None}


@pytest.fixture
def shards(tmp_path):
    def write(*samples: dict[str, Any]) -> pa.Table:
        """Writes them as one part; the inputs of the stage."""
        table = pa.Table.from_pylist([*samples], schema=SHARD)
        pq.write_table(table, tmp_path / PART)
        read = table.select(SAMPLES).append_column("part", pa.repeat(PART, len(samples)))
        return latent_inputs(read, SETTINGS)

    return write


@pytest.fixture
def stage(tmp_path):
    def made(settings: LatentsSettings = SETTINGS, coder: Any = None, **words: Any) -> LatentsStage:
        return LatentsStage(settings, coder or BlockMeans(), texts(**words), str(tmp_path))

    return made


def run(stage: LatentsStage, inputs: pa.Table) -> list[dict[str, Any]]:
    again = pickle.loads(pickle.dumps(stage))  # noqa: S301 - as Ray does
    again.setup()
    rows = again(inputs)
    assert rows.schema.equals(LATENTS)
    return rows.to_pylist()


def test_a_row_holds_the_latents_of_the_frames_that_are_taken(shards, stage):
    content = video(1)
    [row] = run(stage(), shards(sample(1, content)))
    frames = encoded_frames(decode_sample(content), "4:3", SETTINGS)
    assert (row["status"], row["num_frames"], row["width"], row["height"]) == ("ok", 12, 32, 32)
    assert frames.shape == (12, 32, 32, 3)
    latent = array(row["latent"], row["latent_shape"])
    assert row["latent_shape"] == [3, 2, 4, 4]
    assert np.abs(latent - block_means(frames)).max() < 2e-3
    middle = array(row["image_latent"], row["image_shape"])
    assert row["image_shape"] == [3, 1, 4, 4]
    assert np.abs(middle - block_means(frames[6:7])).max() < 2e-3
    assert (row["latent_mean"], row["latent_std"]) == (BlockMeans.mean, BlockMeans.std)
    assert (row["weight"], row["source"], row["licence"]) == (0.5, "made", "CC0")


def test_the_prompt_says_the_frame_rate_that_is_left_and_encoders_read_it(shards, stage):
    [row] = run(stage(), shards(sample(1, video(1))))
    assert (row["prompt"], row["fps"]) == (f"FPS-8 Pan right. {caption(1)}", 8.0)
    said = {text["name"]: array(text["values"], text["shape"], "u1") for text in row["text"]}
    assert [*said] == ["all", "quoted"]
    assert bytes(said["all"]) == row["prompt"].encode()[:64]
    assert bytes(said["quoted"]) == b"WALL 1"
    assert {text["dtype"] for text in row["text"]} == {"uint8"}


def test_without_a_stride_the_prompt_is_the_samples():
    samples = pa.Table.from_pylist(
        [sample(0, b"x", fps=23.976) | {"fps_token": "FPS-24"}, sample(1, b"x", **IMAGE)],
        schema=SHARD,
    )
    read = samples.select(SAMPLES).append_column("part", pa.repeat(PART, 2))
    inputs = latent_inputs(read, LatentsSettings())
    assert inputs.schema.equals(INPUTS)
    assert inputs["prompt"].to_pylist() == [
        f"FPS-24 {caption(0)}",
        f"Pan right. {caption(1)}",
    ]
    slow = latent_inputs(read, LatentsSettings(frame_stride=64))
    assert slow["prompt"][0].as_py().startswith("FPS-1 ")


def test_an_image_has_one_latent_and_no_other(shards, stage):
    [row] = run(stage(), shards(sample(0, image(), **IMAGE)))
    assert (row["status"], row["num_frames"], row["fps"]) == ("ok", 1, None)
    assert row["latent_shape"] == [3, 1, 4, 4]
    assert (row["image_latent"], row["image_shape"]) == (None, None)
    assert row["prompt"] == caption(0)


def test_a_sample_without_a_prompt_is_rejected(shards, stage):
    silent = sample(0, video(0), caption=None)
    rows = run(stage(), shards(silent, sample(1, video(1))))
    assert [(row["status"], row["reason"]) for row in rows] == [
        ("rejected", "prompt"),
        ("ok", None),
    ]


def damaged(content: bytes) -> bytes:
    """The same with zeros over the second half of its frames."""
    start = content.index(b"mdat") + (len(content) - content.index(b"mdat")) // 2
    return content[:start] + bytes(len(content) - start)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (damaged(video(3)), "frames"),
        (video(3)[: len(video(3)) // 2], "frames"),
        (b"no video at all" * 50, "not_media"),
        (b"", "empty"),
        (video(3, num_frames=31), "frames"),
    ],
    ids=["damaged", "cut off", "garbage", "empty", "too few frames"],
)
def test_a_broken_sample_fails_alone(shards, stage, content, reason):
    rows = run(stage(), shards(sample(0, video(0)), sample(1, content), sample(2, video(2))))
    assert [row["status"] for row in rows] == ["ok", "failed", "ok"]
    assert (rows[1]["reason"], rows[1]["video_id"], rows[1]["subset"]) == (
        reason,
        "video-1",
        "256p",
    )
    assert rows[1]["latent"] is None and rows[1]["error"]


def test_a_sample_that_is_another_than_its_checksum_says_or_is_gone_fails(shards, stage):
    inputs = shards(sample(0, video(0), video_sha256="0" * 64), sample(1, video(1)))
    missing = inputs.slice(1, 1).set_column(0, "clip_id", pa.array(["clip-7"]))
    gone = inputs.slice(1, 1).set_column(0, "clip_id", pa.array(["clip-8"]))
    column = inputs.schema.get_field_index("part")
    gone = gone.set_column(column, "part", pa.array(["part-b.parquet"]))
    rows = run(stage(), pa.concat_tables([inputs, missing, gone]))
    assert [row["reason"] for row in rows] == ["changed", None, "changed", "changed"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_latents_that_no_number_can_hold_fail(shards, stage, value):
    [row] = run(stage(coder=BlockMeans(breaks_at=value)), shards(sample(0, video(0))))
    assert (row["status"], row["reason"], row["latent"]) == ("failed", "model", None)
    assert "the autoencoder gives a value" in row["error"]


def test_rows_do_not_depend_on_their_neighbours(shards, stage):
    inputs = shards(*(sample(row, video(row)) for row in range(3)))
    together = run(stage(), inputs)
    alone = [run(stage(), inputs.slice(row, 1))[0] for row in range(3)]
    for one, other in zip(together, alone, strict=True):
        assert one | {"cpu_s": 0} == other | {"cpu_s": 0}


def test_the_fingerprint_names_all_that_the_arrays_depend_on(shards, stage, tmp_path):
    base = stage().fingerprint
    assert run(stage(), shards(sample(0, video(0))))[0]["encoder_hash"] == base
    others = [
        stage(coder=BlockMeans("means-2")),
        stage(max_tokens=32),
        stage(SETTINGS.model_copy(update={"base_px": 48})),
        stage(SETTINGS.model_copy(update={"frame_stride": 1})),
        LatentsStage(SETTINGS, BlockMeans(), texts(), str(tmp_path), precision="bfloat16"),
    ]
    prints = {base, *(other.fingerprint for other in others)}
    assert len(prints) == 1 + len(others)
    elsewhere = LatentsStage(SETTINGS, BlockMeans(), texts(), "/elsewhere", "cuda")
    assert elsewhere.fingerprint == base
