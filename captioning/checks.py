"""What may be wrong with a caption: pure functions of the text and of what was measured.

A text is cleaned first (`captioning.cleaning`), then every check looks at what is left. The flags
are those of `curation.tables.CAPTION_FLAGS`; none of them drops a caption, that is the subset's to
decide.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from captioning.captioner import CaptionClip
from captioning.cleaning import Cleaned
from captioning.contradictions import contradictions
from captioning.language import WORD, is_english
from captioning.screen_text import without_quoted

VERSION = 1
"""Raised when the same text gets another form or other flags."""

LEAST_WORDS = 4

RUN_WORDS, MOST_RUNS = 4, 2
"""The same run of so many words may not occur more often than this."""

SENTENCE_WORDS = 5
"""A sentence of as many words or more may not occur twice."""

ECHO_WORDS = 8
"""Words in a row that a caption may not share with its prompt."""

SENTENCE_END = re.compile(r"[.!?\u2026\u3002][\"'\u201d)]*$")

REFUSAL = re.compile(
    r"\b(?:I|we)(?:'m| am|'re| are)? (?:sorry|unable|not able|an AI|not comfortable|cannot|can't|"
    r"can not|won't|will not|apologi[sz]e|(?:do not|don't) (?:see|have))\b|^sorry\b"
    r"|\bmy apologies\b|\bunfortunately, (?:I|we|it|the)\b|\bas an? (?:AI|language model)\b"
    r"|\b(?:it is|it's) not possible to\b|\bplease provide\b"
    r"|\bno (?:frames|images?|video) (?:was|were|is|are) (?:provided|given)\b",
    re.IGNORECASE,
)
MARKUP = re.compile(
    r"<[^<>]*>|\[/?(?:INST|SYS)\]|```|\*\*|__|(?:^|\s)\*\w[^*]*\*|\]\(|[{}]|\\n|(?:^|\s)#+ "
    r"|^[-*\u2022] |^\d+[.)] |^(?:assistant|user|system|caption|description|answer) ?:"
    r"|\b(?:frame|image|step|scene) \d+ ?:|\[?\b\d{1,2}:\d\d(?::\d\d)?\]? ?[-\u2013\]]"
    r"|\bnote:|\blet me (?:know|think)\b|^okay,",
    re.IGNORECASE,
)
MEDIUM = re.compile(r"\b(?:videos?|clips?|footage|frames?)\b", re.IGNORECASE)
THINGS = re.compile(
    r"\b(?:picture|photo|window|door|bicycle|bike|bed|wooden|metal|wire|climbing|timber|hair|paper)"
    r"[ -](?:frames?|clips?)\b|\bvideo (?:games?|calls?|cameras?|screens?|walls?|monitors?)\b"
    r"|\bframes? of (?:an?|the|his|her|its) \w+",
    re.IGNORECASE,
)
"""Things that a scene may hold, and that are called as the medium is."""


def flags(form: Cleaned, clip: CaptionClip, prompt: str, max_words: int) -> list[str]:
    """What is wrong with a caption; empty if nothing is.

    Args:
        form: the caption.
        clip: what it is of.
        prompt: what the captioner was told, with nothing of the clip in it.
        max_words: more are too many.
    """
    num_words = len(WORD.findall(form.text))
    found = [] if num_words else ["empty"]
    if num_words:
        found += ["too_short"] if num_words < LEAST_WORDS else []
        found += ["too_long"] if num_words > max_words else []
        found += ["truncated"] if not SENTENCE_END.search(form.text) else []
        # What is quoted from the screen is not the captioner's own.
        found += _of_own(without_quoted(form.text), prompt)
        found += contradictions(form.text, clip)
    return [*found, *(["control_characters"] if form.had_control_characters else [])]


def _of_own(text: str, prompt: str) -> Iterator[str]:
    words = [word.lower() for word in WORD.findall(text)]
    if repeats(words) or repeats_a_sentence(text):
        yield "repeats"
    if echoes(words, prompt):
        yield "prompt_echo"
    if REFUSAL.search(text):
        yield "refusal"
    if not is_english(text):
        yield "wrong_language"
    if MEDIUM.search(THINGS.sub(" ", text)):
        yield "mentions_medium"
    if MARKUP.search(text):
        yield "markup"


def repeats(words: Sequence[str]) -> bool:
    """Whether a run of words comes again and again, or one word four times in a row."""
    runs = Counter(tuple(words[at : at + RUN_WORDS]) for at in range(len(words) - RUN_WORDS + 1))
    if max(runs.values(), default=0) > MOST_RUNS:
        return True
    in_a_row = longest = 1
    for one, after in pairwise(words):
        in_a_row = in_a_row + 1 if one == after else 1
        longest = max(longest, in_a_row)
    return longest >= 4


def repeats_a_sentence(text: str) -> bool:
    """Whether a sentence of some words stands there twice."""
    said = [WORD.findall(sentence.lower()) for sentence in re.split(r"(?<=[.!?])\s+", text)]
    counts = Counter(tuple(words) for words in said if len(words) >= SENTENCE_WORDS)
    return max(counts.values(), default=0) > 1


def echoes(words: Sequence[str], prompt: str) -> bool:
    """Whether the caption has eight words in a row from its prompt."""
    told = [word.lower() for word in WORD.findall(prompt)]
    runs = {tuple(told[at : at + ECHO_WORDS]) for at in range(len(told) - ECHO_WORDS + 1)}
    return any(tuple(words[at : at + ECHO_WORDS]) in runs for at in range(len(words)))
