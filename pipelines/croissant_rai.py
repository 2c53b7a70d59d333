"""How the samples came about, in the terms that Croissant has for responsible AI."""

from collections.abc import Sequence

import duckdb

from curation import tables
from curation.funnel import Step
from pipelines.escaping import printable
from pipelines.report.html import counted


def responsible(
    connection: duckdb.DuckDBPyConnection, steps: Sequence[Step]
) -> dict[str, str | list[str]]:
    """Collection, processing, captions, biases and limits, by their names in the vocabulary.

    Args:
        connection: with the views of `curation.views`.
        steps: the funnel.
    """
    sources = connection.sql(
        """SELECT coalesce(source, 'not stated'), count(DISTINCT video_id), count(*)
        FROM shards WHERE status = 'ok' GROUP BY ALL ORDER BY 3 DESC, 1 LIMIT 20"""
    ).fetchall()
    models = connection.sql(
        "SELECT DISTINCT unnest(models) FROM scores UNION SELECT model FROM captions ORDER BY 1"
    ).fetchall()
    removed = [
        f"{step.name}: {outcome.num:,} of {counted(step.num_in, step.unit)} {outcome.status}"
        f"{f', {printable(outcome.reason)}' if outcome.reason else ''}"
        for step in steps
        for outcome in step.outcomes
        if outcome.status != tables.OK
    ]
    written = connection.sql(
        """SELECT captioner, model, prompt_version, count(*) FROM captions WHERE status = 'ok'
        GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    from_sources = "; ".join(
        f"{printable(name)} ({counted(videos, 'videos')}, {counted(samples, 'samples')})"
        for name, videos, samples in sources
    )
    return {
        "rai:dataCollection": (
            "Existing footage; nothing was recorded for this set. Sources as the manifests state "
            f"them: {from_sources or 'none, no sample was kept'}."
        ),
        "rai:dataCollectionMissingData": (
            "Inputs that could not be read or decoded have a row that says why; they are counted "
            "under dataPreprocessingProtocol. No missing value was filled in."
        ),
        "rai:dataPreprocessingProtocol": [
            "Videos were cut into shots and clips; duplicates and what the rules reject were "
            "removed; the rest was scaled, cropped and encoded into fixed shapes. What was removed "
            "at each step, with its reason:",
            *(removed or ["nothing was removed"]),
        ],
        "rai:dataAnnotationProtocol": [
            f"Captioner {printable(who)}: {counted(count, 'captions')} by {printable(model)}, "
            f"prompt {printable(prompt or 'none')}"
            for who, model, prompt, count in written
        ]
        or ["The samples have no captions."],
        "rai:machineAnnotationTools": [printable(model) for (model,) in models if model],
        "rai:dataBiases": _biases(connection),
        "rai:dataLimitations": [
            "Measures and models decide what is kept: what they misjudge is missing or present by "
            "mistake.",
            "Captions were written by machine and are not checked unless a review says so.",
        ],
        "rai:personalSensitiveInformation": [
            "Footage may show people, their faces and text on screen. Nobody was asked and nothing "
            "was made unrecognisable."
        ],
        "rai:dataUseCases": ["Training of text-to-video and text-to-image models."],
    }


def _biases(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """What the samples have much of, as far as it was counted."""
    found = [
        "The sources, and the order in which rules were set, decide what is seen often; nothing "
        "was balanced by who or where is shown."
    ]
    rows = connection.sql(
        """SELECT t.subset, c.name, t.size, t.resampled_size, t.share FROM (
            SELECT name, s.subset AS subset, s.size AS size, s.resampled_size AS resampled_size,
                s.size / nullif(sum(s.size) OVER (PARTITION BY s.subset), 0) AS share
            FROM (SELECT name, unnest(subsets) AS s FROM concepts)) AS t(name, subset, size,
                resampled_size, share), LATERAL (SELECT t.name) AS c(name)
        WHERE t.share > 0.1 ORDER BY t.subset, t.share DESC, c.name"""
    ).fetchall()
    for subset, name, size, resampled, share in rows:
        found.append(
            f"Subset {subset}: concept {printable(name)} has {100 * share:.0f} % of the clips "
            f"({size:,}; weight after resampling {resampled:.1f})."
        )
    return found
