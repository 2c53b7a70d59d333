"""Clips to look at: kept and rejected ones, those nearest to a threshold first."""

import math
from dataclasses import dataclass

import duckdb
import numpy as np

from curation.rules import NUMBERS
from pipelines.report.bins import Floats
from pipelines.report.verdicts import Flags, Verdicts
from pipelines.stored_frames import lower_jpeg, stored_frames
from pipelines.workspace import Workspace

HEIGHT_PX = 160
QUALITY = 72

Nearness = tuple[float, int, str]
"""Distance to a threshold in widths of the measure's spread, the clip's place, and the rule."""


@dataclass(frozen=True)
class Poster:
    """One clip by one picture.

    Attributes:
        clip_id: the clip.
        reason: why it was rejected; empty if it is kept.
        rule: the rule whose threshold it is nearest to; empty where no number decided.
        measured: what that rule judges, with value and bounds, such as `1.9, at least 2`; empty
            likewise.
        uri: of its source.
        start_s: where it begins there.
        end_s: where it ends.
        jpeg: the middle one of its stored frames; None where there is none.
    """

    clip_id: str
    reason: str
    rule: str
    measured: str
    uri: str
    start_s: float
    end_s: float
    jpeg: bytes | None


def posters(
    workspace: Workspace, connection: duckdb.DuckDBPyConnection, found: Verdicts, count: int
) -> tuple[list[Poster], list[Poster]]:
    """Kept and rejected clips, at most half of `count` of each.

    Raises:
        StorageError: the pictures cannot be read.
    """
    kept = _nearest(found, found.is_kept)[: count // 2]
    rejected = _nearest(found, found.reasons != "")[: count // 2]
    chosen = [place for _, place, _ in (*kept, *rejected)]
    clips = [
        {"clip_id": found.clip_ids[place], "video_id": found.video_ids[place]} for place in chosen
    ]
    ids = [clip["clip_id"] for clip in clips]
    frames = stored_frames(workspace, clips)
    places = {
        clip_id: rest
        for clip_id, *rest in connection.execute(
            """SELECT c.clip_id, coalesce(v.uris[1], ''), c.start_s, c.end_s
            FROM (SELECT clip_id, video_id, start_s, end_s FROM clips
                WHERE clip_id IN (SELECT unnest($ids::VARCHAR[]))) AS c
            JOIN videos AS v ON v.video_id = c.video_id""",
            {"ids": ids},
        ).fetchall()
    }

    def poster(near: Nearness) -> Poster:
        _, place, rule = near
        clip_id = str(found.clip_ids[place])
        own = frames.get(clip_id, [])
        uri, start_s, end_s = places[clip_id]
        middle = own[len(own) // 2].jpeg if own else b""
        jpeg = lower_jpeg(middle, HEIGHT_PX, QUALITY)
        return Poster(
            clip_id,
            str(found.reasons[place]),
            rule,
            _measured(found, rule, place),
            uri,
            start_s,
            end_s,
            jpeg,
        )

    return [poster(near) for near in kept], [poster(near) for near in rejected]


def _nearest(found: Verdicts, among: Flags) -> list[Nearness]:
    """These clips by how near they are to a threshold: any of a kept clip, its reason's else."""
    best = np.full(len(found.seconds), math.inf)
    rule_of = np.full(len(found.seconds), "", object)
    for name, rule in found.rules().items():
        measure = rule.measure or name
        if measure not in NUMBERS:
            continue
        distance = _distance(found.values[measure], rule.min, rule.max)
        nearer = (distance < best) & (found.is_kept | (found.reasons == name))
        best[nearer], rule_of[nearer] = distance[nearer], name
    order = sorted(np.flatnonzero(among).tolist(), key=lambda place: (best[place], place))
    return [(float(best[place]), place, str(rule_of[place])) for place in order]


def _distance(values: Floats, low: float | None, high: float | None) -> Floats:
    """How far each value is from the nearer bound, in widths of the bounds and most values."""
    known = values[np.isfinite(values)]
    bounds = [bound for bound in (low, high) if bound is not None]
    ends = [*bounds, *(np.quantile(known, [0.05, 0.95]) if known.size else [])]
    spread = float(max(ends) - min(ends))
    distances = np.min([np.abs(values - bound) for bound in bounds], axis=0)
    return np.where(np.isfinite(values), distances / (spread or 1.0), math.inf)


def _measured(found: Verdicts, name: str, place: int) -> str:
    if not name:
        return ""
    rule = found.settings.rules[name]
    measure = rule.measure or name
    named = "" if measure == name else f"{measure} "
    return f"{named}{found.values[measure][place]:.3g}, {rule.text}"
