"""What is said of made clips, and what is not."""

import numpy as np
import pytest

from captioning.camera import CAMERA_CLASSES, CONFIDENT, CameraLabel, CameraSegment
from captioning.captioner import CaptionClip, TimedFrame
from captioning.grounded.captioner import GroundedCaptioner, GroundedSettings, facts
from captioning.grounded.facts import listed, with_article
from captioning.grounded.motion_facts import BEHAVIOUR
from captioning.grounded.sentences import TEMPLATES, sentences
from curation.media.rendering import Picture
from curation.signals.camera import CameraStep
from tests.captioning.clips import caption_clip, plain

BLUE, GREEN, GREY, RED, BLACK = (
    (40, 90, 200),
    (40, 140, 40),
    (128, 128, 128),
    (210, 30, 30),
    (5, 5, 5),
)
STILL = {"camera_pan": 0.0, "camera_tilt": 0.0, "camera_zoom": 0.0, "frozen_share": 0.0}


def said(clip: CaptionClip) -> dict[str, tuple[str, ...]]:
    return {fact.kind: fact.values for fact in facts(clip)}


def of(*pictures: Picture, **known: object) -> CaptionClip:
    frames = tuple(TimedFrame(2.0 * number, one) for number, one in enumerate(pictures))
    return caption_clip(frames=frames, **known)


def stacked(*rgb: tuple[int, int, int]) -> Picture:
    return np.vstack([plain(one, height=60 // len(rgb)) for one in rgb])


def side_by_side(*rgb: tuple[int, int, int]) -> Picture:
    return np.hstack([plain(one, width=90 // len(rgb), height=50) for one in rgb])


def path(**values: object) -> tuple[CameraStep, ...]:
    """Twenty steps of a camera that stays; a value may be one number, or one for each step."""
    columns = {
        name: np.broadcast_to(np.asarray(value, float), 20) for name, value in values.items()
    }
    steps = []
    for index in range(20):
        own = {name: float(column[index]) for name, column in columns.items()}
        usual = dict.fromkeys(("pan", "tilt", "zoom", "roll", "residual"), 0.0)
        steps.append(CameraStep(**({"time_s": 0.25 * index, "inliers": 1.0} | usual | own)))
    return tuple(steps)


def test_one_colour_is_told_of_everything() -> None:
    assert said(of(plain(GREEN), plain(GREEN)))["whole"] == ("green",)


def test_colours_are_told_with_where_they_lie() -> None:
    assert said(of(stacked(BLUE, GREEN)))["layout"] == ("blue above, and green below",)
    assert said(of(side_by_side(RED, GREY)))["layout"] == (
        "red on the left, and grey on the right",
    )
    middle = plain(GREY, 90, 60)
    middle[15:45, 22:68] = RED
    assert "red in the middle" in said(of(middle))["layout"][0]
    noise = np.random.default_rng(0).integers(0, 2, (36, 64, 1))
    mixed = np.where(noise == 0, np.uint8(GREEN), np.uint8(RED)).astype(np.uint8)
    assert set(said(of(mixed))["palette"][0].split(" and ")) == {"green", "red"}


def test_start_and_end_are_told_apart_where_the_colours_change() -> None:
    found = said(of(plain(BLUE), plain(BLUE), plain(GREEN)))
    assert (found["whole_at_first"], found["whole_at_last"]) == (("blue",), ("green",))
    assert "whole" not in found
    kinds = list(found)
    assert kinds.index("whole_at_first") < kinds.index("whole_at_last")


def test_a_small_patch_of_colour_is_a_touch_of_it_if_every_frame_has_it() -> None:
    patched = plain(GREY, 100, 60)
    patched[10:20, 10:40] = RED
    assert said(of(patched, patched))["accent"] == ("red",)
    assert "accent" not in said(of(patched, plain(GREY, 100, 60)))


def test_light_is_told_where_it_lies_and_how_it_changes() -> None:
    dark, bright = (60, 60, 60), (200, 200, 200)
    assert said(of(stacked(bright, dark)))["brightest"] == ("upper", "lower")
    assert said(of(side_by_side(dark, bright)))["brightest"] == ("right", "left")
    assert said(of(plain(dark), plain(bright)))["light_changes"] == ("brighter",)
    assert "light_changes" not in said(of(plain(dark), plain(dark)))
    measures = {"luma_mean": 0.2, "contrast": 0.3, "colourfulness": 70.0, "sharpness": 0.8}
    found = said(of(plain(dark), measures=measures))
    assert (found["light"], found["contrast"]) == (("dim",), ("strong",))
    assert (found["colourfulness"], found["detail"]) == (("vivid",), ("crisp",))
    between = {"luma_mean": 0.45, "contrast": 0.18, "colourfulness": 40.0, "sharpness": 0.45}
    assert not {"light", "contrast", "colourfulness", "detail"} & set(
        said(of(plain(dark), measures=between))
    )


def test_without_colour_everything_is_black_and_white() -> None:
    assert said(of(plain(GREY), measures={"colourfulness": 0.5}))["monochrome"] == ()


@pytest.mark.parametrize("name", CAMERA_CLASSES)
def test_each_camera_motion_has_its_words_if_it_is_sure(name: str) -> None:
    sure = said(caption_clip(camera=CameraLabel(name, CONFIDENT)))
    assert sure["camera"] == (BEHAVIOUR[name],)
    assert "camera" not in said(caption_clip(camera=CameraLabel(name, CONFIDENT - 0.01)))


def test_what_the_camera_does_in_order_is_told_if_all_of_it_is_sure() -> None:
    def spans(confidence: float) -> CaptionClip:
        still, pan = CameraLabel("static shot", 1.0), CameraLabel("pan left", confidence)
        return caption_clip(
            camera_segments=(CameraSegment(0.0, 2.0, still), CameraSegment(2.0, 4.0, pan))
        )

    assert said(spans(1.0))["camera_2"] == ("holds still", "pans left")
    assert "camera_2" not in said(spans(0.5))


def test_where_the_view_goes_is_told_where_its_cause_is_not_sure() -> None:
    fast = {"camera_pan": -0.1, "camera_tilt": 0.01, "camera_zoom": 0.0}
    assert said(caption_clip(measures=fast))["view"] == ("to the left",)
    assert said(caption_clip(measures=fast | {"camera_zoom": 0.3}))["view"] == ("closer",)
    assert "view" not in said(caption_clip(measures=fast | {"camera_tilt": 0.08}))
    assert "view" not in said(caption_clip(measures={"camera_pan": 0.02}))


def test_movement_is_told_before_a_camera_that_stays() -> None:
    def of_motion(amount: float, **more: float) -> dict[str, tuple[str, ...]]:
        return said(caption_clip(measures=STILL | {"motion_vmaf": amount} | more))

    assert of_motion(0.0) == of_motion(3.0, frozen_share=1.0)
    assert "nothing_moves" in of_motion(0.0)
    assert of_motion(1.0)["movement"] == ("gentle",)
    assert of_motion(9.0)["movement"] == ("quick",)
    assert not [kind for kind in of_motion(3.0, camera_pan=0.1) if "mov" in kind]
    slide, next_slide = plain(GREY, 90, 60), plain(GREY, 90, 60)
    next_slide[:20, :30] = GREEN
    built_up = said(of(slide, next_slide, measures=STILL | {"motion_vmaf": 0.01}))
    assert built_up["movement"] == ("hardly any",)


def test_what_moves_is_told_by_its_way_place_and_size() -> None:
    def moving(**values: object) -> dict[str, tuple[str, ...]]:
        measures = STILL | {"motion_vmaf": 3.0}
        return said(caption_clip(measures=measures, path=path(**values)))

    across = np.linspace(-0.4, 0.4, 20)
    right = moving(subject_share=0.1, subject_x=across, subject_right=0.17)
    assert right["crosses"] == ("left", "right")
    up = moving(subject_share=0.3, subject_y=across, subject_up=0.17)
    assert (up["crosses"], up["mover_size"]) == (("bottom", "top"), ("large",))
    assert moving(subject_share=0.1, subject_x=0.3, subject_right=-0.1)["goes"] == ("to the left",)
    fidgets = moving(subject_share=0.02, subject_x=0.3, subject_right=[0.3, -0.3] * 10)
    assert fidgets["movement_at"] == ("steady", "on the right")
    assert fidgets["mover_size"] == ("small",)
    late = moving(subject_share=[0] * 10 + [0.1] * 10)
    assert "begins" in late
    assert "comes_to_rest" in moving(subject_share=[0.1] * 10 + [0] * 10)
    assert moving(subject_share=0.005)["movement"] == ("steady",)


def test_only_what_a_model_is_sure_of_is_named() -> None:
    def labelled(*labels: tuple[str, float]) -> tuple[str, ...] | None:
        return said(caption_clip(labels=labels)).get("subject")

    assert labelled(("volleyball", 0.93)) == ("a volleyball",)
    assert labelled(("mosque", 0.76)) is None
    elephants = (("African elephant", 0.5), ("Indian elephant", 0.35))
    assert labelled(*elephants) == ("an elephant",)
    assert labelled(("crane (bird)", 0.9)) == ("a crane",)
    assert "people" in said(caption_clip(measures={"people": 0.95}))
    assert "people" not in said(caption_clip(measures={"people": 0.8}))


def test_how_and_where_it_was_taken_is_told_where_a_clip_model_is_sure() -> None:
    night, close = ("time of day", "night", 0.95), ("shot size", "close-up", 0.95)
    outdoors = ("place", "outdoors", 0.95)
    found = said(caption_clip(attributes=(close, outdoors, night)))
    assert (found["shot_size"], found["place"]) == (("a close-up",), ("outdoors",))
    assert found["time"] == ("night",)
    assert "time" not in said(caption_clip(attributes=(night, ("place", "indoors", 0.95))))
    assert "shot_size" not in said(caption_clip(attributes=(("shot size", "close-up", 0.8),)))


def test_what_is_written_is_quoted_if_it_was_read_for_sure() -> None:
    lines = (("FRESH FRUIT", 0.9), ("0pan", 0.5))
    assert said(caption_clip(text_lines=lines))["text"] == ('"FRESH FRUIT"',)


def test_of_a_picture_nothing_moves_and_nothing_ends() -> None:
    measures = STILL | {"motion_vmaf": 3.0, "luma_mean": 0.7}
    found = said(of(plain(GREEN), is_image=True, measures=measures, duration_s=0.0))
    assert set(found) == {"whole", "light"}


def test_every_fact_has_its_numbers_and_every_kind_its_sentences() -> None:
    for kind, choices in TEMPLATES.items():
        for text in choices:
            said_so = text.format("red", "blue", "grey")
            assert said_so == said_so.strip(" .")
            assert said_so[0].islower() or text.startswith("{0}"), kind
    found = facts(of(stacked(BLUE, GREEN), measures={"luma_mean": 0.2}))
    assert all(fact.evidence for fact in found)
    assert all(fact.kind in TEMPLATES for fact in found)


def test_sentences_are_varied_by_the_clip_and_the_same_for_the_same_one() -> None:
    found = facts(of(stacked(BLUE, GREEN), measures={"luma_mean": 0.2, "contrast": 0.3}))
    variants = {" ".join(sentences(found, f"clip-{number}")) for number in range(30)}
    assert len(variants) > 5
    assert sentences(found, "clip-1") == sentences(found, "clip-1")
    for text in variants:
        assert all(one[0].isupper() and one.endswith(".") for one in text.split(". ")[-1:])


def test_a_grounded_caption_is_built_of_its_facts_and_says_so(tmp_path) -> None:
    who = GroundedCaptioner(GroundedSettings(rewriter=None), tmp_path)
    who.check()
    who.setup()
    clip = of(stacked(BLUE, GREEN))
    [one] = who([clip], 0)
    [again], [other] = who([clip], 0), who([of(stacked(RED, GREEN))], 0)
    assert one == again
    assert one.origin == "built"
    assert one.facts == ("layout: blue 0.50 above, green 0.50 below", *one.facts[1:])
    assert "red" in other.text


def test_a_prompt_without_a_place_for_the_sentences_is_refused(tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("Join them.")
    (tmp_path / "more.txt").write_text("{{two}} {{style}}")
    with pytest.raises(ValueError, match=r"should have \{\{two\}\} once"):
        GroundedCaptioner(GroundedSettings(prompt=str(tmp_path / "mine.txt")), tmp_path)
    with pytest.raises(ValueError, match=r"names \{\{style\}\}"):
        GroundedCaptioner(GroundedSettings(prompt=str(tmp_path / "more.txt")), tmp_path)


def test_lists_and_articles() -> None:
    lists = [listed(names) for names in (["a"], ["a", "b"], ["a", "b", "c"])]
    assert lists == ["a", "a and b", "a, b and c"]
    assert with_article("dog") == "a dog"
    assert with_article("African elephant") == "an African elephant"
