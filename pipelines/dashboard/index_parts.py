"""What each part of the index holds, and the SQL that fills it from the workspace's tables."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from curation import tables
from curation.rules import (
    CLIP_MEASURES,
    MEASURES,
    NUMBERS,
    PASS_MEASURES,
    SCORE_MEASURES,
    VIDEO_MEASURES,
)
from curation.selection import SubsetSettings, register_bucket_reason
from curation.views import CAPTIONS, LATENTS, SHARDS
from pipelines.dashboard.clip_rows import FLAT, PASSES, clip_rows
from pipelines.dashboard.judged import judged_sql
from pipelines.dashboard.looks import LOOKS, looks
from pipelines.dashboard.stored_rows import opened
from pipelines.queries import selection_settings, subset_settings
from pipelines.workspace import Workspace, quoted, reading_file

BATCH_ROWS = 1 << 16

EMBEDDED_ROWS = 1 << 13
"""Rows at once where each has an embedding."""

LAYOUT = 6
"""Raised when a part holds other columns than before."""


class Committed(NamedTuple):
    """A table as it was when it was looked at."""

    version: int
    table_id: str
    """Another one where the table was removed and made again, so that versions start anew."""


class Source(NamedTuple):
    """What parts are made from."""

    workspace: Workspace
    committed: Mapping[str, Committed]
    views: duckdb.DuckDBPyConnection
    """Of `curation.views`, over these versions."""
    made: Mapping[str, Path]
    """The files of all parts, those of them that come before the one at work."""


class Part(NamedTuple):
    """A file of the index."""

    name: str
    tables: frozenset[str]
    """The tables of the workspace that it depends on."""
    fill: Callable[[duckdb.DuckDBPyConnection, Source], None]


_PLAIN = {
    "sources": "FROM sources",
    "videos": "FROM videos",
    "scores": "SELECT * EXCLUDE (copy_embedding, concept_embedding) FROM scores",
    "selection": "FROM selection",
    "reviews": "FROM reviews",
    "caption_reviews": "FROM caption_reviews",
    "concepts": "SELECT * EXCLUDE (centroid) FROM concepts",
}
_MEASURED = [field.name for field in tables.MEASURES]
_UNIONS = {
    CAPTIONS: "FROM captions",
    SHARDS: f"SELECT * EXCLUDE (video, {', '.join(_MEASURED)}) FROM shards",  # noqa: S608
    LATENTS: "SELECT * EXCLUDE (latent, image_latent, text) FROM latents",
}


def parts(committed: Mapping[str, Committed]) -> list[Part]:
    """The parts of an index of these tables, each after those it is made from."""
    found = [Part(name, frozenset({name}), _copying(name, sql)) for name, sql in _PLAIN.items()]
    found.append(Part("looks", frozenset({"scores"}), _fill_looks))
    found.append(Part("passes", frozenset({"clips"}), _fill_passes))
    for prefix, sql in _UNIONS.items():
        name = prefix.rstrip("/")
        several = frozenset(table for table in committed if table.startswith(prefix))
        found.append(Part(name, several, _copying(name, sql)))
    measured = frozenset({"clips", "videos", "scores"})
    found.append(Part("clips", measured, _fill_clips))
    samples = frozenset(name for name in committed if name.startswith(SHARDS))
    found.append(Part("places", frozenset({"clips"}) | samples, _fill_places))
    found.append(Part("decided", measured | {"selection"}, _fill_decided))
    return found


def quoted_path(path: Path) -> str:
    """The path as an SQL string literal."""
    return quoted(str(path))


def _copying(name: str, sql: str) -> Callable[[duckdb.DuckDBPyConnection, Source], None]:
    def fill(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
        _store(connection, name, source.views.sql(sql).to_arrow_reader(BATCH_ROWS))

    return fill


def _fill_looks(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Table `looks`: what is kept of the embeddings of table `scores`."""
    connection.register("no_looks", LOOKS.empty_table())
    connection.execute("CREATE TABLE looks AS FROM no_looks")
    if "scores" not in source.committed:
        return
    found: list[pa.Table] = []
    for batch in _embeddings(source):
        found.append(looks(batch))
        if sum(part.num_rows for part in found) >= BATCH_ROWS:
            _append(connection, "looks", pa.concat_tables(found))
            found = []
    _append(connection, "looks", pa.concat_tables([LOOKS.empty_table(), *found]))


def _embeddings(source: Source) -> Iterator[pa.RecordBatch]:
    """Ids, models and concept embeddings of table `scores`; a scan of all has more in memory."""
    table = source.workspace.table("scores")
    columns = ["clip_id", "video_id", "models", "concept_embedding"]
    for file in _files(source, "scores"):
        with reading_file(table, file), pq.ParquetFile(opened(table, file)) as parquet:
            # A file of an earlier version may lack the embeddings.
            if set(columns) <= set(parquet.schema_arrow.names):
                yield from parquet.iter_batches(EMBEDDED_ROWS, columns=columns)


def _fill_passes(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Tables `passes`, and `flat_clips`: see `pipelines.dashboard.clip_rows`.

    Rows of files that an earlier index has are taken from it: files of a table never change.
    """
    connection.register("no_passes", PASSES.empty_table())
    connection.register("no_clips", FLAT.empty_table())
    connection.execute("CREATE TABLE passes AS FROM no_passes")
    connection.execute("CREATE TABLE flat_clips AS FROM no_clips")
    if "clips" not in source.committed:
        return
    table = source.workspace.table("clips")
    files = _files(source, "clips")
    known = _taken_over(connection, source.made["passes"], files)
    lacking = [file for file in files if file not in known]
    for rows in clip_rows(table, lacking, os.cpu_count() or 1):
        for name, part in (("flat_clips", rows.flat), ("passes", rows.passes)):
            _append(connection, name, part)


def _taken_over(
    connection: duckdb.DuckDBPyConnection, target: Path, files: Sequence[str]
) -> set[str]:
    """Copies what an earlier part of this kind has of the files; returns which those are."""
    earlier = sorted(
        target.parent.glob(f"passes-{LAYOUT}-*.duckdb"), key=lambda path: path.stat().st_mtime
    )
    if not earlier:
        return set()
    connection.execute(f"ATTACH {quoted_path(earlier[-1])} AS earlier (READ_ONLY)")
    connection.register("files", pa.table({"file": pa.array(files, pa.string())}))
    for name in ("passes", "flat_clips"):
        connection.execute(f"INSERT INTO {name} FROM earlier.{name} SEMI JOIN files USING (file)")
    connection.execute("DETACH earlier")
    return {file for (file,) in connection.execute("SELECT DISTINCT file FROM passes").fetchall()}


def _fill_clips(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Tables `clips`, and `spreads`: a row per measure that is a number and that some clip has."""
    connection.execute(f"ATTACH {quoted_path(source.made['passes'])} AS passed (READ_ONLY)")
    connection.execute(f"ATTACH {quoted_path(source.made['videos'])} AS videos_part (READ_ONLY)")
    connection.register("scored", _scored(source))
    owners = dict.fromkeys(VIDEO_MEASURES, "v") | dict.fromkeys(PASS_MEASURES, "c")
    owners |= dict.fromkeys(CLIP_MEASURES, "c") | dict.fromkeys(SCORE_MEASURES, "s")
    columns = ", ".join(f"{owner}.{name} AS {name}" for name, owner in owners.items())
    connection.execute(
        f"""CREATE TABLE clips AS
        SELECT c.clip_id, c.video_id, {columns}, v.status AS video_status
        FROM passed.flat_clips AS c JOIN videos_part.videos AS v ON v.video_id = c.video_id
        LEFT JOIN scored AS s ON s.clip_id = c.clip_id"""  # noqa: S608 - names are ours
    )
    for name in ("passed", "videos_part"):
        connection.execute(f"DETACH {name}")
    connection.execute(
        """CREATE TABLE spreads (measure VARCHAR, num BIGINT, least DOUBLE, low DOUBLE,
            median DOUBLE, high DOUBLE, most DOUBLE)"""
    )
    for measure in sorted(NUMBERS):
        connection.execute(
            f"""INSERT INTO spreads
            SELECT '{measure}', num, least, marks[1], marks[2], marks[3], most
            FROM (SELECT count(*) AS num, min(x) AS least, max(x) AS most,
                    approx_quantile(x, [0.005, 0.5, 0.995]) AS marks
                FROM (SELECT {measure}::DOUBLE AS x FROM clips WHERE isfinite({measure}::DOUBLE)))
            WHERE num > 0"""  # noqa: S608 - names are ours
        )


def _scored(source: Source) -> pa.Table | pa.RecordBatchReader:
    """What a rule may judge of table `scores`, to be read once."""
    columns = ["clip_id", *SCORE_MEASURES]
    if "scores" not in source.committed:
        return tables.SCORES.empty_table().select(columns)
    dataset = source.workspace.table("scores").dataset(source.committed["scores"].version)
    return dataset.scanner(columns=columns, batch_readahead=4, fragment_readahead=1).to_reader()


def _files(source: Source, table: str) -> list[str]:
    """The Parquet files of a table, relative to it, sorted."""
    delta = source.workspace.table(table).delta(source.committed[table].version)
    return sorted(pa.table(delta.get_add_actions())["path"].to_pylist())


def _store(connection: duckdb.DuckDBPyConnection, name: str, rows: object) -> None:
    connection.register("rows_to_store", rows)
    connection.execute(f'CREATE TABLE "{name}" AS FROM rows_to_store')
    connection.unregister("rows_to_store")


def _append(connection: duckdb.DuckDBPyConnection, name: str, rows: object) -> None:
    connection.register("rows_to_store", rows)
    connection.execute(f'INSERT INTO "{name}" FROM rows_to_store')
    connection.unregister("rows_to_store")


def _fill_places(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Table `places`: where the pictures of a clip and where samples lie."""
    connection.execute(f"ATTACH {quoted_path(source.made['passes'])} AS passed (READ_ONLY)")
    connection.execute(
        """CREATE TABLE places AS
        SELECT 'clips' AS table_name, clip_id AS key, file, row FROM passed.flat_clips"""
    )
    connection.execute("DETACH passed")
    for name in (name for name in source.committed if name.startswith(SHARDS)):
        table = source.workspace.table(name)
        for file in _files(source, name):
            with reading_file(table, file), pq.ParquetFile(opened(table, file)) as parquet:
                ids = parquet.read(columns=["clip_id"])["clip_id"].combine_chunks()
            connection.register("ids", pa.table({"key": ids, "row": range(len(ids))}))
            connection.execute(
                "INSERT INTO places SELECT $name, key, $file, row FROM ids",
                {"name": name, "file": file},
            )


def _fill_decided(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Tables `subsets` and `decided_<place>`, for each of them.

    `has_duplicates` says whether duplicates were looked for, also where no recipe tells.
    """
    connection.execute(
        "CREATE TABLE subsets (subset VARCHAR, place INT, settings VARCHAR, has_duplicates BOOL)"
    )
    for name in ("clips", "scores", "selection"):
        connection.execute(f"ATTACH {quoted_path(source.made[name])} AS {name}_part (READ_ONLY)")
    found = connection.sql("SELECT DISTINCT subset FROM selection_part.selection ORDER BY 1")
    settings = subset_settings(source.workspace)
    for place, (subset,) in enumerate(found.fetchall()):
        known = settings.get(subset)
        connection.execute(
            "INSERT INTO subsets VALUES ($subset, $place, $settings, $duplicates)",
            {
                "subset": subset,
                "place": place,
                "settings": known.model_dump_json() if known else None,
                "duplicates": known is None
                or selection_settings(source.workspace, subset).duplicates is not None,
            },
        )
        _decide(connection, place, subset, known or SubsetSettings())
    for name in ("clips", "scores", "selection"):
        connection.execute(f"DETACH {name}_part")


def _decide(
    connection: duckdb.DuckDBPyConnection, place: int, subset: str, settings: SubsetSettings
) -> None:
    register_bucket_reason(connection, settings.buckets)
    judged = judged_sql(settings)
    columns = ", ".join(f"c.{name} AS {name}" for name in MEASURES)
    connection.execute(
        f"""CREATE TABLE decided_{place} AS
        SELECT s.clip_id, s.video_id, s.status AS verdict, s.reason AS verdict_reason, s.audit,
            s.duplicate_of, s.cosine, s.phrase, s.concept_id, s.weight,
            m.clip_id IS NOT NULL AS is_scored, {columns}, {judged}
        FROM clips_part.clips AS c
        JOIN (FROM selection_part.selection WHERE subset = {quoted(subset)}) AS s
            ON s.clip_id = c.clip_id
        LEFT JOIN (SELECT clip_id FROM scores_part.scores) AS m ON m.clip_id = c.clip_id"""  # noqa: S608 - names are ours, the subset is quoted
    )
    connection.remove_function("bucket_reason")
