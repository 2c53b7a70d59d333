"""What happens to a batch in a worker: the stage is called, checked, and its rows become parts."""

import json
import resource
import time
import traceback
from collections import Counter
from dataclasses import asdict, dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from curation.stage import CannotGoOn, Stage
from curation.tables import FAILED, FAILURES, FINGERPRINT, OK, REJECTED, failed_row
from pipelines.parts import write_parts
from pipelines.workspace import StorageError, same_columns


class StageError(RuntimeError):
    """A stage broke its contract, or could not be set up: its author's bug, not a bad row."""


@dataclass
class Report:
    """What a worker tells the driver of a batch; the rows themselves are already in storage."""

    first_key: str
    """Id of the batch's first row, which names the batch."""

    num_rows: int = 0

    parts: list[str] = field(default_factory=list)
    """What a commit needs to add the rows, from `write_parts`."""

    ok: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    cpu_s: float = 0.0

    stage_error: str | None = None
    """The stage broke its contract: the run must stop."""

    storage_error: str | None = None
    """The parts could not be written: the run must stop."""

    def to_json(self) -> str:
        """The report as text, for the way to the driver."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "Report":
        """The report that `to_json` wrote."""
        return Report(**json.loads(text))


class Worker:
    """Runs one stage on batches, in this process: the same for every runner."""

    def __init__(self, stage: Stage, table_uri: str) -> None:
        self._stage = stage
        self._table_uri = table_uri
        self._is_set_up = False

    def report(self, batch: pa.Table) -> Report:
        """Runs the batch and writes its rows; whatever goes wrong stands in the report."""
        first_key: str = batch[self._stage.key][0].as_py()
        try:
            self._set_up()
            return self._written(self._run(batch))
        except StageError as error:
            return Report(first_key, stage_error=str(error))
        except StorageError as error:
            return Report(first_key, storage_error=str(error))

    def failure(self, row: pa.Table, reason: str, error: str) -> Report:
        """Writes the failed row of an input row for which no worker could write one.

        Raises:
            StorageError: when it cannot be written.
        """
        return self._written(self._failed(row, reason, error))

    def _set_up(self) -> None:
        # On the first batch, not in the constructor: an error then travels as a report, not as
        # the death of an actor that the runner would start again and again.
        if self._is_set_up:
            return
        try:
            self._stage.setup()
        except Exception as error:
            raise StageError(
                f"stage {self._stage.name} cannot be set up: {_described(error)}"
            ) from error
        self._is_set_up = True

    def _run(self, batch: pa.Table) -> pa.Table:
        try:
            return self._called(batch)
        except StageError:
            raise
        except CannotGoOn as error:
            raise StageError(f"stage {self._stage.name} stopped: {error}") from error
        except Exception as error:  # noqa: BLE001 - written into the row, or tried again row by row
            if batch.num_rows == 1:
                return self._failed(batch, "bug", _described(error))
        return pa.concat_tables([self._run(batch.slice(row, 1)) for row in range(batch.num_rows)])

    def _called(self, batch: pa.Table) -> pa.Table:
        began_s = _cpu_s()
        rows = self._stage(batch)
        check_rows(self._stage, batch, rows)
        rows = rows.cast(self._stage.schema)
        share_s = pa.scalar((_cpu_s() - began_s) / batch.num_rows, pa.float32())
        column = rows.schema.get_field_index("cpu_s")
        measured = pc.fill_null(rows["cpu_s"], share_s)
        rows = rows.set_column(column, rows.schema.field(column), measured)
        order = pc.index_in(batch[self._stage.key], rows[self._stage.key].combine_chunks())
        return self._with_tracked(rows.take(order), batch)

    def _failed(self, row: pa.Table, reason: str, error: str) -> pa.Table:
        key = {self._stage.key: row[self._stage.key][0].as_py()}
        return self._with_tracked(failed_row(self._stage.schema, key, reason, error), row)

    def _with_tracked(self, rows: pa.Table, batch: pa.Table) -> pa.Table:
        """The rows with the inputs' values in the tracked columns: failed rows need them too."""
        for name in self._stage.tracked:
            column = rows.schema.get_field_index(name)
            kind = rows.schema.field(column)
            rows = rows.set_column(column, kind, batch[name].cast(kind.type))
        return rows

    def _written(self, rows: pa.Table) -> Report:
        stage = self._stage
        made_by = pa.repeat(stage.fingerprint, rows.num_rows)
        parts = write_parts(
            self._table_uri, rows.append_column(FINGERPRINT, made_by), stage.key, stage.tracked
        )
        counts = Counter(zip(rows["status"].to_pylist(), rows["reason"].to_pylist(), strict=True))
        return Report(
            first_key=rows[stage.key][0].as_py(),
            num_rows=rows.num_rows,
            parts=parts,
            ok=counts[OK, None],
            rejected={reason: n for (status, reason), n in counts.items() if status == REJECTED},
            failed={reason: n for (status, reason), n in counts.items() if status == FAILED},
            cpu_s=pc.sum(rows["cpu_s"]).as_py(),
        )


def check_rows(stage: Stage, batch: pa.Table, rows: pa.Table) -> None:
    """Holds a stage to its contract: one row per id, its schema, a state that means something.

    Raises:
        StageError: saying what is wrong, for the stage's author.
    """
    if not same_columns(rows.schema, stage.schema):
        raise _broken(stage, f"the columns {rows.schema.to_string()}, not those of its schema")
    given, returned = batch[stage.key].to_pylist(), rows[stage.key].to_pylist()
    if sorted(given) != sorted(returned, key=str):
        wrong = Counter(returned)
        wrong.subtract(given)
        worst = {key: count for key, count in wrong.items() if count}
        raise _broken(stage, f"not one row per {stage.key}: too many (+) or missing (-) {worst}")
    for row in rows.select(["status", "reason", "error"]).to_pylist():
        if not _is_state(**row):
            raise _broken(stage, f"the state {row}; see `status` and `reason` in curation.tables")


def _is_state(status: str | None, reason: str | None, error: str | None) -> bool:
    if status == FAILED:
        return reason in FAILURES and error is not None
    return error is None and (
        reason is None if status == OK else status == REJECTED and bool(reason)
    )


def _broken(stage: Stage, what: str) -> StageError:
    return StageError(
        f"stage {stage.name} returned {what}. This is a bug in {type(stage).__name__}"
    )


def _described(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({place.filename}:{place.lineno}, in {place.name})"


def _cpu_s() -> float:
    """CPU-seconds of this process and of its children that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime
