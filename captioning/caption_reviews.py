"""What people say of captions, checked: what they write in place of a caption becomes a prompt."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import pyarrow as pa

from captioning.cleaning import has_control_characters
from captioning.screen_text import plain
from curation.caption_reviews import VERDICTS
from curation.tables import CAPTION_REVIEWS

MOST_CAPTION, MOST_NOTE, MOST_REVIEWER = 2000, 1000, 100
"""Characters of an edited caption, of a note, and of the name of who wrote them."""

SHOWN_PROBLEMS = 20
"""Problems that a message lists; the rest is a number."""


class CaptionVerdict(NamedTuple):
    """What a person says of one caption."""

    clip_id: str
    captioner: str
    verdict: str
    """One of `curation.caption_reviews.VERDICTS`."""
    reviewed: str
    """The captioner's caption that the person saw, to the letter."""
    caption: str | None = None
    """What is to stand in its place, for `edit` alone."""
    note: str | None = None
    reviewer: str | None = None


def checked(
    verdicts: Sequence[CaptionVerdict],
    captions: Mapping[tuple[str, str], str],
    now: datetime,
) -> pa.Table:
    """The verdicts as rows of `CAPTION_REVIEWS`, texts on one line.

    Each is a microsecond later than the one before it, so that of two on one caption the later one
    holds.

    Args:
        verdicts: in the order in which they were given.
        captions: the captions that there are, by clip and captioner.
        now: when the first was given, with its time zone.

    Raises:
        ValueError: one line per problem: a verdict that is none, a text that cannot be a prompt or
            is too long, a clip that the captioner has no caption of, or another by now.
    """
    problems = [
        f"{one.captioner!r} on {one.clip_id!r}: {problem}"
        for one in verdicts
        for problem in _problems(one, captions.get((one.clip_id, one.captioner)))
    ]
    if problems:
        more = len(problems) - SHOWN_PROBLEMS
        last = [f"and {more:,} more problems"] if more > 0 else []
        raise ValueError("\n".join(["nothing is stored:", *problems[:SHOWN_PROBLEMS], *last]))
    rows = [
        one._asdict()
        | {
            "caption": None if one.caption is None else plain(one.caption),
            "note": plain(one.note or "") or None,
            "reviewer": plain(one.reviewer or "") or None,
            "reviewed_at": now + timedelta(microseconds=place),
        }
        for place, one in enumerate(verdicts)
    ]
    return pa.Table.from_pylist(rows, schema=CAPTION_REVIEWS)


def _problems(one: CaptionVerdict, current: str | None) -> list[str]:
    """What is wrong with a verdict, given the caption that there is now."""
    found = []
    if one.verdict not in VERDICTS:
        found.append(f"verdict {one.verdict!r} should be accept, reject or edit")
    if current is None:
        found.append("there is no such caption")
    elif one.reviewed != current:
        found.append("the caption was written again since it was shown: load it and look again")
    if one.verdict == "edit":
        found += _caption_problems(one.caption or "")
    elif one.caption is not None:
        found.append("only an edit has a caption of its own")
    if len(one.note or "") > MOST_NOTE:
        found.append(f"a note has at most {MOST_NOTE:,} characters")
    if len(one.reviewer or "") > MOST_REVIEWER:
        found.append(f"the name of a reviewer has at most {MOST_REVIEWER} characters")
    return found


def _caption_problems(text: str) -> list[str]:
    if not plain(text):
        return ["the edited caption is empty: reject the caption instead"]
    if has_control_characters(text):
        return ["the edited caption has control or direction characters: take them out"]
    if len(plain(text)) > MOST_CAPTION:
        return [f"the edited caption has more than {MOST_CAPTION:,} characters"]
    return []
