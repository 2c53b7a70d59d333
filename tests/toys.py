"""A stage of thirty lines, and a driver that runs it in a process of its own, to be killed."""

import argparse
import ctypes
import itertools
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import obstore
import pyarrow as pa
from deltalake import DeltaTable

from curation import tables
from curation.settings import Settings, fingerprint
from curation.stage import Stage
from pipelines.engine import EngineSettings, Interrupted, Run, StageResources, run_stage
from pipelines.workspace import StorageError, Workspace


class SquareSettings(Settings):
    add: int = 0
    """Added to each square."""


class Squares(Stage):
    """Squares numbers; the multiples of three are rejected."""

    name = "squares"
    key = "number"
    version = 1

    def __init__(self, settings: SquareSettings) -> None:
        self._settings = settings

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([("number", pa.string()), ("square", pa.int64()), *tables.STATE])

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.name, self.version, self._settings)

    def __call__(self, batch: pa.Table) -> pa.Table:
        rows = [self._row(number) for number in batch["number"].to_pylist()]
        return pa.Table.from_pylist(rows, schema=self.schema)

    def _row(self, number: str) -> dict[str, Any]:
        if int(number) % 3 == 0:
            return {"number": number, "status": "rejected", "reason": "multiple_of_three"}
        square = int(number) ** 2 + self._settings.add
        return {"number": number, "square": square, "status": "ok"}


class Accidents(Squares):
    """The same, slower, leaving a trace of its process, and with rows that go wrong."""

    def __init__(
        self,
        settings: SquareSettings,
        *,
        sleep_s: float = 0.0,
        pids: Path | None = None,
        accidents: dict[str, str] | None = None,
        filler_bytes: int = 0,
    ) -> None:
        super().__init__(settings)
        self._sleep_s = sleep_s
        self._pids = pids
        self._accidents = accidents or {}
        self._filler_bytes = filler_bytes

    @property
    def schema(self) -> pa.Schema:
        return super().schema.append(pa.field("filler", pa.binary()))

    def setup(self) -> None:
        if self._pids:
            (self._pids / str(os.getpid())).touch()

    def _row(self, number: str) -> dict[str, Any]:
        time.sleep(self._sleep_s)
        match self._accidents.get(number):
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "segfault":
                ctypes.string_at(0)
            case "bug":
                raise RuntimeError(f"number {number} is not to my taste")
            case "fail":
                return {"number": number, "status": "failed", "reason": "empty", "error": "no"}
        return {**super()._row(number), "filler": os.urandom(self._filler_bytes)}


class GpuShare(Squares):
    """In place of the square, the hundredths of a GPU that Ray gave the worker."""

    def _row(self, number: str) -> dict[str, Any]:
        import ray

        share = ray.get_runtime_context().get_assigned_resources().get("GPU", 0)
        return {"number": number, "square": round(100 * share), "status": "ok"}


def numbers(count: int) -> pa.Table:
    """The inputs 0 to `count` - 1, as text of one length."""
    return pa.table({"number": pa.array([f"{n:06d}" for n in range(count)], pa.string())})


OPERATIONS: list[tuple[Any, str]] = [
    (obstore, "put"),
    (obstore, "delete"),
    (DeltaTable, "create"),
    (DeltaTable, "create_write_transaction"),
]
"""Everything through which the engine changes the storage."""


def kill_at(moment: int) -> None:
    """Makes this process die at the n-th moment just before or after it changes the storage."""
    moments = itertools.count()

    def deadly(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*args: Any, **kwargs: Any) -> Any:
            if next(moments) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            result = change(*args, **kwargs)
            if next(moments) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return changed

    for owner, name in OPERATIONS:
        setattr(owner, name, deadly(getattr(owner, name)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the toy stage in the given workspace, and exits as the command line does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workspace")
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--add", type=int, default=0)
    parser.add_argument("--runner", default="inline")
    parser.add_argument("--table", default="squares")
    parser.add_argument("--sleep-s", type=float, default=0.0)
    parser.add_argument("--commit-s", type=float, default=0.001)
    parser.add_argument("--pids", type=Path)
    parser.add_argument("--accident", action="append", default=[])
    parser.add_argument("--filler-bytes", type=int, default=0)
    parser.add_argument("--kill-at", type=int)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if options.kill_at is not None:
        kill_at(options.kill_at)
    stage = Accidents(
        SquareSettings(add=options.add),
        sleep_s=options.sleep_s,
        pids=options.pids,
        accidents=dict(accident.split("=") for accident in options.accident),
        filler_bytes=options.filler_bytes,
    )
    workspace = Workspace(options.workspace)
    settings = EngineSettings(runner=options.runner, commit_s=options.commit_s)
    resources = StageResources(batch_size=options.batch)
    try:
        with Run(workspace, settings, command="toys") as run:
            table = workspace.table(options.table)
            run_stage(stage, numbers(options.rows), table, run, resources)
    except StorageError as error:
        sys.stderr.write(f"{error}\n")
        return 4
    except Interrupted:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
