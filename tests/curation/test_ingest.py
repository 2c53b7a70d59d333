import hashlib
import json

import obstore
import pyarrow as pa
import pytest
from obstore.store import S3Store

from curation import storage
from curation.ingest import IngestSettings, IngestStage, content_hash
from curation.inputs import INPUTS, read_inputs
from curation.media.errors import MediaError
from curation.media.sandbox import Limits
from curation.tables import FAILED, OK, SOURCES
from tests import media
from tests.buckets import bucket  # noqa: F401 - a fixture


@pytest.fixture(scope="module")
def stage():
    stage = IngestStage(IngestSettings(), Limits())
    stage.setup()
    yield stage
    stage._sandbox.close()


def ingested(stage, *names):
    found = stage(read_inputs([str(name) for name in names]).rows)
    assert found.schema == SOURCES
    return found.to_pylist()


def test_a_source_is_hashed_and_probed(stage):
    (row,) = ingested(stage, media.plain())
    content = media.plain().read_bytes()
    assert row["sha256"] == hashlib.sha256(content).hexdigest()
    assert row["video_id"] == row["sha256"][:16]
    assert row["size_bytes"] == len(content)
    assert (row["status"], row["reason"], row["error"]) == (OK, None, None)
    assert (row["codec"], row["width"], row["num_frames"]) == ("h264", 320, 50)
    assert row["cpu_s"] > 0


def test_what_the_manifest_says_is_carried_along(stage, tmp_path):
    (tmp_path / "a.mp4").write_bytes(media.plain().read_bytes())
    (tmp_path / "b.mp4").write_bytes(b"no video")
    (tmp_path / "list.csv").write_text("uri,licence,source,n\na.mp4,CC0,web,1\nb.mp4,MIT,disk,2\n")
    found = {row["uri"][-5:]: row for row in ingested(stage, tmp_path / "list.csv")}
    assert [found["a.mp4"][name] for name in ("licence", "source")] == ["CC0", "web"]
    assert json.loads(found["a.mp4"]["carried"]) == {"n": "1"}
    assert (found["b.mp4"]["status"], found["b.mp4"]["licence"]) == (FAILED, "MIT")


def test_every_input_has_one_row_and_the_columns_that_tell_whether_it_changed(stage, tmp_path):
    for name, path in {"good.mp4": media.plain(), "bad.mp4": media.text_as_mp4()}.items():
        (tmp_path / name).write_bytes(path.read_bytes())
    (tmp_path / "list.jsonl").write_text('{"uri": 1}\n{"uri": "absent.mp4"}\n')
    inputs = read_inputs([str(tmp_path), str(tmp_path / "list.jsonl")]).rows
    found = stage(inputs)
    assert found.num_rows == 4
    for name in ("uri", *IngestStage.tracked):
        assert found[name].to_pylist() == inputs[name].to_pylist()
    reasons = {row["uri"].rsplit("/", 1)[1]: row["reason"] for row in found.to_pylist()}
    assert reasons == {
        "good.mp4": None,
        "bad.mp4": "not_media",
        "list.jsonl#line-1": "unreadable",
        "absent.mp4": "unreadable",
    }


def test_objects_are_fetched_and_leave_nothing_behind(stage, bucket, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    obstore.put(S3Store("films"), "a b.mp4", media.plain().read_bytes())
    (row,) = ingested(stage, f"{bucket}/a b.mp4")
    assert (row["status"], row["num_frames"]) == (OK, 50)
    assert row["sha256"] == content_hash(media.plain())
    assert row["modified"] == storage.entry(f"{bucket}/a b.mp4").modified
    assert list(tmp_path.iterdir()) == []


def test_a_vanished_object_is_no_broken_store(stage, bucket, monkeypatch):  # noqa: F811
    obstore.put(S3Store("films"), "gone.mp4", b"x")
    inputs = read_inputs([f"{bucket}/gone.mp4"]).rows
    obstore.delete(S3Store("films"), "gone.mp4")
    assert stage(inputs)["reason"].to_pylist() == ["changed"]

    def unreachable(*_):
        raise storage.BaseError("no route")

    monkeypatch.setattr(obstore, "get", unreachable)
    row = stage(inputs).to_pylist()[0]
    assert (row["reason"], row["error"]) == ("unreadable", "no route")


def test_an_object_over_the_size_limit_is_not_fetched(bucket, monkeypatch):  # noqa: F811
    obstore.put(S3Store("films"), "big.mp4", bytes(1001))
    inputs = read_inputs([f"{bucket}/big.mp4"]).rows
    unlisted = inputs.set_column(1, INPUTS.field("size_bytes"), pa.nulls(1, pa.int64()))
    monkeypatch.setattr(obstore, "get", lambda *_: pytest.fail("it was fetched"))
    stage = IngestStage(IngestSettings(max_size_bytes=1000), Limits())
    for rows in (inputs, unlisted):
        row = stage(rows).to_pylist()[0]
        assert row["reason"] == "too_large"
        assert "1001 bytes are over max_size_bytes=1000" in row["error"]


def test_limits_of_the_recipe_reach_the_probe():
    stage = IngestStage(IngestSettings(max_duration_s=1.5), Limits())
    stage.setup()
    (row,) = ingested(stage, media.plain())
    assert (row["reason"], row["error"]) == ("too_large", "2 s is over max_duration_s=1.5")
    assert row["sha256"] == content_hash(media.plain())


def test_the_fingerprint_follows_what_decides_the_rows_and_nothing_else():
    def name(limits=Limits(), **settings):  # noqa: B008 - frozen
        return IngestStage(IngestSettings(**settings), limits).fingerprint

    assert name() == name(follow_links=True) == name(probe_wall_s=5.0) == name(Limits(wall_s=1.0))
    others = {name(max_frames=7), name(max_size_bytes=7), name(max_duration_s=7), name()}
    assert len(others) == 4


def test_a_hash_needs_a_file(tmp_path):
    with pytest.raises(MediaError) as caught:
        content_hash(tmp_path)
    assert caught.value.reason == "not_a_file"
