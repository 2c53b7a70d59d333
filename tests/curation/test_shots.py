import numpy as np
import pytest
from scenedetect import AdaptiveDetector, ContentDetector, FrameTimecode, ThresholdDetector

from curation import detectors
from curation.detectors import AdaptiveSettings, FadeSettings, ShotSettings, Transition
from curation.jumps import ContentScorer, Jump, is_cut
from curation.shots import shots, transitions


def scene(seed, num_frames, step=1.0):
    """A camera that drifts over a picture: BGR and luma, frame by frame."""
    generator = np.random.default_rng(seed)
    picture = np.kron(generator.integers(0, 255, (30, 60, 3)), np.ones((12, 12, 1))).astype(
        np.uint8
    )
    for index in range(num_frames):
        x = int(index * step)
        bgr = np.ascontiguousarray(picture[100:244, 100 + x : 356 + x])
        yield bgr, np.ascontiguousarray(bgr.mean(axis=2).astype(np.uint8))


def found(frames, settings=None, fps=25.0):
    settings = settings or ShotSettings()
    scorer = ContentScorer(settings, fps)
    content, brightness = [], []
    for bgr, luma in frames:
        content.append(scorer(bgr, luma))
        brightness.append(float(bgr.mean()))
    series = (np.array(values, np.float32) for values in (content, brightness))
    return transitions(*series, scorer.jumps, fps, settings)


def test_the_score_is_pyscenedetects():
    detector = ContentDetector()
    scorer = ContentScorer(ShotSettings(), 25)
    frames = [*scene(1, 5), *scene(2, 5)]
    theirs = [
        detector._calculate_frame_score(FrameTimecode(i, 25.0), bgr)
        for i, (bgr, _) in enumerate(frames)
    ]
    assert [scorer(bgr, luma) for bgr, luma in frames] == pytest.approx(theirs, rel=1e-6)


def test_adaptive_cuts_are_those_of_the_detector_run_over_every_frame():
    # Nothing here is quiet enough to be a repeat.
    for seed in range(20):
        generator = np.random.default_rng(seed)
        content = generator.gamma(2, 2, 500).astype(np.float32) + 3
        content[generator.integers(0, 500, 12)] += generator.uniform(5, 60, 12).astype(np.float32)
        settings = AdaptiveSettings()
        whole = detectors._ScoredAdaptive(
            adaptive_threshold=settings.threshold,
            min_content_val=settings.min_content,
            window_width=settings.window_frames,
            min_scene_len=0,
        )
        cuts = detectors._run(whole, range(500), content)
        assert detectors.adaptive_cuts(content, settings) == cuts
        assert isinstance(whole, AdaptiveDetector)


def test_fades_are_those_of_the_detector_run_over_every_frame():
    brightness = np.full(300, 100, np.float32)
    for start, length in ((40, 12), (120, 3), (200, 40)):
        brightness[start : start + length] = 2
    detector = ThresholdDetector(12, min_scene_len=0, fade_bias=-1.0)
    theirs = []
    for index in range(300):
        picture = np.full((2, 2, 3), brightness[index])
        theirs += detector.process_frame(FrameTimecode(index, 25.0), picture)
    ours = detectors.fades(brightness, 25.0, FadeSettings())
    assert [fade.start for fade in ours] == [cut.frame_num for cut in theirs] == [40, 120, 200]
    assert [fade.end for fade in ours] == [52, 123, 240]


def test_a_fade_takes_in_both_of_its_ramps():
    ramp = np.linspace(100, 0, 21, dtype=np.float32)
    brightness = np.concatenate([np.full(50, 100), ramp, ramp[::-1], np.full(50, 100)])
    (fade,) = detectors.fades(brightness.astype(np.float32), 25.0, FadeSettings())
    assert 49 <= fade.start <= 51
    assert 90 <= fade.end <= 92


def test_a_video_that_ends_dark_ends_in_a_fade():
    brightness = np.concatenate([np.full(50, 100), np.full(30, 1)]).astype(np.float32)
    assert detectors.fades(brightness, 25.0, FadeSettings()) == [Transition(50, 80, "fade")]
    assert shots([Transition(50, 80, "fade")], 80)[-1].end == 50


def test_a_hard_cut_is_found_at_its_frame():
    assert found([*scene(1, 30), *scene(2, 30)]) == [Transition(30, 30, "cut")]


def test_a_fast_pan_is_no_cut():
    frames = [*scene(1, 30, 0.0), *scene(1, 12, 20.0), *scene(1, 30, 0.0)]
    assert found(frames[:42]) == []


def test_a_flash_is_no_cut():
    frames = [*scene(1, 60, 0.2)]
    for index in (30, 31):
        bright = 255 - (255 - frames[index][0]) // 6
        frames[index] = (bright, bright.mean(axis=2).astype(np.uint8))
    assert found(frames) == []
    assert found(frames, ShotSettings(flashes=None)) != []


def test_repeated_frames_are_no_cuts():
    held = [frame for frame in scene(3, 20, 6.0) for _ in range(4)]
    assert found(held) == []


def test_stills_of_a_slideshow_are_cut_apart():
    frames = [frame for seed in (1, 2, 3) for frame in [next(scene(seed, 1))] * 40]
    assert [cut.start for cut in found(frames)] == [40, 80]


def test_a_blended_cut_is_one_cut():
    before, after = [*scene(1, 30)], [*scene(2, 30)]
    blend = (before[-1][0] // 2 + after[0][0] // 2).astype(np.uint8)
    frames = [*before, (blend, blend.mean(axis=2).astype(np.uint8)), *after]
    (cut,) = found(frames)
    assert cut.start == 30
    assert cut.end in (30, 31)


def test_each_detector_can_be_turned_off():
    settings = ShotSettings(adaptive=None, content=None, fades=None, flashes=None)
    assert found([*scene(1, 30), *scene(2, 30)], settings) == []


def test_cuts_inside_a_fade_belong_to_it():
    brightness = np.full(100, 100, np.float32)
    brightness[40:60] = 0
    content = np.zeros(100, np.float32)
    content[60] = 90
    jumps = {60: Jump(60, unexplained=1.0)}
    assert transitions(content, brightness, jumps, 25.0, ShotSettings()) == [
        Transition(40, 60, "fade")
    ]


@pytest.mark.parametrize(
    ("unexplained", "changed", "after", "is_found"),
    [
        (0.3, 0.3, 6.0, True),  # another shot
        (0.1, 0.4, 1.0, True),  # a jump cut: what moved was elsewhere at once
        (0.1, 0.1, 1.0, False),  # a line of text
        (0.0, 0.9, 1.0, False),  # the light
        (0.1, 0.4, 6.0, False),  # the jolt after which all moves
    ],
)
def test_what_motion_explains_is_a_cut_if_much_changed_and_only_once(
    unexplained, changed, after, is_found
):
    content = np.full(60, 1.0, np.float32)
    content[30], content[31] = 9.0, after
    jump = Jump(30, unexplained, changed)
    assert is_cut(content, jump, AdaptiveSettings()) is is_found


def test_a_jump_cut_is_found_where_a_subject_that_moves_is_no_cut():
    head = next(scene(9, 1))[0][:, :90]

    def talking(places):
        for (bgr, _), x in zip(scene(1, len(places), 0.0), places, strict=True):
            bgr[:, x : x + 90] = head
            yield bgr, np.ascontiguousarray(bgr.mean(axis=2).astype(np.uint8))

    calm = [80] * 30
    assert found(talking([*calm, *(92 for _ in range(30))])) == [Transition(30, 30, "cut")]
    assert found(talking([*calm, *range(80, 92), *(92 for _ in range(30))])) == []


def test_no_frames_have_no_shots():
    nothing = np.zeros(0, np.float32)
    assert transitions(nothing, nothing, {}, 25.0, ShotSettings()) == []
    assert shots([], 0) == []
