"""Two sentences of facts in one: written by a language model, believed only if nothing changed.

A small model writes fluently and makes things up. So what it writes is taken only if it is the
first sentence, a joint, and the second, each as it was: green that was below is not above, what
moved left does not move right, and no word has changed its neighbour. Otherwise the two stay.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from captioning.language import WORD

LONGEST_WORDS = 36
"""Two sentences with more words together stay as they are."""

JOINERS = (", and ", ", while ", " and ", ", with ", " with ", "; ", " while ")
"""What may stand between the two, the longer first."""

DROPPED = ("there is ", "there are ", "it is ", "it ")
"""What the second may lose at its beginning, where something else binds it."""

Complete = Callable[[Sequence[str]], list[tuple[str, int]]]
"""A line for each of several prompts, and the number of its tokens."""


class Rewriting(NamedTuple):
    """The sentences of one caption after rewriting."""

    sentences: list[str]

    num_accepted: int
    """Pairs that became one sentence."""

    num_refused: int
    """Pairs of which something else was made, so that they stayed."""

    num_tokens: int
    """Tokens of what was made, refused or not."""


def pairs(sentences: Sequence[str]) -> list[int]:
    """Where pairs begin that may be joined: neighbours, no two pairs sharing a sentence.

    What quotes the screen stays as it is, for those words are no facts but data.
    """
    found: list[int] = []
    at = 0
    while at + 1 < len(sentences):
        both = f"{sentences[at]} {sentences[at + 1]}"
        if '"' not in both and len(WORD.findall(both)) <= LONGEST_WORDS:
            found.append(at)
            at += 1
        at += 1
    return found


def says_the_same(line: str, one: str, other: str) -> bool:
    """Whether a line is two sentences put together, with nothing changed inside either of them.

    The first has to stand there as it is, then one of `JOINERS`, then the second as it is but for
    what it may lose at its beginning. Commas before `and` may go, inside them too.
    """
    if not re.fullmatch(r"[A-Z][^.!?\"<>{}\[\]|]*\.", line):
        return False
    made, first, second = (_compared(text) for text in (line, one, other))
    for joiner in JOINERS:
        for start in ("", *DROPPED):
            if second.startswith(start):
                shorter = second.removeprefix(start)
                whole = f"{first}{joiner.replace(', and ', ' and ')}{shorter}"
                if shorter and (start or "with" not in joiner) and made == whole:
                    return True
    return False


def _compared(text: str) -> str:
    """In small letters, without the last mark and without commas before `and`."""
    return text.lower().rstrip(".").replace(", and ", " and ")


def rewritten(captions: Sequence[Sequence[str]], complete: Complete) -> list[Rewriting]:
    """The sentences of each caption, pairs of them joined where that can be believed.

    Args:
        captions: their sentences.
        complete: the language model.
    """
    where = [(row, at) for row, caption in enumerate(captions) for at in pairs(caption)]
    lines = complete([f"{captions[row][at]} {captions[row][at + 1]}" for row, at in where])
    made = dict(zip(where, lines, strict=True))
    return [_joined(row, caption, made) for row, caption in enumerate(captions)]


def _joined(
    row: int, caption: Sequence[str], made: dict[tuple[int, int], tuple[str, int]]
) -> Rewriting:
    sentences: list[str] = []
    accepted = refused = num_tokens = at = 0
    while at < len(caption):
        line, tokens = made.get((row, at), ("", 0))
        num_tokens += tokens
        if line and says_the_same(line, caption[at], caption[at + 1]):
            sentences.append(line)
            accepted += 1
            at += 2
            continue
        refused += (row, at) in made
        sentences.append(caption[at])
        at += 1
    return Rewriting(sentences, accepted, refused, num_tokens)
