import numpy as np

from curation.detectors import Transition
from curation.gradual import (
    KEPT_FRAMES,
    seen_by_network,
    stretches,
    united,
    window,
)
from curation.small_frames import SmallFrames


def marks(length, *runs):
    marked = np.zeros(length, np.float32)
    for start, end in runs:
        marked[start:end] = 1
    return marked


def numbered(count):
    """Frames that are as bright as their number."""
    frames = SmallFrames()
    for index in range(count):
        frames.append(np.full((72, 128, 3), index, np.uint8))
    return frames


def test_stretches_hold_every_marked_frame_and_nothing_is_looked_at_twice():
    generator = np.random.default_rng(0)
    for _ in range(20):
        marked = generator.random(1000) < generator.uniform(0, 0.05)
        covered = np.zeros(1000, int)
        for start, end in stretches(marked):
            assert 0 < end - start <= KEPT_FRAMES and marked[start] and marked[end - 1]
            covered[start:end] += 1
        assert covered.max(initial=0) <= 1 and covered[marked].all()
    assert list(stretches(np.zeros(10, bool))) == []


def test_everything_is_a_stretch_after_another():
    found = list(stretches(np.ones(120, bool)))
    assert found == [(0, 50), (50, 100), (100, 120)]


def test_a_window_has_context_and_repeats_the_first_and_last_frame():
    frames = numbered(100)
    shown = [picture[0, 0, 0] for picture in window(frames, 40, 60)]
    assert shown == list(range(15, 85))
    assert [picture[0, 0, 0] for picture in window(frames, 0, 50)][:26] == [0] * 26
    assert [picture[0, 0, 0] for picture in window(frames, 90, 100)][-26:] == [99] * 26


def test_a_cut_is_marked_at_the_last_frame_before_it():
    one = marks(100, (49, 50))
    assert seen_by_network(one, one, one + 100, 0.4) == [Transition(50, 50, "cut")]


def test_a_blended_cut_holds_its_blended_frame():
    inside = marks(100, (49, 51))
    found = seen_by_network(marks(100, (49, 50)), inside, inside + 100, 0.4)
    assert found == [Transition(50, 51, "cut")]


def test_a_dissolve_has_the_extent_that_the_network_sees():
    found = seen_by_network(marks(100, (50, 52)), marks(100, (40, 60)), marks(100) + 100, 0.4)
    assert found == [Transition(40, 61, "dissolve")]


def test_a_transition_through_black_is_a_fade():
    brightness = 100 - 95 * marks(100, (48, 52))
    found = seen_by_network(marks(100, (50, 51)), marks(100, (40, 60)), brightness, 0.4)
    assert [transition.kind for transition in found] == ["fade"]


def test_what_has_no_middle_is_no_transition():
    assert seen_by_network(marks(100), marks(100, (40, 60)), marks(100), 0.4) == []


def test_transitions_that_meet_are_one_named_after_what_takes_longest():
    found = [
        *(Transition(10, 10, "cut"), Transition(50, 50, "cut"), Transition(90, 99, "fade")),
        *(Transition(48, 60, "dissolve"), Transition(62, 62, "cut"), Transition(95, 110, "cut")),
    ]
    assert united(found) == [
        Transition(10, 10, "cut"),
        Transition(48, 62, "dissolve"),
        Transition(90, 110, "fade"),
    ]
