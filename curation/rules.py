"""Rules on measures: what a recipe may bound, and the SQL that judges a clip by it."""

import difflib

import pyarrow as pa
from pydantic import Field, model_validator

from curation import tables
from curation.settings import Settings

_NO_MEASURES = {
    *("video_id", "sha256", "uris", "clip_id", "clips", "frames", "cuts", "camera_path", "carried"),
    *("stream_index", "peak_memory_bytes"),
    *("models", "copy_embedding", "concept_embedding", "concept_labels", "text"),
    *("text_lines", "attributes"),
    *(field.name for field in tables.STATE),
}


def _measures(schema: pa.Schema | pa.StructType) -> dict[str, pa.DataType]:
    return {field.name: field.type for field in schema if field.name not in _NO_MEASURES}


CLIP_MEASURES = _measures(tables.CLIP)
PASS_MEASURES = _measures(tables.CLIPS)
VIDEO_MEASURES = _measures(tables.VIDEOS)
SCORE_MEASURES = _measures(tables.SCORES)

MEASURES: dict[str, pa.DataType] = VIDEO_MEASURES | PASS_MEASURES | CLIP_MEASURES | SCORE_MEASURES
"""What a rule may judge: a column of the video, of its decode pass, of the clip, or a score."""

NUMBERS = frozenset(
    name
    for name, kind in MEASURES.items()
    if pa.types.is_integer(kind) or pa.types.is_floating(kind)
)
"""The measures that are numbers: what can be bounded, compared and drawn as a histogram."""


class Rule(Settings):
    """Bounds on one measure, both inclusive. With nothing set the rule is off."""

    measure: str | None = None
    """The column that is judged, any of the view `clips`; left out, it is the rule's own name."""

    min: float | None = Field(default=None, allow_inf_nan=False)
    """Smallest value that passes."""

    max: float | None = Field(default=None, allow_inf_nan=False)
    """Largest value that passes."""

    any_of: tuple[bool | str, ...] | None = Field(default=None, min_length=1)
    """The values that pass, for a text or a yes/no measure: `codec`, `licence`, `interlaced`."""

    @model_validator(mode="after")
    def _is_satisfiable(self) -> "Rule":
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        if self.any_of is not None and (self.min is not None or self.max is not None):
            raise ValueError("any_of cannot be combined with min or max")
        return self

    @property
    def is_on(self) -> bool:
        """Whether the rule can reject anything."""
        return self.min is not None or self.max is not None or self.any_of is not None

    @property
    def text(self) -> str:
        """The condition in words, such as `2.0 to 14.0` or `at least 720.0`."""
        if self.any_of is not None:
            return "one of " + ", ".join(map(str, self.any_of))
        if self.min is not None and self.max is not None:
            return f"{self.min:g} to {self.max:g}"
        if self.min is not None:
            return f"at least {self.min:g}"
        return "off" if self.max is None else f"at most {self.max:g}"


def check_rule(name: str, rule: Rule) -> None:
    """Refuses a rule that could never be evaluated.

    Raises:
        ValueError: the name is not made of letters, digits and `_`, the measure is unknown (the
            nearest is named), or the kind of bound does not fit the type of the measure.
    """
    if not name.replace("_", "").isalnum() or not name.isascii():
        raise ValueError(f"rule {name!r}: a name is made of letters, digits and _")
    measure = rule.measure or name
    if measure not in MEASURES:
        nearest = difflib.get_close_matches(measure, MEASURES, n=1, cutoff=0.0)[0]
        raise ValueError(f"rule {name!r}: no measure is called {measure!r}; nearest: {nearest!r}")
    kind = MEASURES[measure]
    is_number = measure in NUMBERS
    if is_number and rule.any_of is not None:
        raise ValueError(f"rule {name!r}: {measure} is a number and takes min and max, not any_of")
    if not is_number and (rule.min is not None or rule.max is not None):
        raise ValueError(f"rule {name!r}: {measure} is no number and takes any_of, not min or max")
    if rule.any_of and {type(value) for value in rule.any_of} != {
        bool if pa.types.is_boolean(kind) else str
    }:
        raise ValueError(f"rule {name!r}: {measure} is {kind}, which {list(rule.any_of)} is not")


def rule_sql(name: str, rule: Rule) -> tuple[str, str]:
    """Two SQL conditions on a row of measures: the clip is unscored, and the clip fails the rule.

    Bounds are compared in the measure's own type, so that a stored 0.85 passes `max: 0.85`. Images
    pass all rules on `tables.MOTION_MEASURES`.
    """
    measure = rule.measure or name
    kind = MEASURES[measure]
    number = "FLOAT" if kind == pa.float32() else "DOUBLE"
    unscored = f"{measure} IS NULL"
    if pa.types.is_floating(kind):
        unscored += f" OR NOT isfinite({measure})"
    failing = []
    if rule.min is not None:
        failing.append(f"{measure} < {rule.min!r}::{number}")
    if rule.max is not None:
        failing.append(f"{measure} > {rule.max!r}::{number}")
    if rule.any_of is not None:
        failing.append(f"{measure} NOT IN ({', '.join(map(_literal, rule.any_of))})")
    applies = "NOT is_image AND " if measure in tables.MOTION_MEASURES else ""
    return f"{applies}({unscored})", f"{applies}({' OR '.join(failing) or 'false'})"


def measured_clips_sql(clips: str, videos: str, scores: str) -> str:
    """SQL with a row per clip: its ids, every measure, `camera_path` and `video_status`.

    Args:
        clips: name of a relation with the schema `tables.CLIPS`; its `frames` are never read.
        videos: name of a relation with the schema `tables.VIDEOS`.
        scores: name of a relation with the schema `tables.SCORES`; clips without a row have null.
    """
    owners = dict.fromkeys(VIDEO_MEASURES, "v")
    owners |= dict.fromkeys(PASS_MEASURES, "p") | dict.fromkeys(CLIP_MEASURES, "p.clip")
    owners |= dict.fromkeys(SCORE_MEASURES, "s")
    columns = ", ".join(f"{owner}.{name} AS {name}" for name, owner in owners.items())
    return f"""SELECT p.clip.clip_id AS clip_id, p.video_id AS video_id, {columns},
            p.clip.camera_path AS camera_path, v.status AS video_status
        FROM (SELECT video_id, {", ".join(PASS_MEASURES)}, unnest(clips) AS clip FROM {clips}) AS p
        JOIN {videos} AS v ON v.video_id = p.video_id
        LEFT JOIN {scores} AS s ON s.clip_id = p.clip.clip_id"""  # noqa: S608 - names are ours, not a user's


def _literal(value: bool | str) -> str:
    return str(value).lower() if isinstance(value, bool) else "'" + value.replace("'", "''") + "'"
