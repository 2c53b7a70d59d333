import pytest

from captioning.camera import CAMERA_CLASSES
from captioning.inference import keeps, training_prompt
from captioning.prompt_files import load_prompt

FPS_16 = "FPS-16"
TOLD = load_prompt("expand").text
LONG = (
    "A spotted dog races over a sandy beach beside the sea. White foam rolls up behind it, and the "
    "evening light is soft."
)


def test_a_request_is_brought_into_the_form_of_training_prompts() -> None:
    made = training_prompt("a dog on the beach", fps_token=FPS_16)
    assert made.prompt == "FPS-16 A dog on the beach."
    assert made.origin == "request"
    assert training_prompt("a dog on the beach").prompt == "A dog on the beach."


@pytest.mark.parametrize(
    ("request_", "prefix", "caption"),
    [
        ("a dog runs, camera pans right", "Pan right.", "A dog runs."),
        ("zoom in on a red car", "Zoom in.", "A red car."),
        ("static shot of a lake", "Static shot.", "A lake."),
        ("handheld shot, a crowd", "Handheld shot.", "A crowd."),
        ("the camera slowly tilts up a tower", "Tilt up.", "A tower."),
        ('a sign that says "pan right"', None, 'A sign that says "pan right".'),
        ("a man pans for gold", None, "A man pans for gold."),
        ("the boy pushes in the chair", None, "The boy pushes in the chair."),
        ("a truck left at the roadside", None, "A truck left at the roadside."),
        ("don't pan right", None, "Don't pan right."),
        ("slow zoom out of a city", "Zoom out.", "A city."),
        ("a dog. camera: pan left", "Pan left.", "A dog."),
        ("pan right and tilt up over it", None, "Pan right and tilt up over it."),
        ("FPS-16 pan right. a dog", "Pan right.", "A dog."),
        ("a bird tracks a mouse", None, "A bird tracks a mouse."),
        ("tilt up", None, "Tilt up."),
    ],
)
def test_a_camera_motion_that_is_asked_for_stands_in_front(
    request_: str, prefix: str | None, caption: str
) -> None:
    made = training_prompt(request_)
    assert (made.camera_prefix, made.caption) == (prefix, caption)


@pytest.mark.parametrize("name", CAMERA_CLASSES)
def test_each_of_the_16_classes_can_be_asked_for_by_its_name(name: str) -> None:
    made = training_prompt(f"{name} of an old house", fps_token=FPS_16)
    assert made.prompt == f"FPS-16 {name[0].upper()}{name[1:]}. An old house."


def test_what_a_language_model_writes_is_taken_if_it_keeps_all_that_was_asked_for() -> None:
    asked = []

    def complete(text: str) -> str:
        asked.append(text)
        return f" {LONG}\n"

    made = training_prompt("a dog racing on the beach, camera pans left", complete)
    assert (made.origin, made.caption, made.camera_prefix) == ("rewritten", LONG, "Pan left.")
    assert asked == [TOLD.replace("{{request}}", "a dog racing on the beach")]


@pytest.mark.parametrize(
    "written",
    [
        "",
        "A brown cat runs along a wide beach, close to the water.",
        "A dog on the beach. " * 20,
        "A dog runs along the beach and then",
        "Un dog marrón corre por la beach ancha, cerca del agua, mientras llegan olas pequeñas.",
        "A brown dog runs along a wide sandy beach close to the water. Small waves roll in.",
    ],
    ids=["nothing", "another subject", "repeats", "cut off", "another language", "an example"],
)
def test_what_loses_the_request_is_not_taken(written: str) -> None:
    made = training_prompt("a dog on the beach", lambda text: written)
    assert (made.origin, made.caption) == ("request", "A dog on the beach.")


@pytest.mark.parametrize(
    ("request_", "written"),
    [
        ("a red car without people", "A red car drives past a crowd without people in sight."),
        ("a dog", 'A dog sits beside a sign that says "BUY NOW".'),
        ("a dog", "A dog sits. The camera pans left along the wall."),
        ("a dog", "The video shows a dog that sits by a wall."),
        ("a dog", "I'm sorry, I cannot show a dog that sits."),
    ],
)
def test_what_adds_words_on_screen_or_a_camera_is_not_taken(request_: str, written: str) -> None:
    assert not keeps(request_, written, TOLD)


def test_words_to_be_written_come_back_letter_by_letter() -> None:
    request = 'a shop with a sign "OPEN late"'
    assert keeps(request, 'A small shop has a red sign. It says "OPEN late" in neon.', TOLD)
    assert not keeps(request, 'A small shop has a red sign. It says "Open late" in neon.', TOLD)
    assert not keeps(request, "A small shop has a red sign.", TOLD)


def test_a_request_without_a_word_is_refused_and_control_characters_go() -> None:
    with pytest.raises(ValueError, match="holds no word"):
        training_prompt(" \u200b...")
    assert training_prompt("a d\x00og\nruns\u202e").caption == "A dog runs."
