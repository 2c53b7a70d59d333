"""Where a caption says otherwise than what was measured.

Only plain opposites count: the other way, colour or none, words on screen that nobody read. What a
measure cannot tell for sure is left to the caption.
"""

import difflib
import re
from collections.abc import Iterator

from captioning.camera import CONFIDENT, CameraLabel
from captioning.captioner import CaptionClip
from captioning.screen_text import MARKS, QUOTED, plain, without_quoted

COLOURED, COLOURLESS = 15, 2
"""`colourfulness` above which there is colour for sure, and below which there is none."""

STILL_MOTION, STILL_SHARE = 0.03, 0.95
"""`motion_vmaf` below, or `frozen_share` above, and nothing moves."""

LIKE = 0.6
"""A quote is a reading if this share of its characters is, for readers confuse letters."""

LONGEST = 200
"""Characters of a quote, or of a line that was read, that are compared."""

ACTOR = (
    r"\b(?:men|man|wom[ae]n|persons?|people|boys?|girls?|child|children|dogs?|cats?|horses?|birds?|"
    r"crowd|he|she|they|dancers?|players?|runners?|athletes?|animals?)"
)
ACTION = re.compile(
    ACTOR + r" (?:is |are )?(?:\w+ly )?(?:(?:run|spin|swim)(?:s|ning|ming)?|"
    r"(?:walk|jump|climb|throw|kick|gallop|sprint|crawl|roll|leap|fall|march|ski|surf|fly)"
    r"(?:s|es|ing)?|flies|(?:danc|driv|chas|rac|wav|bounc|skat|rid)(?:e|es|ing))\b",
    re.IGNORECASE,
)
"""Somebody who does something that no still picture can show going on."""

MONOCHROME = re.compile(
    r"\bin black[ -]and[ -]white\b|\bmonochrom\w*|\bgr[ea]yscale\b"
    r"|\bblack[ -]and[ -]white (?:film|footage|scene|image|picture|photograph)\b",
    re.IGNORECASE,
)
CHROMATIC = re.compile(r"\b(?:red|orange|yellow|green|teal|turquoise|blue|purple|violet|pink)\b")
"""In small letters: a name, such as that of the Red Square, is no colour."""

NO_TEXT = re.compile(
    r"\bno (?:visible |on-screen |readable )?(?:text|lettering|writing)\b", re.IGNORECASE
)

CAMERA = r"\b(?:the|a|its) camera (?:(?:then|first|also|now|\w+ly) )*"
HOLDS = re.compile(
    CAMERA + r"(?:(?:holds|stays|remains|keeps|is)(?: \w+ly)? (?:still|static|stationary|fixed|put|"
    r"motionless|locked)|(?:does not|doesn't|never|hardly|barely) (?:move|pan|tilt|zoom))",
    re.IGNORECASE,
)
VERB = (
    r"(?:pans|panning|(?:tilt|zoom|push|pull|truck|track|orbit|follow|travel|drift|ascend|descend|"
    r"sink)(?:s|es|ing)|(?:mov|glid|ris|circl)(?:es|ing)|dollies)\b"
)
MOVES = re.compile(rf"{CAMERA}(?:is )?(?P<verb>{VERB})", re.IGNORECASE)
MORE_MOVES = re.compile(rf"\b{VERB}", re.IGNORECASE)
WAY = re.compile(r"\s+(?:\w+ly\s+)?(?:(?:to|towards?)\s+the\s+)?(\w+)")
SENTENCES = re.compile(r"(?<=[.;!?])\s")

WAYS = {
    **dict.fromkeys(("right", "rightward", "rightwards"), "right"),
    **dict.fromkeys(("left", "leftward", "leftwards"), "left"),
    **dict.fromkeys(("up", "upward", "upwards"), "up"),
    **dict.fromkeys(("down", "downward", "downwards"), "down"),
    **dict.fromkeys(("in", "forward", "forwards", "closer"), "in"),
    **dict.fromkeys(("out", "back", "backward", "backwards", "away"), "out"),
}
"""Words for where a camera goes."""

BACK = {"right": "left", "left": "right", "up": "down", "down": "up", "in": "out", "out": "in"}


def contradictions(text: str, clip: CaptionClip) -> Iterator[str]:
    """Flags, those of `curation.tables.CAPTION_FLAGS` that begin with `contradicts_`."""
    own = without_quoted(text)
    if clip.camera is not None and contradicts_camera(own, clip.camera):
        yield "contradicts_camera"
    if clip.text is not None and contradicts_text(text, clip.text):
        yield "contradicts_text"
    colour = clip.measures.get("colourfulness")
    if colour is not None:
        is_grey = bool(MONOCHROME.search(own))
        has_colour = not is_grey and bool(CHROMATIC.search(own))
        if (is_grey and colour > COLOURED) or (has_colour and colour < COLOURLESS):
            yield "contradicts_colour"
    if _is_still(clip) and ACTION.search(own):
        yield "contradicts_stillness"


def _is_still(clip: CaptionClip) -> bool:
    motion, frozen = clip.measures.get("motion_vmaf"), clip.measures.get("frozen_share")
    return not clip.is_image and (
        (motion is not None and motion < STILL_MOTION)
        or (frozen is not None and frozen > STILL_SHARE)
    )


def contradicts_camera(text: str, camera: CameraLabel) -> bool:
    """Whether a sentence with the camera as its subject says the opposite of a confident label."""
    if camera.confidence < CONFIDENT:
        return False
    true = WAYS.get(camera.name.split()[-1])
    for sentence in SENTENCES.split(text):
        moves, holds = MOVES.search(sentence), HOLDS.search(sentence)
        if camera.name == "static shot" and moves and not holds:
            return True
        if true is None or (holds and moves):
            continue
        if holds:
            return True
        # The way stands close behind the verb: "pans past a man on the left" does not tell it. And
        # what it does after that may be the true one.
        if moves and _way(moves["verb"], sentence[moves.end() :]) == BACK[true]:
            later = MORE_MOVES.finditer(sentence, moves.end())
            if true not in [_way(move[0], sentence[move.end() :]) for move in later]:
                return True
    return False


def _way(verb: str, after: str) -> str | None:
    """Where a verb of motion leads, by itself or by the word close behind it."""
    if verb.lower().startswith(("ris", "ascend", "sink", "descend")):
        return "up" if verb[0] in "rRaA" else "down"
    found = WAY.match(after)
    return WAYS.get(found[1].lower()) if found else None


def contradicts_text(text: str, read: str) -> bool:
    """Whether quoted words are not among those read on screen, or those that are read are denied.

    Args:
        text: the caption.
        read: column `text` of `scores`.
    """
    lines = [line for line in map(_comparable, read.split("\n")) if line]
    if lines and NO_TEXT.search(without_quoted(text)):
        return True
    quotes = filter(None, map(_comparable, QUOTED.findall(text)))
    return any(
        not any(_alike(quote, line) for line in (*lines, " ".join(lines))) for quote in quotes
    )


def _comparable(text: str) -> str:
    """The words alone: whoever quotes leaves marks out, and may shorten a line."""
    return " ".join(plain(MARKS.sub(" ", text)).lower().strip(" .,;:!?").split())[:LONGEST]


def _alike(quote: str, line: str) -> bool:
    if quote in line:
        return True
    matcher = difflib.SequenceMatcher(None, quote, line[:LONGEST], False)
    # Each bounds the next from above, and costs less.
    bounds = (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio)
    return all(bound() >= LIKE for bound in bounds)
