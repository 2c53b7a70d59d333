"""Which clips a subset keeps: rules over stored measures, judged without decoding.

- Rules are tried in the order of the recipe; the first that rejects a clip is its reason. Rules on
  scores come after all others, since models only look at what those leave.
- A measure that is missing or not finite never passes: the reason is then `<rule>:unscored`.
- What passes the rules still needs a bucket: `bucket:duration`, `bucket:fps`, `bucket:size`.
- What comes after the rules is in `curation.subsets` (duplicates, retrieval, reviews) and
  `curation.balance` (weights).
- Every clip of every accepted video gets one row per subset, so the counts always add up.
"""

from collections.abc import Mapping
from typing import Literal

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from duckdb.func import ARROW, SPECIAL
from pydantic import Field, field_validator

from curation import tables
from curation.buckets import SHAPE, BucketSettings, bucket_reasons
from curation.concepts import ConceptSettings
from curation.duplicates import DuplicateSettings
from curation.resampling import ResamplingSettings
from curation.retrieval import RetrievalSettings
from curation.rules import SCORE_MEASURES, Rule, check_rule, rule_sql
from curation.settings import Settings, fingerprint
from curation.views import Rows, connect

VERSION = 1
"""Raised when the same rules over the same measures give other verdicts."""


BUILT_IN = ("kind", "bucket", "duplicate", "retrieval", "review")
"""Reasons that no rule of a recipe may be called by."""

AUDIT_SQL = "md5_number_lower($seed || ':' || clip_id) < $audit_share * pow(2, 64)"
"""Whether a rejected clip is in the audit share."""


CaptionFlag = Literal[
    "empty",
    "too_short",
    "too_long",
    "truncated",
    "repeats",
    "prompt_echo",
    "refusal",
    "wrong_language",
    "mentions_medium",
    "markup",
    "control_characters",
    "contradicts_camera",
    "contradicts_text",
    "contradicts_colour",
    "contradicts_stillness",
]
"""The keys of `tables.CAPTION_FLAGS`."""

REFUSED: tuple[CaptionFlag, ...] = (
    *("empty", "repeats", "prompt_echo", "refusal", "wrong_language", "markup"),
    *("contradicts_camera", "contradicts_text", "contradicts_colour", "contradicts_stillness"),
)
"""By default, what a model would learn wrong from; the other flags are blemishes."""


class SubsetSettings(Settings):
    """What one subset takes, and the shapes it trains on."""

    takes: Literal["videos", "images", "both"] = "videos"
    """What the subset is made of; the others are rejected as `kind`."""

    rules: dict[str, Rule] = Field(default_factory=dict)
    """Rule name to bounds, tried in this order. The name is the reason of what it rejects."""

    buckets: BucketSettings = BucketSettings()
    """Sizes and durations of the samples."""

    retrieval: RetrievalSettings | None = None
    """Takes only clips near the phrases that the model of `scores.concept` knows, or near clips
    that people picked for these; null takes all."""

    review: Literal["required"] | None = None
    """`required` takes only clips that a person has kept (`moviola review`)."""

    refused_flags: tuple[CaptionFlag, ...] = REFUSED
    """Flags that a caption may not have to be trained on. A clip that has no other caption gives no
    sample: its row is `rejected` as `caption`."""

    caption_reviews: Literal["apply", "required"] | None = "apply"
    """What the verdicts of people on captions do. `apply` takes no caption that was rejected, takes
    the words that a person wrote in place of a captioner's, and asks for no flags where a person
    accepted or wrote them; `required` also takes no caption that nobody has judged; null takes the
    captions as they were written."""

    resampling: ResamplingSettings | None = None
    """How the kept clips are weighed by their concepts; null leaves all at weight 1."""

    @field_validator("rules")
    @classmethod
    def _rules_can_be_judged(cls, rules: dict[str, Rule]) -> dict[str, Rule]:
        for name, rule in rules.items():
            if name in BUILT_IN:
                raise ValueError(f"{name!r} is the name of a built-in rule")
            check_rule(name, rule)
        return rules


class SelectionSettings(Settings):
    """What the selections of all subsets share."""

    seed: int = 0
    """Seed of the audit share."""

    audit_share: float = Field(default=0.02, ge=0, le=1)
    """Share of the rejected clips that later stages process all the same, to estimate what a rule
    costs."""

    duplicates: DuplicateSettings | None = None
    """When clips show the same, the best of each subset is kept; null keeps all. Needs
    `scores.copy_detection`."""

    concepts: ConceptSettings | None = None
    """How clips are grouped into concepts; null does not. Needs `scores.concept`."""


def selection_fingerprint(
    subset: SubsetSettings, settings: SelectionSettings, upstream: str = ""
) -> str:
    """Names all that a verdict depends on; the order of the rules counts.

    Args:
        subset: the rules.
        settings: what subsets share.
        upstream: names what made the measures and the scores.
    """
    rules = [[name, rule.model_dump(mode="json")] for name, rule in subset.rules.items()]
    return fingerprint("selection", VERSION, subset, rules, settings, upstream)


def select(
    subset_name: str,
    subset: SubsetSettings,
    settings: SelectionSettings,
    clips: Rows,
    videos: Rows,
    scores: Rows,
    upstream: str = "",
) -> pa.Table:
    """The verdict by the rules on every clip of every accepted video.

    These are rows of `tables.SELECTION`, sorted by `clip_id`.
    `upstream` names what made the measures and the scores, for the rows' fingerprint.

    The audit share is a pure function of the seed and the clip's id: the last 8 bytes of
    md5("<seed>:<clip_id>"), read as a little-endian number, below `audit_share` x 2^64.
    """
    with connect({"clips": clips, "videos": videos, "scores": scores}) as connection:
        register_bucket_reason(connection, subset.buckets)
        verdicts = connection.sql(
            f"""SELECT $subset AS subset, clip_id, video_id,
                if(reason IS NULL, '{tables.OK}', '{tables.REJECTED}') AS status, reason,
                reason IS NOT NULL AND {AUDIT_SQL} AS audit,
                NULL AS duplicate_of, NULL AS cosine, NULL AS phrase,
                NULL AS concept_id, 1 AS weight, 1 AS copies,
                $fingerprint AS fingerprint
            FROM (
                SELECT clip_id, video_id, {_reason_sql(subset)} AS reason
                FROM clips WHERE video_status = '{tables.OK}'
            ) ORDER BY clip_id""",  # noqa: S608 - rules are checked, their values quoted
            params={
                "subset": subset_name,
                "seed": str(settings.seed),
                "audit_share": settings.audit_share,
                "fingerprint": selection_fingerprint(subset, settings, upstream),
            },
        )
        return verdicts.to_arrow_table().cast(tables.SELECTION)


def candidates(
    subsets: Mapping[str, SubsetSettings], settings: SelectionSettings, clips: Rows, videos: Rows
) -> pa.Table:
    """`clip_id` and `video_id` of the clips that models look at.

    Those that some subset keeps by all its rules but those on scores, and its audit share.
    """
    found = []
    for name, subset in subsets.items():
        rules = {rule: what for rule, what in subset.rules.items() if not on_score(rule, what)}
        measured = subset.model_copy(update={"rules": rules})
        verdicts = select(name, measured, settings, clips, videos, tables.SCORES.empty_table())
        passes = pc.or_(pc.equal(verdicts["status"], tables.OK), verdicts["audit"])
        found.append(verdicts.filter(passes).select(["clip_id", "video_id"]))
    return pa.concat_tables(found).group_by(["clip_id", "video_id"]).aggregate([])


def _reason_sql(subset: SubsetSettings) -> str:
    """The first rule that rejects the clip, NULL where it is kept."""
    cases = []
    if subset.takes != "both":
        cases.append(f"WHEN {'' if subset.takes == 'videos' else 'NOT '}is_image THEN 'kind'")
    late = {name: rule for name, rule in subset.rules.items() if on_score(name, rule)}
    for name, rule in subset.rules.items():
        if name not in late:
            cases += _cases(name, rule)
    cases.append(f"WHEN true THEN bucket_reason({', '.join(SHAPE)})")
    measured = f"CASE {' '.join(cases)} END"
    scored = [case for name, rule in late.items() for case in _cases(name, rule)]
    # `coalesce` asks for the bucket once: that is Python, and takes longer than all rules.
    return f"coalesce({measured}, CASE {' '.join(scored)} END)" if scored else measured


def on_score(name: str, rule: Rule) -> bool:
    """Whether the rule judges what a model said, so that it comes after all others."""
    return (rule.measure or name) in SCORE_MEASURES


def _cases(name: str, rule: Rule) -> list[str]:
    if not rule.is_on:
        return []
    unscored, fails = rule_sql(name, rule)
    return [f"WHEN {unscored} THEN '{name}:unscored'", f"WHEN {fails} THEN '{name}'"]


def register_bucket_reason(connection: duckdb.DuckDBPyConnection, settings: BucketSettings) -> None:
    """Gives the connection `bucket_reason(…)`: why a clip of these `SHAPE` measures has no bucket.

    NULL where it has one. Whole columns are judged at once.
    """

    # DuckDB counts the parameters, so `*shape` would not do.
    def bucket_reason(
        duration_s: pa.Array,
        num_frames: pa.Array,
        width: pa.Array,
        height: pa.Array,
        content_width: pa.Array,
        content_height: pa.Array,
    ) -> pa.Array:
        shape = (duration_s, num_frames, width, height, content_width, content_height)
        columns = [pc.fill_null(column, np.nan).to_numpy() for column in shape]
        found = bucket_reasons(np.stack(columns, axis=1), settings)
        return pa.array([f"bucket:{why}" if why else None for why in found], pa.string())

    connection.create_function(
        "bucket_reason",
        bucket_reason,
        ["DOUBLE"] * len(SHAPE),
        "VARCHAR",
        type=ARROW,
        null_handling=SPECIAL,
    )
