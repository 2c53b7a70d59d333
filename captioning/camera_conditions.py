"""The conditions of each class of camera motion, each met to a degree.

Bars are round numbers in the units of `CameraFeatures`; `captioning.camera` says what they stand
for, and `benchmarks/accuracy/camera.py` what comes of them.
"""

from captioning.camera_features import CameraFeatures

ZOOM_AT_MOST = 0.65
"""Of growth that is the same everywhere, this share is taken to be zooms and not pushes."""

BEYOND = 1e6
"""So far below a bar, nothing is met: larger numbers would overflow."""


def degrees(features: CameraFeatures, shake: float) -> dict[str, float]:
    """How far the weakest condition of each class that comes into question is met, 0 to 1.

    Args:
        features: of a stretch of the path.
        shake: of the same, frame heights.
    """
    return {
        **_shifts(features),
        **_growths(features),
        **_followed(features),
        **_rests(features, shake),
    }


def above(value: float, bar: float) -> float:
    """How far a value is above a bar, 0 to 1: half at the bar, 0.9 at 1.7 times the bar."""
    return 0.0 if value <= 0 else float(1 / (1 + min(bar / value, BEYOND) ** 4))


def below(value: float, bar: float) -> float:
    """How far a value is below a bar, 0 to 1: half at the bar, 0.9 at 0.58 times the bar."""
    return 1.0 - above(value, bar)


def _shifts(features: CameraFeatures) -> dict[str, float]:
    """Pan or truck, tilt or pedestal: whichever way the shift points."""
    across, up = features.shift.real, features.shift.imag
    if abs(across) >= abs(up):
        way, sidelong, names = ("right" if across > 0 else "left"), abs(up), ("pan", "truck")
    else:
        way, sidelong, names = ("up" if up > 0 else "down"), abs(across), ("tilt", "pedestal")
    speed = max(abs(across), abs(up))
    leads = min(
        above(speed, 0.008),
        above(features.straight, 0.45),
        above(speed, 1.5 * sidelong),
        above(speed, abs(features.growth)),
        above(features.middle, 0.4),
        below(features.still, 0.5),
    )
    turn = features.turn.value.real
    turns = min(
        above(turn, 0.03),
        above(turn, 4 * features.turn.error),
        above(speed, abs(features.roll)),
        above(features.inliers, 0.2),
        below(features.along, 0.35),
    )
    behind = features.along - features.ahead
    # The ground runs ahead of what stands on it; or a good part of the picture runs ahead, and
    # nothing falls behind as a subject does that goes with the camera.
    ground = min(
        above(features.lower - 1, 0.08),
        above(features.along, 0.07),
        above(features.along, 1.2 * features.across),
        above(features.ahead, 2 * behind),
    )
    layers = min(
        above(features.ahead, 0.08),
        above(features.along, 1.5 * features.across),
        above(features.ahead, 2 * behind),
    )
    travels = min(below(turn + 2 * features.turn.error, 0.08), max(ground, layers))
    # Between the two, neither is more than a guess.
    return {
        f"{name} {way}": min(leads, 0.5 + 0.5 * proof) if proof >= other else 0.0
        for name, proof, other in zip(names, (turns, travels), (travels, turns), strict=True)
    }


def _growths(features: CameraFeatures) -> dict[str, float]:
    """Zoom or push."""
    growth, inwards = abs(features.growth), features.growth > 0
    leads = min(
        above(growth, 0.004),
        above(features.steady, 0.45),
        above(growth, abs(features.shift)),
        above(growth, abs(features.roll)),
        above(features.inliers, 0.15),
        below(features.still, 0.5),
    )
    slant = abs(features.slant.value)
    depth = min(
        above(slant, 0.25),
        above(features.slant.sigmas, 4),
        above(features.along, 0.6 * features.across),
    )
    alike = min(below(slant, 0.35), ZOOM_AT_MOST)
    return {
        "push in" if inwards else "pull out": min(leads, depth),
        "zoom in" if inwards else "zoom out": min(leads, alike),
    }


def _followed(features: CameraFeatures) -> dict[str, float]:
    """Tracking and arc: something stays in the middle while all around it moves."""
    around = abs(features.around)
    leads = min(
        above(around, 0.012),
        above(features.straight, 0.45),
        above(around, abs(features.growth)),
        below(features.still, 0.3),
    )
    turn = features.turn.value.real
    tracks = min(
        below(abs(features.middle), 0.45),
        below(turn - features.turn.error, 0.1),
        below(-turn, 0.5),
        above(features.lower, 0.4),
    )
    arcs = min(
        above(-features.middle, 0.05),
        above(turn, 0.05),
        above(turn, 4 * features.turn.error),
        below(features.lower, 0.5),
    )
    return {"tracking shot": min(leads, tracks), "arc shot": min(leads, arcs)}


def _rests(features: CameraFeatures, shake: float) -> dict[str, float]:
    """Static and handheld: motion that leads nowhere, or none."""
    stays = min(
        above(features.still, 3 * (1 - features.still)),
        below(abs(features.shift) * features.straight, 0.004),
        below(abs(features.growth) * features.steady, 0.002),
        below(shake, 0.002),
    )
    sways = min(
        above(shake, 0.0022),
        below(features.straight, 0.5),
        below(abs(features.growth), 0.5 * features.speed),
        above(features.inliers, 0.22),
        above(features.sway, 0.5),
        below(features.still, 0.5),
    )
    return {"static shot": stays, "handheld shot": sways}
