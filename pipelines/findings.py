"""What models found, in a few lines for the last screen of a run: scores, duplicates, concepts."""

import duckdb

from curation.rules import SCORE_MEASURES
from pipelines.escaping import printable
from pipelines.queries import open_views, table_names
from pipelines.workspace import Workspace

MOST_DUPLICATES, MOST_CONCEPTS = 3, 8
"""Lines of each; the rest is counted."""


def findings(workspace: Workspace) -> list[str]:
    """The lines, none where no model has looked."""
    names = table_names(workspace)
    with open_views(workspace) as connection:
        lines = _scores(connection) if "scores" in names else []
        lines += _duplicates(connection) if "selection" in names else []
        lines += _concepts(connection) if "concepts" in names else []
        return lines + _captions(connection)


def _captions(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.sql(
        """SELECT captioner, count(*), count(*) FILTER (len(flags) > 0),
            median(len(string_split(caption, ' ')))
        FROM captions WHERE status = 'ok' GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    lines = [
        f"{who:<18} {count:>9,} {flagged:>8,} {words:>8.0f}" for who, count, flagged, words in rows
    ]
    return (
        ["", f"{'captions':<18} {'clips':>9} {'flagged':>8} {'words':>8}", *lines] if rows else []
    )


def _scores(connection: duckdb.DuckDBPyConnection) -> list[str]:
    lines = []
    for name in SCORE_MEASURES:
        value = f"CASE WHEN isfinite({name}) THEN {name} END"
        asked = f"SELECT count({value}), min({value}), median({value}), max({value}) FROM scores"  # noqa: S608 - names are ours
        [(count, low, middle, high)] = connection.sql(asked).fetchall()
        if count:
            lines.append(f"{name:<18} {count:>9,} {low:>8.3f} {middle:>8.3f} {high:>8.3f}")
    head = f"{'scores':<18} {'clips':>9} {'least':>8} {'median':>8} {'most':>8}"
    return ["", head, *lines] if lines else []


def _duplicates(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.sql(
        """SELECT s.subset, s.clip_id, split_part(v.uris[1], '/', -1), s.duplicate_of, s.cosine
        FROM selection AS s LEFT JOIN videos AS v USING (video_id)
        WHERE s.reason = 'duplicate' ORDER BY s.cosine DESC, s.subset, s.clip_id"""
    ).fetchall()
    lines = [
        f"{subset:<18} {clip} of {printable(file)} and {better}, cosine {cosine:.3f}"
        for subset, clip, file, better, cosine in rows[:MOST_DUPLICATES]
    ]
    rest = len(rows) - len(lines)
    lines += [f"{'':<18} and {rest:,} more"] if rest else []
    return ["", "Duplicates, of which the second was kept:", *lines] if lines else []


def _concepts(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.sql(
        """SELECT one.subset, name, one.size, one.resampled_size
        FROM (SELECT name, concept_id, unnest(subsets) AS one FROM concepts)
        ORDER BY one.subset, one.size DESC, concept_id"""
    ).fetchall()
    lines = [f"{'concepts':<18} {'clips':>9} {'weight':>8}"]
    for shown in sorted({subset for subset, *_ in rows}):
        own = [row for row in rows if row[0] == shown]
        lines += [
            f"{subset:<18} {size:>9,} {weight:>8.2f}   {printable(name)}"
            for subset, name, size, weight in own[:MOST_CONCEPTS]
        ]
        if len(own) > MOST_CONCEPTS:
            lines.append(f"{'':<18} and {len(own) - MOST_CONCEPTS:,} more in table concepts")
    return ["", *lines] if rows else []
