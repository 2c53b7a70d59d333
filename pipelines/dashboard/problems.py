"""What did not come through a step, row by row: SQL over the index, one query for each step.

The steps and their inputs are those of `curation.funnel`, so that the counts are the funnel's.
"""

import re

from curation.views import CAPTIONS, LATENTS, SHARDS
from pipelines.dashboard.board import Board
from pipelines.dashboard.index import Index

SELECTION = "selection/"

_STATE = (
    "{row}.status AS status, {row}.reason AS reason, {row}.error AS error, {row}.cpu_s AS cpu_s"
)
_OWNER = "v.video_id AS video_id, v.uris[1] AS uri, v.licence AS licence, v.source AS source"
_MAYBE = """coalesce({row}.status, 'waiting') AS status, {row}.reason AS reason,
    {row}.error AS error, {row}.cpu_s AS cpu_s"""
_OF_CLIP = "LEFT JOIN videos AS v ON v.video_id = c.video_id"

# ruff: noqa: S608 - all SQL here is of this module
_SQL = {
    "sources": f"""SELECT s.uri AS key, s.video_id AS video_id, s.uri AS uri,
            s.licence AS licence, s.source AS source, {_STATE.format(row="s")}
        FROM sources AS s""",
    "videos": """SELECT s.uri AS key, s.video_id AS video_id, s.uri AS uri,
            s.licence AS licence, s.source AS source,
            CASE WHEN v.video_id IS NULL THEN 'waiting' WHEN s.uri = v.uris[1] THEN v.status
                ELSE 'rejected' END AS status,
            CASE WHEN s.uri = v.uris[1] THEN v.reason
                WHEN v.video_id IS NOT NULL THEN 'same_content' END AS reason,
            CASE WHEN s.uri = v.uris[1] THEN v.error
                ELSE 'the content is that of ' || v.uris[1] END AS error, NULL::FLOAT AS cpu_s
        FROM sources AS s LEFT JOIN videos AS v ON v.video_id = s.video_id
        WHERE s.status = 'ok'""",
    "clips": f"""SELECT v.video_id AS key, {_OWNER}, {_MAYBE.format(row="p")}
        FROM videos AS v LEFT JOIN passes AS p ON p.video_id = v.video_id
        WHERE v.status = 'ok'""",
    "scores": f"""SELECT c.clip_id AS key, {_OWNER}, {_MAYBE.format(row="s")}
        FROM clips AS c LEFT JOIN scores AS s ON s.clip_id = c.clip_id {_OF_CLIP}
        WHERE s.clip_id IS NOT NULL OR (EXISTS (FROM scores) AND c.clip_id IN (
            SELECT clip_id FROM selection WHERE status = 'ok'))""",
    SELECTION: f"""SELECT c.clip_id AS key, {_OWNER}, coalesce(s.status, 'waiting') AS status,
            s.reason AS reason, NULL::VARCHAR AS error, NULL::FLOAT AS cpu_s
        FROM clips AS c LEFT JOIN (FROM selection WHERE subset = $part) AS s
            ON s.clip_id = c.clip_id {_OF_CLIP} WHERE c.video_status = 'ok'""",
    CAPTIONS: f"""SELECT t.clip_id AS key, {_OWNER}, {_STATE.format(row="t")}
        FROM captions AS t JOIN clips AS c ON c.clip_id = t.clip_id {_OF_CLIP}
        WHERE t.captioner = $part AND t.clip_id IN (
            SELECT clip_id FROM selection WHERE status = 'ok')""",
    SHARDS: f"""SELECT k.clip_id AS key, {_OWNER}, {_MAYBE.format(row="h")}
        FROM (FROM selection WHERE subset = $part AND status = 'ok') AS k
        LEFT JOIN videos AS v ON v.video_id = k.video_id
        LEFT JOIN (FROM shards WHERE subset = $part) AS h ON h.clip_id = k.clip_id""",
    LATENTS: f"""SELECT h.clip_id AS key, {_OWNER}, {_MAYBE.format(row="n")}
        FROM (FROM shards WHERE subset = $part AND status = 'ok') AS h
        LEFT JOIN videos AS v ON v.video_id = h.video_id
        LEFT JOIN (FROM latents WHERE subset = $part) AS n ON n.clip_id = h.clip_id""",
}

PLACE = "coalesce(source, regexp_replace(uri, '[^/]*$', ''))"
"""SQL: where an input comes from, as the manifest states it, else its folder or prefix."""

WHY = "coalesce(reason, status)"
"""SQL: the class of a failure, the rule of a rejection, or `waiting`."""

SHOWN = "status <> 'ok'"
"""SQL: a row did not come through. Rejections of clips are the examples' to show."""


def stages(board: Board, index: Index) -> list[str]:
    """The steps that there are, in order, as the funnel calls them."""
    parts = {
        SELECTION: "SELECT DISTINCT subset AS part FROM selection ORDER BY 1",
        CAPTIONS: "SELECT DISTINCT captioner AS part FROM captions ORDER BY 1",
        SHARDS: "SELECT DISTINCT subset AS part FROM selection ORDER BY 1",
        LATENTS: "SELECT DISTINCT subset AS part FROM latents ORDER BY 1",
    }
    found = [name for name in _SQL if name not in parts]
    for prefix, sql in parts.items():
        found += [prefix + row["part"] for row in board.ask(sql, index=index)]
    return found


def inputs_sql(stage: str) -> tuple[str, dict[str, str]]:
    """SQL with a row for each input of a step, and its parameters.

    The columns are `key`, `video_id`, `uri`, `licence`, `source`, `status`, `reason`, `error` and
    `cpu_s`. Of a selection it takes those alone that are waiting or decided.

    Raises:
        ValueError: there is no such step.
    """
    prefix, _, part = stage.partition("/")
    name = f"{prefix}/" if part else prefix
    if name not in _SQL:
        raise ValueError(f"no step is called {stage[:100]!r}")
    return _SQL[name], {"part": part} if part else {}


def shown_sql(stage: str) -> str:
    """SQL: a row of this step is shown here."""
    return "status = 'waiting'" if stage.startswith(SELECTION) else SHOWN


def table_of(stage: str) -> str:
    """The table of the workspace that holds a step's rows."""
    return "selection" if stage.startswith(SELECTION) else stage


MANIFEST_LINE = re.compile(r"(?P<manifest>.+\.(?:csv|jsonl|ndjson|parquet))#line-\d+")
"""The `uri` of a line of a manifest that names no file."""
