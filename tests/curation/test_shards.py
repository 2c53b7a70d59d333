import shutil

import pyarrow as pa
import pytest

from curation import tables
from curation.buckets import BucketSettings
from curation.ingest import content_hash
from curation.media.sandbox import Limits
from curation.selection import SelectionSettings, SubsetSettings, select
from curation.shards import INPUTS, ShardsSettings, ShardsStage, shard_inputs
from tests import media
from tests.barcodes import decoded, even, numbered, numbers

BUCKETS = BucketSettings(base_px=128)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return numbered(tmp_path_factory.mktemp("film") / "it's 100% a film.mp4", even(480, 24))


@pytest.fixture(scope="module")
def stage():
    made = ShardsStage(ShardsSettings(), BUCKETS, Limits(wall_s=60), "clips-1")
    made.setup()
    yield made
    made._sandbox.close()


def a_video(path, name="v", **columns):
    sha256 = content_hash(path)
    usual = {"width": 320, "height": 180, "fps": 24.0, "rotation_deg": 0, "is_image": False}
    return {
        "video_id": name,
        "sha256": sha256,
        "uris": [str(path)],
        "stream_index": 0,
        "status": "ok",
        "licence": "CC BY 4.0",
        **usual,
        **columns,
    }


def a_clip(video, first, end, **measures):
    return {
        "clip_id": f"{video}-{first}-{end - first}",
        "num_frames": end - first,
        "start_s": even(481, 24)[first] / 1000,
        "end_s": even(481, 24)[end] / 1000,
        "duration_s": (even(481, 24)[end] - even(481, 24)[first]) / 1000,
        "motion_vmaf": 5.0,
        **measures,
    }


def inputs(video, *clips, rules=None, takes="videos"):
    found = {"video_id": video["video_id"], "status": "ok", "clips": clips}
    clips = pa.Table.from_pylist([found], schema=tables.CLIPS)
    videos = pa.Table.from_pylist([video], schema=tables.VIDEOS)
    subset = SubsetSettings(rules=rules or {}, buckets=BUCKETS, takes=takes)
    chosen = select("256p", subset, SelectionSettings(), clips, videos, tables.SCORES.empty_table())
    return shard_inputs("256p", BUCKETS, chosen, clips, videos)


def test_inputs_are_the_kept_clips_with_bucket_range_and_provenance(film):
    clips = [a_clip("v", 300, 460), a_clip("v", 0, 144), a_clip("v", 150, 290, motion_vmaf=0.0)]
    table = inputs(a_video(film), *clips, rules={"motion_vmaf": {"min": 2}})
    assert table.schema.equals(INPUTS)
    first, second = table.to_pylist()
    assert [first["clip_id"], second["clip_id"]] == ["v-0-144", "v-300-160"]
    assert (first["bucket"], first["num_frames"], first["fps_token"]) == ("16:9-128", 128, "FPS-21")
    assert (first["width"], first["height"]) == (176, 96)
    assert (first["start_s"], first["end_s"]) == (0.0, 6.0)
    assert first["fps"] == pytest.approx(128 / 6)
    assert first["licence"] == "CC BY 4.0"
    assert (first["source_width"], first["source_fps"]) == (320, 24.0)
    assert first["weight"] == 1.0
    assert first["motion_vmaf"] == 5.0


def test_samples_hold_the_frames_of_their_clip(film, stage):
    table = inputs(a_video(film), a_clip("v", 148, 276), a_clip("v", 200, 464))
    whole, centre = stage(table).to_pylist()
    assert [whole["status"], centre["status"]] == ["ok", "ok"]
    assert numbers(whole["video"]) == [*range(148, 276)]
    # 11 s at 24 fps: the 256 frames in the middle of 264.
    assert numbers(centre["video"]) == [*range(204, 460)]
    for row in (whole, centre):
        frames = decoded(row["video"])
        assert (len(frames), frames[0].width, frames[0].height) == (
            row["num_frames"],
            row["width"],
            row["height"],
        )
        assert row["video_sha256"] == tables.content_sha256(row["video"])
        assert row["uri"] == str(film)
        assert row["cpu_s"] > 0


def test_one_row_per_clip_in_the_schema_of_the_table(film, stage):
    table = inputs(a_video(film), *(a_clip("v", n, n + 130) for n in range(0, 350, 130)))
    made = stage(table)
    assert made.schema.equals(tables.SHARD)
    assert made["clip_id"].to_pylist() == table["clip_id"].to_pylist()


def test_the_same_inputs_give_the_same_rows(film, stage):
    table = inputs(a_video(film), a_clip("v", 48, 200))
    first, second = stage(table), stage(table)
    assert first.drop_columns(["cpu_s"]).equals(second.drop_columns(["cpu_s"]))


def test_an_image_becomes_a_jpeg(stage):
    video = a_video(media.image(), is_image=True, fps=None)
    image = {"clip_id": "v-0-1", "num_frames": 1, "start_s": 0.0, "end_s": 0.0, "duration_s": 0.0}
    (row,) = stage(inputs(video, image, takes="both")).to_pylist()
    assert (row["status"], row["bucket"], row["fps"], row["fps_token"]) == (
        "ok",
        "16:9-1",
        None,
        None,
    )
    assert row["video"][:3] == b"\xff\xd8\xff"


def test_borders_are_cropped_to_the_content(film, stage):
    middle = {"content_x": 64, "content_y": 0, "content_width": 192, "content_height": 144}
    (row,) = stage(inputs(a_video(film), a_clip("v", 0, 128, **middle))).to_pylist()
    assert row["bucket"] == "4:3-128"
    # Bits 2 to 7 of the bar code lie inside the content rectangle.
    luma = decoded(row["video"])[100].to_ndarray(format="gray")
    columns = [int((bit + 0.5) * luma.shape[1] / 6) for bit in range(6)]
    assert sum((luma[:, c].mean() > 128) << bit for bit, c in enumerate(columns)) == 100 >> 2


def test_a_source_that_changed_fails_its_own_clips_only(film, stage, tmp_path):
    changed = tmp_path / "changed.mp4"
    shutil.copy(film, changed)
    good = inputs(a_video(film), a_clip("v", 0, 128))
    bad = inputs(a_video(changed, "w"), a_clip("w", 0, 128), a_clip("w", 128, 256))
    shutil.copy(media.plain(), changed)
    rows = stage(pa.concat_tables([bad, good])).to_pylist()
    assert [(row["clip_id"], row["status"], row["reason"]) for row in rows] == [
        ("w-0-128", "failed", "changed"),
        ("w-128-128", "failed", "changed"),
        ("v-0-128", "ok", None),
    ]
    assert rows[0]["video_id"] == "w"
    assert "changed.mp4" in rows[0]["error"]


def test_a_source_that_vanished_is_unreadable_unless_a_copy_is_left(film, stage, tmp_path):
    gone = str(tmp_path / "gone.mp4")
    lost = inputs(a_video(film, uris=[gone]), a_clip("v", 0, 128))
    assert stage(lost)["reason"].to_pylist() == ["unreadable"]
    copied = inputs(a_video(film, uris=[gone, str(film)]), a_clip("v", 0, 128))
    assert stage(copied)["uri"].to_pylist() == [str(film)]


def test_a_clip_that_cannot_be_decoded_says_so(film, stage):
    table = inputs(a_video(film, stream_index=3), a_clip("v", 0, 128))
    (row,) = stage(table).to_pylist()
    assert (row["status"], row["reason"]) == ("failed", "changed")
    assert "stream 3" in row["error"]


def test_the_fingerprint_names_encoding_buckets_and_what_made_the_clips():
    limits = Limits()
    stages = [
        ShardsStage(ShardsSettings(), BUCKETS, limits, "clips-1"),
        ShardsStage(ShardsSettings(crf=20), BUCKETS, limits, "clips-1"),
        ShardsStage(ShardsSettings(), BucketSettings(), limits, "clips-1"),
        ShardsStage(ShardsSettings(), BUCKETS, limits, "clips-2"),
    ]
    assert len({stage.fingerprint for stage in stages}) == 4
    other_limits = ShardsStage(ShardsSettings(), BUCKETS, Limits(wall_s=5), "clips-1")
    assert other_limits.fingerprint == stages[0].fingerprint
