"""What the report tells beside the histograms, asked of the committed tables."""

from typing import NamedTuple

import duckdb

CAPTIONS = 12
"""Captions that are shown."""


class Caption(NamedTuple):
    """What a captioner wrote."""

    clip_id: str
    captioner: str
    caption: str
    flags: list[str]


class Concept(NamedTuple):
    """What a subset has of a concept."""

    subset: str
    name: str
    size: int
    """Clips, before resampling."""
    resampled: float
    """The sum of their weights."""


class Failure(NamedTuple):
    """All rows of a table that failed alike, with one of them."""

    table: str
    reason: str
    num: int
    example: str
    """The input: a path or URI, or where there is none a clip's id."""
    error: str


def captioner_rows(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, ...]]:
    """Captioner, model, prompt, captions, how many are flagged, and the median of their words."""
    rows = connection.sql(
        """SELECT captioner, model, coalesce(prompt_version, ''), count(*),
            count(*) FILTER (len(flags) > 0), median(len(string_split(caption, ' ')))
        FROM captions WHERE status = 'ok' GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    return [(*texts, f"{num:,}", f"{bad:,}", f"{words:.0f}") for *texts, num, bad, words in rows]


def flag_counts(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, int]]:
    """Flags with the number of captions that have them, the most frequent first."""
    return connection.sql(
        """SELECT flag, count(*) FROM (SELECT unnest(flags) AS flag FROM captions
            WHERE status = 'ok') GROUP BY ALL ORDER BY count(*) DESC, flag"""
    ).fetchall()


def captions(connection: duckdb.DuckDBPyConnection) -> list[Caption]:
    """Some captions, flagged ones first; otherwise the same ones for the same tables."""
    rows = connection.execute(
        """SELECT clip_id, captioner, caption, flags FROM captions WHERE status = 'ok'
        ORDER BY len(flags) = 0, md5(clip_id), captioner LIMIT $count""",
        {"count": CAPTIONS},
    ).fetchall()
    return [Caption(clip_id, who, text or "", flags or []) for clip_id, who, text, flags in rows]


def concepts(connection: duckdb.DuckDBPyConnection) -> list[Concept]:
    """What each subset has of each concept, the largest first."""
    rows = connection.sql(
        """SELECT s.subset, name, s.size, coalesce(s.resampled_size, s.size)
        FROM (SELECT name, unnest(subsets) AS s FROM concepts) ORDER BY 1, 3 DESC, 2"""
    ).fetchall()
    return [Concept(*row) for row in rows]


def failures(connection: duckdb.DuckDBPyConnection) -> list[Failure]:
    """Everything that failed, by table and class, in the order of the funnel."""
    videos = "coalesce((SELECT any_value(v.uris[1]) FROM videos AS v WHERE v.video_id = t.video_id)"
    tables = {
        "sources": ("sources", "uri"),
        "clips": ("passes", f"{videos}, t.video_id)"),
        "scores": ("scores", "clip_id"),
        "captions": ("captions", "clip_id"),
        "shards": ("shards", "clip_id"),
        "latents": ("latents", "clip_id"),
    }
    found = []
    for table, (view, example) in tables.items():
        rows = connection.sql(
            f"""SELECT coalesce(reason, ''), num, {example}, coalesce(error, '') FROM (
                SELECT *, count(*) OVER (PARTITION BY reason) AS num,
                    row_number() OVER (PARTITION BY reason ORDER BY {_KEYS[view]}) AS place
                FROM (SELECT {_COLUMNS[view]} FROM {view} WHERE status = 'failed')) AS t
            WHERE place = 1 ORDER BY num DESC, reason"""  # noqa: S608 - names of this module
        ).fetchall()
        found += [Failure(table, *row) for row in rows]
    return found


_KEYS = {"sources": "uri", "passes": "video_id"} | dict.fromkeys(
    ("scores", "captions", "shards", "latents"), "clip_id"
)
_COLUMNS = {view: f"{key}, reason, error" for view, key in _KEYS.items()}
