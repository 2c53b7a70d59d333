"""All that the tables tell of a clip: measures, verdicts, captions, and the samples made of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import duckdb

from curation import tables
from curation.rules import MEASURES, SCORE_MEASURES, Rule, rule_sql
from curation.selection import SubsetSettings
from curation.views import SHARDS


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
    selected: dict[str, Any] = field(default_factory=dict)
    """What else the selection has of it: `duplicate_of`, `cosine`, `phrase`, `concept_id`,
    `weight`."""
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
    """What each captioner wrote of it, or why it did not; `review`, where there is one, is the
    verdict of a person on it."""
    subsets: list[SubsetVerdict]


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


_SELECTED = ("duplicate_of", "cosine", "phrase", "concept_id", "weight")


_SAMPLE = "status, reason, error, bucket, fps_token, start_s, end_s, prompt"


_LATENTS = """status, reason, error, num_frames, width, height, fps, prompt, latent_shape,
    image_shape, encoder_hash"""


FindSample: TypeAlias = Callable[[str, str], tuple[str, int]]
"""From a table of samples and a clip of it to the file of the table and the row in that file."""


def explain_clip(
    connection: duckdb.DuckDBPyConnection,
    settings: Mapping[str, SubsetSettings],
    clip_id: str,
    place_of: FindSample,
) -> ClipExplanation | None:
    """What is known of a clip; None where there is none of this id.

    Args:
        connection: with the views of `curation.views`, or tables of the same names and columns.
        settings: what each subset was selected by, as far as that is known.
        clip_id: the clip.
        place_of: where its samples lie.
    """
    clip = _measured(connection, settings, clip_id)
    if not clip:
        return None
    video = _row(connection, "FROM videos WHERE video_id = $name", clip["video_id"])
    verdicts = []
    for row in rows_of(
        connection, "FROM selection WHERE clip_id = $name ORDER BY subset", name=clip_id
    ):
        subset = row["subset"]
        verdict = SubsetVerdict(subset, row["status"], row["reason"], bool(row["audit"]))
        verdict.selected = {name: row[name] for name in _SELECTED}
        verdict.rules = _rules(clip, subset, settings.get(subset))
        if row["status"] == tables.OK:
            verdict.sample = _sample(connection, subset, clip_id, place_of)
            verdict.latents = _latents(connection, subset, clip_id)
        verdicts.append(verdict)
    return ClipExplanation(
        clip_id,
        {key: video[key] for key in ("video_id", "uris", "sha256", "status", "licence", "source")},
        {key: clip[key] for key in _PLACE},
        {key: clip[key] for key in MEASURES if key not in (*_PLACE, *SCORE_MEASURES)},
        _row(
            connection,
            f"SELECT {', '.join(_SCORES)} FROM scores WHERE clip_id = $name",  # noqa: S608
            clip_id,
        ),
        _captions(connection, clip_id),
        verdicts,
    )


def _captions(connection: duckdb.DuckDBPyConnection, clip_id: str) -> list[dict[str, Any]]:
    reviews = rows_of(connection, "FROM caption_verdicts WHERE clip_id = $name", name=clip_id)
    by_captioner = {review["captioner"]: review for review in reviews}
    captions = rows_of(
        connection,
        f"SELECT {', '.join(_CAPTION)} FROM captions WHERE clip_id = $name ORDER BY captioner",  # noqa: S608
        name=clip_id,
    )
    return [caption | {"review": by_captioner.get(caption["captioner"])} for caption in captions]


def _measured(
    connection: duckdb.DuckDBPyConnection, settings: Mapping[str, SubsetSettings], clip_id: str
) -> dict[str, Any]:
    """The clip's row of view `clips`, with what each rule says of it, all in one look at it."""
    verdicts = "".join(
        f", {_verdict_sql(name, rule)} AS {_quoted(subset, name)}"
        for subset, one in settings.items()
        for name, rule in one.rules.items()
    )
    return _row(connection, f"SELECT *{verdicts} FROM clips WHERE clip_id = $name", clip_id)  # noqa: S608


def _verdict_sql(name: str, rule: Rule) -> str:
    if not rule.is_on:
        return "'off'"
    unscored, fails = rule_sql(name, rule)
    judged = f"WHEN {unscored} THEN 'unscored' WHEN {fails} THEN 'fails' ELSE 'passes'"
    if (rule.measure or name) in tables.MOTION_MEASURES:
        judged = f"WHEN is_image THEN 'does not apply' {judged}"
    return f"CASE {judged} END"


def _column(subset: str, rule: str) -> str:
    return f"{subset}: {rule}"


def _quoted(subset: str, rule: str) -> str:
    return '"' + _column(subset, rule).replace('"', '""') + '"'


def _rules(
    clip: Mapping[str, Any], subset: str, settings: SubsetSettings | None
) -> list[RuleVerdict]:
    found = []
    for name, rule in (settings.rules if settings else {}).items():
        measure = rule.measure or name
        verdict = clip[_column(subset, name)]
        found.append(RuleVerdict(name, measure, clip[measure], rule.text, verdict))
    return found


def _sample(
    connection: duckdb.DuckDBPyConnection, subset: str, clip_id: str, place_of: FindSample
) -> dict[str, Any]:
    """Where the sample of a kept clip lies, or why there is none."""
    found = _row_of(connection, "shards", _SAMPLE, subset, clip_id)
    if not found:
        return {"status": "waiting"}
    table = SHARDS + subset
    file, row = place_of(table, clip_id)
    return found | {"file": f"{table}/{file}", "row": row}


def _latents(
    connection: duckdb.DuckDBPyConnection, subset: str, clip_id: str
) -> dict[str, Any] | None:
    """What became of the sample of a kept clip once its subset was encoded."""
    found = _row_of(connection, "latents", _LATENTS, subset, clip_id)
    if found:
        return found
    is_encoded = _row(connection, "SELECT true FROM latents WHERE subset = $name LIMIT 1", subset)
    return {"status": "waiting"} if is_encoded else None


def _row_of(
    connection: duckdb.DuckDBPyConnection, view: str, columns: str, subset: str, clip_id: str
) -> dict[str, Any]:
    sql = f"SELECT {columns} FROM {view} WHERE clip_id = $name AND subset = $subset"  # noqa: S608 - names are ours
    return next(iter(rows_of(connection, sql, name=clip_id, subset=subset)), {})


def _row(connection: duckdb.DuckDBPyConnection, sql: str, name: str | None) -> dict[str, Any]:
    return next(iter(rows_of(connection, sql, name=name)), {})


def rows_of(
    connection: duckdb.DuckDBPyConnection, sql: str, **params: str | None
) -> list[dict[str, Any]]:
    """The rows that a query with these parameters gives, as dicts."""
    rows: list[dict[str, Any]] = connection.sql(sql, params=params).to_arrow_table().to_pylist()
    return rows
