"""The quality index against faults of known strength, put on frames that were as they were found.

`python -m benchmarks.accuracy.quality [--footage FOLDER]`: the frames are those of the demo film
between its titles, or one of each video of a folder. No person's opinion is in it: that a picture
with a fault added is worse than without is all that is taken for true. Where frames come with the
same fault of their own, as compressed video does, a fault that is added changes little.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import process_time

import av
import cv2
import numpy as np

from benchmarks.accuracy.text import TEXTLESS_S, film_frames
from curation.media.rendering import Picture
from curation.models.quality import Brisque
from pipelines.assets import cache_folder, fetch

LONGEST_SIDE_PX = 640
JPEG_QUALITY = 90
"""Both as the decode pass stores frames."""

SLACK = 2.0
"""Points that the index may rise by from one strength to the next and still count as not rising."""


def noised(frame: Picture, sigma: float) -> Picture:
    """With Gaussian noise, the same on every call."""
    grain = np.random.default_rng(0).normal(0, sigma, frame.shape)
    return np.clip(np.round(frame + grain), 0, 255).astype(np.uint8)


def flattened(frame: Picture, part: float) -> Picture:
    """With this part of its contrast, around its mean."""
    return np.round(frame.mean() + part * (frame - frame.mean())).astype(np.uint8)


def packed(frame: Picture, quality: int) -> Picture:
    """As it comes back from a JPEG of this quality."""
    _, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def blurred(frame: Picture, sigma_px: float) -> Picture:
    """Out of focus."""
    return np.asarray(cv2.GaussianBlur(frame, (0, 0), sigma_px), np.uint8)


def enlarged(frame: Picture, factor: float) -> Picture:
    """As it would be if it had been stored smaller and scaled up again."""
    size = (round(frame.shape[1] / factor), round(frame.shape[0] / factor))
    less = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    back = cv2.resize(less, frame.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(back, np.uint8)


FAULTS: Mapping[str, tuple[Callable[[Picture, float], Picture], Sequence[float]]] = {
    "blur": (blurred, (0.7, 1, 2, 4)),
    "noise": (noised, (8, 16, 32)),
    "jpeg": (lambda frame, quality: packed(frame, int(quality)), (50, 25, 12, 6)),
    "contrast": (flattened, (0.7, 0.45, 0.25, 0.12)),
    "enlarged": (enlarged, (1.5, 2, 3, 4)),
}
"""Weakest first: standard deviations in px and luma steps, qualities, parts, factors."""

FAINT_NOISE = 4.0
"""Standard deviation of noise that hardly shows; BRISQUE takes it for detail."""

BAR = {f"{fault}_falls_share": 0.85 for fault in FAULTS} | {
    f"{fault}_strong_below_share": 0.9 for fault in FAULTS
}
"""At least. `falls`: frames whose index never rises from one strength to the next, by more than
`SLACK`; `strong_below`: frames whose index is lower than without the fault at both of its two
greatest strengths."""


def figures_of(model: Brisque, frames: Sequence[Picture]) -> dict[str, float]:
    """What each fault does to the index; prints the medians.

    Frames too flat for BRISQUE, with a fault or without, are left out for that fault.
    """

    def indices(change: Callable[[Picture], Picture]) -> list[float]:
        rows = model([[packed(change(frame), JPEG_QUALITY)] for frame in frames])
        return [np.nan if row["quality_index"] is None else row["quality_index"] for row in rows]

    found = indices(lambda frame: frame)
    clean = np.array(found)
    marks = np.nanpercentile(clean, (5, 25, 50, 75, 95))
    figures = {f"clean_p{p}": float(m) for p, m in zip((5, 25, 50, 75, 95), marks, strict=True)}
    print(f"{'as found':10} {'':24} {marks.round(1)} (5, 25, 50, 75, 95 %)")
    for name, (fault, strengths) in FAULTS.items():
        changed = [indices(partial(_faulty, fault, strength)) for strength in strengths]
        series = np.array([found, *changed])
        series = series[:, np.isfinite(series).all(axis=0)]
        falls = (np.diff(series, axis=0) <= SLACK).all(axis=0)
        below = (series[-2:] < series[0]).all(axis=0)
        figures[f"{name}_falls_share"] = float(falls.mean())
        figures[f"{name}_strong_below_share"] = float(below.mean())
        print(f"{name:10} {strengths!s:24} {np.median(series, axis=1).round(1)} (medians)")
    faint = np.array(indices(partial(_faulty, noised, FAINT_NOISE)))
    figures["raised_by_faint_noise_share"] = float(np.mean(faint > clean + SLACK))
    grey = np.array(indices(_grey))
    figures["grey_median_change"] = float(np.nanmedian(grey - clean))
    return figures


def _faulty(fault: Callable[[Picture, float], Picture], strength: float, frame: Picture) -> Picture:
    return fault(frame, strength)


def _grey(frame: Picture) -> Picture:
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)


def footage_frames(folder: Path) -> list[Picture]:
    """A frame of each video, two fifths into it, no larger than the decode pass stores them."""
    found = []
    for path in sorted(p for p in folder.iterdir() if p.suffix in {".mp4", ".mkv"}):
        with av.open(str(path)) as container:
            container.seek(int((container.duration or 0) * 0.4))
            picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
        part = min(1.0, LONGEST_SIDE_PX / max(picture.shape[:2]))
        size = (round(picture.shape[1] * part), round(picture.shape[0] * part))
        found.append(np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8))
    return found


def main() -> None:
    """Prints a table and a last line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--footage", type=Path, help="folder of real videos")
    folder = parser.parse_args().footage
    cv2.setNumThreads(1)
    fetch("models", cache_folder() / "models")
    model = Brisque(cache_folder() / "models")
    model.setup()
    frames = footage_frames(folder) if folder else film_frames(TEXTLESS_S)
    start_s = process_time()
    model([frames])
    figures = {"ms_per_frame": (process_time() - start_s) / len(frames) * 1000}
    figures |= figures_of(model, frames)
    for key, value in figures.items():
        print(f"{key:32} {value:9.4f}" + (f"   bar {BAR[key]}" if key in BAR else ""))
    held = all(figures[key] >= bar for key, bar in BAR.items())
    print(json.dumps({"name": "accuracy/quality", "figures": figures, "bar": BAR, "held": held}))


if __name__ == "__main__":
    main()
