"""Frozen frames, repeated frames and slideshows against videos made with known shares.

`python -m benchmarks.accuracy.stills [--footage FOLDER]`: with a folder of real videos, their
pictures are used too.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from benchmarks.accuracy.motion import CAMERA_SPAN, camera_steps
from benchmarks.accuracy.rendering import (
    FPS,
    HEIGHT,
    WIDTH,
    CameraPath,
    Picture,
    decode,
    eased,
    encode,
    pictures,
    rendered,
    shaken,
    steady,
    with_subject,
)
from curation.signals.repeats import frame_difference, frozen_share, repeated_share
from curation.signals.slideshow import slideshow_share, unexplained_px

BAR = {"frozen_error_max": 0.05, "repeated_error_max": 0.08, "slideshow_error_mean": 0.1}
"""Shares found against shares made."""

SECONDS = 4.0
MOVING = CameraPath(*steady(pan=0.05, tilt=0.02, seconds=SECONDS))
KEN_BURNS = {
    "pan": steady(pan=0.05, seconds=SECONDS),
    "zoom": steady(zoom=0.05, seconds=SECONDS),
    "zoom out": steady(zoom=-0.03, seconds=SECONDS),
    "pan and zoom": steady(pan=0.02, tilt=0.01, zoom=0.04, seconds=SECONDS),
    "slow zoom": steady(zoom=0.01, seconds=SECONDS),
    "eased": eased(steady(pan=0.05, zoom=0.03, seconds=SECONDS)),
}

Frames = list[Picture]
Shares = dict[str, float]


def live(picture: Picture) -> Frames:
    """A moving camera before which something else moves."""
    return list(with_subject(rendered(picture, MOVING), 0.08, picture[::-1]))


def frozen_half(picture: Picture) -> Frames:
    """Live for two seconds, then the last picture for as long."""
    half = live(picture)[: 2 * FPS]
    return half + [half[-1]] * len(half)


def stuttering(picture: Picture, pattern: tuple[int, ...]) -> Frames:
    """Each live frame shown as often as the pattern says, the pattern repeated."""
    frames = live(picture)
    return [
        frame for index, frame in enumerate(frames) for _ in range(pattern[index % len(pattern)])
    ][: len(frames)]


def joined_stills(scenes: list[Picture]) -> Frames:
    """Stills of two seconds, joined by dissolves of half a second."""
    shown = [next(rendered(scene, steady())) for scene in scenes[:2]]
    dissolve = [
        cv2.addWeighted(shown[0], 1 - share, shown[1], share, 0)
        for share in np.linspace(0, 1, FPS // 2 + 2)[1:-1]
    ]
    return [shown[0]] * 2 * FPS + dissolve + [shown[1]] * 2 * FPS


def in_depth(picture: Picture) -> Frames:
    """A camera past a near layer that moves twice as far as the rest."""
    near = steady(pan=0.1, seconds=SECONDS)
    frames = []
    for back, front in zip(rendered(picture, MOVING), rendered(picture[::-1], near), strict=True):
        back[HEIGHT * 2 // 3 :] = front[HEIGHT * 2 // 3 :]
        frames.append(back)
    return frames


def by_hand(picture: Picture) -> Frames:
    """A pan of a still view, held by hand."""
    path = shaken(MOVING, 0.004, np.random.default_rng(7))
    return list(rendered(picture, path))


def made(scenes: dict[str, Picture]) -> Iterator[tuple[str, Callable[[], Frames], Shares]]:
    """Name, maker and true shares of every video."""
    every = list(scenes.values())
    for scene, picture in scenes.items():
        nothing = {"frozen": 0.0, "repeated": 0.0, "slideshow": 0.0}
        yield f"{scene}, live", lambda p=picture: live(p), nothing
        yield f"{scene}, frozen half", lambda p=picture: frozen_half(p), {"frozen": 0.5}
        for name, pattern, share in (
            ("12 as 24", (2,), 0.5),
            ("24 as 30", (1, 1, 1, 2), 0.2),
            ("3:2 pulldown", (3, 2), 0.6),
            ("5 times", (5,), 0.8),
        ):
            truth = {"frozen": 0.0, "repeated": share}
            yield f"{scene}, {name}", lambda p=picture, q=pattern: stuttering(p, q), truth
        for name, path in KEN_BURNS.items():
            truth = {"repeated": 0.0, "slideshow": 1.0}
            yield f"{scene}, {name}", lambda p=picture, q=path: list(rendered(p, q)), truth
        yield f"{scene}, in depth", lambda p=picture: in_depth(p), nothing
        yield f"{scene}, by hand", lambda p=picture: by_hand(p), nothing
    yield "stills with dissolves", lambda: joined_stills(every), {"slideshow": 0.9, "frozen": 0.9}


def shares(video: Path) -> Shares:
    """What the signals find in a video."""
    frames = list(decode(video))
    views = [frame.small for frame in frames]
    differences = [frame_difference(*pair) for pair in pairwise(views)]
    steps = camera_steps(frames, CAMERA_SPAN)
    left = [
        unexplained_px(*pair, step, CAMERA_SPAN / FPS)
        for pair, step in zip(pairwise(views[::CAMERA_SPAN]), steps, strict=True)
    ]
    return {
        "frozen": frozen_share(differences, FPS),
        "repeated": repeated_share(differences, FPS),
        "slideshow": slideshow_share(steps, left, WIDTH / HEIGHT),
    }


def main() -> None:
    """Prints a table and a last line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--footage", type=Path, help="folder of real videos to take stills from")
    footage = parser.parse_args().footage
    cv2.setNumThreads(1)
    errors: dict[str, list[float]] = {"frozen": [], "repeated": [], "slideshow": []}
    print(f"{'share: found (made)':36} {'frozen':>14} {'repeated':>14} {'slideshow':>14}")
    with tempfile.TemporaryDirectory() as name:
        for label, make, truth in made(pictures(footage)):
            found = shares(encode(make(), Path(name) / "stills.mp4"))
            cells = [
                f"{found[kind]:.2f} ({truth[kind]:.2f})" if kind in truth else f"{found[kind]:.2f} "
                for kind in errors
            ]
            print(f"{label:36} " + " ".join(f"{cell:>14}" for cell in cells))
            for kind, share in truth.items():
                errors[kind].append(abs(found[kind] - share))
    figures = {f"{kind}_error_max": float(max(values)) for kind, values in errors.items()}
    figures |= {f"{kind}_error_mean": float(np.mean(v)) for kind, v in errors.items()}
    held = all(figures[key] <= bar for key, bar in BAR.items())
    print(json.dumps({"name": "accuracy/stills", "figures": figures, "bar": BAR, "held": held}))


if __name__ == "__main__":
    main()
