"""Captions to look at and judge: with what they rest on, what is wrong with them, who said what.

A verdict is a row that is added to table `caption_reviews`; captions are never changed in place.
"""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field

from captioning.caption_reviews import CaptionVerdict
from curation.tables import CAPTION_FLAGS, OK
from pipelines.caption_reviews import add_caption_reviews
from pipelines.dashboard.answers import get, post
from pipelines.dashboard.board import Board
from pipelines.dashboard.caption_filters import (
    FILTERS,
    ORDERS,
    REVIEW_SQL,
    VERDICTS_SQL,
    CaptionsQuery,
    caption_condition,
    caption_counts,
    made_captions,
)
from pipelines.dashboard.filters import Query
from pipelines.dashboard.index import Index
from pipelines.dashboard.what_if import settings_of


class ReviewQuery(Query):
    """What a person says of one caption."""

    clip_id: str = Field(max_length=200)
    captioner: str = Field(max_length=100)
    verdict: Literal["accept", "reject", "edit"]
    reviewed: str = Field(max_length=20_000)
    """The caption that the person saw."""
    caption: str | None = Field(default=None, max_length=4000)
    """What is to stand in its place, for `edit`."""
    note: str | None = Field(default=None, max_length=1000)
    reviewer: str | None = Field(default=None, max_length=100)


def captions(board: Board, asked: CaptionsQuery) -> dict[str, Any]:
    """The captions of a filter, and how many there are by captioner, flag, verdict and length.

    Each of these counts leaves out the filter on what it counts by, so that it says what another
    choice would show.

    Returns:
        - `num`, `num_clips`, `num_failed` (captions that could not be made, of any clip);
        - `captioners`: `captioner`, `num`; `flags`: `flag`, `meaning`, `num`, the most first;
          `reviewed`: `num` by `none`, `outdated`, `accept`, `reject`, `edit`; `lengths`: `words`
          and `num`;
        - `caption_reviews`: what the subset makes of verdicts: null, `apply` or `required`;
        - `captions`: `clip_id`, `video_id`, `uri`, `start_s`, `end_s`, `duration_s`, `is_image`,
          `captioner`, `model`, `prompt_version`, `origin`, `caption`, `num_words`, `camera`,
          `camera_confidence`, `attempts`, `flags`, `facts`, `review` (`none`, `outdated`, or the
          verdict), and of it `edited`, `note`, `reviewer`, `reviewed_at`, `judged` (the words it
          was on); and `others`: `captioner`, `caption`, `flags`, `review` of the same clip.

    Raises:
        ValueError: an unknown subset or flag.
    """
    if asked.flag not in (None, "any", *CAPTION_FLAGS):
        raise ValueError(f"no flag is called {asked.flag!r}")
    index, base, every = board.index, made_captions(board, asked), caption_condition(asked, FILTERS)
    found = board.ask(
        f"""WITH page AS (SELECT row_number() OVER () AS place, *
            FROM (FROM ({base}) WHERE {every.sql}
                ORDER BY {ORDERS[asked.order]} LIMIT $size OFFSET $skipped))
        SELECT p.* EXCLUDE (place), c.start_s, c.end_s, c.duration_s, c.is_image, v.uris[1] AS uri
        FROM page AS p LEFT JOIN clips AS c ON c.clip_id = p.clip_id
        LEFT JOIN videos AS v ON v.video_id = p.video_id ORDER BY place""",  # noqa: S608 - SQL of this module
        every.params | {"size": asked.size, "skipped": asked.page * asked.size},
        index=index,
    )
    [failed] = board.ask(
        "SELECT count(*) AS num FROM captions WHERE status <> $ok", {"ok": OK}, index=index
    )
    return {
        **caption_counts(board, asked, base, index),
        "num_failed": failed["num"],
        "caption_reviews": settings_of(board, asked.subset).caption_reviews,
        "captions": _with_others(board, found, index),
        "page": asked.page,
        "size": asked.size,
    }


def add_review(board: Board, asked: ReviewQuery) -> dict[str, Any]:
    """Stores a verdict; what the page shows of it at once.

    Returns:
        `review`, `edited`, `note`, `reviewer`, `reviewed_at`.

    Raises:
        ValueError: the caption is not there or was written again, or the text cannot be one.
        FencedError: the table is written to by others all the time.
        StorageError: the workspace cannot be read or written.
    """
    verdict = CaptionVerdict(**asked.model_dump())
    add_caption_reviews(board.workspace, [verdict], command="moviola dashboard")
    board.renew_soon()
    return {
        "review": asked.verdict,
        "edited": " ".join(asked.caption.split()) if asked.caption else None,
        "note": asked.note or None,
        "reviewer": asked.reviewer or None,
        "reviewed_at": datetime.now(UTC).isoformat(),
    }


def _with_others(board: Board, found: list[dict[str, Any]], index: Index) -> list[dict[str, Any]]:
    """The captions, each with those of other captioners of its clip."""
    ids = sorted({row["clip_id"] for row in found})
    rows = board.ask(
        f"""SELECT c.clip_id, c.captioner, c.caption, c.flags,
            {REVIEW_SQL} AS review
        FROM captions AS c {VERDICTS_SQL}
        WHERE c.status = '{OK}' AND list_contains($ids, c.clip_id) ORDER BY c.captioner""",  # noqa: S608
        {"ids": ids},
        index=index,
    )
    for row in found:
        same = [other for other in rows if other["clip_id"] == row["clip_id"]]
        others = [other for other in same if other["captioner"] != row["captioner"]]
        row["others"] = [
            {name: value for name, value in other.items() if name != "clip_id"} for other in others
        ]
    return found


ROUTES = [
    get("captions", captions, CaptionsQuery),
    post("captions/review", add_review, ReviewQuery),
]
