"""The panel of training: the stages of runs, their losses, samples and recipes."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from pipelines.dashboard import run_samples
from pipelines.dashboard.answers import get
from pipelines.dashboard.board import Board
from pipelines.dashboard.filters import Query
from pipelines.dashboard.metrics_file import metrics_file
from pipelines.dashboard.run_folders import (
    DATA,
    METRICS,
    MODEL,
    RECIPE,
    TrainingRun,
    files_in,
    json_file,
    recipe_stages,
    stage_folder,
    stages_of,
    step_folders,
    training_run,
    training_runs,
)
from pipelines.dashboard.run_samples import StageQuery

MOST_TEXT = 500
"""Characters of a value of a recipe that are sent."""


class Nothing(Query):
    """A query without parameters."""


class EvaluationQuery(StageQuery):
    """One evaluation of it."""

    step: int = Field(ge=0, lt=1 << 53)


class ChangesQuery(Query):
    """Two runs."""

    run: int = Field(ge=0, le=100_000)
    against: int = Field(ge=0, le=100_000)


def runs(board: Board, _: Nothing) -> dict[str, Any]:
    """The training runs that are shown.

    Returns:
        `runs`, each with `run` (its number), `name`, `folder`, `versions` of packages and machine,
        and `stages` that have begun or are in the recipe: `stage`, `has_begun`, `is_finished`,
        `steps` wanted, `data`, `written_s` of its metrics. `given`: whether any folder was named.
    """
    found = training_runs(board)
    return {"runs": [_run(run) for run in found], "given": [str(one) for one in board.runs]}


def stage(board: Board, asked: StageQuery) -> dict[str, Any]:
    """The curves of a stage, with those lines of the metrics that are there by now.

    Returns:
        What `MetricsFile.read` tells, `steps` wanted, `is_finished`, `data`, `recipe` of the stage,
        and `sample_steps`.

    Raises:
        FileNotFoundError: there is no such run or stage.
        StorageError: its metrics cannot be read.
    """
    folder = stage_folder(board, asked.run, asked.stage)
    run = training_run(board, asked.run)
    path = files_in(folder, (METRICS,)).get(METRICS)
    told = _nothing_yet() if path is None else metrics_file(path).read()
    return told | _stage(run, asked.stage, folder) | {"sample_steps": list(step_folders(folder))}


def evaluation(board: Board, asked: EvaluationQuery) -> dict[str, Any]:
    """One evaluation whole, as `training.loss_report` made it.

    Raises:
        FileNotFoundError: there is no such run, stage or evaluation.
        StorageError: the metrics cannot be read.
    """
    folder = stage_folder(board, asked.run, asked.stage)
    path = files_in(folder, (METRICS,)).get(METRICS)
    if path is None:
        raise FileNotFoundError(f"{asked.stage[:100]} has no {METRICS} yet")
    file = metrics_file(path)
    file.read()
    return file.line(asked.step)


def recipe_changes(board: Board, asked: ChangesQuery) -> dict[str, Any]:
    """In what the recipes of two runs, and what made them, differ.

    Returns:
        `changes`: `key`, `before` (of `against`) and `after` (of `run`) as JSON text, null where it
        is not there; `num_same` keys; `names` of both.

    Raises:
        FileNotFoundError: there is no such run.
    """
    old, new = training_run(board, asked.against), training_run(board, asked.run)
    before, after = _values(old), _values(new)
    changes = [
        {"key": key, "before": before.get(key), "after": after.get(key)}
        for key in {**before, **after}
        if before.get(key) != after.get(key)
    ]
    num = len({**before, **after})
    return {"names": [old.name, new.name], "changes": changes, "num_same": num - len(changes)}


def _run(run: TrainingRun) -> dict[str, Any]:
    begun = stages_of(run)
    names = [*begun, *(name for name in recipe_stages(run) if name not in begun)]
    return {
        "run": run.number,
        "name": run.name,
        "folder": str(run.folder),
        "is_readable": bool(json_file(run.folder, RECIPE)),
        "versions": json_file(run.folder, "versions.json"),
        "stages": [_stage(run, name, begun.get(name)) for name in names],
    }


def _stage(run: TrainingRun, name: str, folder: Path | None) -> dict[str, Any]:
    recipe = recipe_stages(run).get(name)
    recipe = recipe if isinstance(recipe, dict) else {}
    told: dict[str, Any] = {
        "stage": name,
        "steps": recipe.get("steps") if isinstance(recipe.get("steps"), int) else None,
        "recipe": recipe,
        "has_begun": folder is not None,
        "is_finished": False,
        "data": {},
    }
    if folder is not None:
        files = files_in(folder, (METRICS, MODEL))
        told["is_finished"] = MODEL in files
        told["data"] = json_file(folder, DATA)
        told["metrics_s"] = files[METRICS].stat().st_mtime if METRICS in files else None
    return told


def _nothing_yet() -> dict[str, Any]:
    return {
        "curves": {},
        "evaluations": [],
        "last_step": 0,
        "written_s": None,
        "steps_per_s": None,
        "num_broken": 0,
        "read_share": 1.0,
    }


def _values(run: TrainingRun) -> dict[str, str]:
    found = dict(_leaves(json_file(run.folder, RECIPE)))
    versions = json_file(run.folder, "versions.json")
    return found | dict(_leaves(versions, "versions."))


def _leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", json.dumps(value, ensure_ascii=False)[:MOST_TEXT]


ROUTES = [
    get("runs", runs, Nothing),
    get("run-changes", recipe_changes, ChangesQuery),
    get("runs/{run}/{stage}", stage, StageQuery),
    get("runs/{run}/{stage}/evaluation", evaluation, EvaluationQuery),
    *run_samples.ROUTES,
]
