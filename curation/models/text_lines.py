"""Lines of text as they are read, and what those of a clip's frames come to together."""

import math
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curation.media.rendering import Picture
from curation.models.text_boxes import Box, covered_share

LEAST_RECOGNITION = 0.6
"""Mean probability of the characters of a box that counts as text."""

LEAST_CHARACTERS = 2
"""Letters and digits of a box that counts: poles read as `I` and wheels as `O`."""

UNREAD_DETECTION, UNREAD_ASPECT = 0.7, 3.0
"""Detection score, and length over height, of a box that counts though not a letter is read."""

SAME_LINE = 0.75
"""Similarity of two readings of one line."""

LONGEST_TEXT = 500
"""Characters of a clip's text that are kept."""

MOST_LINES = 16
"""Lines of a clip that are kept with their scores."""


class Line(NamedTuple):
    """A line of text in a frame."""

    box: Box
    """Where."""

    text: str
    """What it says."""

    recognition: float
    """Mean probability of its characters, 0 to 1; 0 if there are none."""

    is_alike: bool = False
    """Not looked at, and taken for text because most others of its frame are."""

    @property
    def score(self) -> float:
        """Detection times recognition, 0 to 1; for what stays unread, detection alone."""
        is_known = self.is_alike or not self.is_unread
        return self.box.score * (self.recognition if is_known else 1.0)

    @property
    def is_read(self) -> bool:
        """Whether it was read well enough to be text."""
        return self.recognition >= LEAST_RECOGNITION and self._characters >= LEAST_CHARACTERS

    @property
    def is_unread(self) -> bool:
        """Whether it seems to be text in a script that the recogniser does not know."""
        sides = [math.dist(*self.box.corners[ends]) for ends in ([0, 1], [1, 2])]
        is_line = max(sides) >= UNREAD_ASPECT * min(sides)
        return self.box.score >= UNREAD_DETECTION and is_line and not self._characters

    @property
    def counts(self) -> bool:
        """Whether it is text at all."""
        return self.is_alike or self.is_read or self.is_unread

    @property
    def _characters(self) -> int:
        return sum(character.isalnum() for character in self.text)


def reading(steps: npt.NDArray[np.float32], characters: Sequence[str]) -> tuple[str, float]:
    """The text of a line and the mean probability of its characters, by the best path of CTC.

    Graves et al. 2006: the likeliest character of each step, repetitions and blanks left out. The
    probability is NaN if any of the steps is.

    Args:
        steps: probability of each character at each step from left to right, `[T, C]`.
        characters: `[C]`, the blank first.
    """
    if not np.isfinite(steps).all():
        return "", math.nan
    best = steps.argmax(axis=1)
    kept = (best != 0) & (np.diff(best, prepend=0) != 0)
    if not kept.any():
        return "", 0.0
    text = "".join(characters[index] for index in best[kept])
    return text.strip(), float(steps.max(axis=1)[kept].mean())


def with_rest(lines: Sequence[Line], rest: Sequence[Box]) -> list[Line]:
    """The lines of a frame that were read, and its other boxes if most of what was read is text.

    These count as text that is as sure as the middle one of those.

    Args:
        lines: what was read.
        rest: what was not.
    """
    texts = sorted(line.recognition for line in lines if line.counts)
    if 2 * len(texts) <= len(lines):
        return list(lines)
    alike = [Line(box, "", texts[len(texts) // 2], is_alike=True) for box in rest]
    return [*lines, *alike]


def summary(frames: Sequence[Picture], lines: Sequence[Sequence[Line]]) -> dict[str, Any]:
    """Share, score and text of one clip from the lines of each of its frames."""
    if not frames:
        return {"text_share": None, "text_score": None, "text": None, "text_lines": None}
    counted = [[line for line in found if line.counts] for found in lines]
    shares = [
        covered_share([line.box for line in found], *frame.shape[:2])
        for frame, found in zip(frames, counted, strict=True)
    ]
    scores = [line.score for found in counted for line in found]
    read = [[line for line in found if line.is_read] for found in lines]
    return {
        "text_share": max(shares),
        "text_score": max(scores, default=0.0),
        "text": distinct_text(read),
        "text_lines": [
            {"text": line.text, "score": line.score} for line in distinct_lines(read)[:MOST_LINES]
        ],
    }


def distinct_text(lines: Sequence[Sequence[Line]]) -> str:
    """The readings of `distinct_lines`, a line each, cut at `LONGEST_TEXT` characters."""
    return "\n".join(line.text for line in distinct_lines(lines))[:LONGEST_TEXT]


def distinct_lines(lines: Sequence[Sequence[Line]]) -> list[Line]:
    """The lines of a clip's frames, each once, first what stands in most frames.

    Of several readings of one line, the surest.
    """
    groups: dict[str, list[Line]] = {}
    for line in (line for found in lines for line in found):
        known = line.text in groups
        same = line.text if known else next((t for t in groups if _alike(t, line.text)), line.text)
        groups.setdefault(same, []).append(line)
    ordered = sorted(groups.values(), key=len, reverse=True)
    return [max(group, key=lambda line: line.score) for group in ordered]


def _alike(text: str, other: str) -> bool:
    first, second = ("".join(words.casefold().split()) for words in (text, other))
    matcher = SequenceMatcher(None, first, second, False)
    # Each bounds the next from above, and costs less: a page of text has thousands of pairs.
    bounds = (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio)
    return all(bound() >= SAME_LINE for bound in bounds)
