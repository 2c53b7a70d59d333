"""How each clip stands with each rule of a subset, for what a page says of other thresholds."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt

from curation import tables
from curation.buckets import SHAPE, bucket_reasons
from curation.rules import MEASURES, NUMBERS, SCORE_MEASURES, Rule, rule_sql
from curation.selection import SubsetSettings, on_score
from curation.subsets import DUPLICATE, LATER
from pipelines.report.bins import Floats

Flags = npt.NDArray[np.bool_]

_MEASURED = "measured_clips"


@dataclass(frozen=True)
class Verdicts:
    """The clips of the accepted videos as one subset sees them; arrays have an entry per clip.

    Attributes:
        subset: its name.
        settings: its rules.
        has_later: whether something after the rules may still reject a clip.
        clip_ids: the clips.
        video_ids: their videos.
        seconds: their lengths.
        is_image: still images, to which rules on motion do not apply.
        is_looked_at: models have looked at the clip.
        is_kept: the stored verdict is `ok`.
        is_gone: all rules passed, and then rejected as a duplicate, by retrieval or by review.
        reasons: the stored reasons, empty where there is none.
        values: by measure, NaN where it is missing or not finite.
        failed: by rule that is on, whether the clip is known to fail it.
        num_failed: rules that it is known to fail; the kind and the bucket count as rules.
    """

    subset: str
    settings: SubsetSettings
    has_later: bool
    clip_ids: npt.NDArray[np.object_]
    video_ids: npt.NDArray[np.object_]
    seconds: Floats
    is_image: Flags
    is_looked_at: Flags
    is_kept: Flags
    is_gone: Flags
    reasons: npt.NDArray[np.object_]
    values: Mapping[str, Floats]
    failed: Mapping[str, Flags]
    num_failed: npt.NDArray[np.int64]

    def rules(self) -> dict[str, Rule]:
        """The rules that can reject something, in the order in which they are tried."""
        rules = {name: rule for name, rule in self.settings.rules.items() if rule.is_on}
        return dict(sorted(rules.items(), key=lambda item: on_score(*item)))

    def passes_others(self, rule: str | None) -> Flags:
        """Whether a clip is not known to fail anything but this rule."""
        own = self.failed[rule] if rule else np.zeros(len(self.seconds), bool)
        return np.asarray(self.num_failed == own, bool)

    def is_unsure(self, rule: str | None) -> Flags:
        """Whether a rule other than this asks for a score that no model has given yet."""
        asks = any(on_score(name, what) for name, what in self.rules().items() if name != rule)
        return ~self.is_looked_at & asks


def gather_measures(connection: duckdb.DuckDBPyConnection) -> None:
    """Reads the measures of all clips once, for the `verdicts` of every subset."""
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE {_MEASURED} AS
        SELECT clip_id, video_id, {", ".join(MEASURES)},
            clip_id IN (SELECT clip_id FROM scores) AS is_looked_at
        FROM clips WHERE video_status = '{tables.OK}'"""  # noqa: S608 - names of ours
    )


def verdicts(
    connection: duckdb.DuckDBPyConnection, subset: str, settings: SubsetSettings, has_later: bool
) -> Verdicts:
    """How the clips stand in a subset.

    Args:
        connection: with the views of `curation.views`, after `gather_measures`.
        subset: its name.
        settings: what it was last selected by.
        has_later: whether duplicates, retrieval or a review come after its rules.
    """
    rules = {name: rule for name, rule in settings.rules.items() if rule.is_on}
    judged = {name: rule_sql(name, rule) for name, rule in rules.items()}
    flags = [
        # What is unscored is NULL in the other condition.
        f"coalesce(({unscored}) OR ({fails}), true) AS fails_{name}"
        for name, (unscored, fails) in judged.items()
    ]
    numbers = [f"{name}::DOUBLE AS {name}" for name in MEASURES if name in NUMBERS]
    found = connection.execute(
        f"""SELECT m.clip_id AS clip_id, m.video_id AS video_id, coalesce(is_image, false) AS
            is_image, is_looked_at, {", ".join([*numbers, *flags])},
            coalesce(s.status = '{tables.OK}', false) AS is_kept,
            coalesce(s.reason, '') AS reason
        FROM {_MEASURED} AS m LEFT JOIN (
            SELECT clip_id, status, reason FROM selection WHERE subset = $subset) AS s
        ON s.clip_id = m.clip_id ORDER BY m.clip_id""",  # noqa: S608 - rules are checked
        {"subset": subset},
    ).fetchnumpy()
    values = {name: _finite(np.ma.asarray(found[name])) for name in MEASURES if name in NUMBERS}
    looked = np.asarray(found["is_looked_at"], bool)
    failed = {
        name: np.asarray(found[f"fails_{name}"], bool) & (looked | (not on_score(name, rule)))
        for name, rule in rules.items()
    }
    is_image = np.asarray(found["is_image"], bool)
    reasons = np.asarray(found["reason"], object)
    later = (DUPLICATE, *LATER)
    return Verdicts(
        subset,
        settings,
        has_later,
        np.asarray(found["clip_id"], object),
        np.asarray(found["video_id"], object),
        np.nan_to_num(values["duration_s"]),
        is_image,
        looked,
        np.asarray(found["is_kept"], bool),
        np.array([reason.startswith(later) for reason in reasons], bool),
        reasons,
        values,
        failed,
        np.sum(
            [_has_no_shape(settings, is_image, values), *failed.values()], axis=0, dtype=np.int64
        ),
    )


def _has_no_shape(
    settings: SubsetSettings, is_image: Flags, values: Mapping[str, Floats]
) -> npt.NDArray[np.int64]:
    """Of each clip, how many of kind and bucket reject it."""
    shapes = np.stack([values[name] for name in SHAPE], axis=1)
    reasons = bucket_reasons(shapes, settings.buckets)
    rejected = np.array([reason is not None for reason in reasons], np.int64)
    if settings.takes != "both":
        rejected += is_image if settings.takes == "videos" else ~is_image
    return rejected


def _finite(column: npt.NDArray[np.float64]) -> Floats:
    values = np.ma.filled(column, np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def is_score(measure: str) -> bool:
    """Whether a model gives it, so that clips no model looked at have none."""
    return measure in SCORE_MEASURES
