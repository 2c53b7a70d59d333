"""All of one clip: where it comes from, what it measures, how it was decided, what became of it."""

from dataclasses import asdict
from functools import lru_cache
from typing import Any

from pydantic import Field

from curation.rules import MEASURES
from curation.selection import SelectionSettings
from curation.views import SHARDS
from pipelines.dashboard.answers import get
from pipelines.dashboard.board import Board
from pipelines.dashboard.clip_commands import commands
from pipelines.dashboard.clip_lineage import lineage
from pipelines.dashboard.clip_neighbours import neighbours
from pipelines.dashboard.clip_trail import trail
from pipelines.dashboard.filters import SubsetQuery
from pipelines.dashboard.index import Index
from pipelines.dashboard.measures import measure_list
from pipelines.dashboard.stored_rows import stored_row
from pipelines.explain_clip import ClipExplanation, SubsetVerdict, explain_clip
from pipelines.queries import selection_settings
from pipelines.workspace import Workspace


class ClipQuery(SubsetQuery):
    """A clip, and the subset and rules that it is looked at for."""

    subset: str = Field(default="", max_length=100)
    """Left out, its measures have no thresholds, and it has no neighbours."""

    clip_id: str = Field(max_length=200)


def clip(board: Board, asked: ClipQuery) -> dict[str, Any]:
    """All that the index knows of a clip.

    Returns:
        - `clip_id`, `video_id`, `is_image`, `place` (frames, times, shot), `video` (`uris`,
          `sha256`, `licence`, `source`, `status`);
        - `facts`: what measures say in words, such as `codec`;
        - `measures`: those of `measures.measure_list` that the clip has, each with its `value`;
        - `scores`: what models said (`models`, `concept_labels`, `attributes`, `text`, …);
        - `captions`: by captioner, with `flags`, `facts` and `review`;
        - `subsets`: `subset`, `status`, `reason`, `audit`, `selected`, `sample`, `latents`, and
          `steps` of `clip_trail`, null where what the subset was selected by was not kept;
        - `commands`: `title` and `text`.

    Raises:
        ValueError: an unknown subset, or a wrong change of its rules.
        FileNotFoundError: there is no such clip.
    """
    index = board.index
    settings = board.subsets()
    found = _explained(board, index, asked.clip_id)
    measures = measure_list(board, _subset_query(asked))["measures"] if asked.subset else []
    values = {**found.scores, **found.measures, **found.place}
    reviews = board.ask("FROM reviews WHERE clip_id = $clip", {"clip": asked.clip_id}, index=index)
    version = index.committed["selection"].version if settings else 0
    return {
        "clip_id": asked.clip_id,
        "video_id": found.video["video_id"],
        "is_image": found.measures["is_image"],
        "place": found.place,
        "video": found.video,
        "facts": {
            name: found.measures[name]
            for name in MEASURES
            if isinstance(found.measures.get(name), str | bool)
        },
        "measures": [one | {"value": values.get(one["name"])} for one in measures],
        "scores": found.scores,
        "captions": found.captions,
        "subsets": [
            _subset(
                one,
                settings.get(one.subset),
                _shared(board.workspace, version, one.subset),
                values,
                reviews,
            )
            for one in found.subsets
        ],
        "commands": commands(board.workspace.uri, found),
    }


def clip_stored(board: Board, asked: ClipQuery) -> dict[str, Any]:
    """What the index does not hold of a clip: times of its frames, the camera's path, its commits.

    Returns:
        `frames`: seconds from the first frame of the video; `camera_path`: `time_s` (from the
        clip's start), `pan`, `tilt`, `zoom`, `roll`; `lineage` of `clip_lineage`.

    Raises:
        FileNotFoundError: there is no such clip.
        StorageError: the workspace cannot be read.
    """
    index = board.index
    file, row = _place(board, index, "clips", asked.clip_id)
    parts = ("clip_id", *(f"camera_path.list.element.{name}" for name in _PATH))
    columns = [f"clips.list.element.{part}" for part in parts]
    columns.append("frames.list.element.list.element.time_s")
    stored = stored_row(board.workspace, "clips", file, row, columns)
    clips = stored["clips"][0].as_py() or []
    number = next((at for at, one in enumerate(clips) if one["clip_id"] == asked.clip_id), None)
    if number is None:
        raise FileNotFoundError(f"no clip is called {asked.clip_id[:100]!r}")
    return {
        "frames": [one["time_s"] for one in stored["frames"][0].values[number].as_py() or []],
        "camera_path": clips[number]["camera_path"] or [],
        "lineage": lineage(board, index, asked.clip_id),
    }


def clip_neighbours(board: Board, asked: ClipQuery) -> dict[str, Any]:
    """`clip_neighbours.neighbours` of the clip."""
    return neighbours(board, asked.subset, asked.clip_id)


_PATH = ("time_s", "pan", "tilt", "zoom", "roll")


def _explained(board: Board, index: Index, clip_id: str) -> ClipExplanation:
    settings = {name: one for name, one in board.subsets().items() if one is not None}

    def place_of(table: str, key: str) -> tuple[str, int]:
        return _place(board, index, table, key)

    with index.connection.cursor() as cursor:
        found = explain_clip(cursor, settings, clip_id, place_of)
    if found is None:
        raise FileNotFoundError(f"no clip is called {clip_id[:100]!r}")
    return found


def _place(board: Board, index: Index, table: str, key: str) -> tuple[str, int]:
    rows = board.ask(
        "SELECT file, row FROM places WHERE table_name = $table AND key = $key",
        {"table": table, "key": key},
        index=index,
    )
    if not rows:
        raise FileNotFoundError(f"{table} has no row {key[:100]!r}")
    return rows[0]["file"], rows[0]["row"]


def _subset_query(asked: ClipQuery) -> SubsetQuery:
    return SubsetQuery(subset=asked.subset, rule=asked.rule)


def _subset(
    verdict: SubsetVerdict,
    settings: Any,  # noqa: ANN401 - SubsetSettings | None
    shared: SelectionSettings,
    values: dict[str, Any],
    reviews: list[dict[str, Any]],
) -> dict[str, Any]:
    review = next((one for one in reviews if one["subset"] == verdict.subset), None)
    steps = None
    if settings is not None:
        steps = [one._asdict() for one in trail(verdict, settings, shared, values, review)]
    told = asdict(verdict)
    del told["rules"]
    return told | {"steps": steps, "review": review, "table": SHARDS + verdict.subset}


@lru_cache(maxsize=64)
def _shared(workspace: Workspace, version: int, subset: str) -> SelectionSettings:
    """What a subset was selected by; read once for each version of table `selection`."""
    del version
    return selection_settings(workspace, subset)


ROUTES = [
    get("clip", clip, ClipQuery),
    get("clip/stored", clip_stored, ClipQuery),
    get("clip/neighbours", clip_neighbours, ClipQuery),
]
