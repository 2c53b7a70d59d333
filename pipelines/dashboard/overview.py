"""What the page shows first: whether the index is there, the funnel, and what is at work."""

import time
from dataclasses import asdict
from typing import Any

from curation.tables import FAILURES, TABLES
from pipelines.dashboard.answers import get
from pipelines.dashboard.board import Board
from pipelines.dashboard.filters import Query


class Nothing(Query):
    """A query without parameters."""


def state(board: Board, _: Nothing) -> dict[str, Any]:
    """How the index is, and the run that is at work: what a page asks every few seconds.

    It is answered from memory, so that it tells of a storage that does not answer.

    Returns:
        `workspace`, `is_ready`, `making` (of the index; empty if it is up to date), `problem`,
        `waits_s` (since when the step of the present look is awaited; null between looks), `mark`
        (changes with the index), `run` (`id`, `command`, `since`, `is_alive`; null without one),
        `subsets`, `captioners`.
    """
    found: dict[str, Any] = {
        "workspace": board.workspace.uri,
        "is_ready": board.is_ready,
        "making": board.making,
        "problem": board.problem,
        "waits_s": None if (since := board.waits_since) is None else time.monotonic() - since,
        "run": _run(board),
        "num_runs": len(board.runs),
    }
    if not board.is_ready:
        return found | {"mark": "", "subsets": [], "captioners": []}
    index = board.index
    captioners = board.ask("SELECT DISTINCT captioner FROM captions ORDER BY 1", index=index)
    return found | {
        "mark": "-".join(str(table.version) for table in index.committed.values()),
        "subsets": list(board.subsets()),
        "captioners": [row["captioner"] for row in captioners],
    }


def funnel_steps(board: Board, _: Nothing) -> dict[str, Any]:
    """The funnel with hours and bytes, each step checked: in = kept + rejected + failed + waiting.

    Returns:
        `steps`: of `curation.funnel.Step`, each with `adds_up`; `meanings` of the reasons of
        failures; `tables` that there are.
    """
    index = board.index
    return {
        "steps": [asdict(step) | {"adds_up": step.adds_up} for step in index.steps],
        "meanings": FAILURES,
        "tables": sorted(index.committed),
        "known_tables": list(TABLES),
    }


def _run(board: Board) -> dict[str, Any] | None:
    held = board.held
    if held is None:
        return None
    return {
        "id": held.run,
        "command": held.command,
        "since": held.since,
        "is_alive": not held.is_dead(),
    }


ROUTES = [get("state", state, Nothing), get("funnel", funnel_steps, Nothing)]
