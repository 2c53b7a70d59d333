"""What the engine costs: a stage that does nothing over 100,000 rows, beside bare Ray Data.

Bare Ray Data reads the same rows in the same batches, adds the same columns in an actor pool of the
same size, and writes them with its own `write_parquet`: no commits, no ledger, no failures, no
resume. Both are timed in processes of their own, one after the other, several times in turn.

    python -m benchmarks.speed.engine [--rows 100000] [--batch 1000] [--rounds 3]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa

from curation import tables
from curation.stage import Stage
from pipelines.engine import EngineSettings, Run, StageResources, run_stage
from pipelines.workspace import Workspace

MIN_RATIO = 0.8
"""Rows per second of the engine over those of bare Ray Data, start-up left out."""

MAX_AGAIN_S = 5.0
"""Seconds of a second run, the interpreter's start included, with nothing to do."""


class Nothing(Stage):
    """Marks every row as done."""

    name = "nothing"
    key = "id"
    version = 1
    fingerprint = "nothing-1"
    schema = pa.schema([("id", pa.string()), *tables.STATE])

    def __call__(self, batch: pa.Table) -> pa.Table:
        """The ids, each `ok`."""
        return marked(batch)


def marked(batch: pa.Table) -> pa.Table:
    """The batch with the columns of a stage's state."""
    rows = batch.num_rows
    state = [pa.repeat("ok", rows), *(pa.nulls(rows, kind) for kind in (pa.string(), pa.string()))]
    return pa.table(
        [batch["id"], *state, pa.repeat(pa.scalar(0.0, pa.float32()), rows)], schema=Nothing.schema
    )


def ids(rows: int) -> pa.Table:
    """So many ids of 16 characters."""
    return pa.table({"id": [f"{number:016x}" for number in range(rows)]})


def run_engine(folder: Path, rows: int, batch: int) -> dict[str, float]:
    """Seconds of one run of the engine: for the session's start, and for the stage."""
    workspace = Workspace(folder)
    table = workspace.table("nothing")
    with Run(workspace, EngineSettings()) as run:
        began = time.perf_counter()
        if not table.exists():
            run.cluster.start()
        started = time.perf_counter()
        summary = run_stage(Nothing(), ids(rows), table, run, StageResources(batch_size=batch))
        ended = time.perf_counter()
    assert table.dataset().count_rows() == rows == summary.done + summary.done_before
    return {"start_s": started - began, "stage_s": ended - started}


def run_ray(folder: Path, rows: int, batch: int) -> dict[str, float]:
    """Seconds of one run of bare Ray Data in the same session: for its start, and for the write."""
    from pipelines.cluster import Cluster

    began = time.perf_counter()
    cluster = Cluster()
    cluster.start()
    started = time.perf_counter()
    import ray.data

    class Mark:
        def __call__(self, batch: pa.Table) -> pa.Table:
            return marked(batch)

    ray.data.DataContext.get_current().enable_progress_bars = False
    table = ids(rows)
    blocks = [table.slice(row, batch) for row in range(0, rows, batch)]
    size = int(ray.cluster_resources()["CPU"])
    ray.data.from_arrow(blocks).map_batches(
        Mark,
        batch_size=batch,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=size),
    ).write_parquet(str(folder))
    ended = time.perf_counter()
    cluster.stop()
    return {"start_s": started - began, "stage_s": ended - started}


def measured(what: str, folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """One run in a process of its own, and its `wall_s` from the interpreter's start."""
    command = [sys.executable, "-m", "benchmarks.speed.engine", "--only", what]
    command += ["--folder", str(folder), "--rows", str(options.rows), "--batch", str(options.batch)]
    began = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {**figures, "wall_s": time.perf_counter() - began}


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Medians of the rounds."""
    runs: dict[str, list[dict[str, float]]] = {"engine": [], "again": [], "ray": []}
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            workspace = Path(folder) / "workspace"
            runs["engine"].append(measured("engine", workspace, options))
            runs["again"].append(measured("engine", workspace, options))
            runs["ray"].append(measured("ray", Path(folder) / "bare", options))
    medians = {
        what: {name: statistics.median(run[name] for run in rounds) for name in rounds[0]}
        for what, rounds in runs.items()
    }
    per_s = {what: options.rows / medians[what]["stage_s"] for what in ("engine", "ray")}
    return {
        "rows": options.rows,
        "batch": options.batch,
        "engine_rows_per_s": round(per_s["engine"]),
        "ray_rows_per_s": round(per_s["ray"]),
        "ratio": round(per_s["engine"] / per_s["ray"], 2),
        "start_s": round(medians["engine"]["start_s"], 1),
        "engine_wall_s": round(medians["engine"]["wall_s"], 1),
        "ray_wall_s": round(medians["ray"]["wall_s"], 1),
        "again_wall_s": round(medians["again"]["wall_s"], 1),
    }


def main() -> int:
    """Prints a table, and as its last line the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["engine", "ray"], help="one run, for the comparison")
    parser.add_argument("--folder", type=Path, help="where that one run writes")
    options = parser.parse_args()
    if options.only:
        run = run_engine if options.only == "engine" else run_ray
        sys.stdout.write(json.dumps(run(options.folder, options.rows, options.batch)) + "\n")
        return 0
    figures = compare(options)
    for name, figure in figures.items():
        sys.stdout.write(f"{name:<20}{figure:>12,}\n")
    bar = {"ratio": MIN_RATIO, "again_wall_s": MAX_AGAIN_S}
    held = figures["ratio"] >= MIN_RATIO and figures["again_wall_s"] <= MAX_AGAIN_S
    answer = {"name": "speed/engine", "figures": figures, "bar": bar, "held": held}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
