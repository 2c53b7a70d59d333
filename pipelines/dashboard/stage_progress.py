"""How far the stage at work is, by the index and by what the tables' logs say since."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from curation.views import CAPTIONS, LATENTS, SHARDS
from pipelines.dashboard.board import Board
from pipelines.dashboard.commits import Commit
from pipelines.dashboard.index import Index
from pipelines.dashboard.index_parts import Committed
from pipelines.dashboard.paces import rows_of


class Log(NamedTuple):
    """What the logs of the tables say now, which the index may be behind."""

    committed: Mapping[str, Committed]
    commits: Sequence[Commit]
    """Oldest first."""
    withdrawn: Mapping[tuple[str, int], int]
    """Of `withdrawn_rows`."""


_INPUTS = {
    "clips": ("videos",),
    "scores": ("clips", "videos"),
    "captions": ("selection",),
    "shards": ("selection",),
    "latents": ("shards/{part}",),
}
"""The tables that a stage's inputs are counted from."""

_PROGRESS = {
    "clips": """WITH inputs AS (SELECT video_id FROM videos WHERE status = 'ok')
        SELECT (SELECT count(*) FROM inputs) AS total,
            (SELECT count(*) FROM inputs SEMI JOIN passes USING (video_id)) AS done""",
    "scores": """WITH inputs AS (SELECT clip_id FROM clips WHERE video_status = 'ok')
        SELECT (SELECT count(*) FROM inputs) AS total,
            (SELECT count(*) FROM inputs SEMI JOIN scores USING (clip_id)) AS done""",
    "captions": """WITH kept AS (SELECT DISTINCT clip_id FROM selection WHERE status = 'ok')
        SELECT (SELECT count(*) FROM kept) AS total, (SELECT count(*) FROM kept SEMI JOIN (
            FROM captions WHERE captioner = $part) AS t USING (clip_id)) AS done""",
    "shards": """WITH kept AS (
            SELECT clip_id FROM selection WHERE status = 'ok' AND subset = $part)
        SELECT (SELECT count(*) FROM kept) AS total, (SELECT count(*) FROM kept SEMI JOIN (
            FROM shards WHERE subset = $part) AS t USING (clip_id)) AS done""",
    "latents": """WITH made AS (
            SELECT clip_id FROM shards WHERE status = 'ok' AND subset = $part)
        SELECT (SELECT count(*) FROM made) AS total, (SELECT count(*) FROM made SEMI JOIN (
            FROM latents WHERE subset = $part) AS t USING (clip_id)) AS done""",
}

_ROWS = {
    "sources": "FROM sources",
    "clips": "FROM passes",
    "scores": "FROM scores",
    "captions": "FROM captions WHERE captioner = $part",
    "shards": "FROM shards WHERE subset = $part",
    "latents": "FROM latents WHERE subset = $part",
}


def progress(
    board: Board, index: Index, table: str, committed: Mapping[str, Committed]
) -> tuple[int, int | None, str]:
    """Rows done and to be done of a stage as the index knows them, and how sure the latter is.

    Input files are in no table before they were read, so their number is unknown. That of other
    inputs is unknown while the index is older than their tables: commits tell rows, not which of
    them are `ok`. Without a total, all rows of the table count as done. Which clips models look at,
    and which captioner gets which, the recipe says: all of them are an upper bound.
    """
    name, _, part = table.partition("/")
    params = {"part": part} if f"{name}/" in (CAPTIONS, SHARDS, LATENTS) else {}
    inputs = [one.format(part=part) for one in _INPUTS.get(name, ())]
    is_read = all(one in committed and index.committed.get(one) == committed[one] for one in inputs)
    if not inputs or not is_read:
        sql = f"SELECT count(*) AS done FROM ({_ROWS[name]})"  # noqa: S608 - SQL of this module
        [rows] = board.ask(sql, params, index=index)
        return int(rows["done"]), None, "unknown"
    [found] = board.ask(_PROGRESS[name], params, index=index)
    total_is = "at most" if name in ("scores", "captions") else "exact"
    return int(found["done"]), int(found["total"]), total_is


def growth(index: Index, table: str, log: Log) -> int:
    """By how many rows a table has grown since the index was made."""
    known = index.committed[table].version if table in index.committed else -1
    since = (one for one in log.commits if one.table == table and one.version > known)
    return sum(came - went for came, went in (rows_of(one, log.withdrawn) for one in since))
