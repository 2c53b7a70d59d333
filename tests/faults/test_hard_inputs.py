"""Files that break other tools: each is one row with its reason, and no neighbour notices."""

import os
import socket
from pathlib import Path

import pytest

from curation.clips import ClipsSettings, ClipsStage
from curation.ingest import IngestSettings, IngestStage
from curation.inputs import read_inputs
from curation.media.sandbox import Limits, Sandbox
from curation.storage import path_of
from curation.tables import CLIPS, FAILED, OK, SOURCES
from curation.videos import VideoRules, videos_from_sources
from tests import media

LIMITS = Limits(wall_s=20.0, memory_bytes=1 << 30)

GOOD = {
    "good.mp4": media.plain,
    "good sound.mp4": media.with_sound,
    "good.jpg": media.image,
    "%03d.mp4": media.interlaced,
    "-i": media.anamorphic,
    "quo'te\"s and\nnewline.mp4": media.variable_rate,
    "concat:x.mp4": lambda: media.rotated(90),
    "\U0001f3ac.mkv": media.two_videos,
    os.fsdecode(b"\xff\xfe.mp4"): media.hdr,
    "x" * 255: lambda: media.rotated(180),
    "one pixel.png": media.one_pixel,
    "two halves.png": media.two_halves,
    "single frame.mp4": media.single_frame,
    "truncated.mp4": media.truncated,
    "damaged.mp4": media.damaged_middle,
}
"""Files that are odd, but fine."""

BAD = {
    "text.mp4": (media.text_as_mp4, "not_media"),
    "no moov.mp4": (media.without_moov, "no_frames"),
    "audio only.mp4": (media.audio_only, "no_video"),
    "cover art.m4v": (media.cover_art, "no_video"),
    "declares 1e9 frames.mp4": (media.declares_duration, "too_large"),
    "declares 16k.mov": (media.declares_size, "too_large"),
    "declares 16k.png": (media.declares_picture_size, "too_large"),
    "playlist.mp4": (lambda: media.playlist(Path("/etc/hostname")), "not_media"),
    "concat script.mp4": (lambda: media.concat_script(Path("/etc/hostname")), "not_media"),
    "empty.mp4": (lambda: media.broken("empty.mp4", b""), "empty"),
    "hang.mp4": (lambda: media.broken("hang.mp4", b"hang"), "timeout"),
    "bomb.mp4": (lambda: media.broken("bomb.mp4", b"bomb"), "memory"),
    "fault.mp4": (lambda: media.broken("fault.mp4", b"fault"), "crash"),
    "grows.mp4": (lambda: media.broken("grows.mp4", media.plain().read_bytes()), "changed"),
    "vanishes.mp4": (lambda: media.broken("vanishes.mp4", b"x"), "changed"),
}
"""Files that are refused, with the reason."""

LATER = {
    "later hang.mp4": "timeout",
    "later bomb.mp4": "memory",
    "later fault.mp4": "crash",
    "later grown.mp4": "changed",
    "later gone.mp4": "changed",
}
"""Files that are fine when they are probed and not when they are decoded, with the reason then."""

SPECIAL = dict.fromkeys(["fifo.mp4", "socket.mp4", "out.mp4", "device.mp4"], "not_a_file")


class HostileSandbox(Sandbox):
    """A sandbox in which files of some names do what no test file can be made to do for sure."""

    def run(self, function, **arguments):
        path = Path(arguments["path"])
        deed = path.stem
        if function == "curation.clips:analyse":
            deed = deed.removeprefix("later ")
        if deed in ("hang", "bomb", "fault"):
            with Sandbox(self.limits.model_copy(update={"wall_s": 2.0})) as own:
                return own.run(f"tests.faults.misdeeds:{deed}", **arguments)
        if deed == "grows":
            path.write_bytes(path.read_bytes() + b"more")
        if deed == "vanishes":
            path.unlink()
        return super().run(function, **arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hard") / "inputs"
    folder.mkdir()
    for name, make in GOOD.items():
        (folder / name).write_bytes(make().read_bytes())
    for name, (make, _) in BAD.items():
        (folder / name).write_bytes(make().read_bytes())
    for name in LATER:
        (folder / name).write_bytes(media.plain().read_bytes() + name.encode())
    os.mkfifo(folder / "fifo.mp4")
    (folder / "out.mp4").symlink_to(media.plain())
    (folder / "device.mp4").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(folder / "socket.mp4"))
        yield folder


@pytest.fixture(scope="module")
def sources(folder):
    """The rows of everything, made in one batch."""
    stage = IngestStage(IngestSettings(), LIMITS)
    stage._sandbox = HostileSandbox(LIMITS)
    table = stage(read_inputs([str(folder)]).rows)
    stage._sandbox.close()
    assert table.schema == SOURCES
    return table


@pytest.fixture(scope="module")
def rows(sources):
    return {path_of(row["uri"]).name: row for row in sources.to_pylist()}


def test_every_file_has_exactly_one_row(sources, rows):
    assert set(rows) == {*GOOD, *BAD, *LATER, *SPECIAL}
    assert sources.num_rows == len(rows)


@pytest.mark.parametrize("name", [*GOOD, *LATER])
def test_an_odd_file_is_taken(rows, name):
    assert (rows[name]["status"], rows[name]["error"]) == (OK, None)


@pytest.mark.parametrize(
    ("name", "reason"), [*((name, reason) for name, (_, reason) in BAD.items()), *SPECIAL.items()]
)
def test_a_bad_file_is_refused_with_its_reason(rows, name, reason):
    assert (rows[name]["status"], rows[name]["reason"]) == (FAILED, reason)
    assert rows[name]["error"]


def test_neighbours_have_the_rows_that_they_have_alone(folder, rows):
    stage = IngestStage(IngestSettings(), LIMITS)
    stage.setup()
    for name in GOOD:
        (alone,) = stage(read_inputs([str(folder / name)]).rows).to_pylist()
        assert alone | {"cpu_s": 0} == rows[name] | {"cpu_s": 0}
    stage._sandbox.close()


@pytest.fixture(scope="module")
def clips(folder, sources, rows):
    """The rows of the decode pass by file name, made in one batch, after two files have changed."""
    videos = videos_from_sources(sources, VideoRules())
    (folder / "later grown.mp4").write_bytes(b"another content")
    (folder / "later gone.mp4").unlink()
    stage = ClipsStage(ClipsSettings(), LIMITS)
    stage._sandbox = HostileSandbox(LIMITS)
    table = stage(videos)
    stage._sandbox.close()
    assert table.schema == CLIPS
    assert sorted(table["video_id"].to_pylist()) == videos["video_id"].to_pylist()
    by_id = {row["video_id"]: row for row in table.to_pylist()}
    return {name: by_id[row["video_id"]] for name, row in rows.items() if row["status"] == OK}


@pytest.mark.parametrize("name", GOOD)
def test_an_odd_file_is_decoded(clips, rows, name):
    assert (clips[name]["status"], clips[name]["error"]) == (OK, None)
    if name in ("truncated.mp4", "damaged.mp4"):
        assert clips[name]["decode_failures"] > 0
        assert 0 < clips[name]["decoded_frames"] < 50
    else:
        assert clips[name]["decode_failures"] == 0
        # A container that counts no frames declares a duration, from which theirs is estimated.
        declared = 50 if GOOD[name] is media.variable_rate else rows[name]["num_frames"]
        assert clips[name]["decoded_frames"] == declared


@pytest.mark.parametrize(("name", "reason"), LATER.items())
def test_a_file_that_turns_bad_is_refused_with_its_reason(clips, name, reason):
    assert (clips[name]["status"], clips[name]["reason"]) == (FAILED, reason)
    assert clips[name]["error"]


def test_a_header_that_declares_a_billion_samples_is_refused_in_little_memory():
    with Sandbox(LIMITS) as sandbox:
        outcome = sandbox.run(
            "curation.media.probe:probe",
            path=str(media.declares_samples()),
            max_frame_pixels=1 << 26,
            max_duration_s=86400.0,
            max_frames=10**7,
        )
    assert outcome.reason in ("too_large", "memory", "no_frames")
    assert outcome.peak_memory_bytes < 300 << 20
    assert outcome.wall_s < 10
