"""Camera labels of made paths: every class, signs, what cannot be told, and stretches."""

from collections.abc import Callable

import numpy as np
import pytest

from captioning.camera import (
    CAMERA_CLASSES,
    CONFIDENT,
    CameraLabel,
    camera_label,
    camera_path,
    camera_segments,
)
from curation.signals.camera import CameraStep, shake

ASPECT = 16 / 9
HZ = 4

Path = list[CameraStep]


def path(num_steps: int = 20, start_s: float = 0.0, **fields: float) -> Path:
    """Steps of a steady camera, each a little off; what is not named is as in a picture at rest."""
    generator = np.random.default_rng(num_steps)
    steps = []
    for index in range(num_steps):
        wobble = {name: value * generator.uniform(0.95, 1.05) for name, value in fields.items()}
        base = {"time_s": start_s + (index + 0.5) / HZ, "pan": 0.0, "tilt": 0.0, "zoom": 0.0}
        noise = {"roll": 0.0, "residual": 0.0005, "inliers": 0.9, "stray": 0.0005}
        steps.append(CameraStep(**(base | noise | wobble)))
    return steps


def shifted(
    pan: float = 0.0,
    tilt: float = 0.0,
    turn: float = 0.0,
    near: float = 0.0,
    middle: float = 1.0,
    lower: float = 1.0,
    behind: float = 0.01,
) -> Path:
    """A camera that shifts the picture.

    Args:
        pan: frame widths per second.
        tilt: frame heights per second.
        turn: square of frame height over focal length, 0 for a camera that travels.
        near: how far the near is ahead, of the shift.
        middle: what the middle moves of the shift.
        lower: what the lowest quarter moves of it.
        behind: how far others fall behind, of the shift.
    """
    speed = float(np.hypot(pan * ASPECT, tilt))
    return path(
        **{"pan": pan, "tilt": tilt, "keystone": turn * speed},
        **{"ahead": near * speed, "behind": behind * speed, "stray": 0.02 * speed},
        **{"middle_pan": middle * pan, "middle_tilt": middle * tilt},
        **{"around_pan": pan, "around_tilt": tilt},
        **{"lower_pan": lower * pan, "lower_tilt": lower * tilt},
    )


def grown(zoom: float, slant: float = 0.0, depth: float = 0.05) -> Path:
    """A camera that makes the picture grow: more so below by `slant`, the near more by `depth`."""
    speed = 0.5 * abs(zoom)
    return path(
        **{"zoom": zoom, "bend_y": slant * zoom, "ahead": depth * speed, "behind": 0.05 * speed},
        stray=0.05 * speed,
    )


def held_by_hand(rms: float, pan: float = 0.0) -> Path:
    """A hand's shake, and whatever it intends."""
    generator = np.random.default_rng(1)
    places = generator.normal(0, rms / 2**0.5, (25, 2))
    speeds = np.diff(places, axis=0) * HZ + [pan * ASPECT, 0]
    steps = path(len(speeds))
    for index, (right, up) in enumerate(speeds):
        sway = {"pan": right / ASPECT, "tilt": up}
        sway |= {f"{region}_pan": right / ASPECT for region in ("middle", "around", "lower")}
        sway |= {f"{region}_tilt": up for region in ("middle", "around", "lower")}
        turn = {"keystone": 0.3 * float(np.hypot(right, up))}
        steps[index] = steps[index]._replace(**sway, **turn)
    return steps


def label(steps: Path) -> CameraLabel:
    found = camera_label(steps, ASPECT, shake(steps, ASPECT))
    assert found is not None
    return found


TURNING = {"turn": 0.25}
TRAVELLING = {"near": 0.25, "lower": 1.5}

SURE: dict[str, Callable[[], Path]] = {
    "push in": lambda: grown(0.1, slant=0.8, depth=0.3),
    "pull out": lambda: grown(-0.1, slant=0.8, depth=0.3),
    "pan right": lambda: shifted(pan=0.06, **TURNING),
    "pan left": lambda: shifted(pan=-0.06, **TURNING),
    "truck right": lambda: shifted(pan=0.06, **TRAVELLING),
    "truck left": lambda: shifted(pan=-0.06, **TRAVELLING),
    "tilt up": lambda: shifted(tilt=0.08, **TURNING),
    "tilt down": lambda: shifted(tilt=-0.08, **TURNING),
    "pedestal up": lambda: shifted(tilt=0.08, **TRAVELLING),
    "pedestal down": lambda: shifted(tilt=-0.08, **TRAVELLING),
    "arc shot": lambda: shifted(pan=0.06, turn=0.3, middle=-0.15, lower=-0.2, behind=0.3),
    "tracking shot": lambda: shifted(pan=0.06, middle=0.0, behind=0.3),
    "static shot": lambda: path(),
    "handheld shot": lambda: held_by_hand(0.01),
}


@pytest.mark.parametrize("name", SURE)
def test_every_class_is_told(name: str) -> None:
    found = label(SURE[name]())
    assert found.name == name
    assert CONFIDENT <= found.confidence <= 1


@pytest.mark.parametrize("name", ["arc shot", "tracking shot"])
def test_either_way_around_is_an_arc_and_either_way_along_is_tracking(name: str) -> None:
    mirrored = [
        step._replace(
            **{field: -getattr(step, field) for field in step._fields if field.endswith("pan")}
        )
        for step in SURE[name]()
    ]
    assert label(mirrored) == label(SURE[name]())


def test_a_zoom_is_named_but_never_sure_because_a_push_may_look_like_it() -> None:
    assert label(grown(0.1)).name == "zoom in"
    assert label(grown(-0.1)).name == "zoom out"
    assert 0.5 < label(grown(0.1)).confidence < CONFIDENT
    assert set(CAMERA_CLASSES) == {*SURE, "zoom in", "zoom out"}


def test_without_bend_or_parallax_pan_and_truck_are_not_told_apart() -> None:
    for steps in (shifted(pan=0.06), shifted(tilt=-0.08), shifted(pan=0.06, turn=0.01)):
        assert label(steps).confidence <= 0.6


def test_mixtures_are_not_sure() -> None:
    pan = shifted(pan=0.06, **TURNING)
    mixed = [step._replace(zoom=0.2) for step in pan]
    diagonal = shifted(pan=0.05, tilt=0.09, **TURNING)
    both = shifted(pan=0.06, turn=0.25, near=0.4)
    back_and_forth = [
        step._replace(pan=sign * step.pan, around_pan=sign * step.pan, middle_pan=sign * step.pan)
        for step, sign in zip(pan, np.repeat([1, -1], 10), strict=True)
    ]
    for steps in (mixed, diagonal, both, back_and_forth):
        assert label(steps).confidence < CONFIDENT


def test_a_subject_that_keeps_up_makes_no_truck() -> None:
    steps = shifted(pan=0.06, near=0.2, lower=1.5, middle=0.9, behind=0.15)
    assert label(steps).confidence < CONFIDENT


def test_a_shaky_pan_is_a_pan_and_a_shaken_tripod_no_static_shot() -> None:
    assert label(held_by_hand(0.003, pan=0.08)).name == "pan right"
    assert label(held_by_hand(0.003, pan=0.08)).confidence >= CONFIDENT
    assert label(held_by_hand(0.004)).name != "static shot"


def test_a_subject_before_a_still_camera_is_no_motion_of_the_camera() -> None:
    """The fit may follow a large subject; all around it stays."""
    swaying = [
        step._replace(around_pan=0.0, around_tilt=0.0, lower_pan=0.0, inliers=0.3)
        for step in held_by_hand(0.02)
    ]
    assert label(swaying).name != "handheld shot" or label(swaying).confidence < CONFIDENT


def test_slow_growth_is_no_static_shot() -> None:
    assert label(grown(0.006)).confidence < CONFIDENT


def test_nothing_is_told_of_images_and_of_pictures_without_texture() -> None:
    assert camera_label([], ASPECT, 0.0) is None
    assert camera_segments([], ASPECT) == []
    blank = path(inliers=0.0)
    assert camera_label(blank, ASPECT, 0.0) is None
    assert camera_segments(blank, ASPECT) == []
    assert camera_path({"camera_path": None}) == []


def test_one_step_has_a_label() -> None:
    assert label(path(1)).name == "static shot"
    assert len(camera_segments(path(1), ASPECT)) == 1


def test_one_moving_step_proves_nothing() -> None:
    for name in ("pan right", "truck left", "push in", "arc shot"):
        assert 0 <= label(SURE[name]()[:1]).confidence < CONFIDENT


def test_stored_steps_are_read() -> None:
    steps = shifted(pan=0.06, **TURNING)
    assert camera_path({"camera_path": [step._asdict() for step in steps]}) == steps


def joined(*parts: Path) -> Path:
    steps = [step for part in parts for step in part]
    return [step._replace(time_s=(index + 0.5) / HZ) for index, step in enumerate(steps)]


def test_stretches_say_what_comes_first_and_what_then() -> None:
    pan, tilt = shifted(pan=0.06, **TURNING), shifted(tilt=0.08, **TURNING)
    found = camera_segments(joined(path(12), pan, tilt), ASPECT)
    assert [one.label.name for one in found] == ["static shot", "pan right", "tilt up"]
    assert [one.start_s for one in found] == pytest.approx([0, 3, 8])
    assert [one.end_s for one in found] == pytest.approx([3, 8, 13])
    assert all(one.label.confidence >= CONFIDENT for one in found)


def test_one_motion_is_one_stretch_also_if_it_starts_gently_or_shakes() -> None:
    pan = shifted(pan=0.06, **TURNING)
    gently = [
        step._replace(
            **{name: value * min(1, 0.3 + 0.1 * index) for name, value in step._asdict().items()}
            | {"time_s": step.time_s, "inliers": 0.9}
        )
        for index, step in enumerate(pan)
    ]
    for steps in (pan, gently, held_by_hand(0.01), path()):
        [only] = camera_segments(steps, ASPECT)
        assert only.label == label(steps)
        assert (only.start_s, only.end_s) == pytest.approx((0, len(steps) / HZ))


def test_stretches_are_three_at_most_and_last_a_second() -> None:
    ways = (0.06, -0.06, 0.06, -0.06, 0.06)
    parts = [shifted(pan=pan, **TURNING)[:6] for pan in ways]
    found = camera_segments(joined(*parts), ASPECT)
    assert len(found) <= 3
    assert all(one.end_s - one.start_s >= 1 for one in found)
    assert found[0].start_s == 0
    assert found[-1].end_s == pytest.approx(7.5)
