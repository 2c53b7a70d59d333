"""Facts on motion: what the camera does in what order, and what moves before it."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from captioning.camera import CONFIDENT, CameraLabel
from captioning.captioner import CaptionClip
from captioning.grounded.colours import Look
from captioning.grounded.facts import Fact
from captioning.grounded.subject_facts import mover_facts

BEHAVIOUR = {
    "static shot": "holds still",
    "handheld shot": "is hand-held and sways a little",
    "pan right": "pans right",
    "pan left": "pans left",
    "tilt up": "tilts up",
    "tilt down": "tilts down",
    "zoom in": "zooms in",
    "zoom out": "zooms out",
    "push in": "moves forward",
    "pull out": "moves backward",
    "truck right": "glides to the right",
    "truck left": "glides to the left",
    "pedestal up": "rises",
    "pedestal down": "sinks",
    "arc shot": "circles its subject",
    "tracking shot": "follows its subject",
}
"""What the camera does in each of the 16 classes, after "the camera"."""

SPEED_OF = {
    "pan": "camera_pan",
    "truck": "camera_pan",
    "tilt": "camera_tilt",
    "pedestal": "camera_tilt",
    "zoom": "camera_zoom",
    "push": "camera_zoom",
    "pull": "camera_zoom",
}
"""The measure that tells the speed of a class, by the first word of its name."""

SLOW, QUICK = 0.04, 0.25
"""Frame widths or heights per second, or log scale: below is `slowly`, above `quickly`."""

STILL = 0.01
"""Below this speed, same units, the camera counts as still."""

LEAST_AMOUNT = "hardly any"
AMOUNTS = {0.5: LEAST_AMOUNT, 2.0: "gentle", 6.0: "steady", np.inf: "quick"}
"""Words for `motion_vmaf` below these values, before a still camera."""


def camera_facts(clip: CaptionClip) -> Iterator[Fact]:
    """What the camera does, in order; at least where the view goes, if the class is not sure."""
    spans = [one for one in clip.camera_segments if one.label.confidence >= CONFIDENT]
    told = [behaviour(one.label, {}) for one in spans]
    if len(told) == len(clip.camera_segments) > 1 and len(set(told)) > 1:
        evidence = "; ".join(
            f"{one.start_s:.1f} to {one.end_s:.1f} s {one.label.name} {one.label.confidence:.2f}"
            for one in spans
        )
        yield Fact(f"camera_{len(told)}", tuple(told), evidence)
    elif clip.camera is not None and clip.camera.confidence >= CONFIDENT:
        evidence = f"{clip.camera.name} {clip.camera.confidence:.2f}"
        yield Fact("camera", (behaviour(clip.camera, clip.measures),), evidence)
    else:
        yield from _view(clip)


def behaviour(label: CameraLabel, measures: dict[str, float | None]) -> str:
    """What the camera does, after "the camera", with its speed where the measures tell it."""
    speed = abs(measures.get(SPEED_OF.get(label.name.split()[0], "")) or 0.0)
    adverb = "quickly " if speed > QUICK else "slowly " if 0 < speed < SLOW else ""
    return f"{adverb}{BEHAVIOUR[label.name]}"


def _view(clip: CaptionClip) -> Iterator[Fact]:
    """Where the view moves, whatever moves it: a turn and a glide look alike."""
    ways = {
        "camera_pan": ("to the right", "to the left"),
        "camera_tilt": ("upwards", "downwards"),
        "camera_zoom": ("closer", "farther away"),
    }
    speeds = {name: clip.measures.get(name) or 0.0 for name in ways}
    name = max(speeds, key=lambda one: abs(speeds[one]))
    second = sorted(map(abs, speeds.values()))[1]
    if abs(speeds[name]) >= SLOW and second < abs(speeds[name]) / 2:
        yield Fact("view", (ways[name][speeds[name] < 0],), f"{name} {speeds[name]:.3f}")


def movement_facts(clip: CaptionClip, looks: Sequence[Look]) -> Iterator[Fact]:
    """How much moves before a still camera, where, and when most."""
    amount, frozen = clip.measures.get("motion_vmaf"), clip.measures.get("frozen_share") or 0.0
    speeds = [clip.measures.get(f"camera_{axis}") for axis in ("pan", "tilt", "zoom")]
    if amount is None or any(speed is None or abs(speed) > STILL for speed in speeds):
        return
    shown = f"motion_vmaf {amount:.2f}, frozen_share {frozen:.2f}"
    if frozen > 0.9 or amount < 0.05:
        # A slide on which lines appear has hardly any motion, and does not stay as it is.
        changed = _changed_share(looks)
        kind, values = ("nothing_moves", ()) if changed < 0.02 else ("movement", (LEAST_AMOUNT,))
        yield Fact(kind, values, f"{shown}, changed {changed:.2f}")
        return
    word = next(word for most, word in AMOUNTS.items() if amount < most)
    moved = list(mover_facts(clip.path))
    stays = next((fact for fact in moved if fact.kind == "stays"), None)
    if stays:
        moved.remove(stays)
        yield Fact("movement_at", (word, *stays.values), f"{shown}, {stays.evidence}")
    elif moved or not (at := _place(looks)):
        yield Fact("movement", (word,), shown)
    else:
        yield Fact("movement_at", (word, at[0]), f"{shown}, {at[0]} {at[1]:.2f}")
    yield from (fact for fact in moved if fact.kind != "mover_size" or word != LEAST_AMOUNT)
    if not any(fact.kind in ("begins", "comes_to_rest") for fact in moved):
        yield from _liveliest([step.residual for step in clip.path])


def _changed_share(looks: Sequence[Look]) -> float:
    """The largest share of the view that has another colour, or lightness, in the next frame."""
    shares = [
        np.mean((one.names != other.names) | (np.abs(one.lightness - other.lightness) > 8))
        for one, other in pairwise(looks)
    ]
    return float(max(shares, default=0.0))


def _liveliest(activity: Sequence[float]) -> Iterator[Fact]:
    if len(activity) < 9:
        return
    thirds = [float(np.mean(part)) for part in np.array_split(activity, 3)]
    most = int(np.argmax(thirds))
    if thirds[most] > 0.01 and thirds[most] > 2.5 * sorted(thirds)[1]:
        when = ("at the start", "halfway through", "towards the end")[most]
        shown = ", ".join(f"{third:.3f}" for third in thirds)
        yield Fact("liveliest", (when,), f"residual by thirds {shown}")


def _place(looks: Sequence[Look]) -> tuple[str, float] | None:
    """The part of the view in which most of the change from frame to frame lies, and its share."""
    if len(looks) < 2:
        return None
    lightness = np.stack([one.lightness for one in looks])
    change = np.abs(np.diff(lightness, axis=0)).mean(axis=0)
    change = np.where(change > 3, change, 0)
    total = float(change.sum())
    if total < 1:
        return None
    columns = change.reshape(36, 4, 16).sum(axis=(0, 2)) / total
    rows = change.reshape(3, 12, 64).sum(axis=(1, 2)) / total
    for place, share in (
        ("in the middle", float(columns[1] + columns[2])),
        ("on the left", float(columns[0] + columns[1])),
        ("on the right", float(columns[2] + columns[3])),
        ("in the upper part", float(rows[0])),
        ("in the lower part", float(rows[2])),
    ):
        if share >= 0.75:
            return place, share
    return None
