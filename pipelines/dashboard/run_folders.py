"""The folders of training runs: which there are, and what their small files say.

A folder may be of anyone: it is being written, was copied by halves, or holds links that lead out
of it. Names in a URL are looked up among those that a listing gives, and never joined to a path.
"""

import json
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.dashboard.board import Board

RECIPE = "recipe.json"
METRICS = "metrics.jsonl"
MODEL = "model.safetensors"
DATA = "data.json"
SAMPLES = "samples"

MOST_BYTES = 4 << 20
"""Of a JSON file that is read; those of a run have some kilobytes."""

MOST_RUNS = 200
MOST_STAGES = 50
_STEP = re.compile(r"step-(\d{1,12})")


class TrainingRun(NamedTuple):
    """A folder of a run."""

    number: int
    """By which a URL names it."""
    name: str
    folder: Path
    """Resolved."""


def training_runs(board: Board) -> list[TrainingRun]:
    """The runs that the dashboard was given, and those one level below what it was given."""
    found: list[tuple[str, Path]] = []
    for given in board.runs:
        folder = given.resolve()
        if _is_run(folder):
            found.append((folder.name, folder))
            continue
        found += [(f"{folder.name}/{one.name}", one) for one in folders_in(folder) if _is_run(one)]
    unique: dict[Path, str] = {}
    for name, folder in found:
        unique.setdefault(folder, name)
    runs = list(unique.items())[:MOST_RUNS]
    return [TrainingRun(number, name, folder) for number, (folder, name) in enumerate(runs)]


def training_run(board: Board, number: int) -> TrainingRun:
    """The run of this number.

    Raises:
        FileNotFoundError: there is none.
    """
    runs = training_runs(board)
    if not 0 <= number < len(runs):
        raise FileNotFoundError(f"there is no training run {number}: {len(runs)} are shown")
    return runs[number]


def stages_of(run: TrainingRun) -> dict[str, Path]:
    """The folders of the stages that have begun, by name, in the order of the recipe."""
    found = {one.name: one for one in folders_in(run.folder) if (one / METRICS).is_file()}
    found |= {one.name: one for one in folders_in(run.folder) if (one / DATA).is_file()}
    order = list(recipe_stages(run))
    names = sorted(found, key=lambda name: (order.index(name) if name in order else 1e9, name))
    return {name: found[name] for name in names[:MOST_STAGES]}


def stage_folder(board: Board, number: int, stage: str) -> Path:
    """The folder of a stage of a run.

    Raises:
        FileNotFoundError: there is no such run or stage.
    """
    run = training_run(board, number)
    stages = stages_of(run)
    if stage not in stages:
        raise FileNotFoundError(f"{run.name} has no stage {stage[:100]!r} that has begun")
    return stages[stage]


def recipe_stages(run: TrainingRun) -> dict[str, Any]:
    """What the recipe says of each stage; empty where it cannot be read."""
    stages = json_file(run.folder, RECIPE).get("stages")
    return stages if isinstance(stages, dict) else {}


def step_folders(stage: Path) -> dict[int, Path]:
    """The folders of samples by step, in order."""
    found = {}
    samples = inside(stage, SAMPLES)
    for folder in folders_in(samples) if samples is not None else ():
        if match := _STEP.fullmatch(folder.name):
            found[int(match[1])] = folder
    return dict(sorted(found.items()))


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, resolved and sorted; those that links lead out of it to, not."""
    found = []
    for name in _names(folder):
        one = inside(folder, name)
        if one is not None and one.is_dir():
            found.append(one)
    return found


def files_in(folder: Path, kinds: Sequence[str]) -> dict[str, Path]:
    """The regular files of these kinds (`.mp4`) in a folder, by name; see `folders_in`."""
    found = {}
    for name in _names(folder):
        one = inside(folder, name) if name.endswith(tuple(kinds)) else None
        # A FIFO would hold up whoever opens it.
        if one is not None and _is_regular(one):
            found[name] = one
    return found


def inside(folder: Path, name: str) -> Path | None:
    """What lies under a name in a resolved folder; None where a link leads out of it."""
    try:
        one = (folder / name).resolve()
    except (OSError, RuntimeError):
        return None  # a loop of links
    return one if one.is_relative_to(folder) and one != folder else None


def json_file(folder: Path, name: str) -> dict[str, Any]:
    """The JSON object of a small file; empty where it is missing, too large or broken."""
    path = inside(folder, name)
    if path is None or not _is_regular(path) or path.stat().st_size > MOST_BYTES:
        return {}
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _is_run(folder: Path) -> bool:
    path = inside(folder, RECIPE)
    return path is not None and _is_regular(path)


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _names(folder: Path) -> list[str]:
    try:
        return sorted(one.name for one in folder.iterdir())
    except OSError:
        return []
