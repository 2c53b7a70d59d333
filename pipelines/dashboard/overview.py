"""What the page shows first: whether the index is there, the funnel, and what is at work."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import obstore

from curation.tables import FAILURES, TABLES
from pipelines.dashboard.answers import get
from pipelines.dashboard.board import Board
from pipelines.dashboard.filters import Query
from pipelines.lease import LEASE, Holder
from pipelines.workspace import StorageError, storage_errors


class Nothing(Query):
    """A query without parameters."""


def state(board: Board, _: Nothing) -> dict[str, Any]:
    """How the index is, and the run that is at work: what a page asks every few seconds.

    Returns:
        `workspace`, `is_ready`, `making` (of the index; empty if it is up to date), `problem`,
        `mark` (changes with the index), `run` (`id`, `command`, `since`, `is_alive`; null without
        one), `subsets`, `captioners`.
    """
    found: dict[str, Any] = {
        "workspace": board.workspace.uri,
        "is_ready": board.is_ready,
        "making": board.making,
        "problem": board.problem,
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


def holder(board: Board) -> Holder | None:
    """The run that holds the workspace; None without one, or where that cannot be read now."""
    if not board.workspace.is_remote and not Path(board.workspace.uri).is_dir():
        return None  # and none is made by opening its store
    try:
        with storage_errors(board.workspace.uri):
            content = bytes(obstore.get(board.workspace.store(), LEASE).bytes())
    except (FileNotFoundError, StorageError):
        return None
    return Holder(**json.loads(content))


def _run(board: Board) -> dict[str, Any] | None:
    held = holder(board)
    if held is None:
        return None
    return {
        "id": held.run,
        "command": held.command,
        "since": held.since,
        "is_alive": not held.is_dead(),
    }


ROUTES = [get("state", state, Nothing), get("funnel", funnel_steps, Nothing)]
