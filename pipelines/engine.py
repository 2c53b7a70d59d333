"""The engine: runs a stage on the rows still to do, and commits what arrives.

It gives every stage resume, counts, timing, failures and commits; see docs/engine.md. The driver
never sees the rows: workers write them as parts, and report what a commit needs.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Generator

import pyarrow as pa

from curation.stage import Stage
from curation.tables import FINGERPRINT
from pipelines.cluster import MAX_DEATHS, Crash, PoolBroken
from pipelines.parts import indexed_columns
from pipelines.plan import NOBODY, REASONS, Plan, plan_stage, withdraw
from pipelines.progress import StageSummary
from pipelines.recipe_history import changed_keys
from pipelines.run import EngineSettings, Interrupted, Run, StageResources
from pipelines.worker import Report, StageError, Worker
from pipelines.workspace import StorageError, Table
from pipelines.writer import TableWriter

__all__ = ["EngineSettings", "Interrupted", "Run", "StageResources", "plan_stage", "run_stage"]

logger = logging.getLogger(__name__)

Reports = Generator[Report | None, None, None]
"""Reports as they come, and None now and then while none comes."""

WINDOW = 10_000
"""Batches per Ray Data execution: each is an object that the driver looks after."""


def run_stage(
    stage: Stage,
    inputs: pa.Table,
    table: Table,
    run: Run,
    resources: StageResources | None = None,
    on_progress: Callable[[StageSummary], None] = lambda summary: None,
    *,
    limit: int | None = None,
    retry_failed: bool = False,
    again: pa.Array = NOBODY,
) -> StageSummary:
    """Brings the table up to its inputs: one committed row per input id, made by this stage.

    What an earlier run committed is not done again; what it made with other settings, or of inputs
    that have changed, is withdrawn first, and the log says why.

    Args:
        stage: the stage, as yet not set up.
        inputs: every upstream row, whatever is done already.
        table: the table that it writes.
        run: the run, entered.
        resources: what workers get; one core and 16 rows if left out.
        on_progress: called with the summary, again and again as it grows.
        limit: at most so many rows are done.
        retry_failed: rows that failed are done again.
        again: ids whose rows are done again, whatever they say.

    Returns:
        What was done before, and in this run.

    Raises:
        ValueError: when ids are missing or double, or the cluster has no room for a worker.
        StageError: when the stage breaks its contract or cannot be set up.
        StorageError: when the storage fails or is full.
        FencedError: when another run has taken the workspace over.
        Interrupted: after Ctrl-C or SIGTERM.
        In each of these cases what was finished is committed, as far as that can be done.
    """
    resources = resources or StageResources()
    plan = plan_stage(stage, inputs, table, limit=limit, retry_failed=retry_failed, again=again)
    summary = StageSummary(plan.stage, plan.total, plan.done, plan.todo.num_rows, plan.reasons)
    # Before the first progress, which takes the terminal's line.
    for sentence in explain(plan, stage, table, run):
        logger.info(sentence)
    on_progress(summary)
    # A table without rows is made all the same: what comes after it finds an empty table.
    if plan.todo.num_rows or plan.withdrawn.num_rows or not table.exists():
        with run.working():
            _Work(stage, table, run, summary, on_progress).do(plan, resources)
    summary.finished = True
    on_progress(summary)
    return summary


def explain(plan: Plan, stage: Stage, table: Table, run: Run) -> list[str]:
    """Why committed rows would be withdrawn, in sentences; none where none would."""
    sentences = []
    for why, count in plan.reasons.items():
        sentence = f"{plan.stage}: withdrawing {count:,} rows {REASONS[why]}"
        if why == "settings":
            sentence += f" ({', '.join(plan.fingerprints)} -> {stage.fingerprint})"
            keys = changed_keys(table, run.recipe)
            sentence += f"; recipe keys changed since: {', '.join(keys)}" if keys else ""
        if not table.is_plain:
            sentence += f". Version {table.delta().version()} of the table still holds them"
        sentences.append(sentence)
    return sentences


class _Work:
    """One stage at work: takes reports and commits them, every few seconds and at the end."""

    def __init__(
        self,
        stage: Stage,
        table: Table,
        run: Run,
        summary: StageSummary,
        on_progress: Callable[[StageSummary], None],
    ) -> None:
        self._stage = stage
        self._table = table
        self._run = run
        self._summary = summary
        self._on_progress = on_progress
        self._worker = Worker(stage, table.uri)
        self._pending: list[Report] = []
        self._ended: set[str] = set()
        self._began = self._committed = time.monotonic()

    def do(self, plan: Plan, resources: StageResources) -> None:
        stage, table, keep_h = self._stage, self._table, self._run.settings.keep_withdrawn_h
        keep_h = 0 if table.is_plain else keep_h
        self._writer = TableWriter(
            table,
            pa.schema([*stage.schema, FINGERPRINT]),
            indexed_columns(stage.key, stage.tracked),
            {**self._run.metadata, "stage": stage.name, "fingerprint": stage.fingerprint},
        )
        if plan.withdrawn.num_rows:
            withdraw(plan, stage, table, self._writer)
        self._writer.sweep(keep_h)
        size = resources.batch_size
        batches = [plan.todo.slice(row, size) for row in range(0, plan.todo.num_rows, size)]
        runner = self._inline if self._run.settings.runner == "inline" else self._on_ray
        reports = runner(batches, resources)
        try:
            for report in reports:
                self._take(report)
        except BaseException as error:
            try:
                self._commit()
            finally:
                reports.close()
                self._run.cluster.stop()
            self._writer.sweep(keep_h)
            if self._run.stop_asked and not isinstance(error, StorageError):
                # Ctrl-C reaches the workers too, and the first to be heard of may be one of them.
                raise Interrupted from error
            raise
        self._commit()
        self._writer.sweep(keep_h)

    def _take(self, report: Report | None) -> None:
        if report is not None:
            if report.stage_error:
                raise StageError(report.stage_error)
            if report.storage_error:
                raise StorageError(report.storage_error)
            if report.first_key not in self._ended:
                self._ended.add(report.first_key)
                self._pending.append(report)
                self._count(report)
        now = time.monotonic()
        self._summary.wall_s = now - self._began
        if now - self._committed >= self._run.settings.commit_s:
            self._commit()
        self._on_progress(self._summary)
        if self._run.stop_asked:
            raise Interrupted

    def _count(self, report: Report) -> None:
        summary = self._summary
        summary.ok += report.ok
        summary.rejected += Counter(report.rejected)
        summary.failed += Counter(report.failed)
        summary.cpu_s += report.cpu_s

    def _commit(self) -> None:
        self._run.lease.check()
        if self._pending:
            self._writer.commit(part for report in self._pending for part in report.parts)
            self._pending = []
        self._committed = time.monotonic()
        self._summary.wall_s = self._committed - self._began

    def _inline(self, batches: list[pa.Table], _: StageResources) -> Reports:
        for batch in batches:
            yield self._worker.report(batch)

    def _on_ray(self, batches: list[pa.Table], resources: StageResources) -> Reports:
        """First in a pool; then, alone, the rows of the batches whose worker died."""
        lost: list[pa.Table] = []
        waiting = batches
        while waiting:
            window, later = waiting[:WINDOW], waiting[WINDOW:]
            untried: list[pa.Table] = []
            try:
                yield from self._run.cluster.batches(self._worker, window, resources)
            except PoolBroken as error:
                ended = [n for n, batch in enumerate(window) if self._first(batch) in self._ended]
                if not ended:
                    raise StageError(
                        f"the workers of stage {self._stage.name} died {MAX_DEATHS} times before "
                        f"one batch was done. The last time: {error}"
                    ) from error
                window, untried = window[: ended[-1] + 1], window[ended[-1] + 1 :]
            lost += [batch for batch in window if self._first(batch) not in self._ended]
            waiting = untried + later
        yield from self._alone(lost, resources)

    def _alone(self, lost: list[pa.Table], resources: StageResources) -> Reports:
        rows = [batch.slice(row, 1) for batch in lost for row in range(batch.num_rows)]
        if not rows:
            return
        logger.info("%s: trying %d rows alone, whose worker died", self._summary.stage, len(rows))
        for outcome in self._run.cluster.rows(self._worker, rows, resources):
            if isinstance(outcome, Crash):
                if self._run.stop_asked:
                    raise Interrupted  # the signal may have reached that worker first
                yield self._worker.failure(outcome.row, outcome.reason, outcome.error)
            else:
                yield outcome

    def _first(self, batch: pa.Table) -> str:
        key: str = batch[self._stage.key][0].as_py()
        return key
