"""The panel of throughput: what runs did and how fast, and the run that is at work."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic import Field

from pipelines.dashboard import costs
from pipelines.dashboard.answers import get
from pipelines.dashboard.board import Board
from pipelines.dashboard.commits import Commit, commits_of, withdrawn_rows
from pipelines.dashboard.filters import Query
from pipelines.dashboard.index import Index, committed_versions
from pipelines.dashboard.paces import WINDOW_S, Pace, line_of, paces, recent_rate
from pipelines.dashboard.stage_progress import Log, growth, progress
from pipelines.lease import Holder, held_by

MOST_RUNS = 50


class RunQuery(Query):
    """A run of which the page shows the course."""

    run: str = Field(default="", max_length=100)
    """Its id; left out, the last one that has written rows."""


def throughput(board: Board, asked: RunQuery) -> dict[str, Any]:
    """The runs that have written to the workspace, the course of one, and what is at work.

    All times are milliseconds since 1970 UTC, by the clocks of the hosts that ran.

    Returns:
        `runs`: the newest first, each with `run`, `command`, `host`, `code`, `recipe`, `began_ms`,
        `ended_ms`, `rows`, `withdrawn`, `state` (`at work`, `died` or `ended`). `chosen`: the run
        asked for, with its `stages` (as `Pace`, with `wall_s`, `rows_per_s` and the `line` of rows
        over time). `live`: see `live_of`, null where no run is at work. `now_ms`.

    Raises:
        StorageError: the workspace is gone, or cannot be read.
    """
    board.check_there()
    index, held = board.index, held_by(board.workspace)
    is_alive = held is not None and not held.is_dead()
    # The index may be behind a run that commits faster than an index of millions is made.
    committed = committed_versions(board.workspace) if is_alive else index.committed
    commits = commits_of(board.workspace, committed)
    withdrawn = withdrawn_rows(commits)
    by_run = paces(commits, withdrawn)
    now_ms = time.time_ns() // 1_000_000
    live = None
    if held and is_alive:
        log = Log(committed, commits, withdrawn)
        live = live_of(board, index, log, by_run.get(held.run, []), held, now_ms)
    runs = [_told(run, commits, by_run[run], held, is_alive) for run in reversed(by_run)]
    chosen = asked.run if asked.run in by_run else next((r["run"] for r in runs if r["rows"]), "")
    return {
        "now_ms": now_ms,
        "runs": runs[:MOST_RUNS],
        "num_runs": len(runs),
        "chosen": {"run": chosen, "stages": [_stage(one) for one in by_run.get(chosen, [])]},
        "live": live,
    }


def live_of(
    board: Board, index: Index, log: Log, tables: Sequence[Pace], held: Holder, now_ms: int
) -> dict[str, Any]:
    """How the run at work goes.

    Returns:
        `run`, `command`, `host`, `since`, `heard_ms` (its last beat), `stage` that is at work (null
        before the first commit) and its `began_ms`, `window_s`, `rows_per_s` over it, its `rows` in
        this run, `last_ms` of its last rows, `done` and `total` rows, `total_is` (`exact`,
        `at most` or `unknown`: then `total` is null), `eta_s` (null where the total is, or nothing
        came in the window).
    """
    told: dict[str, Any] = {
        "run": held.run,
        "command": held.command,
        "host": held.host,
        "since": held.since,
        "heard_ms": round(datetime.fromisoformat(held.heartbeat).timestamp() * 1000),
        "stage": None,
    }
    stages = [pace for pace in tables if pace.is_stage]
    if not stages:
        return told
    pace = max(stages, key=lambda one: one.began_ms)
    rate = recent_rate(pace, now_ms)
    done, total, total_is = progress(board, index, pace.table, log.committed)
    done = max(0, done + growth(index, pace.table, log))
    done = done if total is None else min(done, total)
    left = None if total is None else total - done
    return told | {
        "stage": pace.table,
        "began_ms": pace.began_ms,
        "window_s": min(WINDOW_S, max(0.0, (now_ms - pace.began_ms) / 1000)),
        "rows_per_s": rate,
        "rows": pace.rows,
        "last_ms": pace.steps[-1][0] if pace.steps else None,
        "done": done,
        "total": total,
        "total_is": total_is,
        "eta_s": left / rate if left is not None and rate else None,
    }


def _told(
    run: str, commits: Sequence[Commit], tables: Sequence[Pace], held: Holder | None, is_alive: bool
) -> dict[str, Any]:
    first = next(commit for commit in commits if commit.run == run)
    state = "ended"
    if held is not None and held.run == run:
        state = "at work" if is_alive else "died"
    return {
        "run": run,
        **{name: getattr(first, name) for name in ("command", "host", "code", "recipe")},
        "began_ms": min(pace.began_ms for pace in tables),
        "ended_ms": max(pace.ended_ms for pace in tables),
        "rows": sum(pace.rows for pace in tables),
        "withdrawn": sum(pace.withdrawn for pace in tables),
        "state": state,
    }


def _stage(pace: Pace) -> dict[str, Any]:
    told = asdict(pace)
    del told["steps"]
    return told | {
        "wall_s": pace.wall_s,
        "rows_per_s": pace.rows_per_s,
        "line": line_of(pace) if pace.is_stage else [],
    }


ROUTES = [get("throughput", throughput, RunQuery), *costs.ROUTES]
