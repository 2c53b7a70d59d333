"""Borders, sharpness, exposure and colourfulness against pictures made with known values.

`python -m benchmarks.accuracy.picture [--footage FOLDER]`: with a folder of real videos, bars are
put around their frames and their pictures blurred; what has a border untouched is printed.
"""

import argparse
import json
import math
import tempfile
from pathlib import Path

import cv2
import numpy as np

from benchmarks.accuracy.rendering import (
    FPS,
    Luma,
    Picture,
    decode,
    encode,
    rendered,
    steady,
    texture,
)
from curation.signals.borders import Rectangle, content_rectangle
from curation.signals.picture import colourfulness, exposure, sharpness

BARS = {
    "letterbox": (0.0, 0.12, 0.0, 0.12),
    "pillarbox": (0.2, 0.0, 0.2, 0.0),
    "windowbox": (0.1, 0.1, 0.1, 0.1),
    "one side": (0.0, 0.06, 0.15, 0.0),
    "thin": (0.01, 0.0, 0.0, 0.015),
}
"""Left, top, right, bottom, as a part of the side."""

COLOURS = {"black": (0, 0, 0), "white": (255, 255, 255), "purple": (160, 30, 90)}
BLURS_PX = (0.0, 0.5, 1.0, 2.0, 4.0)
ENLARGED = (1.0, 1.5, 2.0, 3.0)

BAR = {
    "border_misplaced_share": 0.05,
    "false_border_share": 0.05,
    "blur_not_monotone_share": 0.02,
    "enlarging_not_monotone_share": 0.02,
    "sharpness_spread_at_blur_2": 0.15,
    "exposure_error_max": 0.01,
    "colourfulness_error_max": 1.0,
}
"""A border is misplaced if an edge is off by more than 4 px."""


def scenes(footage: Path | None) -> dict[str, list[Picture]]:
    """Six frames from all over each video: of made ones, and of every fourth of the folder."""
    found = {
        f"texture {seed}": list(rendered(texture(seed), steady(pan=0.1)))[:: FPS // 2][:6]
        for seed in range(4)
    }
    paths = sorted(p for p in footage.iterdir() if p.suffix in {".mp4", ".mkv"}) if footage else []
    for path in paths[::4]:
        frames = list(decode(path, 150))
        found[path.stem[:24]] = [
            np.dstack([frames[index].luma] * 3)
            for index in np.linspace(5, len(frames) - 5, 6).astype(int)
        ]
    return found


def barred(frame: Picture, parts: tuple[float, ...], colour: tuple[int, ...]) -> Picture:
    """The frame shrunk to make room for bars."""
    height, width = frame.shape[:2]
    left, top, right, bottom = _bars_px(parts, width, height)
    inside = cv2.resize(
        frame, (width - left - right, height - top - bottom), interpolation=cv2.INTER_AREA
    )
    around = (top, bottom, left, right)
    return np.asarray(cv2.copyMakeBorder(inside, *around, cv2.BORDER_CONSTANT, value=colour))


def border_errors(videos: dict[str, list[Picture]], scratch: Path) -> dict[str, float]:
    """Shares of misplaced borders, and of videos with a border of their own: false on made ones."""
    off: list[float] = []
    own = []
    for name, whole in videos.items():
        height, width = (side // 2 * 2 for side in whole[0].shape[:2])
        frames = [frame[:height, :width] for frame in whole]
        untouched = content_rectangle(_compressed(frames, scratch))
        if untouched != (0, 0, width, height):
            own.append(name)
            print(f"{name:26} has a border of its own? {untouched} of {width}x{height}")
            continue
        for kind, parts in BARS.items():
            for colour, value in COLOURS.items():
                made = [barred(frame, parts, value) for frame in frames]
                found = content_rectangle(_compressed(made, scratch))
                left, top, right, bottom = _bars_px(parts, width, height)
                truth = Rectangle(left, top, width - left - right, height - top - bottom)
                off.append(
                    max(abs(a - b) for a, b in zip(_edges(found), _edges(truth), strict=True))
                )
                if off[-1] > 4:
                    print(
                        f"{name:26} {kind:10} {colour:7} found {tuple(found)}, made {tuple(truth)}"
                    )
    return {
        "border_misplaced_share": float(np.mean(np.array(off) > 4)),
        "border_error_px_p50": float(np.median(off)),
        "border_error_px_p95": float(np.percentile(off, 95)),
        "false_border_share": sum(name.startswith("texture") for name in own) / len(videos),
        "own_border_share": len(own) / len(videos),
    }


def sharpness_figures(videos: dict[str, list[Picture]]) -> dict[str, float]:
    """Whether blur and enlarging always lower it, and how much contents differ at the same blur."""
    blurred, enlarged = [], []
    for frames in videos.values():
        # Shrunk, any picture is pixel-sharp, whatever the camera and the encoder did to it.
        luma = cv2.resize(frames[2][..., 0], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        blurred.append(
            [sharpness(cv2.GaussianBlur(luma, (0, 0), s) if s else luma) for s in BLURS_PX]
        )
        enlarged.append([sharpness(_enlarged(luma, factor)) for factor in ENLARGED])
    by_blur, by_size = np.array(blurred), np.array(enlarged)
    print(f"\nsharpness by blur {BLURS_PX}: {np.median(by_blur, axis=0).round(2)}")
    print(f"sharpness by enlarging {ENLARGED}: {np.median(by_size, axis=0).round(2)}")
    spread = np.percentile(by_blur, 95, axis=0) - np.percentile(by_blur, 5, axis=0)
    return {
        "blur_not_monotone_share": float(np.mean((np.diff(by_blur) > 0.005).any(axis=1))),
        "enlarging_not_monotone_share": float(np.mean((np.diff(by_size) > 0.005).any(axis=1))),
        "sharpness_spread_at_blur_2": float(spread[BLURS_PX.index(2.0)]),
    }


def exposure_errors() -> dict[str, float]:
    """Against pictures whose values are known."""
    half = np.full((144, 256), 16, np.uint8)
    half[:, 128:] = 235
    video, full = exposure(half, full_range=False), exposure(half, full_range=True)
    known = [
        *zip(video, (0.5, 0.5, 0.5, 0.5), strict=True),
        *zip(full, (251 / 510, 0.0, 0.0, 219 / 510), strict=True),
    ]
    # Hasler and Suesstrunk 2003: red and cyan halves have rg = +-255 and yb = +-127.5.
    halves = np.zeros((144, 256, 3), np.uint8)
    halves[:, :128, 2] = 255
    halves[:, 128:, :2] = 255
    truth = math.hypot(255, 127.5)
    return {
        "exposure_error_max": max(abs(found - made) for found, made in known),
        "colourfulness_error_max": abs(colourfulness(halves) - truth),
    }


def _bars_px(parts: tuple[float, ...], width: int, height: int) -> list[int]:
    sides = (width, height, width, height)
    return [round(part * side / 2) * 2 for part, side in zip(parts, sides, strict=True)]


def _edges(rectangle: Rectangle) -> tuple[int, int, int, int]:
    x, y, width, height = rectangle
    return x, y, x + width, y + height


def _compressed(frames: list[Picture], scratch: Path) -> list[Luma]:
    path = encode(frames, scratch / "bars.mp4", options={"crf": "28", "g": "1"})
    return [frame.luma for frame in decode(path)]


def _enlarged(luma: Luma, factor: float) -> Luma:
    """The picture as it would be if it had been stored smaller by `factor` and scaled up again."""
    if factor == 1:
        return luma
    less = cv2.resize(luma, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(less, luma.shape[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def main() -> None:
    """Prints a table and a last line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--footage", type=Path, help="folder of real videos")
    footage = parser.parse_args().footage
    cv2.setNumThreads(1)
    videos = scenes(footage)
    with tempfile.TemporaryDirectory() as name:
        figures = border_errors(videos, Path(name))
    figures |= sharpness_figures(videos) | exposure_errors()
    for key, value in figures.items():
        print(f"{key:32} {value:9.4f}" + (f"   bar {BAR[key]}" if key in BAR else ""))
    held = all(figures[key] <= bar for key, bar in BAR.items())
    print(json.dumps({"name": "accuracy/picture", "figures": figures, "bar": BAR, "held": held}))


if __name__ == "__main__":
    main()
