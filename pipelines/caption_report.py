"""The section of the dataset card that tells of captions."""

import duckdb

from curation import tables
from pipelines.escaping import markdown_table

_WRITTEN = f"""SELECT captioner, model, prompt_version, count(*),
        count(*) FILTER (len(flags) > 0), median(len(string_split(caption, ' ')))
    FROM captions WHERE status = '{tables.OK}' GROUP BY ALL ORDER BY ALL"""  # noqa: S608 - a constant
_FLAGS = f"""SELECT captioner, flag, count(*) FROM (
        SELECT captioner, unnest(flags) AS flag FROM captions WHERE status = '{tables.OK}')
    GROUP BY ALL ORDER BY captioner, count(*) DESC, flag"""  # noqa: S608 - a constant
_TAKEN = f"""SELECT subset, captioner, coalesce(camera_prefix, 'not sure'), count(*) FROM shards
    WHERE status = '{tables.OK}' AND caption IS NOT NULL
    GROUP BY ALL ORDER BY subset, captioner, count(*) DESC, 3"""  # noqa: S608 - a constant


def captions_section(connection: duckdb.DuckDBPyConnection) -> str:
    """Who wrote the captions, what is wrong with them, and which the samples carry; or nothing.

    Args:
        connection: one of `curation.views.connect`.
    """
    written = connection.sql(_WRITTEN).fetchall()
    if not written:
        return ""
    rows = [
        (who, model, prompt, f"{count:,}", f"{flagged:,}", f"{words:.0f}")
        for who, model, prompt, count, flagged, words in written
    ]
    head = ("captioner", "model", "prompt", "captions", "flagged", "words, median")
    parts = ["## Captions\n", markdown_table(head, rows)]
    flags = [(who, flag, f"{count:,}") for who, flag, count in connection.sql(_FLAGS).fetchall()]
    if flags:
        parts += ["Flags say what may be wrong with a caption:\n"]
        parts += [markdown_table(("captioner", "flag", "captions"), flags)]
    taken = [
        (subset, who, camera, f"{count:,}")
        for subset, who, camera, count in connection.sql(_TAKEN).fetchall()
    ]
    if taken:
        parts += ["What samples carry, by the camera motion that stands before the caption:\n"]
        parts += [markdown_table(("subset", "captioner", "camera", "samples"), taken)]
    return "\n".join(parts)
