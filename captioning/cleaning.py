"""The text of a model brought into form: one line, and about the scene instead of the medium.

Only what surely speaks of the medium is taken out: a picture on a wall, a video game or the frame
of a door are things that a scene may hold.
"""

import re
import unicodedata
from functools import partial
from typing import NamedTuple

from captioning.screen_text import UNPRINTABLE, plain

MOST_CHARACTERS = 10_000
"""The rest of a longer text is cut off: it is flagged as too long, and costs no more to check."""

JOINERS = "\u200c\u200d"
"""They make one emoji of several, and ligatures of letters; to leave them out is no loss."""

NOUN = r"(?:video|clip|footage|scene|sequence)"
VIDEO = r"(?:the|this) (?:video|clip|footage)(?! (?:games?|calls?|cameras?|screens?|walls?)\b)"
SHOWS = r"(?:shows|depicts|features|captures|displays|presents|portrays|illustrates)"
THINGS = r"(?=(?:an?|the|one|two|three|several|many|some|people|his|her|its|their)\b)"


def _phrase(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


OPENINGS = (
    _phrase(rf"^(?:the|this) (?:short |brief )?{NOUN} (?:clearly )?{SHOWS} {THINGS}"),
    _phrase(rf"^(?:the|this) {NOUN} (?:begins|starts|opens) with {THINGS}"),
    _phrase(rf"^(?:in|throughout|during) (?:the|this) {NOUN}, "),
    _phrase(r"^(?:sure|certainly|of course)[,!.] (?=here(?:'s| is)\b)"),
    _phrase(r"^here(?:'s| is) (?:an?|the|your) (?:\w+ )?(?:caption|description)[^:.!?]{0,60}: ?"),
    _phrase(r"^(?:caption|description) ?: ?"),
    _phrase(rf"^we (?:can )?see {THINGS}"),
)
"""Opening phrases that say nothing of the scene; what follows them stands on its own."""

INSIDE = (
    (_phrase(r"\bin the (?:first|opening|initial) frames?(?=[,.])"), "at first"),
    (_phrase(r"\bin the (?:second|third|fourth|next|following) frames?(?=[,.])"), "then"),
    (_phrase(r"\bin the (?:last|final|closing) frames?(?=[,.])"), "in the end"),
    (_phrase(rf"\b(?:throughout|during) {VIDEO}(?=[,.])"), "throughout"),
    (_phrase(rf"\bas {VIDEO} (?:progresses|continues|goes on)\b"), "as time goes on"),
    (_phrase(rf"\b(?:at|by|towards?) the end of {VIDEO}\b"), "in the end"),
    (_phrase(rf"\b(?:at|from) the (?:beginning|start) of {VIDEO}\b"), "at first"),
    (_phrase(rf"\b{VIDEO} ends with\b"), "in the end there is"),
    (_phrase(rf" in {VIDEO}\b"), ""),
)
"""Phrases inside a sentence, and what says the same of the scene."""


class Cleaned(NamedTuple):
    """A caption in form."""

    text: str

    had_control_characters: bool
    """Some were taken out; line ends, tabs and joiners do not count."""


def cleaned(text: str) -> Cleaned:
    """The caption on one line, without quotes around it, opening phrases and words on frames."""
    text = text[:MOST_CHARACTERS]
    flat = _without_quotes(plain(text.replace("\u2019", "'")))
    found = True
    while found:
        found = False
        for opening in OPENINGS:
            shorter = opening.sub("", flat, count=1).strip()
            if shorter and shorter != flat:
                flat, found = shorter, True
    for phrase, instead in INSIDE:
        flat = phrase.sub(partial(_in_its_case, instead), flat)
    return Cleaned(flat[:1].upper() + flat[1:], has_control_characters(text))


def has_control_characters(text: str) -> bool:
    """Whether control, direction or private characters would have to be taken out of it."""
    return any(map(_is_control, text))


def _without_quotes(text: str) -> str:
    """The text without one pair of quotes around all of it."""
    for first, last in ('""', "\u201c\u201d"):
        inner = text[1:-1]
        if text[:1] == first and text[-1:] == last and first not in inner and last not in inner:
            return inner.strip()
    return text


def _in_its_case(instead: str, match: re.Match[str]) -> str:
    return instead.capitalize() if match[0][0].isupper() else instead


def _is_control(character: str) -> bool:
    ordinary = character.isspace() or character in JOINERS
    return not ordinary and unicodedata.category(character) in UNPRINTABLE
