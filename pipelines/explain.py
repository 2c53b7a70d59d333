"""Why a clip or a video is in the shards or not: every measure, threshold, verdict and place."""

from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow.compute as pc

from pipelines.escaping import printable
from pipelines.explain_clip import ClipExplanation, explain_clip, rows_of
from pipelines.queries import open_views, subset_settings
from pipelines.workspace import Workspace


@dataclass
class VideoExplanation:
    """All that is known of one video, or of a file that never became one."""

    video_id: str | None
    sources: list[dict[str, Any]]
    video: dict[str, Any] | None
    decoded: dict[str, Any] | None
    clips: list[dict[str, Any]]


_SAME_CONTENT = """FROM sources WHERE $name IN (uri, video_id) OR video_id IN (
    SELECT video_id FROM sources WHERE uri = $name) ORDER BY uri"""


def explain(workspace: Workspace, name: str) -> ClipExplanation | VideoExplanation:
    """What is known of a clip, a video, or a file.

    Args:
        workspace: where to look.
        name: a clip's id, a video's id, or the path or URI of a source as table `sources` has it.

    Raises:
        ValueError: nothing has this name; the message has the nearest ids.
        StorageError: the storage cannot be read.
    """

    def place_of(table: str, clip_id: str) -> tuple[str, int]:
        return _sample_place(workspace, table, clip_id)

    with open_views(workspace) as connection:
        clip = explain_clip(connection, subset_settings(workspace), name, place_of)
        if clip:
            return clip
        sources = rows_of(connection, _SAME_CONTENT, name=name)
        if sources:
            return _video(connection, sources)
        raise ValueError(_unknown(connection, name))


def _sample_place(workspace: Workspace, table: str, clip_id: str) -> tuple[str, int]:
    rows = workspace.table(table).dataset()
    found = rows.scanner(columns=["__filename"], filter=pc.field("clip_id") == clip_id).to_table()
    path: str = found["__filename"][0].as_py()
    (fragment,) = (part for part in rows.get_fragments() if part.path == path)
    ids = fragment.to_table(columns=["clip_id"])["clip_id"]
    return path, pc.index(ids, clip_id).as_py()


def _video(
    connection: duckdb.DuckDBPyConnection, sources: list[dict[str, Any]]
) -> VideoExplanation:
    name = sources[0]["video_id"]
    states = ("uri", "status", "reason", "error")
    clips = rows_of(
        connection,
        """SELECT c.clip_id, c.start_s, c.end_s, list(s.subset || ': ' ||
            coalesce(s.reason, s.status) ORDER BY s.subset) AS verdicts
        FROM clips AS c LEFT JOIN selection AS s ON s.clip_id = c.clip_id
        WHERE c.video_id = $name GROUP BY ALL ORDER BY c.start_s""",
        name=name,
    )
    passed = """SELECT status, reason, error, decoded_frames, decode_failures, decoded_s,
        len(cuts) AS num_cuts FROM passes WHERE video_id = $name"""
    return VideoExplanation(
        name,
        [{key: source[key] for key in states} for source in sources],
        next(iter(rows_of(connection, "FROM videos WHERE video_id = $name", name=name)), {}),
        next(iter(rows_of(connection, passed, name=name)), {}),
        clips,
    )


def _unknown(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    near = rows_of(
        connection,
        """SELECT id FROM (
            SELECT clip_id AS id FROM clips UNION ALL SELECT video_id FROM videos
            UNION ALL SELECT uri FROM sources)
        ORDER BY levenshtein(id, $name), id LIMIT 3""",
        name=name,
    )
    nearest = ", ".join(printable(row["id"]) for row in near) or "none: it holds no clips"
    return f"no clip, video or file is called {printable(name)!r}; the nearest: {nearest}"
