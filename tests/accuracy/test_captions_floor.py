"""Floors under what grounded captions say; see `benchmarks.accuracy.captions`."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.accuracy.captions import spoiled
from benchmarks.accuracy.statements import Shown, statements
from captioning.captioner import CaptionClip, TimedFrame
from captioning.grounded.captioner import GroundedCaptioner, GroundedSettings
from tests.captioning.clips import caption_clip
from tests.captioning.grounded.test_facts import STILL, path


def scene(moment: float) -> np.ndarray:
    """A field below a sky, and a red ball that crosses it; noise, as cameras have it."""
    picture = np.zeros((180, 320, 3), np.uint8)
    picture[:90], picture[90:] = (90, 150, 220), (50, 130, 50)
    cv2.circle(picture, (round(40 + 240 * moment), 95), 24, (215, 35, 35), -1)
    noise = np.random.default_rng(1).normal(0, 6, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def made() -> tuple[CaptionClip, Shown]:
    frames = [scene(moment) for moment in (0.0, 0.33, 0.67, 1.0)]
    across = np.linspace(-0.37, 0.37, 20)
    steps = path(subject_share=0.03, subject_x=across, subject_right=0.15, residual=0.002)
    clip = caption_clip(
        frames=tuple(TimedFrame(1.5 * number, one) for number, one in enumerate(frames)),
        path=steps,
        measures=STILL | {"motion_vmaf": 3.0, "luma_mean": 0.5, "colourfulness": 70.0},
        labels=(("croquet ball", 0.9),),
        text="KICK OFF",
        text_lines=(("KICK OFF", 0.9),),
    )
    rows = [step._asdict() for step in steps]
    return clip, Shown(frames, rows, clip.labels, "KICK OFF", 3.0)


@pytest.mark.parametrize("rewriter", [None, "smollm2"])
def test_all_that_is_said_is_so_and_what_is_spoiled_is_noticed(
    made: tuple[CaptionClip, Shown], rewriter: str | None, model_weights: Path
) -> None:
    clip, shown = made
    who = GroundedCaptioner(GroundedSettings(rewriter=rewriter), model_weights)
    who.setup()
    num_spoiled = caught = 0
    for attempt in range(5):
        [draft] = who([clip], attempt)
        said = statements(draft.text, shown)
        assert [one.words for one in said if not one.is_supported] == [], draft.text
        assert len(said) >= 6
        for other in spoiled(draft.text):
            num_spoiled += 1
            caught += any(not one.is_supported for one in statements(other, shown))
    assert caught / num_spoiled > 0.8
