"""What the stages of training runs have generated, step by step, and the files of it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field
from starlette.responses import FileResponse, Response

from pipelines.dashboard.answers import get
from pipelines.dashboard.board import Board
from pipelines.dashboard.filters import Query
from pipelines.dashboard.run_folders import (
    MOST_BYTES,
    files_in,
    inside,
    stage_folder,
    step_folders,
)
from pipelines.dashboard.video_response import video_response

PICTURE, VIDEO = ".png", ".mp4"
SHEET = "sheet.png"
MOST_STEPS = 200
MOST_SAMPLES = 32
"""Of a step."""
MOST_TEXT = 500
"""Characters of a prompt that are sent."""


class StageQuery(Query):
    """A stage of a run."""

    run: int = Field(ge=0, le=100_000)
    stage: str = Field(max_length=100)


class FileQuery(StageQuery):
    """A picture or video that it made."""

    step: int = Field(ge=0, lt=1 << 53)
    file: str = Field(max_length=100)
    v: str = Field(default="", max_length=40)
    """Time of its last change: another one is another URL, so that it may be kept by browsers."""


def samples(board: Board, asked: StageQuery) -> dict[str, Any]:
    """What the stage has generated, step by step, the newest steps if there are very many.

    Returns:
        `steps`: each with `step`, `samples` (`file`, `prompt`, `seed`, `fps`, `num_frames`,
        `width`, `height`, `is_video`, `v`) and `sheet` (its `v`, or null).

    Raises:
        FileNotFoundError: there is no such run or stage.
    """
    folder = stage_folder(board, asked.run, asked.stage)
    steps = list(step_folders(folder).items())[-MOST_STEPS:]
    return {"steps": [{"step": step, **_samples(at)} for step, at in steps]}


def sample_file(board: Board, asked: FileQuery) -> Response:
    """One of the files that `samples` names.

    Raises:
        FileNotFoundError: there is no such file of that step.
    """
    folder = stage_folder(board, asked.run, asked.stage)
    at = step_folders(folder).get(asked.step)
    path = files_in(at, (PICTURE, VIDEO)).get(asked.file) if at is not None else None
    if path is None:
        raise FileNotFoundError(f"step {asked.step} has no sample {asked.file[:100]!r}")
    if path.suffix == VIDEO:
        return video_response(path)
    headers = {"cache-control": "private, max-age=86400"}
    return FileResponse(path, media_type="image/png", headers=headers)


def _samples(folder: Path) -> dict[str, Any]:
    files = files_in(folder, (PICTURE, VIDEO))
    said = {line["file"]: line for line in _lines(folder) if isinstance(line.get("file"), str)}
    sheet = files.pop(SHEET, None)
    return {
        "sheet": None if sheet is None else str(sheet.stat().st_mtime_ns),
        "samples": [_sample(name, path, said.get(name, {})) for name, path in files.items()][
            :MOST_SAMPLES
        ],
    }


def _sample(name: str, path: Path, said: Mapping[str, Any]) -> dict[str, Any]:
    told = {key: said.get(key) for key in ("seed", "fps", "num_frames", "width", "height")}
    plain = {key: value for key, value in told.items() if isinstance(value, int | float)}
    prompt = said.get("prompt")
    return plain | {
        "file": name,
        "prompt": prompt[:MOST_TEXT] if isinstance(prompt, str) else None,
        "is_video": path.suffix == VIDEO,
        "v": str(path.stat().st_mtime_ns),
    }


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    path = inside(folder, "videos.jsonl")
    if path is None or not path.is_file() or path.stat().st_size > MOST_BYTES:
        return
    for text in path.read_bytes().splitlines():
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict):
            yield line


ROUTES = [
    get("runs/{run}/{stage}/samples", samples, StageQuery),
    get("runs/{run}/{stage}/samples/{step}/{file}", sample_file, FileQuery),
]
