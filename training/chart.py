"""A picture of how a stage goes: its loss over steps and over times, each with its floor."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw, ImageFont

from training.floors import gaussian_floor
from training.metrics import read_metrics

WIDTH_PX, HEIGHT_PX, MARGIN_PX = 560, 340, 44
TRAIN, HELD_OUT, FLOOR, GRID, INK = "#3465a4", "#cc5500", "#888888", "#e6e6e6", "#333333"
NUM_TICKS = 5

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """A line of a panel."""

    name: str
    colour: str
    points: Points
    dotted: bool = False


def loss_chart(folder: Path) -> npt.NDArray[np.uint8] | None:
    """Two panels side by side, RGB `[H, W, 3]`; None before the first line of metrics.

    On the left the training loss over steps, held-out losses if there are any, and the Gaussian
    floor at the times that were drawn. On the right the last held-out loss over times, for each
    bucket, and the Gaussian floor.

    Args:
        folder: of the stage, with its `metrics.jsonl`.
    """
    trained, held_out = read_metrics(folder, "train"), read_metrics(folder, "evaluation")
    if not trained:
        return None
    lines = [
        Line("training", TRAIN, _over_steps(trained, "loss")),
        Line("Gaussian floor", FLOOR, _over_steps(trained, "floor_gaussian"), dotted=True),
    ]
    if held_out:
        lines.insert(1, Line("held out", HELD_OUT, _over_steps(held_out, "loss")))
    panels = [_panel(f"loss over steps: {folder.name}", lines)]
    if held_out:
        panels.append(_panel("held-out loss over t, last evaluation", _over_times(held_out[-1])))
    return np.concatenate(panels, axis=1)


def write_chart(folder: Path) -> npt.NDArray[np.uint8] | None:
    """Writes `loss.png` into the folder of a stage, and returns it."""
    chart = loss_chart(folder)
    if chart is not None:
        Image.fromarray(chart).save(folder / "loss.png")
    return chart


def _over_steps(lines: Sequence[Mapping[str, Any]], field: str) -> Points:
    return [(line["step"], line[field]) for line in lines]


def _over_times(line: Mapping[str, Any]) -> list[Line]:
    times = torch.linspace(0, 1, 101)
    floor = zip(times.tolist(), gaussian_floor(times).tolist(), strict=True)
    buckets = line["by_time_and_bucket"]
    shades = [HELD_OUT, TRAIN, "#4e9a06", "#75507b", "#c4a000", "#06989a"]
    return [
        *(
            Line(name, shades[number % len(shades)], [(one["time"], one["loss"]) for one in losses])
            for number, (name, losses) in enumerate(buckets.items())
        ),
        Line("Gaussian floor", FLOOR, [*floor], dotted=True),
    ]


def _panel(title: str, lines: Sequence[Line]) -> npt.NDArray[np.uint8]:
    picture = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(11)
    xs, ys = (np.array([point[side] for line in lines for point in line.points]) for side in (0, 1))
    lowest, highest = min(0.0, float(ys.min())), float(ys.max()) * 1.05 or 1.0
    left, right = float(xs.min()), max(float(xs.max()), float(xs.min()) + 1e-9)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - left) / (right - left)
        up = (y - lowest) / (highest - lowest)
        return (
            MARGIN_PX + across * (WIDTH_PX - 1.5 * MARGIN_PX),
            HEIGHT_PX - MARGIN_PX - up * (HEIGHT_PX - 2 * MARGIN_PX),
        )

    draw.text((MARGIN_PX, 6), title, fill=INK, font=font)
    for part in np.linspace(0, 1, NUM_TICKS):
        y, x = lowest + part * (highest - lowest), left + part * (right - left)
        draw.line([place(left, y), place(right, y)], fill=GRID)
        draw.text((4, place(left, y)[1] - 6), f"{y:.2f}", fill=INK, font=font)
        draw.text((place(x, lowest)[0] - 8, HEIGHT_PX - 36), _short(x), fill=INK, font=font)
    _draw_lines(draw, lines, place, font)
    return np.asarray(picture)


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def _draw_lines(
    draw: ImageDraw.ImageDraw,
    lines: Sequence[Line],
    place: Callable[[float, float], tuple[float, float]],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    at = MARGIN_PX
    for line in lines:
        points = [place(*point) for point in line.points]
        if line.dotted:
            for x, y in points:
                draw.rectangle([x - 1, y - 1, x + 1, y + 1], fill=line.colour)
        else:
            draw.line(points, fill=line.colour, width=2)
            if len(points) < 40:
                for x, y in points:
                    draw.ellipse([x - 3, y - 3, x + 3, y + 3], fill=line.colour)
        draw.rectangle([at, HEIGHT_PX - 14, at + 8, HEIGHT_PX - 6], fill=line.colour)
        draw.text((at + 14, HEIGHT_PX - 18), line.name, fill=line.colour, font=font)
        at += 34 + int(draw.textlength(line.name, font=font))
