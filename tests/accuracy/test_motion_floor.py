"""Floors under the accuracy of motion and camera; see `benchmarks.accuracy.motion` and `stills`."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy.motion import CAMERA_SPAN, camera_steps, lengths_px
from benchmarks.accuracy.rendering import (
    HEIGHT,
    WIDTH,
    decode,
    encode,
    rendered,
    shaken,
    steady,
    texture,
    true_length_px,
    true_steps,
    with_subject,
)
from benchmarks.accuracy.stills import KEN_BURNS, in_depth, shares, stuttering
from curation.signals.camera import shake

FAST = {"preset": "veryfast"}


def test_the_camera_is_measured_past_a_subject(tmp_path: Path) -> None:
    path = steady(pan=0.06, tilt=0.04, zoom=0.06, roll=2.0, seconds=1.5)
    seen = with_subject(rendered(texture(1), path), 0.2, texture(2))
    frames = list(decode(encode(seen, tmp_path / "camera.mp4", options=FAST)))
    found = np.median(np.array(camera_steps(frames, CAMERA_SPAN))[:, 1:5], axis=0)
    truth = np.median(np.array(true_steps(path, range(0, len(frames), CAMERA_SPAN)))[:, 1:5], 0)
    assert np.abs(found - truth) == pytest.approx(0, abs=0.3)  # roll, degrees per second
    assert np.abs(found - truth)[:3] == pytest.approx(0, abs=0.006)


def test_vector_lengths_are_pixels_per_frame(tmp_path: Path) -> None:
    path = steady(pan=0.08, tilt=0.05, seconds=1.5)
    frames = list(decode(encode(rendered(texture(1), path), tmp_path / "pan.mp4")))
    true_px = true_length_px(path, 10, 11)
    found = lengths_px(frames)
    # Vectors in flat areas are whatever was cheapest: they lengthen the mean.
    assert found["codec"] == pytest.approx(true_px, rel=0.2)
    assert found["estimated"] == pytest.approx(true_px, rel=0.05)
    # Without the span the same vectors are another number altogether.
    assert found["all vectors"] > 1.5 * true_px


def test_shake_is_measured_and_a_steady_pan_has_none(tmp_path: Path) -> None:
    calm = steady(pan=0.05, seconds=3)
    hand = shaken(calm, 0.005, np.random.default_rng(2))
    found = {}
    for name, path in (("calm", calm), ("hand", hand)):
        seen = rendered(texture(1), path)
        frames = list(decode(encode(seen, tmp_path / f"{name}.mp4", options=FAST)))
        found[name] = shake(camera_steps(frames, 2), WIDTH / HEIGHT)
    truth = shake(true_steps(hand, range(len(hand.x))), WIDTH / HEIGHT)
    assert found["hand"] == pytest.approx(truth, rel=0.15)
    assert found["calm"] < 0.0005


def test_repeats_and_slideshows_are_told_from_live_footage(tmp_path: Path) -> None:
    made = {
        "12 as 24": stuttering(texture(1), (2,))[:36],
        "slideshow": list(rendered(texture(1), KEN_BURNS["zoom"]))[:36],
        "live": in_depth(texture(1))[:36],
    }
    found = {
        name: shares(encode(frames, tmp_path / "stills.mp4", options=FAST))
        for name, frames in made.items()
    }
    assert found["12 as 24"]["repeated"] == pytest.approx(0.5, abs=0.05)
    assert found["slideshow"]["slideshow"] > 0.9
    assert found["live"] == pytest.approx({"frozen": 0, "repeated": 0, "slideshow": 0}, abs=0.05)
