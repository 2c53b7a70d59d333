"""What a stretch of a camera's path says as a whole: its motion, and what proves turn or travel."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from curation.signals.camera import CameraStep

Steps = NDArray[np.float64]
"""[N] one field of the steps."""

Shifts = NDArray[np.complex128]
"""[N] camera to the right + i upwards, frame heights per second."""


class Ratio(NamedTuple):
    """How much of one thing comes with another, over all steps."""

    value: complex
    error: float
    """Standard error, by the scatter from step to step."""

    @property
    def sigmas(self) -> float:
        """The value in its errors."""
        return abs(self.value) / max(self.error, 1e-9)


class CameraFeatures(NamedTuple):
    """A stretch of the path in numbers; speeds are frame heights per second."""

    shift: complex
    """Mean motion of the camera, right + i up."""

    growth: float
    """Mean speed by which zoom moves the picture's points, positive is in."""

    roll: float
    """Mean speed by which roll moves the picture's points."""

    speed: float
    """Mean speed of the picture's points by the fit."""

    straight: float
    """Net shift over the length of the way, 0 to 1."""

    steady: float
    """Net growth over all growth and shrinking, 0 to 1."""

    still: float
    """Share of the steps in which the camera, or all around the middle, does not move."""

    inliers: float
    """Median share of the vectors that agree with the fit."""

    turn: Ratio
    """(frame height / focal length)^2 if the camera turns, 0 if it travels."""

    slant: Ratio
    """Growth of the zoom to the right and i downwards, over the zoom, per frame height."""

    along: float
    """Departures along the fit over the speed."""

    ahead: float
    """The part of `along` that is beyond the fit."""

    across: float
    """Departures across the fit over the speed."""

    around: complex
    """Mean shift of all around the middle, right + i up."""

    middle: float
    """What the middle moves of what is around it: 1 in a pan, 0 for a subject that is followed."""

    lower: float
    """What the lowest quarter moves of what is above it: more than 1 for a camera over ground."""

    sway: float
    """How far the whole picture moves as the fit has it, from step to step, 0 to 1."""


ROUNDS = 5
"""Rounds of reweighting: steps in which the flow failed lose their say."""

STILL = 0.006
"""Frame heights per second: slower is no motion that anyone sees."""


def camera_features(path: Sequence[CameraStep], aspect: float) -> CameraFeatures | None:
    """The features of these steps, or None where no step holds a fit.

    Args:
        path: steps without gaps, in time order.
        aspect: frame width over height.
    """
    held = [step for step in path if step.inliers > 0]
    if not held:
        return None
    table = np.array(held, dtype=np.float64).T
    steps = dict(zip(CameraStep._fields, table, strict=True))
    shift, middle, around, lower = (
        _shift(steps, name, aspect) for name in ("", "middle_", "around_", "lower_")
    )
    # The root mean square distance of the picture's points from its centre.
    reach = float(np.sqrt((aspect**2 + 1) / 12))
    growth, roll = steps["zoom"] * reach, np.radians(steps["roll"]) * reach
    speed = np.sqrt(np.abs(shift) ** 2 + growth**2)
    total = max(float(speed.sum()), 1e-9)
    moved = np.minimum(np.sqrt(speed**2 + roll**2), np.abs(around) + np.abs(growth))
    # A step's keystone is across its own way: what of it is across the way of all counts.
    towards = np.conj(shift.sum()) / max(abs(shift.sum()), 1e-9)
    way = shift * towards / np.maximum(np.abs(shift), 1e-9)
    bend = steps["bend_x"] + 1j * steps["bend_y"]
    return CameraFeatures(
        shift=complex(shift.mean()),
        growth=float(growth.mean()),
        roll=float(roll.mean()),
        speed=float(speed.mean()),
        straight=abs(complex(shift.sum())) / max(float(np.abs(shift).sum()), 1e-9),
        steady=abs(float(growth.sum())) / max(float(np.abs(growth).sum()), 1e-9),
        still=float(np.mean(moved < STILL)),
        inliers=float(np.median(steps["inliers"])),
        turn=_ratio(steps["keystone"] * way.real, (shift * towards).real),
        slant=_ratio(bend, steps["zoom"]),
        along=float((steps["ahead"] + steps["behind"]).sum()) / total,
        ahead=float(steps["ahead"].sum()) / total,
        across=float(steps["stray"].sum()) / total,
        around=complex(around.mean()),
        middle=_part(middle, around),
        lower=_part(lower, around),
        sway=_part(around, shift),
    )


def _shift(steps: dict[str, Steps], region: str, aspect: float) -> Shifts:
    shifts: Shifts = steps[f"{region}pan"] * aspect + 1j * steps[f"{region}tilt"]
    return shifts


def _part(some: Shifts, whole: Shifts) -> float:
    """The part of `whole` that `some` moves, in the median step; 1 where nothing moves."""
    power = np.abs(whole) ** 2
    moving = power > max(STILL**2, float(power.max()) / 25)
    if not moving.any():
        return 1.0
    return float(np.median((some * whole.conj()).real[moving] / power[moving]))


def _ratio(what: Shifts, by: Steps) -> Ratio:
    """What comes with `by` on the whole: a hand's shake, which leads nowhere, has no say.

    The sums of both sides, over most steps: those far from the ratio count less.
    """
    value, weights = 0j, np.ones(len(by))
    for _ in range(ROUNDS):
        total = float(weights @ by)
        if total == 0:
            return Ratio(0j, np.inf)
        value = complex(weights @ what) / total
        apart = np.abs(what - value * by)
        scale = max(3 * float(np.median(apart)), 1e-6)
        weights = 1 / (1 + (apart / scale) ** 2) ** 2
    error = float(np.sqrt(np.sum((apart * weights) ** 2))) / abs(float(weights @ by))
    # Of a single step there is no scatter, and nothing is known.
    return Ratio(value, error * float(np.sqrt(len(by) / (len(by) - 1))) if len(by) > 1 else np.inf)
