"""Which captions a page asks for, as SQL, and how many there are by each of its filters."""

from collections.abc import Collection
from typing import Any, Literal

from pydantic import Field

from curation.caption_reviews import CAPTION_VERDICTS
from curation.tables import CAPTION_FLAGS, OK
from pipelines.dashboard.board import Board
from pipelines.dashboard.filters import Condition, Query
from pipelines.dashboard.index import Index

VERDICTS_SQL = f"""LEFT JOIN ({CAPTION_VERDICTS}) AS v
    ON v.clip_id = c.clip_id AND v.captioner = c.captioner"""
"""SQL: what people say of the captions `c`, as `v`."""

REVIEW_SQL = """CASE WHEN v.verdict IS NULL THEN 'none' WHEN NOT v.holds THEN 'outdated'
    ELSE v.verdict END"""

MOST_WORDS = 250
"""Longer captions are counted with those of this length."""

UNREVIEWED = ("none", "outdated")

ORDERS = {
    "flagged": "len(flags) DESC, clip_id, captioner",
    "clip": "clip_id, captioner",
    "shortest": "num_words, clip_id, captioner",
    "longest": "num_words DESC, clip_id, captioner",
    "camera": "camera_confidence NULLS LAST, clip_id, captioner",
    "latest": "reviewed_at DESC NULLS LAST, clip_id, captioner",
}

COUNTED = ("captioner", "flag", "reviewed", "words")
"""Filters that counts are told for."""

FILTERS = (*COUNTED, "text", "clip")


class CaptionsQuery(Query):
    """A page of captions."""

    subset: str = Field(max_length=100)
    of: Literal["kept", "all"] = "kept"
    """`kept`: captions of clips that the subset keeps; `all`: of any clip."""
    captioner: str | None = Field(default=None, max_length=100)
    flag: str | None = Field(default=None, max_length=100)
    """One of `tables.CAPTION_FLAGS`, or `any`."""
    reviewed: Literal["no", "yes", "accept", "reject", "edit", "outdated"] | None = None
    """`outdated`: judged, and written again since, which counts as not judged."""
    words: int | None = Field(default=None, ge=0, le=MOST_WORDS)
    """Captions of so many words."""
    text: str | None = Field(default=None, max_length=200)
    """That is in the caption, or in what a person made of it."""
    clip: str | None = Field(default=None, max_length=200)
    order: Literal["flagged", "clip", "shortest", "longest", "camera", "latest"] = "flagged"
    page: int = Field(default=0, ge=0, le=100_000)
    size: int = Field(default=10, ge=1, le=100)


def made_captions(board: Board, asked: CaptionsQuery) -> str:
    """SQL for the captions that were made, with the verdict on each."""
    table = board.decided(asked.subset)
    kept = f"AND c.clip_id IN (SELECT clip_id FROM {table} WHERE verdict = 'ok')"  # noqa: S608
    return f"""SELECT c.clip_id, c.video_id, c.captioner, c.model, c.prompt_version, c.origin,
            c.caption, c.camera, c.camera_confidence, c.attempts, c.flags, c.facts,
            if(trim(c.caption) = '', 0, len(string_split(trim(c.caption), ' '))) AS num_words,
            {REVIEW_SQL} AS review,
            v.caption AS edited, v.note, v.reviewer, v.reviewed_at, v.reviewed AS judged
        FROM captions AS c {VERDICTS_SQL}
        WHERE c.status = '{OK}' {kept if asked.of == "kept" else ""}"""  # noqa: S608


def caption_counts(board: Board, asked: CaptionsQuery, base: str, index: Index) -> dict[str, Any]:
    """How many captions there are in all, and by each filter under all the others, in one pass.

    Args:
        board: what is asked.
        asked: the filters.
        base: of `made_captions`.
        index: to ask.

    Returns:
        `num`, `num_clips`, `captioners`, `flags`, `reviewed` and `lengths`, as
        `pipelines.dashboard.caption_review.captions` tells them.
    """
    parts = {name: caption_condition(asked, (name,)) for name in COUNTED}
    rest = caption_condition(asked, [name for name in FILTERS if name not in COUNTED])
    fits = ", ".join(f"{part.sql} AS is_{name}" for name, part in parts.items())
    params = dict(rest.params)
    for part in parts.values():
        params |= part.params
    rows = board.ask(
        f"""WITH found AS MATERIALIZED (
            SELECT clip_id, captioner, flags, review, num_words, {fits}
            FROM ({base}) WHERE {rest.sql})
        {_COUNTS_SQL}""",  # noqa: S608 - SQL of this module
        params,
        index=index,
    )
    by: dict[str, dict[str, int]] = {}
    for row in rows:
        by.setdefault(row["what"], {})[row["name"]] = row["num"]
    captioners, flags = sorted(by.get("captioner", {}).items()), by.get("flag", {})
    ranked = sorted(flags.items(), key=lambda one: (-one[1], one[0]))
    lengths = sorted((int(name), num) for name, num in by.get("words", {}).items())
    return {
        "num": by.get("num", {}).get("", 0),
        "num_clips": by.get("num_clips", {}).get("", 0),
        "captioners": [{"captioner": name, "num": num} for name, num in captioners],
        "flags": [
            {"flag": name, "meaning": CAPTION_FLAGS.get(name, ""), "num": num}
            for name, num in ranked
        ],
        "reviewed": by.get("reviewed", {}),
        "lengths": [{"words": words, "num": num} for words, num in lengths],
    }


def _counts_sql() -> str:
    """SQL on the captions with `is_<filter>`: rows `what` is counted, its `name` and `num`."""
    fits = {
        left_out: " AND ".join(f"is_{name}" for name in COUNTED if name != left_out)
        for left_out in ("", *COUNTED)
    }
    flags = f"(SELECT unnest(flags) AS flag FROM found WHERE {fits['flag']})"  # noqa: S608
    counts = {
        "num": ("''", "count(*)", f"found WHERE {fits['']}"),
        "num_clips": ("''", "count(DISTINCT clip_id)", f"found WHERE {fits['']}"),
        "captioner": ("captioner", "count(*)", f"found WHERE {fits['captioner']}"),
        "flag": ("flag", "count(*)", flags),
        "reviewed": ("review", "count(*)", f"found WHERE {fits['reviewed']}"),
        "words": (f"least(num_words, {MOST_WORDS})", "count(*)", f"found WHERE {fits['words']}"),
    }
    return " UNION ALL ".join(
        f"SELECT '{what}' AS what, {name}::VARCHAR AS name, {num} AS num FROM {source} GROUP BY 2"  # noqa: S608
        for what, (name, num, source) in counts.items()
    )


_COUNTS_SQL = _counts_sql()


def caption_condition(asked: CaptionsQuery, names: Collection[str]) -> Condition:
    """These of the filters as SQL on the rows of `made_captions`."""
    terms, params = ["true"], dict[str, Any]()
    plain = {
        "captioner": "captioner = $captioner",
        "flag": "list_contains(flags, $flag)",
        "reviewed": "review = $reviewed",
        "words": f"least(num_words, {MOST_WORDS}) = $words",
        # Neither a pattern nor case counts: what is typed is what is looked for.
        "text": "contains(lower(concat_ws(' ', caption, edited)), lower($text))",
        "clip": "clip_id = $clip",
    }
    several = {
        ("flag", "any"): "len(flags) > 0",
        ("reviewed", "no"): f"review IN {UNREVIEWED}",
        ("reviewed", "yes"): f"review NOT IN {UNREVIEWED}",
    }
    for name, sql in plain.items():
        value = getattr(asked, name)
        if value is None or name not in names:
            continue
        if (name, value) in several:
            terms.append(several[name, value])
        else:
            terms.append(sql)
            params[name] = value
    return Condition(f"({' AND '.join(terms)})", params)
