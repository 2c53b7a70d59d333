"""Commands for what failed: one that does it alone again, one that tries it again, one to go on."""

import hashlib
import shlex
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from curation.views import LATENTS
from pipelines.dashboard.board import Board
from pipelines.dashboard.index import Index
from pipelines.dashboard.problems import MANIFEST_LINE, table_of
from pipelines.dashboard.recent import Recent
from pipelines.recipe_history import FOLDER
from pipelines.workspace import storage_errors

RETRY = "--retry-failed"

_STAGES = ("clips", "scores", "selection", "captions", "shards")
"""The steps that a command does again from the tables alone, without naming any input."""


class Origin(NamedTuple):
    """The last commit of a table."""

    command: str
    recipe: str
    """Its hash; empty if it does not tell."""
    time: int
    """Milliseconds since 1970."""


_origins: Recent[Origin] = Recent(128)


def origin_of(board: Board, index: Index, stage: str) -> Origin:
    """Who made the rows of a step; where its table is not there yet, who worked here last."""
    table = table_of(stage)
    if table in index.committed:
        return _origin(board, index, table)
    others = [name for name in index.committed if not name.startswith(LATENTS)]
    return max((_origin(board, index, name) for name in others), key=lambda one: one.time)


def _origin(board: Board, index: Index, name: str) -> Origin:
    table = board.workspace.table(name)

    def read() -> Origin:
        with storage_errors(table.uri):
            commits = table.delta().history(1)
        last: dict[str, Any] = commits[0]
        return Origin(last.get("command", ""), last.get("recipe") or "", last["timestamp"])

    return _origins.take((table.uri, index.committed[name]), read)


def recipe_path(board: Board, recipe: str) -> str:
    """Where the resolved recipe of this hash lies, which every command takes as it is."""
    return f"{board.workspace.uri}/{FOLDER}/{recipe}.json"


def reproducing(board: Board, origin: Origin, stage: str, uri: str | None) -> str | None:
    """The command that does this file alone again, into a workspace of its own.

    None where it cannot be told: latents are made of samples, not of files, and a recipe may not
    have been kept.
    """
    if not origin.recipe or uri is None or stage.startswith(LATENTS):
        return None
    line = MANIFEST_LINE.fullmatch(uri)
    name = line["manifest"] if line else uri
    # A path is taken as it is typed, a file URI with what is no UTF-8 written as %XX.
    source = f"file://{name}" if name.startswith("/") and "%" in name else name
    digest = hashlib.sha256(uri.encode()).hexdigest()[:8]
    place = Path(tempfile.gettempdir()) / f"moviola-repro-{digest}"
    recipe = recipe_path(board, origin.recipe)
    words = ["moviola"]
    words += ["stage", "sources"] if stage in ("sources", "videos") else ["curate"]
    before = ""
    if board.workspace.is_remote:
        before = f"# first copy {recipe} to this folder\n"
        recipe = f"{origin.recipe}.json"
    words += [recipe, "--input", source, "--workspace", str(place), "--set", "engine.runner=inline"]
    return before + shlex.join(words)


def retrying(board: Board, origin: Origin, stage: str) -> str | None:
    """The command that tries the failed rows of a step again; None where none is known."""
    words = _working(board, origin, stage)
    return shlex.join(words if RETRY in words else [*words, RETRY]) if words else None


def going_on(board: Board, origin: Origin, stage: str) -> str | None:
    """The command that goes on with what is waiting; None where it is not known."""
    words = _working(board, origin, stage)
    return shlex.join(words) if words else None


def _working(board: Board, origin: Origin, stage: str) -> list[str] | None:
    """What was typed, if that does the work of the step; else the command of the step alone."""
    try:
        words = shlex.split(origin.command)
    except ValueError:
        words = []
    name = stage.partition("/")[0]
    if words[:2] in (["moviola", "curate"], ["moviola", "encode"], ["moviola", "stage"]):
        return words
    if name not in _STAGES or not origin.recipe:
        return None
    recipe = recipe_path(board, origin.recipe)
    verb = ["select"] if name == "selection" else ["stage", name]
    return ["moviola", *verb, recipe, "--workspace", board.workspace.uri]
