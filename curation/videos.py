"""The videos table: one row per content, judged by metadata alone, before anything is decoded."""

import duckdb
import pyarrow as pa
from pydantic import model_validator

from curation.rules import Rule, check_rule, rule_sql
from curation.settings import Settings
from curation.tables import CARRIED, OK, PROBE, REJECTED, VIDEOS


class VideoRules(Settings):
    """Which videos are worth decoding. Rules are tried in this order; all are off by default.

    What a rule rejects here is never decoded, so no subset can take it without a new decode pass.
    Rules on time and rate do not apply to images.
    """

    codec: Rule = Rule()
    """Video codecs that are taken, such as `{any_of: [h264, hevc]}`."""

    licence: Rule = Rule()
    """Licences that are taken, as the manifest writes them."""

    min_side_px: Rule = Rule()
    """The smaller of display width and height, px."""

    aspect: Rule = Rule()
    """Display width over height."""

    duration_s: Rule = Rule()
    """Seconds, as declared."""

    fps: Rule = Rule()
    """Mean frames per second."""

    bits_per_pixel: Rule = Rule()
    """Bits per pixel per frame: what compression left."""

    @model_validator(mode="after")
    def _rules_can_be_judged(self) -> "VideoRules":
        for name, rule in self:
            if rule.measure is not None:
                raise ValueError(f"rule {name!r} judges {name} and takes no `measure`")
            check_rule(name, rule)
        return self


def videos_from_sources(sources: pa.Table, rules: VideoRules) -> pa.Table:
    """The videos that the sources hold: `tables.VIDEOS`, sorted by `video_id`.

    Sources of the same content become one row with all their URIs; what the manifest says of it is
    taken from the first URI in their order. Sources that failed have no row.

    Args:
        sources: rows with the schema `tables.SOURCES`.
        rules: which videos are `ok`; the others are `rejected`, with the first rule that they fail,
            or `<rule>:unscored` where the container does not tell what the rule judges.
    """
    shared = ", ".join(f"first.{field.name}" for field in PROBE)
    carried = ", ".join(f"first.{field.name}" for field in CARRIED)
    query = f"""
        WITH contents AS (
            SELECT sha256, list(uri ORDER BY uri) AS uris, arg_min(sources, uri) AS first
            FROM sources WHERE status = '{OK}' GROUP BY sha256
        ), measured AS (
            SELECT first.video_id, sha256, uris, first.size_bytes, {shared},
                least(first.width, first.height) AS min_side_px,
                first.width / first.height AS aspect,
                first.bit_rate / (first.fps * first.coded_width * first.coded_height)
                    AS bits_per_pixel,
                {carried}
            FROM contents
        )
        SELECT *, CASE WHEN reason IS NULL THEN '{OK}' ELSE '{REJECTED}' END AS status,
            NULL AS error, NULL AS cpu_s
        FROM (SELECT *, {_reason_sql(rules)} AS reason FROM measured) ORDER BY video_id
    """  # noqa: S608 - names are ours, and the values of rules are checked and quoted
    with duckdb.connect() as connection:
        connection.register("sources", sources)
        return connection.sql(query).to_arrow_table().select(VIDEOS.names).cast(VIDEOS)


def _reason_sql(rules: VideoRules) -> str:
    """The first rule that rejects the video, NULL where none does."""
    cases = []
    for name, rule in rules:
        if rule.is_on:
            unscored, fails = rule_sql(name, rule)
            cases += [f"WHEN {unscored} THEN '{name}:unscored'", f"WHEN {fails} THEN '{name}'"]
    return f"CASE {' '.join(cases)} END" if cases else "NULL"
