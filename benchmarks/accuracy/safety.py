"""False alarms of the safety classifier: what it says of footage without nudity.

`python -m benchmarks.accuracy.safety [--footage FOLDER]`: a frame every two seconds of the demo
film, a cartoon, and of the videos of a folder, which should be clean; the worst frames are named,
for a person to look at.

How much of what is unsafe the model finds is not measured: no such pictures are at hand, and none
should be. So this is half of an accuracy. The bar is about three times what was measured: it would
tell of a model that is broken.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from benchmarks.accuracy.copies import STORED
from curation.media.decode import VideoReader
from curation.media.rendering import Picture, render
from curation.models.safety import NsfwClassifier
from pipelines.assets import cache_folder, fetch

STEP_S = 2.0
THRESHOLDS = (0.2, 0.5, 0.8)
"""Yahoo took scores below 0.2 as safe and above 0.8 as not."""

QUANTILES = (0.5, 0.9, 0.99)
WORST = 8
BAR = {"film_above_0.8": 0.1, "footage_above_0.8": 0.02}
"""At most; the second only with a folder."""


class Scored(NamedTuple):
    """One frame."""

    video: str
    time_s: float
    score: float


def scored(paths: Sequence[Path], classifier: NsfwClassifier) -> list[Scored]:
    """The score of a frame every `STEP_S` of each video."""
    return [
        Scored(path.stem, time_s, row["nsfw"])
        for path in paths
        for time_s, frame in _frames(path)
        for row in classifier([[frame]])
    ]


def _frames(path: Path) -> Iterator[tuple[float, Picture]]:
    """Frames at the size in which the clips stage stores them, and their times."""
    due_s = STEP_S / 2
    with VideoReader(str(path), 0) as reader:
        for frame in reader.frames():
            if frame.time_s >= due_s:
                sides = (frame.picture.width, frame.picture.height)
                scale = min(1.0, STORED.long_side_px / max(sides))
                width, height = (max(2, round(side * scale / 2) * 2) for side in sides)
                yield frame.time_s, render(frame.picture, width, height)
                due_s += STEP_S


def figures_of(name: str, frames: Sequence[Scored]) -> dict[str, float]:
    """How many frames score how high."""
    scores = np.array([frame.score for frame in frames])
    figures = {f"{name}_above_{bound}": float((scores > bound).mean()) for bound in THRESHOLDS}
    figures |= {f"{name}_p{100 * q:.0f}": float(np.quantile(scores, q)) for q in QUANTILES}
    return figures | {f"{name}_max": float(scores.max()), f"{name}_frames": len(frames)}


def print_worst(frames: Sequence[Scored]) -> None:
    """The frames with the highest scores."""
    for frame in sorted(frames, key=lambda frame: -frame.score)[:WORST]:
        print(f"  {frame.score:5.3f}  {frame.video} at {frame.time_s:.1f} s")


def main() -> None:
    """Prints the distributions and a last line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--footage", type=Path, help="folder of videos without nudity")
    folder = parser.parse_args().footage
    weights = cache_folder() / "models"
    fetch("models", weights)
    cv2.setNumThreads(1)
    classifier = NsfwClassifier(weights)
    classifier.setup()
    # Of the demo's two videos, the trailer is cut from the film.
    groups = {"film": fetch("demo", cache_folder() / "demo")[:1]}
    if folder:
        groups["footage"] = sorted(p for p in folder.iterdir() if p.suffix in {".mp4", ".mkv"})
    figures: dict[str, float] = {}
    for name, paths in groups.items():
        frames = scored(paths, classifier)
        found = figures_of(name, frames)
        for key, value in found.items():
            print(f"{key:20} {value:8.3f}" + (f"   bar {BAR[key]}" if key in BAR else ""))
        print_worst(frames)
        figures |= found
    held = all(figures[key] <= bar for key, bar in BAR.items() if key in figures)
    print(json.dumps({"name": "accuracy/safety", "figures": figures, "bar": BAR, "held": held}))


if __name__ == "__main__":
    main()
