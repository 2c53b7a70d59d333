"""Deciding again: a subset under changed thresholds becomes a new subset, by `moviola select`.

It runs as a process of its own, so that a dashboard loads no models and a crash costs nothing. One
runs at a time; that no run is at work in the workspace is for the lease to see.
"""

import json
import secrets
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from shlex import quote
from typing import Any

import yaml
from pydantic import Field

from pipelines.dashboard.answers import get, post
from pipelines.dashboard.board import Board
from pipelines.dashboard.filters import Query, SubsetQuery, changed_rules, with_changes
from pipelines.dashboard.what_if import set_arguments, settings_of
from pipelines.queries import subset_recipe, subset_settings
from pipelines.recipe import Recipe

LIMIT_S = 3600
"""After which a selection is stopped."""

MOST_SAID = 4000
"""Characters of its last screen that are kept."""


class RedecideQuery(SubsetQuery):
    """A new subset."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    """What it is to be called."""


class JobQuery(Query):
    """A selection that was started."""

    job: str = Field(max_length=40)


class Job:
    """A selection at work, or what came of it."""

    def __init__(self, board: Board, subset: str, recipe: Recipe) -> None:
        self.id = secrets.token_hex(8)
        self.subset = subset
        self.state = "running"
        """`running`, `done` or `failed`."""
        self.said = ""
        """What the command said, in the end."""
        self._board = board
        self._recipe = recipe
        threading.Thread(target=self._run, name="redecide", daemon=True).start()

    def _run(self) -> None:
        with tempfile.TemporaryDirectory(prefix="moviola-") as folder:
            path = Path(folder) / "recipe.yaml"
            path.write_text(json.dumps(self._recipe.model_dump(mode="json")), encoding="utf-8")
            command = [sys.executable, "-m", "pipelines.cli", "select", str(path)]
            command += ["--subset", self.subset]
            try:
                done = subprocess.run(
                    [*command, "--workspace", self._board.workspace.uri],
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=LIMIT_S,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                self.said, self.state = str(error)[:MOST_SAID], "failed"
                return
        is_done = done.returncode in (0, 3)
        self.said = (done.stdout if is_done else done.stderr)[-MOST_SAID:]
        if is_done:
            self._board.renew_soon()
        self.state = "done" if is_done else "failed"


_jobs: dict[str, Job] = {}
_starting = threading.Lock()


def redecide(board: Board, asked: RedecideQuery) -> dict[str, Any]:
    """Starts the selection of a new subset; returns its `job`.

    Raises:
        ValueError: the name is taken, the recipe of the subset was not kept, or one is running.
    """
    if asked.name in board.subsets():
        raise ValueError(f"there is a subset {asked.name!r} already: choose another name")
    recipe = _changed_recipe(board, asked, asked.name)
    with _starting:
        if any(job.state == "running" for job in _jobs.values()):
            raise ValueError("another selection is being made: wait for it")
        job = Job(board, asked.name, recipe)
        _jobs.clear()
        _jobs[job.id] = job
    return {"job": job.id}


def job_state(board: Board, asked: JobQuery) -> dict[str, Any]:
    """How a selection is: `state`, `said`, `subset`, and `is_shown` once the index has it.

    Raises:
        FileNotFoundError: there is no such job.
    """
    job = _jobs.get(asked.job)
    if job is None:
        raise FileNotFoundError("there is no such job")
    is_shown = job.state == "done" and job.subset in board.subsets()
    return {"state": job.state, "said": job.said, "subset": job.subset, "is_shown": is_shown}


def recipe_text(board: Board, asked: SubsetQuery) -> dict[str, Any]:
    """The changed rules to take away.

    Returns:
        `yaml`, a layer to put above the recipe with `extends`; `command`, the same as `--set`s;
        `recipe`, the whole recipe with the changes, or null where it was not kept.

    Raises:
        ValueError: an unknown subset, or a wrong change.
        StorageError: the selection is gone, or cannot be read.
    """
    settings = settings_of(board, asked.subset)
    changes = changed_rules(settings, asked.rule)
    after = with_changes(settings, changes).rules
    rules: dict[str, Any] = {}
    for name, change in changes.items():
        rules[name] = {"min": change.min, "max": change.max}
        if after[name].measure is not None:
            rules[name] = {"measure": after[name].measure, **rules[name]}
    layer = {"extends": "RECIPE", "subsets": {asked.subset: {"rules": rules}}}
    sets = "".join(
        f" \\\n  --set {quote(one)}" for one in set_arguments(asked.subset, settings, changes)
    )
    try:
        whole = _changed_recipe(board, asked, asked.subset).model_dump(mode="json")
    except ValueError:
        whole = None
    return {
        "yaml": yaml.safe_dump(layer, sort_keys=False, default_flow_style=None, width=90),
        "command": f"moviola select RECIPE --workspace {quote(board.workspace.uri)}{sets}",
        "recipe": whole and yaml.safe_dump(whole, sort_keys=False, width=90),
    }


def _changed_recipe(board: Board, asked: SubsetQuery, name: str) -> Recipe:
    """The recipe that decided a subset, with the changed subset under a name, and all others."""
    board.check_there("selection")
    values = subset_recipe(board.workspace, asked.subset)
    if values is None:
        raise ValueError(f"the recipe of {asked.subset!r} was not kept: use the command instead")
    settings = settings_of(board, asked.subset)
    changed = with_changes(settings, changed_rules(settings, asked.rule))
    others = {
        other: found.model_dump(mode="json")
        for other, found in subset_settings(board.workspace).items()
        if other in board.subsets()
    }
    subsets = {**others, name: changed.model_dump(mode="json")}
    return Recipe.model_validate({**values, "subsets": subsets})


ROUTES = [
    post("redecide", redecide, RedecideQuery),
    get("jobs/{job}", job_state, JobQuery),
    get("recipe", recipe_text, SubsetQuery),
]
