import io
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.dashboard import pictures, stored_rows
from pipelines.dashboard.pictures import frames_of, poster, sample_bytes
from pipelines.dashboard.stored_rows import RecentRows, stored_row
from pipelines.queries import run_query
from pipelines.stored_frames import Frame, stored_frames
from pipelines.workspace import StorageError, Workspace
from tests import media
from tests.buckets import bucket  # noqa: F401 - a fixture
from tests.workspaces import small_workspace


def places(workspace, table, key):
    """File and row of each row of a table, by its key."""
    found = {}
    for fragment in workspace.table(table).dataset().get_fragments():
        file = Path(small_workspace().uri) / table / fragment.path
        for row, name in enumerate(pq.read_table(file, columns=[key])[key].to_pylist()):
            found[name] = (fragment.path, row)
    return found


@pytest.fixture
def remote(bucket):  # noqa: F811
    """The small workspace in an object store."""
    local = Path(small_workspace().uri)
    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    for path in local.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), "films", f"w/{path.relative_to(local)}")
    return Workspace(f"{bucket}/w")


def clips_of(workspace):
    return run_query(workspace, "SELECT clip_id, video_id FROM clips").to_pylist()


def test_the_frames_of_a_clip_are_those_that_are_stored():
    workspace = small_workspace()
    clips, where = clips_of(workspace), places(workspace, "clips", "video_id")
    found = {c["clip_id"]: frames_of(workspace, *where[c["video_id"]], c["clip_id"]) for c in clips}
    assert found == stored_frames(workspace, clips)
    assert len(found) == 3
    assert all(frames for frames in found.values())


def test_the_frames_and_samples_of_an_object_store_are_the_same(remote):
    local = small_workspace()
    where = places(local, "clips", "video_id")
    for clip in clips_of(local):
        place, name = where[clip["video_id"]], clip["clip_id"]
        assert frames_of(remote, *place, name) == frames_of(local, *place, name)
    samples = places(local, "shards/256p", "clip_id")
    assert len(samples) == 2
    for place in samples.values():
        assert sample_bytes(remote, "shards/256p", *place) == sample_bytes(
            local, "shards/256p", *place
        )


def test_a_sample_is_the_one_of_its_row():
    workspace = small_workspace()
    stored = workspace.table("shards/256p").read(["clip_id", "video"]).to_pylist()
    where = places(workspace, "shards/256p", "clip_id")
    for sample in stored:
        assert sample_bytes(workspace, "shards/256p", *where[sample["clip_id"]]) == sample["video"]


def test_what_is_not_there_is_named():
    workspace = small_workspace()
    file, row = next(iter(places(workspace, "clips", "video_id").values()))
    with pytest.raises(ValueError, match="holds no clip nobody-0-1"):
        frames_of(workspace, file, row, "nobody-0-1")
    with pytest.raises(ValueError, match="has 2 rows, so none of number 7"):
        frames_of(workspace, file, 7, "nobody-0-1")
    with pytest.raises(StorageError, match="part-gone"):
        frames_of(workspace, "part-gone.parquet", 0, "nobody-0-1")
    with pytest.raises(StorageError, match="part-gone"):
        sample_bytes(workspace, "shards/256p", "part-gone.parquet", 0)


def test_a_sample_that_failed_has_no_video(tmp_path):
    (tmp_path / "shards" / "a").mkdir(parents=True)
    rows = pa.table({"video": pa.array([None, b"film"], pa.binary())})
    pq.write_table(rows, tmp_path / "shards" / "a" / "part.parquet")
    workspace = Workspace(tmp_path)
    assert sample_bytes(workspace, "shards/a", "part.parquet", 1) == b"film"
    with pytest.raises(ValueError, match="has no video"):
        sample_bytes(workspace, "shards/a", "part.parquet", 0)


@pytest.mark.parametrize("row", range(10))
def test_a_row_is_found_in_any_row_group(tmp_path, row):
    (tmp_path / "clips").mkdir()
    table = pa.table({"number": range(10), "other": ["x"] * 10})
    pq.write_table(table, tmp_path / "clips" / "part.parquet", row_group_size=4)
    found = stored_row(Workspace(tmp_path), "clips", "part.parquet", row, ["number"])
    assert found.to_pylist() == [{"number": row}]


def test_only_the_row_group_of_the_row_is_read(tmp_path, monkeypatch):
    (tmp_path / "clips").mkdir()
    file = tmp_path / "clips" / "part.parquet"
    blobs = [os.urandom(500_000) for _ in range(8)]
    pq.write_table(pa.table({"blob": blobs}), file, row_group_size=1, use_dictionary=False)
    read = []

    class Counted(io.FileIO):
        def read(self, size=-1):
            content = super().read(size)
            read.append(len(content))
            return content

    monkeypatch.setattr(stored_rows, "opened", lambda *_: Counted(file))
    found = stored_row(Workspace(tmp_path), "clips", "part.parquet", 5, ["blob"])
    assert found["blob"][0].as_py() == blobs[5]
    assert 500_000 < sum(read) < 600_000


def test_a_page_reads_the_row_of_a_video_once(monkeypatch):
    workspace = small_workspace()
    reads = []

    def counted(*arguments):
        reads.append(arguments)
        time.sleep(0.05)
        return stored_row(*arguments)

    monkeypatch.setattr(pictures, "_recent", RecentRows(1 << 20))
    monkeypatch.setattr(pictures, "stored_row", counted)
    where = places(workspace, "clips", "video_id")
    tiles = clips_of(workspace) * 20
    with ThreadPoolExecutor(8) as threads:
        jobs = [
            threads.submit(frames_of, workspace, *where[tile["video_id"]], tile["clip_id"])
            for tile in tiles
        ]
        assert all(job.result() for job in jobs)
    assert len(reads) == 2


def a_row(size):
    return pa.record_batch({"blob": pa.array([bytes(size)], pa.binary())})


def test_recent_rows_are_kept_up_to_a_size():
    rows, read = RecentRows(10_000), []

    def get(name, size):
        def make():
            read.append(name)
            return a_row(size)

        return rows.get(("table", name, 0), make)

    for name in ("a", "b", "a", "c", "a", "b"):
        get(name, 4000)
    assert read == ["a", "b", "c", "b"]
    get("large", 20_000)
    get("large", 20_000)
    get("b", 4000)
    assert read == ["a", "b", "c", "b", "large", "large"]


def test_a_read_that_fails_fails_for_all_who_wait_and_is_tried_again():
    rows, started = RecentRows(10_000), threading.Event()

    def fails():
        started.set()
        time.sleep(0.1)
        raise StorageError("the disk is on fire")

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(rows.get, ("t", "f", 0), fails)
        started.wait()
        second = threads.submit(rows.get, ("t", "f", 0), lambda: a_row(1))
        for job in (first, second):
            assert isinstance(job.exception(), StorageError)
    assert rows.get(("t", "f", 0), lambda: a_row(1)).num_rows == 1


def halves(width, height):
    """JPEG, black on the left and white on the right."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, width // 2 :] = 255
    return cv2.imencode(".jpg", picture)[1].tobytes()


def test_a_poster_is_the_frame_scaled_down():
    frames = [Frame(0.0, halves(64, 36)), Frame(1.0, halves(720, 400))]
    made = cv2.imdecode(np.frombuffer(poster(frames, 1, 180), np.uint8), cv2.IMREAD_COLOR)
    assert made.shape == (180, 324, 3)
    assert made[:, :155].max() < 20
    assert made[:, 170:].min() > 235


def test_a_small_frame_is_its_own_poster_and_a_sliver_keeps_a_pixel():
    frames = [Frame(0.0, halves(64, 36)), Frame(0.0, halves(2, 3600))]
    assert poster(frames, 0, 180) == frames[0].jpeg
    made = cv2.imdecode(np.frombuffer(poster(frames, 1, 180), np.uint8), cv2.IMREAD_COLOR)
    assert made.shape == (180, 1, 3)


@pytest.mark.parametrize("jpeg", [b"", b"no picture", halves(64, 36)[:40]])
def test_a_damaged_frame_is_named(jpeg):
    with pytest.raises(ValueError, match="frame 0 of the clip is damaged"):
        poster([Frame(0.0, jpeg)], 0, 180)


def test_a_frame_that_is_not_there_is_named():
    frames = [Frame(0.0, media.image().read_bytes())]
    for index in (-1, 1):
        with pytest.raises(ValueError, match=f"1 stored frames, so none of number {index}"):
            poster(frames, index, 180)
    with pytest.raises(ValueError, match="at least 1 px"):
        poster(frames, 0, 0)
