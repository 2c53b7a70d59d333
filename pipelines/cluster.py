"""Workers under Ray, on this machine or on a cluster.

One Ray session serves a run; it is started by the first batch. Each stage is one actor-pool
operator of Ray Data over batches of ids and small columns, and what comes back are reports.
"""

import queue
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipelines.ray_session import start_session
from pipelines.worker import Report, Worker

if TYPE_CHECKING:
    from pipelines.run import StageResources

TICK_S = 0.25
"""How often a driver that waits for results gets to commit and to hear a signal."""

MAX_DEATHS = 32
"""Batches whose worker died before the pool is given up and started anew with what is untried."""

ALONE_TRIES = 3
"""Times that a lone row is started, when it is the node that was lost and not the worker."""


class PoolBroken(RuntimeError):
    """Too many workers of a pool died."""


@dataclass(frozen=True)
class Crash:
    """A row that killed the worker that had nothing else to do."""

    row: pa.Table
    reason: str
    error: str


class Cluster:
    """A Ray session that starts when it is first needed."""

    def __init__(self, dashboard: bool = False) -> None:
        self._dashboard = dashboard
        self._is_started = False

    def start(self) -> None:
        """Starts Ray, unless it is started (`pipelines.ray_session`)."""
        if self._is_started:
            return
        start_session(self._dashboard)
        self._is_started = True

    def stop(self) -> None:
        """Ends the session and every worker in it."""
        if self._is_started:
            import ray

            ray.shutdown()
            self._is_started = False

    def batches(
        self, worker: Worker, batches: Sequence[pa.Table], resources: "StageResources"
    ) -> Iterator[Report | None]:
        """Reports of the batches as they end, in any order; None now and then while none ends.

        A batch whose worker died has no report.

        Raises:
            PoolBroken: after `MAX_DEATHS` such batches.
        """
        self.start()
        dataset = _dataset(worker, batches, resources)
        reports: queue.SimpleQueue[Any] = queue.SimpleQueue()
        is_over = threading.Event()

        def pump() -> None:
            try:
                for block in dataset.iter_batches(
                    batch_size=None, batch_format="pyarrow", prefetch_batches=0
                ):
                    if is_over.is_set():
                        return
                    for report in block["report"].to_pylist():
                        reports.put(Report.from_json(report))
                reports.put(None)
            except Exception as error:  # noqa: BLE001 - raised in the thread that reads the queue
                reports.put(error)

        pumping = threading.Thread(target=pump, name="ray-results", daemon=True)
        pumping.start()
        try:
            yield from _until_end(reports)
        finally:
            is_over.set()
            # Ray's C++ core ends the process when the session ends under a thread that waits.
            if dataset._current_executor is not None:
                dataset._current_executor.shutdown(force=True)
            pumping.join(timeout=5)

    def rows(
        self, worker: Worker, rows: Sequence[pa.Table], resources: "StageResources"
    ) -> Iterator[Report | Crash | None]:
        """Each row as a task of its own: its report, or how it crashed; None in between."""
        self.start()
        import ray

        task = ray.remote(num_cpus=resources.num_cpus, num_gpus=resources.num_gpus, max_retries=0)(
            _alone
        )
        waiting = [(row, 1) for row in reversed(rows)]
        running: dict[Any, tuple[pa.Table, int]] = {}
        room = _room(resources)
        while waiting or running:
            while waiting and len(running) < room:
                row, tries = waiting.pop()
                running[task.remote(worker, row)] = (row, tries)
            ended, _ = ray.wait(list(running), timeout=TICK_S)
            if not ended:
                yield None
            for reference in ended:
                row, tries = running.pop(reference)
                outcome = _outcome(reference, row, tries)
                if outcome is None:
                    waiting.append((row, tries + 1))
                else:
                    yield outcome


class _Actor:
    """A worker as Ray Data wants it: made in the actor."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def __call__(self, batch: pa.Table) -> pa.Table:
        return pa.table({"report": [self._worker.report(batch).to_json()]})


def _alone(worker: Worker, row: pa.Table) -> str:
    return worker.report(row).to_json()


def _dataset(worker: Worker, batches: Sequence[pa.Table], resources: "StageResources") -> Any:  # noqa: ANN401 - Ray is imported late, so its types cannot be named
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = MAX_DEATHS
    size = min(_room(resources), len(batches))
    with warnings.catch_warnings():
        # The bounds on restarts have no other door yet.
        warnings.filterwarnings("ignore", message="`ray_remote_args` is deprecated")
        return ray.data.from_arrow(list(batches)).map_batches(
            _Actor,
            fn_constructor_args=(worker,),
            batch_size=max(batch.num_rows for batch in batches),
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(
                min_size=1,
                initial_size=size,
                max_size=resources.concurrency or max(size, len(batches)),
                max_tasks_in_flight_per_actor=2,
            ),
            num_cpus=resources.num_cpus,
            num_gpus=resources.num_gpus,
            # A batch that killed its worker is not tried again here. An actor that used up its
            # restarts would leave the pool waiting for ever, so it has more than there are deaths.
            max_task_retries=0,
            max_restarts=2 * MAX_DEATHS,
        )


def _room(resources: "StageResources") -> int:
    """Workers that fit the cluster as it is now.

    Raises:
        ValueError: when it has not room for one.
    """
    import ray

    there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    fits = there.get("CPU", 0) / resources.num_cpus
    if resources.num_gpus:
        fits = min(fits, there.get("GPU", 0) / resources.num_gpus)
    if fits < 1:
        raise ValueError(
            f"a worker asks for {resources.num_cpus:g} CPUs and {resources.num_gpus:g} GPUs, and "
            f"Ray has {there.get('CPU', 0):g} and {there.get('GPU', 0):g}: see engine.stages"
        )
    return min(int(fits), resources.concurrency or int(fits))


def _until_end(reports: "queue.SimpleQueue[Any]") -> Iterator[Report | None]:
    from ray.exceptions import RayError

    while True:
        try:
            report = reports.get(timeout=TICK_S)
        except queue.Empty:
            yield None
            continue
        if report is None:
            return
        if isinstance(report, RayError):
            raise PoolBroken(str(report)) from report
        if isinstance(report, Exception):
            raise report
        yield report


def _outcome(reference: Any, row: pa.Table, tries: int) -> Report | Crash | None:  # noqa: ANN401 - as above
    """What became of a lone row; None when it may be tried again, for it was not its fault."""
    import ray
    from ray.exceptions import OutOfMemoryError, RayError, RayTaskError, WorkerCrashedError

    try:
        return Report.from_json(ray.get(reference))
    except RayTaskError:
        raise
    except OutOfMemoryError as error:
        return Crash(row, "memory", f"Ray stopped the worker for its memory, twice: {error}")
    except WorkerCrashedError:
        died = "the worker process died while it had this row, in a batch and then alone"
        return Crash(row, "crash", died)
    except RayError as error:
        return None if tries < ALONE_TRIES else Crash(row, "crash", f"lost {tries} times: {error}")
