import os
import shutil
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import boto3
import cv2
import numpy as np
import pytest

from curation import storage
from curation.ingest import content_hash
from curation.media.rendering import render
from curation.media.sandbox import Limits
from pipelines.dashboard import clip_sources, playback
from pipelines.dashboard.playback import Playback
from pipelines.dashboard.proxies import proxy_framing
from pipelines.dashboard.proxy_request import PlaybackError, ProxyRequest, proxy_request
from pipelines.dashboard.shelf import Shelf
from pipelines.queries import open_views
from pipelines.workspace import StorageError
from tests import media
from tests.barcodes import even, numbered, numbers
from tests.buckets import bucket  # noqa: F401 - a fixture
from tests.workspaces import small_workspace


@pytest.fixture(scope="module")
def helper():
    """A playback whose helper process the tests of this module share."""
    with Playback(small_workspace(), media.folder() / "playback", concurrency=1) as made:
        yield made


@pytest.fixture
def player(helper, tmp_path, monkeypatch):
    """The same with an empty folder."""
    shelf = Shelf(tmp_path / "shelf", 1 << 30)
    monkeypatch.setattr(helper, "_shelf", shelf)
    monkeypatch.setattr(helper, "_sources", clip_sources.SourceFiles(shelf))
    return helper


def a_clip(path, start_s=0.0, end_s=1.0, **columns):
    """A clip of a file that was listed as it is now."""
    entry = storage.entry(storage.uri_of(path))
    video = {"video_id": "v", "sha256": content_hash(Path(path)), "size_bytes": entry.size_bytes}
    usual = {
        "clip_id": f"v-{start_s:.0f}-{end_s:.0f}",
        **{"stream_index": 0, "rotation_deg": 0, "width": 320, "height": 180, "fps": 25.0},
        **{"is_image": False, "start_s": start_s, "end_s": end_s},
        "sources": [{"uri": entry.uri, "modified": entry.modified}],
    }
    return ProxyRequest.model_validate({**video, **usual, **columns})


def frames(path):
    """The frames as a viewer sees them, rotation left out."""
    with av.open(str(path)) as container:
        return [render(frame, frame.width, frame.height) for frame in container.decode(video=0)]


def psnr(left, right):
    """At half the size, where the colour of hard edges is stored as well as their luma."""
    left, right = (
        cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for p in (left, right)
    )
    error = np.mean((left.astype(np.float64) - right.astype(np.float64)) ** 2)
    return 10 * np.log10(255**2 / error)


def boxes(path):
    """Names of the top boxes of an MP4, in order."""
    content, at, names = Path(path).read_bytes(), 0, []
    while at < len(content):
        size, name = struct.unpack_from(">I4s", content, at)
        names.append(name.decode())
        at += size
    return names


def test_a_proxy_is_the_range_of_the_source_as_browsers_play_it(player):
    source = media.with_sound()
    path = player.proxy(a_clip(source, 0.48, 1.48))
    with av.open(str(path)) as container:
        [stream] = container.streams
        codec = stream.codec_context
        assert (codec.name, codec.pix_fmt, stream.frames) == ("h264", "yuv420p", 25)
        assert (codec.width, codec.height) == (320, 180)
        assert float(stream.duration * stream.time_base) == pytest.approx(1.0)
        assert float(stream.average_rate) == pytest.approx(25)
    names = boxes(path)
    assert names.index("moov") < names.index("mdat")
    made, known = frames(path), frames(source)[12:37]
    for number in (0, 7, 24):
        assert psnr(made[number], known[number]) > 30
        # Neighbours differ more than encoding does, so no other frame would do.
        assert psnr(made[number], known[number]) > psnr(made[number], known[(number + 1) % 25]) + 6


def test_every_frame_is_the_one_at_its_time(player, tmp_path):
    film = numbered(tmp_path / "it's 100% [a] film.mp4", even(480, 24))
    made = player.proxy(a_clip(film, 300 / 24, 364 / 24, fps=24.0))
    assert numbers(made.read_bytes()) == list(range(300, 364))


def test_fast_sources_play_at_30_fps_for_the_same_time(player, tmp_path):
    film = numbered(tmp_path / "fast.mp4", even(120, 60), rate=60)
    made = player.proxy(a_clip(film, 0.5, 1.5, fps=60.0))
    assert numbers(made.read_bytes()) == list(range(30, 90, 2))
    with av.open(str(made)) as container:
        assert float(container.streams[0].average_rate) == pytest.approx(30)


def test_a_rotated_source_is_upright(player):
    source = media.rotated(90)
    made = frames(player.proxy(a_clip(source, rotation_deg=90, width=180, height=320)))
    assert made[0].shape == (320, 180, 3)
    assert psnr(made[0], np.rot90(frames(media.plain())[0], -1)) > 30


def test_pixels_become_square(player):
    made = frames(player.proxy(a_clip(media.anamorphic(), width=427, height=180)))
    assert made[0].shape == (180, 428, 3)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1920, 1080), (640, 360)),
        ((1080, 1920), (202, 360)),
        ((320, 180), (320, 180)),
        ((321, 181), (320, 180)),
        ((1, 1), (2, 2)),
        ((10_000, 100), (1280, 12)),
    ],
)
def test_a_proxy_has_even_sides_within_bounds(size, expected):
    framing = proxy_framing(*size)
    assert (framing.width, framing.height) == expected
    assert (framing.part_width, framing.part_height) == size


def test_an_image_is_a_jpeg(player):
    clip = a_clip(media.image(), 0.0, 0.0, is_image=True, fps=None)
    path = player.proxy(clip)
    assert path.name == "v-0-0.jpg"
    assert path.read_bytes()[:3] == b"\xff\xd8\xff"
    assert psnr(frames(path)[0], frames(media.image())[0]) > 40


@pytest.mark.parametrize(("width", "height"), [(2, 2), (5, 3), (1500, 16)])
def test_a_source_of_odd_size_plays(player, width, height):
    size = f"{width}x{height}"
    source = media.ffmpeg(f"{size}.mkv", *media.source(size=size), "-c:v", "ffv1")
    made = frames(player.proxy(a_clip(source, width=width, height=height)))
    framing = proxy_framing(width, height)
    assert len(made) == 25
    assert made[0].shape == (framing.height, framing.width, 3)


def test_what_the_tables_know_of_a_clip_is_enough_to_play_it(player):
    with open_views(small_workspace()) as views:

        def ask(sql, params):
            return views.sql(sql, params=params).to_arrow_table().to_pylist()

        [*names] = (row["clip_id"] for row in ask("SELECT clip_id FROM clips ORDER BY 1", {}))
        requests = [proxy_request(ask, name) for name in names]
        with pytest.raises(ValueError, match=r"no clip is called '\.\./etc'"):
            proxy_request(ask, "../etc")
    assert sorted(len(request.sources) for request in requests) == [1, 2, 2]
    for request in requests:
        made = player.proxy(request)
        assert made.name == f"{request.clip_id}.mp4"
        assert len(frames(made)) == round((request.end_s - request.start_s) * 25)


def test_a_sample_is_played_as_it_is_trained_on(player):
    workspace = small_workspace()
    fragment = next(workspace.table("shards/256p").dataset().get_fragments())
    video = fragment.to_table(columns=["video"])["video"][0].as_py()
    path = player.sample("shards/256p", fragment.path, 0)
    assert path.read_bytes() == video
    assert player.sample("shards/256p", fragment.path, 0) == path
    with pytest.raises(ValueError, match="none of number 99"):
        player.sample("shards/256p", fragment.path, 99)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def a_copy(tmp_path):
    return Path(shutil.copy(media.plain(), tmp_path / "film.mp4"))


def test_a_source_that_is_gone_is_named(player, tmp_path):
    film = a_copy(tmp_path)
    clip = a_clip(film)
    film.unlink()
    with pytest.raises(PlaybackError, match=r"film\.mp4 is no longer there") as caught:
        player.proxy(clip)
    assert caught.value.reason == "gone"
    with pytest.raises(PlaybackError, match="has no source"):
        player.proxy(a_clip(a_copy(tmp_path), sources=[]))


@pytest.mark.parametrize("grown", [True, False])
def test_a_source_that_changed_is_refused(player, tmp_path, grown):
    film = a_copy(tmp_path)
    clip = a_clip(film)
    content = bytearray(film.read_bytes())
    content[len(content) // 2] ^= 1
    film.write_bytes(bytes(content) + b"x" * grown)
    with pytest.raises(PlaybackError, match=r"film\.mp4 no longer has the content") as caught:
        player.proxy(clip)
    assert caught.value.reason == "changed"
    assert list(player._shelf.folder.iterdir()) == []


def test_a_source_that_changes_while_it_is_cut_is_refused(player, tmp_path, monkeypatch):
    film = a_copy(tmp_path)
    clip, run = a_clip(film), playback.cut_proxy

    def overtaken(*arguments):
        outcome = run(*arguments)
        os.utime(film, ns=(1, 1))
        return outcome

    monkeypatch.setattr(playback, "cut_proxy", overtaken)
    with pytest.raises(PlaybackError, match="no longer has the content"):
        player.proxy(clip)


def test_a_source_that_was_only_touched_is_hashed_once(player, tmp_path, monkeypatch):
    film, hashed = a_copy(tmp_path), []
    clip = a_clip(film)
    os.utime(film, ns=(1, 1))

    def counted(path):
        hashed.append(path)
        return content_hash(path)

    monkeypatch.setattr(clip_sources, "content_hash", counted)
    player.proxy(clip)
    player.proxy(clip.model_copy(update={"clip_id": "v-other", "end_s": 0.5}))
    assert hashed == [film]


def test_another_place_of_the_same_content_serves(player, tmp_path):
    film = a_copy(tmp_path)
    gone = {"uri": str(tmp_path / "gone.mp4"), "modified": "1-1"}
    entry = storage.entry(str(film))
    clip = a_clip(film, sources=[gone, {"uri": entry.uri, "modified": entry.modified}])
    assert player.proxy(clip).is_file()


@pytest.mark.parametrize("make", [media.text_as_mp4, media.without_moov, media.declares_size])
def test_what_cannot_be_decoded_says_so(player, make):
    with pytest.raises(PlaybackError, match="cannot be decoded here") as caught:
        player.proxy(a_clip(make()))
    assert caught.value.reason == "unplayable"
    assert "Traceback" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_playlist_reads_no_other_file(player, tmp_path):
    secret = tmp_path / "secret.mp4"
    shutil.copy(media.plain(), secret)
    with pytest.raises(PlaybackError, match="cannot be decoded here"):
        player.proxy(a_clip(media.playlist(secret)))


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(wall_s=0.05), "stopped after 0.05 s"),
        (Limits(memory_bytes=100 << 20), "memory"),
    ],
)
def test_a_hostile_source_hits_the_limit(tmp_path, limits, said):
    large = media.ffmpeg("large.mkv", *media.source(size="7680x4320", seconds=0.12), *media.H264)
    clip = a_clip(large, end_s=0.12, width=7680, height=4320)
    with Playback(small_workspace(), tmp_path, concurrency=1, limits=limits) as made:
        start = time.monotonic()
        with pytest.raises(PlaybackError, match=said) as caught:
            made.proxy(clip)
        assert caught.value.reason == "unplayable"
        assert time.monotonic() - start < 10
        assert list(tmp_path.iterdir()) == []


def test_threads_that_want_the_same_clip_get_one_encode(player, monkeypatch):
    run, runs, clip = playback.cut_proxy, [], a_clip(media.plain())

    def counted(*arguments):
        runs.append(arguments)
        time.sleep(0.1)
        return run(*arguments)

    monkeypatch.setattr(playback, "cut_proxy", counted)
    with ThreadPoolExecutor(6) as threads:
        paths = {job.result() for job in [threads.submit(player.proxy, clip) for _ in range(6)]}
    assert len(paths) == len(runs) == 1
    player.proxy(clip)
    assert len(runs) == 1


def test_too_many_requests_are_refused_and_leave_no_trace(player, monkeypatch):
    run, go, started = playback.cut_proxy, threading.Event(), threading.Event()

    def waits(*arguments):
        started.set()
        go.wait(10)
        return run(*arguments)

    monkeypatch.setattr(playback, "cut_proxy", waits)
    monkeypatch.setattr(player, "_room", threading.BoundedSemaphore(2))
    clips = [a_clip(media.plain(), end_s=0.2, clip_id=f"v-{number}") for number in range(5)]
    with ThreadPoolExecutor(5) as threads:
        jobs = [threads.submit(player.proxy, clip) for clip in clips]
        started.wait(10)
        while sum(job.done() for job in jobs) < 3:
            time.sleep(0.01)
        go.set()
        errors = [job.exception() for job in jobs if job.exception()]
    assert [error.reason for error in errors] == ["busy"] * 3
    assert all(player.proxy(clip).is_file() for clip in clips)


def test_a_clip_whose_name_is_a_path_is_refused():
    for name in ("../../etc/passwd", "a/b", "", "a\n", "a\0"):
        with pytest.raises(ValueError, match="clip_id"):
            a_clip(media.plain(), clip_id=name)


def test_objects_are_fetched_once_and_checked(player, bucket, monkeypatch):  # noqa: F811
    uri = f"{bucket}/films/plain.mp4"
    films = boto3.resource("s3").Bucket("films")
    films.upload_file(str(media.plain()), "films/plain.mp4")
    where = [{"uri": uri, "modified": storage.entry(uri).modified}]
    clip = a_clip(media.plain(), sources=where)
    made = player.proxy(clip)
    assert len(frames(made)) == 25
    films.Object("films/plain.mp4").delete()
    other = clip.model_copy(update={"clip_id": "v-other", "start_s": 1.0, "end_s": 2.0})
    assert len(frames(player.proxy(other))) == 25
    (player._shelf.folder / "v.source").unlink()
    with pytest.raises(PlaybackError, match=r"plain\.mp4 is no longer there"):
        player.proxy(clip.model_copy(update={"clip_id": "v-third"}))
    films.put_object(Key="films/plain.mp4", Body=bytes(media.plain().stat().st_size))
    with pytest.raises(PlaybackError, match="no longer has the content"):
        player.proxy(clip.model_copy(update={"clip_id": "v-third"}))
    monkeypatch.setattr(clip_sources, "MAX_FETCH_BYTES", 1000)
    with pytest.raises(PlaybackError, match="not fetched for playback") as caught:
        player.proxy(clip.model_copy(update={"clip_id": "v-third"}))
    assert caught.value.reason == "too_large"


def fill(shelf, name, size=4000):
    return shelf.file(name, lambda path: path.write_bytes(bytes(size)))


def test_the_least_recently_used_files_go(tmp_path):
    shelf = Shelf(tmp_path / "shelf", 10_000)
    kept = fill(shelf, "a")
    changed = kept.stat().st_mtime_ns
    fill(shelf, "b")
    fill(shelf, "a")
    fill(shelf, "c")
    assert {path.name for path in shelf.folder.iterdir()} == {"a", "c"}
    # Browsers tell by it whether the file is still the one that they have a part of.
    assert kept.stat().st_mtime_ns == changed
    fill(shelf, "large", 20_000)
    assert {path.name for path in shelf.folder.iterdir()} == {"large"}
    again = Shelf(tmp_path / "shelf", 10_000)
    fill(again, "small")
    assert {path.name for path in again.folder.iterdir()} == {"small"}


def test_a_file_that_fails_half_way_is_not_there(tmp_path):
    shelf = Shelf(tmp_path / "shelf", 10_000)

    def fails(path):
        path.write_bytes(b"half")
        raise PlaybackError("unplayable", "no more")

    with pytest.raises(PlaybackError):
        shelf.file("a", fails)
    assert list(shelf.folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="file"):
        Shelf(tmp_path / "file" / "shelf", 1)
