import time
from typing import Any

import pytest

from captioning.checks import echoes, flags, repeats
from captioning.cleaning import cleaned
from captioning.language import is_english
from captioning.prompt_files import load_prompt
from curation.selection import REFUSED, CaptionFlag
from curation.tables import CAPTION_FLAGS
from tests.captioning.clips import MOVING, caption_clip

GOOD = (
    "A brown dog runs along a wide beach close to the water. Small waves roll in behind it, and "
    "its paws leave prints in the wet sand. The sun stands low and gives a warm light."
)
PROMPT = load_prompt("describe").text


def found(caption: str, max_words: int = 200, **known: Any) -> list[str]:
    clip = caption_clip(**({"measures": MOVING} | known))
    return flags(cleaned(caption), clip, PROMPT, max_words)


def test_a_good_caption_has_no_flag() -> None:
    assert found(GOOD) == []
    assert found('A sign above the door says "OPEN" in red letters.', text="OPEN") == []


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("", "empty"),
        (" \n ...", "empty"),
        ("A dog.", "too_short"),
        ("A brown dog runs along the beach and then it", "truncated"),
        ("A dog is on the beach. " * 3, "repeats"),
        ("A dog dog dog dog dog runs on the beach.", "repeats"),
        (f"{GOOD} Write one paragraph of about 100 words, in plain present tense.", "prompt_echo"),
        ("I'm sorry, but I cannot describe people in this scene.", "refusal"),
        ("As an AI, I have no way to look at the dog on the beach.", "refusal"),
        ("A dog runs along the beach, as seen in frames 3 and 4 of it.", "mentions_medium"),
        ("**Subject**: a dog that runs along the beach.", "markup"),
        ("A dog runs along the beach.<|eot_id|>", "markup"),
        ("- A dog runs along the beach.", "markup"),
        ('{"caption": "A dog runs along the beach."}', "markup"),
        ("assistant: a dog runs along the beach.", "markup"),
        ("[INST] a dog runs along the beach.", "markup"),
        ("A dog runs\x07 along the beach.", "control_characters"),
    ],
)  # fmt: skip
def test_each_flaw_has_its_flag(text: str, flag: str) -> None:
    assert flag in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "Ein brauner Hund läuft am breiten Strand entlang, und kleine Wellen rollen heran.",
        "Un perro marrón corre por la playa ancha cerca del agua mientras pequeñas olas llegan.",
        "Un chien brun court le long de la plage pendant que de petites vagues arrivent.",
        "一只棕色的狗在宽阔的海滩上奔跑。",
        "Собака бежит по широкому пляжу возле воды.",
    ],
)
def test_other_languages_are_told_from_english(text: str) -> None:
    assert "wrong_language" in found(text)


def test_more_words_than_allowed_are_too_long() -> None:
    assert found(GOOD, max_words=10) == ["too_long"]


def test_every_flag_that_is_given_is_documented_and_may_be_refused() -> None:
    known = set(CaptionFlag.__args__)  # type: ignore[attr-defined]
    assert known == set(CAPTION_FLAGS)
    assert set(REFUSED) < known


def test_what_is_quoted_from_the_screen_is_not_judged_as_prose() -> None:
    read = "泰式邦一拍灵之拍打胃部"
    assert found(f'The words "{read}" stand above a table.', text=read) == []
    assert (
        found('A screen says "ERROR: {frame} **1**" in white.', text="ERROR: {frame} **1**") == []
    )


def test_runs_that_come_twice_are_no_repetition() -> None:
    twice = "at first the dog sits by the door then the dog sits by the window"
    assert not repeats(twice.split(" "))
    assert repeats(f"{twice} and the dog sits by me".split(" "))


def test_eight_words_of_the_prompt_in_a_row_are_an_echo_and_seven_are_none() -> None:
    told = "one two three four five six seven eight nine"
    assert echoes(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight"], told)
    assert not echoes(
        ["one", "two", "three", "four", "five", "six", "seven", "and", "so", "on"], told
    )


@pytest.mark.parametrize(
    "good",
    [
        "Golden retriever puppy chases bright red rubber ball across freshly mown lawn.",
        "A blindfolded man, unable to see the path, feels his way along a wall.",
        "A picture frame hangs beside a window frame, and a hair clip lies on the sill.",
        "Two children play a video game on a wide screen, and a video camera stands by.",
        'A 6\'2" player rests; his shirt says "EXIT" in white letters.',
        "Paris, 3 a.m.: rain falls on the Rue de la Paix, and the taxis wait in line...",
        'The sign flashes "TAXI TAXI TAXI TAXI" above a wet street at night.',
        "A family of four (and a dog \U0001f469\u200d\U0001f467) walks along the grey shore.",
    ],
)
def test_good_captions_of_many_kinds_have_no_flag(good: str) -> None:
    read = "EXIT\nTAXI TAXI TAXI TAXI"
    assert found(good, text=read) == []


@pytest.mark.parametrize(
    ("bad", "flag"),
    [
        ("I\u2019m sorry, but I can\u2019t assist with that request.", "refusal"),
        ("I apologize, but the content is not something to describe.", "refusal"),
        ("Sorry, but there is nothing that can be said about it.", "refusal"),
        ("Unfortunately, I do not have access to the pictures you speak of.", "refusal"),
        ("It is not possible to determine what happens in this place.", "refusal"),
        ("Let me think about what the pictures show before anything else.", "markup"),
        ("0:00 - 0:03 A man walks along a road and stops.", "markup"),
        ("Frame 1: a man walks. Frame 2: the man stops.", "markup"),
        ("A man walks along a narrow road. A man walks along a narrow road.", "repeats"),
        ("Een bruine hond rent over het strand in de zon.", "wrong_language"),
        ("Um cão castanho corre pela praia com uma bola.", "wrong_language"),
        ("Un uomo con un cane.", "wrong_language"),
    ],
)
def test_bad_captions_of_many_kinds_have_their_flag(bad: str, flag: str) -> None:
    assert flag in found(bad)


def test_a_megabyte_is_cut_off_flagged_and_costs_little() -> None:
    began = time.monotonic()
    for hostile in (
        "word " * 200_000,
        "<a" * 500_000,
        "Sure! " * 170_000,
        "e\u0301\u0323" * 300_000,
    ):
        assert "empty" not in found(hostile)
    assert time.monotonic() - began < 10
    assert "too_long" in found("some words that go on " * 10_000)


def test_short_texts_and_names_pass_for_english() -> None:
    assert is_english("Taj Mahal")
    assert is_english("Big red dogs.")
