"""What is known of a clip, as facts that a caption may state: each with its words and its numbers.

A fact is stated only where its measure is clear of the border to the next; between two, nothing is
said. Nothing here guesses at what things are: nouns come from the concept model alone, where it is
nearly certain, and words on screen from the reader of text.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from captioning.captioner import CaptionClip
from captioning.screen_text import quoted_lines

SURE_LABEL = 0.8
"""Probability from which a label is believed: at 0.6 to 0.8 ConSe still calls a forum a mosque."""

SURE_PEOPLE = 0.9
"""Probability from which people are said to be seen."""

SURE_KIND = 0.9
"""Probability from which a shot size, a place or a time of day is said."""

MONOCHROME = 3.0
"""`colourfulness` below which there is no colour."""


class Fact(NamedTuple):
    """One thing that is known."""

    kind: str
    """A key of `captioning.grounded.sentences.TEMPLATES`."""

    values: tuple[str, ...]
    """Words that fill the sentence."""

    evidence: str
    """The measures it rests on, with numbers."""


def subject_facts(clip: CaptionClip) -> Iterator[Fact]:
    """What is seen and what is written, as far as models are sure of it."""
    named: dict[str, list[tuple[str, float]]] = {}
    for label, score in clip.labels:
        plain = re.sub(r" \(.*\)$", "", label)
        named.setdefault(plain.split()[-1], []).append((plain, score))
    # African elephant and Indian elephant: together they are an elephant for sure.
    for noun, several in named.items():
        together = sum(score for _, score in several)
        if together >= SURE_LABEL:
            name = several[0][0] if several[0][1] >= SURE_LABEL else noun
            shown = ", ".join(f"{label} {score:.2f}" for label, score in several)
            yield Fact("subject", (with_article(name),), f"labels {shown}")
    people = clip.measures.get("people")
    if people is not None and people >= SURE_PEOPLE:
        yield Fact("people", (), f"people {people:.2f}")
    if lines := quoted_lines(clip.text_lines):
        shown = ", ".join(f"{line!r} {score:.2f}" for line, score in clip.text_lines[:4])
        yield Fact("text", (listed(lines),), f"text_lines {shown}")


def setting_facts(clip: CaptionClip) -> Iterator[Fact]:
    """Shot size, place and time of day, where a CLIP is sure of them; time only out of doors."""
    sure = {kind: (value, score) for kind, value, score in clip.attributes if score >= SURE_KIND}
    is_outdoors = sure.get("place", ("", 0.0))[0] == "outdoors"
    for kind, name in (("shot size", "shot_size"), ("place", "place"), ("time of day", "time")):
        if kind in sure and (kind != "time of day" or is_outdoors):
            value, score = sure[kind]
            said = with_article(value) if kind == "shot size" else value
            yield Fact(name, (said,), f"{kind} {value} {score:.2f}")


def light_facts(clip: CaptionClip) -> Iterator[Fact]:
    """Light, contrast, colour and detail of the whole clip."""
    luma, contrast = clip.measures.get("luma_mean"), clip.measures.get("contrast")
    if luma is not None:
        words = {0.12: "very dark", 0.3: "dim", 0.6: "", 0.8: "bright", np.inf: "very bright"}
        word = next(word for most, word in words.items() if luma < most)
        if word:
            yield Fact("light", (word,), f"luma_mean {luma:.2f}")
    if contrast is not None and not 0.1 < contrast < 0.25:
        word = "strong" if contrast >= 0.25 else "soft"
        yield Fact("contrast", (word,), f"contrast {contrast:.2f}")
    colour = clip.measures.get("colourfulness")
    if colour is not None and (MONOCHROME <= colour < 18 or colour > 60):
        word = "vivid" if colour > 60 else "muted"
        yield Fact("colourfulness", (word,), f"colourfulness {colour:.0f}")
    sharpness = clip.measures.get("sharpness")
    if sharpness is not None and not 0.3 < sharpness < 0.6:
        word = "crisp" if sharpness >= 0.6 else "soft"
        yield Fact("detail", (word,), f"sharpness {sharpness:.2f}")


def with_article(noun: str) -> str:
    """The noun after `a` or `an`."""
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def listed(names: Sequence[str]) -> str:
    """The names with commas between them, and `and` before the last."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
