"""Words found on screen, made safe to quote.

Whoever made the video chose them: they may be orders to a language model, markup, or control
characters that turn a line around. They are data here, and leave this module on one line, without
quotes of their own, short.
"""

import re
import unicodedata
from collections.abc import Sequence

SURE_TEXT = 0.7
"""Detection times recognition score from which a reading is believed."""

LEAST_LETTERS = 4
"""Shorter readings are often texture."""

MOST_LINES, MOST_CHARACTERS = 3, 60

QUOTED = re.compile('(?<!\\d)["\u201c\u201d]([^"\u201c\u201d]+)["\u201c\u201d]')
"""What a text quotes, in group 1. After a digit the mark stands for inches."""

UNPRINTABLE = ("Cc", "Cf", "Co", "Cs", "Cn")
"""Unicode's control, format (directions among them), private, surrogate, unassigned characters."""

MARKS = re.compile('["\u201c\u201d\u201e\u00ab\u00bb`<>{}\\[\\]|\\\\]')
"""Quotes, and what a chat template or a page takes for markup."""


def plain(text: str) -> str:
    """The text on one line, without control, format and private characters."""
    kept = (
        " " if one.isspace() else one
        for one in unicodedata.normalize("NFC", text)
        if one.isspace() or unicodedata.category(one) not in UNPRINTABLE
    )
    return " ".join("".join(kept).split())


def without_quoted(text: str) -> str:
    """The text without what it quotes."""
    return QUOTED.sub(" ", text)


def quoted_lines(lines: Sequence[tuple[str, float]]) -> list[str]:
    """The first readings that can be believed, each in double quotes.

    Args:
        lines: readings with how sure they are, 0 to 1.
    """
    sure = (plain(MARKS.sub(" ", text)) for text, score in lines if score >= SURE_TEXT)
    readable = [line for line in sure if sum(map(str.isalpha, line)) >= LEAST_LETTERS]
    return [f'"{_cut(line)}"' for line in dict.fromkeys(readable)][:MOST_LINES]


def _cut(line: str) -> str:
    """The line, or as many whole words of it as there is room for."""
    if len(line) <= MOST_CHARACTERS:
        return line
    start = line[:MOST_CHARACTERS]
    return start.rpartition(" ")[0] or start
