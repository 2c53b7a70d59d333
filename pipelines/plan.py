"""What a stage still has to do: upstream ids minus those in its table, and what must go first."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake.transaction import RemoveAction

from curation.stage import Stage
from curation.tables import FINGERPRINT
from pipelines.parts import indexed_columns, write_parts
from pipelines.workspace import Table, storage_errors
from pipelines.writer import TableWriter

REASONS = {
    "settings": "made with other settings or another version of the stage",
    "changed": "whose input has changed",
    "vanished": "that are no longer among the inputs",
    "failed": "that failed and are tried again",
    "again": "that are asked for again",
}
"""Why committed rows are withdrawn."""


NOBODY = pa.array([], pa.string())


@dataclass(frozen=True)
class Plan:
    """What a stage would do with these inputs; making one starts and changes nothing."""

    stage: str

    total: int
    """Input rows."""

    done: int
    """Inputs whose row is in the table and stays."""

    todo: pa.Table
    """The input rows to run, in the order of their ids, `limit` applied."""

    withdrawn: pa.Table
    """Committed rows that must go first: the `key`, the `path` of its part, and `why`."""

    fingerprints: tuple[str, ...]
    """The other fingerprints in the table, sorted."""

    @property
    def reasons(self) -> dict[str, int]:
        """How many rows are withdrawn, by reason (a key of `REASONS`)."""
        counts = self.withdrawn.group_by("why").aggregate([([], "count_all")]).to_pylist()
        return {row["why"]: row["count_all"] for row in sorted(counts, key=lambda row: row["why"])}

    def line(self) -> str:
        """One line for people: `clips: 12 known, 10 done, 2 to do`."""
        withdrawn = "".join(f", {count:,} withdrawn: {why}" for why, count in self.reasons.items())
        return (
            f"{self.stage}: {self.total:,} known, {self.done:,} done, "
            f"{self.todo.num_rows:,} to do{withdrawn}"
        )


def plan_stage(
    stage: Stage,
    inputs: pa.Table,
    table: Table,
    *,
    limit: int | None = None,
    retry_failed: bool = False,
    again: pa.Array = NOBODY,
) -> Plan:
    """What is done, what is to do and what must be withdrawn first, and why.

    Rows of ids that are no longer among the inputs stay (readers join with what is upstream), but
    for the tables that training reads, which hold exactly their inputs.

    Args:
        stage: the stage.
        inputs: every upstream row, whatever is done already.
        table: the table that the stage writes.
        limit: at most so many rows are run.
        retry_failed: failed rows are work again.
        again: ids whose rows are work again, whatever they say.

    Raises:
        ValueError: when an id is missing or occurs twice among the inputs.
        StorageError: when the table cannot be read.
    """
    _check_ids(stage, inputs)
    inputs = inputs.sort_by(stage.key)
    rows = committed_rows(table, stage) if table.exists() else _no_rows(stage, inputs)
    judged = _judge(stage, inputs, rows, table.is_exact, retry_failed, again)
    staying = judged.filter(pc.is_null(judged["why"]))
    done = pc.is_in(inputs[stage.key], value_set=staying["key"].combine_chunks())
    others = set(rows[FINGERPRINT.name].unique().to_pylist()) - {stage.fingerprint}
    return Plan(
        stage=table.name,
        total=inputs.num_rows,
        done=pc.sum(done).as_py() or 0,
        todo=inputs.filter(pc.invert(done)).slice(0, limit),
        withdrawn=judged.filter(pc.is_valid(judged["why"])),
        fingerprints=tuple(sorted(others)),
    )


def _check_ids(stage: Stage, inputs: pa.Table) -> None:
    ids = inputs[stage.key]
    if ids.null_count:
        raise ValueError(f"{ids.null_count} inputs of stage {stage.name} have no {stage.key}")
    if len(ids.unique()) < len(ids):
        counts = ids.value_counts()
        twice = next(entry["values"] for entry in counts.to_pylist() if entry["counts"] > 1)
        raise ValueError(f"the inputs of stage {stage.name} name {stage.key} {twice!r} twice")


def _no_rows(stage: Stage, inputs: pa.Table) -> pa.Table:
    names = [*indexed_columns(stage.key, stage.tracked), "path"]
    kinds = {field.name: field.type for field in inputs.schema}
    return pa.schema([(name, kinds.get(name, pa.string())) for name in names]).empty_table()


def committed_rows(table: Table, stage: Stage) -> pa.Table:
    """Id, status, fingerprint, tracked columns and the part's `path` of every committed row.

    Parts of one row (a video each, say) are told by their bounds in the Delta log: opening a
    million files to learn a million ids would take longer than many a stage.
    """
    names = indexed_columns(stage.key, stage.tracked)
    with storage_errors(table.uri):
        delta = table.delta()
        columns = pa.schema(delta.schema())
        schema = pa.schema([*(columns.field(name) for name in names), ("path", pa.string())])
        parts = pa.table(delta.get_add_actions(flatten=True))
        single = parts.filter(pc.equal(parts["num_records"], 1))
        bounds = [_bound(single, name) for name in names]
        found = [pa.table([*bounds, single["path"]], names=schema.names)]
        if single.num_rows < parts.num_rows:
            known = set(single["path"].to_pylist())
            pieces = [p for p in table.dataset().get_fragments() if p.path not in known]
            with ThreadPoolExecutor() as pool:
                found += pool.map(lambda piece: _scanned(piece, names), pieces)
    return pa.concat_tables([rows.cast(schema) for rows in found])


def _bound(parts: pa.Table, name: str) -> pa.ChunkedArray | pa.Array:
    """The one value of a column of parts of one row; a column of nulls alone has no bounds."""
    column = f"min.{name}"
    return parts[column] if column in parts.column_names else pa.nulls(parts.num_rows)


def _scanned(piece: ds.ParquetFileFragment, names: list[str]) -> pa.Table:
    rows = piece.to_table(columns=names)
    return rows.append_column("path", pa.repeat(piece.path, rows.num_rows))


def _judge(
    stage: Stage,
    inputs: pa.Table,
    rows: pa.Table,
    exact: bool,
    retry_failed: bool,
    again: pa.Array,
) -> pa.Table:
    """`key`, `path` and `why` (null for rows that stay) of each committed row."""
    key = _name(stage.key)
    changed = [f"r.{_name(name)} IS DISTINCT FROM i.{_name(name)}" for name in stage.tracked]
    query = f"""
        SELECT r.{key} AS key, r.path, CASE
            WHEN r.fingerprint IS DISTINCT FROM $fingerprint THEN 'settings'
            WHEN i.{key} IS NULL THEN CASE WHEN $exact THEN 'vanished' END
            WHEN {" OR ".join(["false", *changed])} THEN 'changed'
            WHEN r.status = 'failed' AND $retry_failed THEN 'failed'
            WHEN r.{key} IN (SELECT key FROM again) THEN 'again'
        END AS why
        FROM rows r LEFT JOIN inputs i USING ({key})
    """  # noqa: S608 - the names are the stage's own, and quoted; values are bound
    parameters = {"fingerprint": stage.fingerprint, "exact": exact, "retry_failed": retry_failed}
    with duckdb.connect() as database:
        database.register("rows", rows)
        database.register("again", pa.table({"key": again.cast(pa.string())}))
        database.register("inputs", inputs.select([stage.key, *stage.tracked]))
        return database.sql(query, params=parameters).to_arrow_table()


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def withdraw(plan: Plan, stage: Stage, table: Table, writer: TableWriter) -> int:
    """Takes the plan's rows out of the table in one commit; the version that still has them.

    Parts that hold other rows too are written again without them.

    Raises:
        FencedError, StorageError: as `TableWriter.commit`; nothing was changed.
    """
    delta = table.delta()
    sizes = pa.table(delta.get_add_actions()).select(["path", "num_records"]).to_pylist()
    num_rows = {part["path"]: part["num_records"] for part in sizes}
    doomed = plan.withdrawn.group_by("path").aggregate([("key", "list")]).to_pylist()
    partly = {part["path"] for part in doomed if len(part["key_list"]) < num_rows[part["path"]]}
    pieces = {p.path: p for p in table.dataset().get_fragments()} if partly else {}
    added: list[str] = []
    for part in doomed:
        if part["path"] in partly:
            with storage_errors(f"{table.uri}/{part['path']}"):
                rows = pieces[part["path"]].to_table()
            gone = pc.is_in(rows[stage.key], value_set=pa.array(part["key_list"]))
            added += write_parts(table.uri, rows.filter(pc.invert(gone)), stage.key, stage.tracked)
    now_ms = int(time.time() * 1000)
    removed = [RemoveAction(part["path"], True, now_ms) for part in doomed]
    writer.commit(added, removed)
    return delta.version()
