"""What a person asks for, brought into the form of the captions that a model was trained on.

Movie Gen (section 3.4.2 of its paper) has a language model expand short requests to the style of
training captions, in simple words and without elaborate motion. Here what it writes is believed
only if everything that was asked for is still in it; otherwise the request is used as it stands.
"""

import re
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from captioning.camera import CAMERA_CLASSES
from captioning.checks import MARKUP, MEDIUM, REFUSAL, echoes, repeats
from captioning.cleaning import cleaned
from captioning.language import WORD, is_english
from captioning.prompt_files import Prompt, load_prompt
from captioning.screen_text import QUOTED, plain, without_quoted
from curation.tables import full_prompt

MOST_WORDS = 150
"""Longer descriptions have lost the request."""

COMMON = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be by for from he her his in into is it its of off on onto or out over "
        "she some that the their them then there they this to under up video clip shot scene film "
        "make show me please i want with while who",
    )
)
"""Words of a request that need not come back."""

FORMS = {"zoom": "zooms|zooming", "push": "pushes|pushing", "pull": "pulls|pulling",
         "pan": "pans|panning", "truck": "trucks|trucking", "tilt": "tilts|tilting"}  # fmt: skip
"""How the first word of a camera class is inflected after `the camera`."""

CAMERA = re.compile(r"\bcamera\b", re.IGNORECASE)

NEGATION = re.compile(r"\b(?:no|not|don't|without|never)\b", re.IGNORECASE)

BINDING = r"(?: ?[:,.]| (?:of|on|onto|at|around|over|across|past|to|into|through)\b)?"
"""What binds the camera's motion to the rest of a request, and goes with it."""

Complete = Callable[[str], str]
"""A language model: what comes after a text."""


class TrainingPrompt(NamedTuple):
    """A request in the form of training prompts."""

    prompt: str
    """All of it, as `curation.tables.full_prompt` puts it together."""

    camera_prefix: str | None
    """The camera's motion, if the request names one of the 16 classes."""

    caption: str

    origin: Literal["rewritten", "request"]
    """Whether the caption is what a language model wrote."""


def training_prompt(
    request: str,
    complete: Complete | None = None,
    *,
    fps_token: str | None = None,
    prompt: Prompt | None = None,
) -> TrainingPrompt:
    """The request as a training prompt.

    Args:
        request: what a person wants to see. What stands in double quotes is to be written in view.
        complete: expands it; None leaves it as it is, in form.
        fps_token: such as `FPS-16`; None for an image.
        prompt: how the language model is asked, with `{{request}}` in it; `expand` by default.

    Raises:
        ValueError: the request holds no word.
    """
    asked = re.sub(r"^FPS-\d+ ", "", plain(request))
    if not WORD.search(asked):
        raise ValueError(f"the request {request!r} holds no word")
    camera, rest = _camera(asked)
    caption = _sentence(rest)
    origin: Literal["rewritten", "request"] = "request"
    if complete is not None:
        told = prompt or load_prompt("expand")
        written = cleaned(complete(told.filled(request=rest)).strip()).text
        if keeps(rest, written, told.text):
            caption, origin = written, "rewritten"
    prefix = f"{camera[0].upper()}{camera[1:]}." if camera else None
    full = full_prompt(fps_token, prefix, caption)
    assert full is not None
    return TrainingPrompt(full, prefix, caption, origin)


def keeps(request: str, written: str, told: str) -> bool:
    """Whether a description is in form, and names all that was asked for.

    Words may come back with another ending. What is said of them no check can tell; a request that
    rules something out is never expanded.

    Args:
        request: what was asked for.
        written: the description.
        told: the prompt, whose examples it may not repeat.
    """
    own = without_quoted(written)
    words = [word.lower() for word in WORD.findall(own)]
    wanted = [word.lower() for word in WORD.findall(without_quoted(request))]
    return (
        not NEGATION.search(request)
        and len(wanted) <= len(words) <= MOST_WORDS
        and written.endswith((".", "!", "?", '"'))
        and is_english(own)
        and not repeats(words)
        and not echoes(words, told)
        and not any(found.search(own) for found in (REFUSAL, MARKUP, MEDIUM, CAMERA))
        and set(QUOTED.findall(request)) == set(QUOTED.findall(written))
        and {_stem(word) for word in wanted if word not in COMMON} <= set(map(_stem, words))
    )


def _stem(word: str) -> str:
    """The word without its ending: run for runs and running, rac for race and racing."""
    stem = re.sub(r"(?<=\w{3})(?:ing|ed|es|e|s)$", "", word)
    return stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] else stem


def _camera(request: str) -> tuple[str | None, str]:
    """The one class of camera motion that a request names, and the request without it.

    It is named after `the camera`, or as the class is called, at the start or after a comma. Where
    two are named, or one is not wanted, the request stays as it is.
    """
    shown = QUOTED.sub(lambda quote: "#" * len(quote[0]), request)
    named = [(name, found) for name in CAMERA_CLASSES for found in _named(name, shown)]
    if len(named) != 1 or NEGATION.search(shown):
        return None, request
    [(name, found)] = named
    rest = plain(f"{request[: found.start()]} {request[found.end() :]}").strip(" ,.:")
    return (name, rest) if WORD.search(rest) else (None, request)


def _named(name: str, request: str) -> Iterator[re.Match[str]]:
    first, *others = name.removesuffix(" shot").split()
    way = rf" (?:to the )?{others[0]}\b" if others else r" shot\b"
    forms = f"(?:{first}|{FORMS.get(first, first)})"
    after_camera = rf"(?:,? ?(?:and )?(?:the )?camera:? (?:\w+ly )?){forms}{way}{BINDING}"
    article = "" if others else "(?:an? )?"
    bare = rf"(?:^|, |\. | and )(?:slow(?:ly)? |quick(?:ly)? )?{article}{first}{way}{BINDING}"
    return re.finditer(f"{after_camera}|{bare}", request, re.IGNORECASE)


def _sentence(text: str) -> str:
    whole = text[0].upper() + text[1:]
    return whole if whole.endswith((".", "!", "?")) else f"{whole}."
