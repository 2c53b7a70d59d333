"""Checks a workspace from its files up: every byte decodes, every id is in exactly one state.

What is checked, and would be reported:

- *adds_up*: at each step the inputs, counted from the tables above it, equal its outcomes.
- *unfinished*: an input without a row, a row without its input, or rows made with different
  settings in one table: the command that was interrupted, or changed, has to run again.
- *unique*: an id that occurs twice.
- *state*: a row whose status, reason and error do not fit together.
- *joined*: a row whose upstream row is missing or says something else.
- *file*: a file of a table that is missing, has another size, or does not decode to its rows.
- *sample*: a training sample whose bytes do not have the checksum in its row, or an encoded one
  whose arrays do not have their shapes.
- *stray*: a Parquet file beside the samples that no table names, which other readers would take in.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

import duckdb
import obstore
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from curation import tables
from curation.caption_reviews import VERDICTS
from curation.funnel import WAITING, Step, funnel
from curation.views import CAPTIONS, LATENTS, SHARDS, view_of
from pipelines.latent_arrays import latent_problems
from pipelines.lease import held_by
from pipelines.queries import open_views, table_names
from pipelines.workspace import Table, Workspace, storage_errors

logger = logging.getLogger(__name__)

ROWS_AT_ONCE = 64
"""Rows decoded at a time, which bounds memory by their videos."""

EXAMPLES = 5
"""Ids named per problem; the rest is a number."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong."""

    check: str
    """One of the checks above."""
    subject: str
    """The table, or the file within the workspace."""
    problem: str


@dataclass
class Verification:
    """What was checked and what is wrong."""

    workspace: str
    findings: list[Finding] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    num_files: int = 0
    num_rows: int = 0
    num_samples: int = 0
    """Samples whose checksum was computed."""

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def verify(workspace: Workspace) -> Verification:
    """Reads every table and every file of the workspace and compares them.

    Raises:
        ValueError: this is no workspace.
        StorageError: the storage cannot be listed.
    """
    done = Verification(workspace.uri)
    names = table_names(workspace)
    for name in names:
        done.findings += _file_findings(workspace.table(name), done)
    if any(finding.check == "file" for finding in done.findings):
        return done
    with open_views(workspace) as connection:
        done.steps = funnel(connection)
        for step in done.steps:
            done.findings += _step_findings(step)
        for check, subject, problem, sql in _queries(names):
            done.findings += _query_findings(connection, check, subject, problem, sql)
    return done


def _step_findings(step: Step) -> Iterator[Finding]:
    if not step.adds_up:
        counted = sum(outcome.num for outcome in step.outcomes)
        yield Finding("adds_up", step.name, f"{step.num_in} {step.unit} in, {counted} outcomes")
    waiting = step.num(WAITING)
    if waiting:
        problem = f"{waiting} of {step.num_in} {step.unit} have no row yet; run the command again"
        yield Finding("unfinished", step.name, problem)


def _queries(names: list[str]) -> Iterator[tuple[str, str, str, str]]:
    """Check, subject, problem, and SQL that gives the ids it concerns."""
    keys = {"sources": "uri", "videos": "video_id", "clips": "video_id", "scores": "clip_id"}
    keys |= {name: "clip_id" for name in names if name.startswith((CAPTIONS, SHARDS, LATENTS))}
    for name, key in keys.items():
        view = "passes" if name == "clips" else view_of(name)
        yield "unique", name, "in several rows", _twice(key, f'"{view}"')
        yield "state", name, "status, reason and error do not fit", _states(key, f'"{view}"')
        if name in names and name != "videos":
            yield "unfinished", name, "fingerprints in one table", _mixed(f'"{view}"')
        if name.startswith(LATENTS):
            mixed = _mixed(f'"{view}"', "encoder_hash")
            yield "unfinished", name, "encoders in one table", mixed
    yield "unique", "clips", "in several clips", _twice("clip_id", "clips")
    yield "unique", "selection", "in several rows", _twice("subset || ' ' || clip_id", "selection")
    yield "unique", "reviews", "in several rows", _twice("subset || ' ' || clip_id", "reviews")
    yield "state", "caption_reviews", "verdict and edited text do not fit", _REVIEWS
    yield "state", "selection", "status and reason do not fit", _states("clip_id", "selection", "")
    yield from _JOINS


_FAILURES = ", ".join(f"'{reason}'" for reason in tables.FAILURES)

_REVIEWS = f"""SELECT clip_id FROM caption_reviews WHERE reviewed IS NULL OR reviewed_at IS NULL
    OR NOT coalesce(verdict IN {VERDICTS} AND (verdict = 'edit') = (caption <> ''
        AND caption IS NOT NULL), false)"""  # noqa: S608


def _twice(key: str, view: str) -> str:
    return f"SELECT {key} FROM {view} GROUP BY ALL HAVING count(*) > 1"  # noqa: S608


def _states(key: str, view: str, error: str = " AND error IS NOT NULL") -> str:
    return f"""SELECT {key} FROM {view} WHERE NOT coalesce(CASE status
        WHEN 'ok' THEN reason IS NULL
        WHEN 'rejected' THEN reason IS NOT NULL
        WHEN 'failed' THEN reason IN ({_FAILURES}){error} END, false)"""  # noqa: S608


def _mixed(view: str, column: str = "fingerprint") -> str:
    return f"""SELECT DISTINCT {column} FROM {view} WHERE {column} IS NOT NULL
        AND (SELECT count(DISTINCT {column}) FROM {view}) > 1"""  # noqa: S608


_JOINS = [
    (
        "joined",
        "videos",
        "without its sources",
        """SELECT video_id FROM videos ANTI JOIN
        (FROM sources WHERE status = 'ok') AS s ON s.sha256 = videos.sha256""",
    ),
    (
        "joined",
        "clips",
        "not named after its video and frames",
        """SELECT clip_id FROM clips
        WHERE clip_id IS DISTINCT FROM concat_ws('-', video_id, start_frame, num_frames)""",
    ),
    (
        "unfinished",
        "scores",
        "of no clip; run the command again",
        "SELECT clip_id FROM scores ANTI JOIN clips AS c ON c.clip_id = scores.clip_id",
    ),
    (
        "joined",
        "selection",
        "no clip of an accepted video",
        """SELECT clip_id FROM selection ANTI JOIN
        (FROM clips WHERE video_status = 'ok') AS c ON c.clip_id = selection.clip_id""",
    ),
    (
        "joined",
        "shards",
        "with another prompt than its parts make",
        """SELECT clip_id FROM shards WHERE status = 'ok' AND prompt IS DISTINCT FROM
            if(caption IS NULL, NULL, concat_ws(' ', fps_token, camera_prefix, caption))""",
    ),
    (
        "unfinished",
        "shards",
        "no longer kept by the selection of its subset; run the command again",
        """SELECT clip_id FROM shards ANTI JOIN (FROM selection WHERE status = 'ok') AS s
        ON s.clip_id = shards.clip_id AND s.subset = shards.subset""",
    ),
    (
        "joined",
        "shards",
        "cut from other content than its video has",
        """SELECT clip_id FROM shards AS h JOIN videos AS v ON v.video_id = h.video_id
        WHERE h.status = 'ok' AND h.source_sha256 IS DISTINCT FROM v.sha256""",
    ),
    (
        "joined",
        "shards",
        "outside its clip",
        """SELECT h.clip_id FROM shards AS h JOIN clips AS c ON c.clip_id = h.clip_id
        WHERE h.status = 'ok' AND NOT c.is_image
            AND (h.start_s < c.start_s - 1e-6 OR h.end_s > c.end_s + 1e-6)""",
    ),
    (
        "unfinished",
        "latents",
        "of no sample, or of what was one; run `moviola encode` again",
        """SELECT clip_id FROM latents ANTI JOIN (FROM shards WHERE status = 'ok') AS h
        ON h.clip_id = latents.clip_id AND h.subset = latents.subset
            AND h.video_sha256 IS NOT DISTINCT FROM latents.video_sha256
            AND coalesce(suffix(latents.prompt, h.caption), nullif(h.caption, '') IS NULL)""",
    ),
]


def _query_findings(
    connection: duckdb.DuckDBPyConnection, check: str, subject: str, problem: str, sql: str
) -> Iterator[Finding]:
    found = connection.sql(
        f"SELECT count(*) OVER (), * FROM ({sql}) ORDER BY ALL LIMIT {EXAMPLES}"  # noqa: S608
    ).fetchall()
    if found:
        total = found[0][0]
        named = ", ".join(str(row[1]) for row in found) + (", ..." if total > len(found) else "")
        yield Finding(check, subject, f"{total} {problem}: {named}")


def _file_findings(table: Table, done: Verification) -> Iterator[Finding]:
    """What is wrong with the files of one table; counts what was read into `done`."""
    with storage_errors(table.uri):
        listed = obstore.list(table.workspace.reading_store(table.name))
        sizes = {found["path"]: found["size"] for chunk in listed for found in chunk}
        parts = pa.table(table.delta().get_add_actions()).to_pylist()
        dataset = table.dataset()
    for part in parts:
        path, subject = part["path"], f"{table.name}/{part['path']}"
        done.num_files += 1
        if path not in sizes:
            yield Finding("file", subject, "is missing")
        elif sizes[path] != part["size_bytes"]:
            yield Finding("file", subject, f"has {sizes[path]} bytes, not {part['size_bytes']}")
        else:
            yield from _part_findings(dataset.filesystem, path, subject, part["num_records"], done)
    if table.is_plain and not _is_written_to(table.workspace):
        known = {part["path"] for part in parts}
        for path in sorted(sizes):
            if path.endswith(".parquet") and path not in known and not path.startswith("_"):
                yield Finding("stray", f"{table.name}/{path}", "is no part of the table")


def _part_findings(
    files: pafs.FileSystem, path: str, subject: str, num_rows: int, done: Verification
) -> Iterator[Finding]:
    counted = 0
    try:
        with files.open_input_file(path) as file:
            part = pq.ParquetFile(file, page_checksum_verification=True)
            for rows in part.iter_batches(batch_size=ROWS_AT_ONCE):
                counted += rows.num_rows
                if "latent" in rows.schema.names:
                    yield from _latent_findings(rows, subject)
                elif "video_sha256" in rows.schema.names:
                    yield from _sample_findings(rows, subject, done)
    except (OSError, pa.ArrowException) as error:
        yield Finding("file", subject, f"does not decode: {error}")
        return
    if counted != num_rows:
        yield Finding("file", subject, f"has {counted} rows, not {num_rows}")
    done.num_rows += counted


def _sample_findings(rows: pa.RecordBatch, subject: str, done: Verification) -> Iterator[Finding]:
    columns = ("clip_id", "status", "video", "video_sha256")
    for clip_id, status, video, sha256 in zip(*(rows[name] for name in columns), strict=True):
        if status.as_py() != tables.OK:
            continue
        done.num_samples += 1
        content = video.as_buffer()
        if content is None or tables.content_sha256(content) != sha256.as_py():
            yield Finding("sample", subject, f"{clip_id} does not have its checksum")


def _latent_findings(rows: pa.RecordBatch, subject: str) -> Iterator[Finding]:
    for row in rows.filter(pc.equal(rows["status"], tables.OK)).to_pylist():
        for problem in latent_problems(row):
            yield Finding("sample", subject, f"{row['clip_id']}: {problem}")


def _is_written_to(workspace: Workspace) -> bool:
    """Whether a run is at work, whose uncommitted files are no strays."""
    held = held_by(workspace)
    return held is not None and not held.is_dead()
