"""Verdicts clip by clip in plain Python, as `curation.selection` documents them.

Nothing here uses the SQL of the rules or the dashboard's index: both can be held against it.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from curation.buckets import SHAPE, clip_bucket
from curation.rules import MEASURES, SCORE_MEASURES, Rule
from curation.selection import SubsetSettings
from curation.tables import MOTION_MEASURES
from pipelines.workspace import Workspace

Row = dict[str, Any]

AFTER_RULES = ("duplicate", "retrieval", "review")


class Judged(NamedTuple):
    """A clip of a subset: what it measures, how it was decided."""

    row: Row
    verdict: str
    verdict_reason: str | None
    audit: bool
    is_scored: bool
    bucket: str | None
    """Why it has no bucket."""
    duplicate_of: str | None

    @property
    def hours(self) -> float:
        duration = self.row["duration_s"]
        return duration / 3600 if duration is not None and math.isfinite(duration) else 0.0

    @property
    def is_later(self) -> bool:
        """Whether it was rejected by what comes after the rules."""
        return (self.verdict_reason or "").startswith(AFTER_RULES)


def judged_clips(workspace: Workspace, subset: str, settings: SubsetSettings) -> list[Judged]:
    """The clips of a subset, joined by hand from the workspace's tables."""
    read = {name: workspace.table(name).read().to_pylist() for name in ("videos", "selection")}
    videos = {row["video_id"]: row for row in read["videos"]}
    scores = {}
    if workspace.table("scores").exists():
        scores = {row["clip_id"]: row for row in workspace.table("scores").read().to_pylist()}
    clips = {}
    for owner in workspace.table("clips").read().to_pylist():
        for clip in owner["clips"] or ():
            owners = (scores.get(clip["clip_id"], {}), clip, owner, videos[owner["video_id"]])
            clips[clip["clip_id"]] = {
                measure: next((one[measure] for one in owners if measure in one), None)
                for measure in MEASURES
            } | {"clip_id": clip["clip_id"], "video_id": owner["video_id"]}
    found = []
    for row in read["selection"]:
        if row["subset"] == subset:
            clip = clips[row["clip_id"]]
            bucket = clip_bucket([clip[name] for name in SHAPE], settings.buckets)
            why = f"bucket:{bucket}" if isinstance(bucket, str) else None
            state = row["status"], row["reason"], row["audit"]
            found.append(Judged(clip, *state, row["clip_id"] in scores, why, row["duplicate_of"]))
    return found


def reason(
    clip: Judged, settings: SubsetSettings, changes: Mapping[str, Rule] | None = None
) -> str | None:
    """Why the rules reject the clip, `unknown` where a model that was not asked would decide."""
    rules = {**settings.rules, **(changes or {})}
    if settings.takes != "both" and clip.row["is_image"] != (settings.takes == "images"):
        return "kind"
    late = {name: rule for name, rule in rules.items() if (rule.measure or name) in SCORE_MEASURES}
    for name, rule in rules.items():
        if name not in late and (said := _said(clip, name, rule)):
            return said
    if clip.bucket:
        return clip.bucket
    for name, rule in late.items():
        if said := _said(clip, name, rule):
            return "unknown" if said.endswith(":unscored") and not clip.is_scored else said
    return None


def outcome(clip: Judged, found: str | None) -> str:
    """What becomes of a clip whose reason under changed rules this is."""
    if clip.verdict == "ok":
        return "lost" if found else "kept"
    if clip.is_later or found not in (None, "unknown"):
        return "rejected"
    return found or "gained"


def is_missing(value: Any) -> bool:
    """Whether a measure says nothing."""
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _said(clip: Judged, name: str, rule: Rule) -> str | None:
    measure = rule.measure or name
    value = clip.row[measure]
    if not rule.is_on or (measure in MOTION_MEASURES and clip.row["is_image"]):
        return None
    if is_missing(value):
        return f"{name}:unscored"
    if rule.any_of is not None:
        return None if value in rule.any_of else name
    number = np.float32 if MEASURES[measure] == pa.float32() else np.float64
    too_low = rule.min is not None and number(value) < number(rule.min)
    too_high = rule.max is not None and number(value) > number(rule.max)
    return name if too_low or too_high else None
