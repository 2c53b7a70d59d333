"""The funnel: what became of every input at every step, counted from the committed tables alone.

Each step counts its own inputs from the tables above it and its outcomes from its own, so the two
agree only if no id was lost and none counted twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from curation import tables

WAITING = "waiting"
"""The status of an input that has no row yet: the run was interrupted, or its storage failed."""


@dataclass(frozen=True)
class Outcome:
    """How many inputs of a step ended in one state."""

    status: str
    """`ok`, `rejected`, `failed` or `waiting`."""
    reason: str | None
    num: int
    hours: float
    """Of video; 0 where its length is not known."""
    size_bytes: int = 0
    """Of files, of what clips take of theirs by time, or of samples; 0 if it was not asked for."""


@dataclass(frozen=True)
class Step:
    """One step of the way, with its inputs and what became of them.

    Attributes:
        name: `sources`, `videos`, `clips`, `scores`, `selection/<subset>`, `captions/<captioner>`
            `shards/<subset>` or `latents/<subset>`.
        unit: what the inputs are: `files`, `videos` or `clips`.
        num_in: inputs, counted from the tables above.
        hours_in: their length.
        outcomes: by status and reason, in the order `ok`, `rejected`, `failed`, `waiting`, the
            largest first.
        num_out: what is handed on: rows `ok`, for `clips` the clips found in them.
        hours_out: their length.
        cpu_s: CPU-seconds that the rows took.
        size_bytes_in: size of the inputs, 0 if it was not asked for.
        size_bytes_out: size of what is handed on, likewise.
    """

    name: str
    unit: str
    num_in: int
    hours_in: float
    outcomes: tuple[Outcome, ...]
    num_out: int
    hours_out: float
    cpu_s: float
    size_bytes_in: int = 0
    size_bytes_out: int = 0

    def num(self, status: str) -> int:
        """Inputs that ended in this state."""
        return sum(outcome.num for outcome in self.outcomes if outcome.status == status)

    @property
    def adds_up(self) -> bool:
        """Whether each input is in exactly one state."""
        return self.num_in == sum(outcome.num for outcome in self.outcomes)


def funnel(connection: duckdb.DuckDBPyConnection, sized: bool = False) -> list[Step]:
    """Every step that has inputs, in order.

    Args:
        connection: one of `curation.views.connect`.
        sized: whether to tell bytes too, which reads the samples themselves where `connection`
            does not know their sizes.
    """
    return [step for step in _steps(connection, sized) if step.num_in]


def subsets(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The subsets that were selected, by name."""
    found = connection.sql("SELECT DISTINCT subset FROM selection ORDER BY subset").fetchall()
    return [name for (name,) in found]


def encoded(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The subsets whose samples were encoded, by name."""
    found = connection.sql("SELECT DISTINCT subset FROM latents ORDER BY subset").fetchall()
    return [name for (name,) in found]


def captioners(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The captioners that were given clips, by name."""
    found = connection.sql("SELECT DISTINCT captioner FROM captions ORDER BY captioner").fetchall()
    return [name for (name,) in found]


def _steps(connection: duckdb.DuckDBPyConnection, sized: bool) -> Iterator[Step]:
    yield _step(connection, sized, "sources", "files", "sources", _SOURCES)
    yield _step(connection, sized, "videos", "files", "sources WHERE status = 'ok'", _VIDEOS)
    yield _step(connection, sized, "clips", "videos", "videos WHERE status = 'ok'", _CLIPS)
    yield _step(connection, sized, "scores", "clips", _TO_SCORE, _SCORES)
    found = subsets(connection)
    for subset in found:
        connection.execute("SET VARIABLE subset = $subset", {"subset": subset})
        yield _step(connection, sized, f"selection/{subset}", "clips", _ALL_CLIPS, _SELECTION)
    for captioner in captioners(connection):
        connection.execute("SET VARIABLE captioner = $captioner", {"captioner": captioner})
        yield _step(connection, sized, f"captions/{captioner}", "clips", _CAPTIONED, _CAPTIONS)
    for subset in found:
        connection.execute("SET VARIABLE subset = $subset", {"subset": subset})
        yield _step(connection, sized, f"shards/{subset}", "clips", _KEPT, _SHARDS)
    for subset in encoded(connection):
        connection.execute("SET VARIABLE subset = $subset", {"subset": subset})
        yield _step(connection, sized, f"latents/{subset}", "clips", _SAMPLES, _LATENTS)


# Each gives one row per input: status, reason, duration_s, cpu_s, num_out, out_s, and the bytes of
# the input and of what becomes of it.
_OF_CLIP = "c.size_bytes * c.duration_s / nullif(c.decoded_s, 0)"
_SOURCES = """SELECT status, reason, duration_s, cpu_s, 1 AS num_out, duration_s AS out_s,
        size_bytes, size_bytes AS out_bytes FROM sources"""
_VIDEOS = """SELECT
        CASE WHEN v.video_id IS NULL THEN 'waiting' WHEN s.uri = v.uris[1] THEN v.status
             ELSE 'rejected' END AS status,
        CASE WHEN v.video_id IS NULL THEN NULL WHEN s.uri = v.uris[1] THEN v.reason
             ELSE 'same_content' END AS reason,
        s.duration_s, v.cpu_s, 1 AS num_out, v.duration_s AS out_s,
        s.size_bytes, s.size_bytes AS out_bytes
    FROM sources AS s LEFT JOIN videos AS v ON v.video_id = s.video_id
    WHERE s.status = 'ok'"""
_CLIPS = """SELECT coalesce(p.status, 'waiting') AS status, p.reason, v.duration_s, p.cpu_s,
        len(p.clips) AS num_out, list_sum([c.duration_s for c in p.clips]) AS out_s,
        v.size_bytes, v.size_bytes * out_s / nullif(p.decoded_s, 0) AS out_bytes
    FROM videos AS v LEFT JOIN passes AS p ON p.video_id = v.video_id WHERE v.status = 'ok'"""
# Which clips models look at is the recipe's to say; that none of those kept was left out, is seen.
_TO_SCORE = """(SELECT c.duration_s FROM clips AS c SEMI JOIN (
        SELECT clip_id FROM scores UNION
        SELECT clip_id FROM selection WHERE status = 'ok' AND EXISTS (FROM scores)) AS s
    ON s.clip_id = c.clip_id)"""
_SCORES = f"""SELECT coalesce(s.status, 'waiting') AS status, s.reason, c.duration_s, s.cpu_s,
        1 AS num_out, c.duration_s AS out_s, {_OF_CLIP} AS size_bytes, {_OF_CLIP} AS out_bytes
    FROM clips AS c LEFT JOIN scores AS s ON s.clip_id = c.clip_id
    WHERE s.clip_id IS NOT NULL OR (EXISTS (FROM scores) AND c.clip_id IN (
        SELECT clip_id FROM selection WHERE status = 'ok'))"""  # noqa: S608 - SQL of this module
_ALL_CLIPS = "clips WHERE video_status = 'ok'"
_SELECTION = f"""SELECT coalesce(s.status, 'waiting') AS status, s.reason, c.duration_s,
        0 AS cpu_s, 1 AS num_out, c.duration_s AS out_s,
        {_OF_CLIP} AS size_bytes, {_OF_CLIP} AS out_bytes
    FROM clips AS c LEFT JOIN (FROM selection WHERE subset = getvariable('subset')) AS s
        ON s.clip_id = c.clip_id
    WHERE c.video_status = 'ok'"""  # noqa: S608 - SQL of this module
# Which clips a captioner is given is the recipe's to say. Captions of clips that no subset keeps
# any more stay in their tables, and are no part of the funnel.
_CAPTIONED = """(SELECT c.duration_s FROM captions AS t JOIN clips AS c ON c.clip_id = t.clip_id
    WHERE t.captioner = getvariable('captioner') AND t.clip_id IN (
        SELECT clip_id FROM selection WHERE status = 'ok'))"""
_CAPTIONS = f"""SELECT t.status, t.reason, c.duration_s, t.cpu_s,
        1 AS num_out, c.duration_s AS out_s, {_OF_CLIP} AS size_bytes, {_OF_CLIP} AS out_bytes
    FROM captions AS t JOIN clips AS c ON c.clip_id = t.clip_id
    WHERE t.captioner = getvariable('captioner') AND t.clip_id IN (
        SELECT clip_id FROM selection WHERE status = 'ok')"""  # noqa: S608 - SQL of this module
_KEPT = """(SELECT c.duration_s FROM selection AS s LEFT JOIN clips AS c ON c.clip_id = s.clip_id
    WHERE s.subset = getvariable('subset') AND s.status = 'ok')"""
_SHARDS = f"""SELECT coalesce(h.status, 'waiting') AS status, h.reason, c.duration_s, h.cpu_s,
        1 AS num_out, h.end_s - h.start_s AS out_s,
        {_OF_CLIP} AS size_bytes, h.size_bytes AS out_bytes
    FROM (FROM selection WHERE subset = getvariable('subset') AND status = 'ok') AS s
    LEFT JOIN clips AS c ON c.clip_id = s.clip_id
    LEFT JOIN (SELECT clip_id, status, reason, cpu_s, start_s, end_s, size_bytes FROM shards
        WHERE subset = getvariable('subset')) AS h ON h.clip_id = s.clip_id"""  # noqa: S608 - SQL of this module

_SAMPLES = """(SELECT end_s - start_s AS duration_s FROM shards
    WHERE subset = getvariable('subset') AND status = 'ok')"""
_LATENTS = """SELECT coalesce(n.status, 'waiting') AS status, n.reason,
        h.end_s - h.start_s AS duration_s, n.cpu_s, 1 AS num_out,
        coalesce(n.num_frames / n.fps, 0) AS out_s,
        h.size_bytes, NULL::BIGINT AS out_bytes
    FROM (SELECT clip_id, start_s, end_s, size_bytes FROM shards
        WHERE subset = getvariable('subset') AND status = 'ok') AS h
    LEFT JOIN (SELECT clip_id, status, reason, cpu_s, num_frames, fps FROM latents
        WHERE subset = getvariable('subset')) AS n ON n.clip_id = h.clip_id"""


def _step(
    connection: duckdb.DuckDBPyConnection,
    sized: bool,
    name: str,
    unit: str,
    inputs: str,
    states: str,
) -> Step:
    """Counts one step.

    Args:
        connection: with the views, and the variable `subset` where the SQL asks for it.
        sized: whether bytes are added up.
        name: of the step.
        unit: of its inputs.
        inputs: SQL after FROM with one row per input and its `duration_s`.
        states: SQL with one row per input and its state.
    """
    num_in, hours_in = connection.sql(
        f"SELECT count(*), {_hours('duration_s')} FROM {inputs}"  # noqa: S608 - SQL of this module
    ).fetchall()[0]
    sizes = "sum(size_bytes), sum(out_bytes)" if sized else "0, 0"
    rows = connection.sql(
        f"""SELECT status, reason, count(*), {_hours("duration_s")},
            sum(num_out), {_hours("out_s")}, sum(cpu_s), {sizes}
        FROM ({states}) GROUP BY status, reason ORDER BY count(*) DESC, reason"""  # noqa: S608
    ).fetchall()
    order = [tables.OK, tables.REJECTED, tables.FAILED, WAITING]
    rows.sort(key=lambda row: order.index(row[0]))
    done = [row for row in rows if row[0] == tables.OK]
    return Step(
        name,
        unit,
        num_in,
        hours_in,
        tuple(Outcome(row[0], row[1], row[2], row[3], round(row[7] or 0)) for row in rows),
        num_out=int(sum(row[4] or 0 for row in done)),
        hours_out=sum(row[5] for row in done),
        cpu_s=sum(row[6] or 0.0 for row in rows),
        size_bytes_in=sum(round(row[7] or 0) for row in rows),
        size_bytes_out=sum(round(row[8] or 0) for row in done),
    )


def _hours(seconds: str) -> str:
    return f"coalesce(sum({seconds}) FILTER (isfinite({seconds})), 0) / 3600.0"
