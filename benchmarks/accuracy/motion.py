"""VMAF motion, motion vectors and camera against FFmpeg's filters and against known camera motion.

`python -m benchmarks.accuracy.motion [--footage FOLDER]`: with a folder of real videos, VMAF motion
and vectors are compared on them, and the camera moves over their pictures too.
"""

import argparse
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import cv2
import imageio_ffmpeg
import numpy as np
import numpy.typing as npt
from av.video.frame import PictureType

from benchmarks.accuracy.rendering import (
    FPS,
    HEIGHT,
    WIDTH,
    CameraPath,
    Decoded,
    Picture,
    decode,
    encode,
    pictures,
    rendered,
    shaken,
    steady,
    true_length_px,
    true_steps,
    with_subject,
)
from curation.analysis import MeasureSettings
from curation.signals.camera import CameraStep, camera_step, shake
from curation.signals.vectors import (
    PairMotion,
    VectorEstimator,
    clip_motion,
    codec_vectors,
    pair_motion,
)
from curation.signals.vmaf_motion import row_sampled_vmaf_motion, vmaf_motion

NUM_FRAMES = 150
"""Frames of each real video that are looked at."""

CAMERA_SPAN = round(FPS / MeasureSettings().camera_hz)
"""Frames from one frame of a pair to the other, as in the decode pass."""

HELD = 0.5
"""Steps on which fewer of the vectors agree are no measurement: a subject that covers a quarter of
a picture may hold most of what there is to follow, as before a lake or a bare wall."""

PATHS = {
    "still": steady(),
    "slow pan": steady(pan=0.02),
    "pan": steady(pan=0.15),
    "tilt": steady(tilt=-0.1),
    "zoom in": steady(zoom=0.1),
    "zoom out": steady(zoom=-0.1),
    "roll": steady(roll=5.0),
    "all": steady(pan=0.06, tilt=0.04, zoom=0.06, roll=2.0),
}

BAR = {
    "vmaf_clip_error_max": 0.02,
    "rows_clip_error_p95": 0.02,
    "codec_length_error_mean": 0.1,
    "camera_pan_error_p95": 0.005,
    "camera_tilt_error_p95": 0.01,
    "camera_zoom_error_p95": 0.01,
    "camera_roll_error_p95": 0.5,
    "camera_held_share": 0.8,
    "shake_error_max": 0.35,
}
"""Relative errors, but the camera's: widths, heights, log and degrees per second; all at most, but
the share of the camera's steps that are held, which is at least that."""


def vmaf_errors(videos: list[Path]) -> dict[str, float]:
    """Errors of VMAF motion against FFmpeg's `vmafmotion`, relative to each video's mean."""
    errors: dict[str, list[float]] = {"vmaf_clip": [], "rows_clip": []}
    errors |= {f"one_pair_in_{step}_clip": [] for step in (2, 4, 8)}
    worst_pair = 0.0
    for video in videos:
        program = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(video)]
        filters = ["-frames:v", str(NUM_FRAMES), "-vf", "vmafmotion=stats_file=-", "-f", "null"]
        told = subprocess.run([*program, *filters, "-"], capture_output=True, text=True, check=True)
        theirs = np.array([float(v) for v in re.findall(r"motion:([\d.]+)", told.stdout)][1:])
        ours, rows, before = [], [], None
        for frame in decode(video, NUM_FRAMES):
            if before is not None:
                ours.append(vmaf_motion(before, frame.luma))
                rows.append(row_sampled_vmaf_motion(before, frame.luma, len(rows)))
            before = frame.luma
        # Where frame times are uneven, FFmpeg's output ends a frame earlier or later.
        ours, rows, theirs = ours[: len(theirs)], rows[: len(theirs)], theirs[: len(ours)]
        worst_pair = max(worst_pair, float(np.abs(np.array(ours) - theirs).max()))
        mean = theirs.mean()
        if mean < 0.1:  # the filter reports two decimals: no relative error to speak of
            continue
        errors["vmaf_clip"].append(abs(np.mean(ours) / mean - 1))
        errors["rows_clip"].append(abs(np.mean(rows) / mean - 1))
        for step in (2, 4, 8):
            sampled = [abs(np.mean(ours[first::step]) / mean - 1) for first in range(step)]
            errors[f"one_pair_in_{step}_clip"].append(max(sampled))
    figures = {f"{name}_error_max": float(max(values)) for name, values in errors.items()}
    figures["rows_clip_error_p95"] = float(np.percentile(errors["rows_clip"], 95))
    return figures | {"vmaf_pair_error_max": worst_pair}


def lengths_px(frames: list[Decoded]) -> dict[str, float | None]:
    """Mean vector length of a video in px per frame: by our rule, of all vectors, and estimated."""
    height, width = frames[0].luma.shape
    ours: list[PairMotion] = []
    every: list[float] = []
    last_reference = 0
    for index, frame in enumerate(frames):
        if frame.vectors is not None:
            scale = frame.vectors["motion_scale"]
            lengths = np.hypot(frame.vectors["motion_x"], frame.vectors["motion_y"]) / scale
            every.append(float(np.average(lengths, weights=frame.vectors["w"] * 1.0)))
            found = None
            if frame.kind == PictureType.P:
                found = codec_vectors(frame.vectors, width, height, index - last_reference)
            if found is not None:
                ours.append(pair_motion(found))
        if frame.kind != PictureType.B:
            last_reference = index
    codec = clip_motion(ours)
    estimate, views = VectorEstimator(), [frame.small for frame in frames[::CAMERA_SPAN]]
    fields = (estimate(before, now, width, height, CAMERA_SPAN) for before, now in pairwise(views))
    estimated = clip_motion([pair_motion(field) for field in fields])
    return {
        "codec": None if codec is None else codec.mean_px,
        "all vectors": float(np.mean(every)) if every else None,
        "estimated": None if estimated is None else estimated.mean_px,
    }


def mestimate_px(video: Path) -> float:
    """Mean vector length of FFmpeg's `mestimate`, backward vectors of every frame, px per frame."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        graph = av.filter.Graph()
        graph.link_nodes(
            graph.add_buffer(template=stream), graph.add("mestimate"), graph.add("buffersink")
        ).configure()
        lengths = []
        for _, frame in zip(range(NUM_FRAMES), container.decode(stream), strict=False):
            graph.push(frame)
            for found in _pulled(graph):
                vectors = found.side_data.get("MOTION_VECTORS").to_ndarray()
                back = vectors[vectors["source"] < 0]
                across = back["src_x"].astype(float) - back["dst_x"]
                down = back["src_y"].astype(float) - back["dst_y"]
                lengths.append(float(np.hypot(across, down).mean()))
    return float(np.mean(lengths[1:]))


def camera_steps(frames: list[Decoded], span: int) -> list[CameraStep]:
    """The camera as the decode pass follows it, over pairs `span` frames apart."""
    estimate, views = VectorEstimator(), [frame.small for frame in frames[::span]]
    return [
        camera_step(
            estimate(before, now, WIDTH, HEIGHT, span),
            WIDTH,
            HEIGHT,
            (index + 0.5) * span / FPS,
            span / FPS,
        )
        for index, (before, now) in enumerate(pairwise(views))
    ]


def codec_steps(frames: list[Decoded], path: CameraPath) -> npt.NDArray[np.float64]:
    """Errors of the camera fitted to the codec's vectors of P frames instead, `[steps, 4]`."""
    errors, last = [], 0
    for index, frame in enumerate(frames):
        if frame.kind == PictureType.P and frame.vectors is not None:
            found = codec_vectors(frame.vectors, WIDTH, HEIGHT, index - last)
            if found is not None:
                step = camera_step(found, WIDTH, HEIGHT, 0.0, (index - last) / FPS)
                errors.append(np.subtract(step[1:5], true_steps(path, [last, index])[0][1:5]))
        if frame.kind != PictureType.B:
            last = index
    return np.abs(errors)


def camera_errors(scenes: dict[str, Picture], scratch: Path) -> dict[str, float]:
    """Errors against rendered paths, a subject that covers a quarter of the picture included."""
    errors: dict[str, list[npt.NDArray[np.float64]]] = {"estimated": [], "codec": []}
    held: list[npt.NDArray[np.bool_]] = []
    lengths: dict[str, list[float]] = {"codec": [], "all vectors": [], "estimated": []}
    print(f"\n{'camera, errors of the medians':40} {'pan':>8} {'tilt':>8} {'zoom':>8} {'roll':>8}")
    for scene, picture in scenes.items():
        for name, path in PATHS.items():
            for share in (0.0, 0.25):
                seen = rendered(picture, path)
                if share:
                    seen = with_subject(seen, share, picture[::-1])
                frames = list(decode(encode(seen, scratch / "camera.mp4")))
                found = np.array(camera_steps(frames, CAMERA_SPAN))
                steps = found[:, 1:5]
                truth = true_steps(path, range(0, len(frames), CAMERA_SPAN))
                held.append(found[:, CameraStep._fields.index("inliers")] >= HELD)
                errors["estimated"].append(np.abs(steps - np.array(truth)[:, 1:5])[held[-1]])
                errors["codec"].append(codec_steps(frames, path))
                off = np.abs(np.median(steps, 0) - np.median(np.array(truth)[:, 1:5], 0))
                label = f"{scene}, {name}{', subject' if share else ''}"
                print(f"{label:40} " + " ".join(f"{value:8.4f}" for value in off))
                if not share and name != "still":
                    true_px = true_length_px(path, len(frames) // 2, len(frames) // 2 + 1)
                    for source, value in lengths_px(frames).items():
                        lengths[source].append(np.nan if value is None else value / true_px - 1)
    figures = {"camera_held_share": float(np.concatenate(held).mean())}
    for source, prefix in (("estimated", "camera"), ("codec", "camera_by_codec")):
        p95 = np.percentile(np.concatenate(errors[source]), 95, axis=0)
        axes = ("pan", "tilt", "zoom", "roll")
        figures |= {f"{prefix}_{a}_error_p95": float(v) for a, v in zip(axes, p95, strict=True)}
    for source, values in lengths.items():
        figures[f"{source.replace(' ', '_')}_length_error_max"] = float(np.nanmax(np.abs(values)))
        figures[f"{source.replace(' ', '_')}_length_error_mean"] = float(np.nanmean(np.abs(values)))
    return figures


def shake_errors(scenes: dict[str, Picture], scratch: Path) -> dict[str, float]:
    """Relative errors of the shake, over pairs 1, 2 and 4 frames apart."""
    errors: dict[int, list[float]] = {1: [], 2: [], CAMERA_SPAN: []}
    floor = 0.0
    generator = np.random.default_rng(5)
    for picture in scenes.values():
        for rms in (0.0, 0.002, 0.005, 0.01):
            path = steady(pan=0.05, seconds=6)
            if rms:
                path = shaken(path, rms, generator)
            frames = list(decode(encode(rendered(picture, path), scratch / "shake.mp4")))
            truth = shake(true_steps(path, range(len(frames))), WIDTH / HEIGHT)
            for span, found in errors.items():
                value = shake(camera_steps(frames, span), WIDTH / HEIGHT)
                if rms:
                    found.append(abs(value / truth - 1))
                else:
                    floor = max(floor, value)
    figures = {f"shake_error_max_{FPS // span}hz": max(found) for span, found in errors.items()}
    return figures | {"shake_error_max": max(errors[CAMERA_SPAN]), "shake_floor": floor}


def agreement(videos: list[Path]) -> dict[str, float]:
    """Vector lengths against `mestimate`: rank correlation, and the median ratio."""
    theirs = np.array([mestimate_px(video) for video in videos])
    ours = [lengths_px(list(decode(video, NUM_FRAMES))) for video in videos]
    figures = {}
    for source in ("codec", "estimated"):
        known = np.array([np.nan if o[source] is None else o[source] for o in ours])
        both = ~np.isnan(known) & (theirs > 0.05)
        ranks = [np.argsort(np.argsort(v[both])) for v in (known, theirs)]
        figures[f"{source}_mestimate_rank_correlation"] = float(np.corrcoef(*ranks)[0, 1])
        figures[f"{source}_mestimate_ratio"] = float(np.median(known[both] / theirs[both]))
    return figures


def _pulled(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return


def main() -> None:
    """Prints a table and a last line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--footage", type=Path, help="folder of real videos")
    footage = parser.parse_args().footage
    cv2.setNumThreads(1)
    scenes = pictures(footage)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        figures = camera_errors(scenes, scratch) | shake_errors(scenes, scratch)
        if footage:
            videos = sorted(p for p in footage.iterdir() if p.suffix in {".mp4", ".mkv"})
            figures |= agreement(videos[::3])
        else:
            videos = [
                encode(
                    with_subject(rendered(picture, PATHS["all"]), 0.1, picture),
                    scratch / f"{index}.mp4",
                )
                for index, picture in enumerate(scenes.values())
            ]
        figures |= vmaf_errors(videos)
    print()
    for key, value in figures.items():
        print(f"{key:44} {value:9.4f}" + (f"   bar {BAR[key]}" if key in BAR else ""))
    held = all(
        figures[key] >= bar if key.endswith("share") else figures[key] <= bar
        for key, bar in BAR.items()
    )
    print(json.dumps({"name": "accuracy/motion", "figures": figures, "bar": BAR, "held": held}))


if __name__ == "__main__":
    main()
