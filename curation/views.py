"""The tables as DuckDB views: what selection, funnel, `verify` and `moviola sql` all ask.

`clips` has one row per clip with every measure a rule may judge, so a rule can be tried in SQL by
its own name. Reading it never reads a picture: the JPEG frames are `clip_frames`.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from curation import tables
from curation.caption_reviews import CAPTION_VERDICTS
from curation.rules import measured_clips_sql

Rows: TypeAlias = pa.Table | ds.Dataset
"""The committed rows of one table."""

SHARDS = "shards/"
"""What the names of the tables of samples begin with; the subset follows."""

CAPTIONS = "captions/"
"""What the names of the tables of captions begin with; the captioner follows."""

LATENTS = "latents/"
"""What the names of the tables of encoded samples begin with; the subset follows."""

_PLAIN = ("sources", "videos", "scores", "selection", "reviews", "concepts", "caption_reviews")
"""Tables that are views as they are."""


def connect(rows: Mapping[str, Rows]) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection that sees these tables, and can then reach no file, extension or network.

    Args:
        rows: the rows by the name of their table: `sources`, `videos`, `clips`, `scores`,
            `selection`, `reviews`, `concepts`, `captions/<captioner>` (or all captions as
            `captions`), `caption_reviews`, `shards/<subset>` and `latents/<subset>`. A table that
            is left out counts as empty.

    Returns:
        A connection with the views `sources`, `videos`, `passes` (the rows of table `clips`),
        `clips`, `clip_frames`, `cuts`, `scores`, `selection`, `reviews`, `concepts`, `captions`,
        `caption_reviews` (every verdict), `caption_verdicts` (the one that counts, see
        `curation.caption_reviews`), `shards`, `latents` and, for each captioner
        and subset, `captions_<captioner>`, `shards_<subset>` and `latents_<subset>`.
    """
    spill = Path(tempfile.gettempdir()) / "moviola-duckdb"
    connection = duckdb.connect(config={"temp_directory": str(spill)})
    for name in _PLAIN:
        connection.register(name, rows.get(name, tables.TABLES[name].empty_table()))
    _add_union(connection, "captions", rows)
    connection.execute(f"CREATE VIEW caption_verdicts AS {CAPTION_VERDICTS}")
    _add_clips(connection, rows.get("clips", tables.CLIPS.empty_table()))
    _add_union(connection, "shards", rows)
    _add_union(connection, "latents", rows)
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    return connection


def _add_union(connection: duckdb.DuckDBPyConnection, name: str, rows: Mapping[str, Rows]) -> None:
    """A view for each table `<name>/<part>`, and the view `<name>` of them all."""
    parts = {table: found for table, found in rows.items() if table.startswith(f"{name}/")}
    for table, found in parts.items():
        connection.register(view_of(table), found)
    connection.register(f"no_{name}", rows.get(name, tables.TABLES[name].empty_table()))
    # BY NAME, because the tables have the engine's own columns too.
    # A row whose worker died knows its id alone; which part it belongs to, its table says.
    owner = "captioner" if name == "captions" else "subset"
    union = f"SELECT * FROM no_{name}"  # noqa: S608 - such names are checked when a recipe is read
    for table in parts:
        own = f"coalesce({owner}, '{table.partition('/')[2]}') AS {owner}"
        union += f' UNION ALL BY NAME SELECT * REPLACE ({own}) FROM "{view_of(table)}"'  # noqa: S608
    if name == "shards":
        union = f"SELECT *, octet_length(video)::BIGINT AS size_bytes FROM ({union})"  # noqa: S608
    connection.execute(f"CREATE VIEW {name} AS {union}")


def view_of(table: str) -> str:
    """The name of a table's view, such as `shards_256p` for `shards/256p`."""
    return table.replace("/", "_").replace("-", "_")


def _add_clips(connection: duckdb.DuckDBPyConnection, clips: Rows) -> None:
    connection.register("clip_pictures", clips)
    passes = [field.name for field in clips.schema if field.name != "frames"]
    if isinstance(clips, pa.Table):
        connection.register("passes", clips.select(passes))
    else:
        # Without Arrow's read-ahead, which would hold gigabytes of nested rows at once.
        few = {"batch_size": 1024, "batch_readahead": 2, "fragment_readahead": 1}
        connection.register("passes", clips.scanner(passes, **few))
    connection.execute(f"CREATE VIEW clips AS {measured_clips_sql('passes', 'videos', 'scores')}")
    connection.execute(
        """CREATE VIEW clip_frames AS
        SELECT clip_id, frame.time_s AS time_s, frame.jpeg AS jpeg FROM (
            SELECT clip.clip_id AS clip_id, unnest(pictures) AS frame FROM (
                SELECT unnest(clips) AS clip, unnest(frames) AS pictures FROM clip_pictures))"""
    )
    connection.execute(
        """CREATE VIEW cuts AS SELECT video_id, cut.time_s AS time_s, cut.kind AS kind
        FROM (SELECT video_id, unnest(cuts) AS cut FROM passes)"""
    )
