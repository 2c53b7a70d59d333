"""Why a clip or a video is in the shards or not: every measure, threshold, verdict and place."""

from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow.compute as pc

from curation import tables
from curation.rules import MEASURES, SCORE_MEASURES, rule_sql
from curation.selection import SubsetSettings
from curation.views import LATENTS, SHARDS
from pipelines.escaping import printable
from pipelines.queries import open_views, subset_settings
from pipelines.workspace import Workspace


@dataclass
class RuleVerdict:
    """One rule of one subset on one clip."""

    rule: str
    measure: str
    value: Any
    condition: str
    """Such as `2 to 14`, or `off`."""
    verdict: str
    """`passes`, `fails`, `unscored`, `off` or `does not apply`."""


@dataclass
class SubsetVerdict:
    """What became of a clip in one subset."""

    subset: str
    status: str
    reason: str | None
    audit: bool
    rules: list[RuleVerdict] = field(default_factory=list)
    sample: dict[str, Any] | None = None
    """Bucket, taken range, and `file` and `row` of the sample, or why there is none."""
    latents: dict[str, Any] | None = None
    """What was encoded of the sample and to which shape, or why it was not; None where nothing is
    encoded of the subset."""


@dataclass
class ClipExplanation:
    """All that is known of one clip."""

    clip_id: str
    video: dict[str, Any]
    place: dict[str, Any]
    """Frames, times and shot."""
    measures: dict[str, Any]
    scores: dict[str, Any]
    """What models made of it: their names, and all they said that is no embedding. Empty where no
    model looked at it."""
    captions: list[dict[str, Any]]
    """What each captioner wrote of it, or why it did not."""
    subsets: list[SubsetVerdict]


@dataclass
class VideoExplanation:
    """All that is known of one video, or of a file that never became one."""

    video_id: str | None
    sources: list[dict[str, Any]]
    video: dict[str, Any] | None
    decoded: dict[str, Any] | None
    clips: list[dict[str, Any]]


_PLACE = (
    *("start_frame", "num_frames", "start_s", "end_s", "duration_s"),
    *("shot_start_s", "shot_end_s", "cut_before", "cut_after"),
)


_SCORES = [
    field.name
    for field in tables.SCORES
    if field.name not in ("clip_id", "video_id", "cpu_s") and "embedding" not in field.name
]


_CAPTION = [field.name for field in tables.CAPTIONS if field.name not in ("clip_id", "video_id")]


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
    with open_views(workspace) as connection:
        clip = _row(connection, "FROM clips WHERE clip_id = $name", name)
        if clip:
            return _clip(workspace, connection, clip)
        sources = _rows(connection, _SAME_CONTENT, name)
        if sources:
            return _video(connection, sources)
        raise ValueError(_unknown(connection, name))


def _clip(
    workspace: Workspace, connection: duckdb.DuckDBPyConnection, clip: dict[str, Any]
) -> ClipExplanation:
    name = clip["clip_id"]
    video = _row(connection, "FROM videos WHERE video_id = $name", clip["video_id"])
    settings = subset_settings(workspace)
    verdicts = []
    for row in _rows(connection, "FROM selection WHERE clip_id = $name ORDER BY subset", name):
        subset = row["subset"]
        verdict = SubsetVerdict(subset, row["status"], row["reason"], bool(row["audit"]))
        if subset in settings:
            verdict.rules = _rules(connection, clip, settings[subset])
        if row["status"] == tables.OK:
            verdict.sample = _sample(workspace, subset, name)
            verdict.latents = _latents(workspace, subset, name)
        verdicts.append(verdict)
    return ClipExplanation(
        name,
        {key: video[key] for key in ("video_id", "uris", "sha256", "status", "licence", "source")},
        {key: clip[key] for key in _PLACE},
        {key: clip[key] for key in MEASURES if key not in (*_PLACE, *SCORE_MEASURES)},
        _row(connection, f"SELECT {', '.join(_SCORES)} FROM scores WHERE clip_id = $name", name),  # noqa: S608
        _rows(
            connection,
            f"SELECT {', '.join(_CAPTION)} FROM captions WHERE clip_id = $name ORDER BY captioner",  # noqa: S608
            name,
        ),
        verdicts,
    )


def _rules(
    connection: duckdb.DuckDBPyConnection, clip: dict[str, Any], subset: SubsetSettings
) -> list[RuleVerdict]:
    verdicts = []
    for name, rule in subset.rules.items():
        measure = rule.measure or name
        unscored, fails = rule_sql(name, rule)
        if not rule.is_on:
            verdict = "off"
        elif clip["is_image"] and measure in tables.MOTION_MEASURES:
            verdict = "does not apply"
        else:
            (verdict,) = connection.execute(
                f"""SELECT CASE WHEN {unscored} THEN 'unscored' WHEN {fails} THEN 'fails'
                ELSE 'passes' END FROM clips WHERE clip_id = $name""",  # noqa: S608
                {"name": clip["clip_id"]},
            ).fetchall()[0]
        verdicts.append(RuleVerdict(name, measure, clip[measure], rule.text, verdict))
    return verdicts


def _sample(workspace: Workspace, subset: str, clip_id: str) -> dict[str, Any]:
    """Where the sample of a kept clip lies, or why there is none."""
    table = workspace.table(SHARDS + subset)
    if not table.exists():
        return {"status": "waiting"}
    columns = ["status", "reason", "error", "bucket", "fps_token", "start_s", "end_s", "prompt"]
    scanner = table.dataset().scanner(
        columns=[*columns, "__filename"], filter=pc.field("clip_id") == clip_id
    )
    found: list[dict[str, Any]] = scanner.to_table().to_pylist()
    if not found:
        return {"status": "waiting"}
    path = found[0].pop("__filename")
    (fragment,) = (part for part in table.dataset().get_fragments() if part.path == path)
    ids = fragment.to_table(columns=["clip_id"])["clip_id"]
    return found[0] | {"file": f"{table.name}/{path}", "row": pc.index(ids, clip_id).as_py()}


def _latents(workspace: Workspace, subset: str, clip_id: str) -> dict[str, Any] | None:
    """What became of the sample of a kept clip once its subset was encoded."""
    table = workspace.table(LATENTS + subset)
    if not table.exists():
        return None
    columns = ["status", "reason", "error", "num_frames", "width", "height", "fps", "prompt"]
    columns += ["latent_shape", "image_shape", "encoder_hash"]
    found: list[dict[str, Any]] = table.read(columns, pc.field("clip_id") == clip_id).to_pylist()
    return found[0] if found else {"status": "waiting"}


def _video(
    connection: duckdb.DuckDBPyConnection, sources: list[dict[str, Any]]
) -> VideoExplanation:
    name = sources[0]["video_id"]
    states = ("uri", "status", "reason", "error")
    clips = _rows(
        connection,
        """SELECT c.clip_id, c.start_s, c.end_s, list(s.subset || ': ' ||
            coalesce(s.reason, s.status) ORDER BY s.subset) AS verdicts
        FROM clips AS c LEFT JOIN selection AS s ON s.clip_id = c.clip_id
        WHERE c.video_id = $name GROUP BY ALL ORDER BY c.start_s""",
        name,
    )
    passed = """SELECT status, reason, error, decoded_frames, decode_failures, decoded_s,
        len(cuts) AS num_cuts FROM passes WHERE video_id = $name"""
    return VideoExplanation(
        name,
        [{key: source[key] for key in states} for source in sources],
        _row(connection, "FROM videos WHERE video_id = $name", name),
        _row(connection, passed, name),
        clips,
    )


def _unknown(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    near = _rows(
        connection,
        """SELECT id FROM (
            SELECT clip_id AS id FROM clips UNION ALL SELECT video_id FROM videos
            UNION ALL SELECT uri FROM sources)
        ORDER BY levenshtein(id, $name), id LIMIT 3""",
        name,
    )
    nearest = ", ".join(printable(row["id"]) for row in near) or "none: it holds no clips"
    return f"no clip, video or file is called {printable(name)!r}; the nearest: {nearest}"


def _row(connection: duckdb.DuckDBPyConnection, sql: str, name: str | None) -> dict[str, Any]:
    return next(iter(_rows(connection, sql, name)), {})


def _rows(
    connection: duckdb.DuckDBPyConnection, sql: str, name: str | None
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (
        connection.sql(sql, params={"name": name}).to_arrow_table().to_pylist()
    )
    return rows
