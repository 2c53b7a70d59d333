"""The panel of shards: the files of a subset's samples and latents, and who has trained on them."""

from typing import Any

import pyarrow as pa
from pydantic import Field

from curation.tables import FINGERPRINT, LATENTS, SHARD
from curation.views import LATENTS as LATENTS_PREFIX
from curation.views import SHARDS
from pipelines.dashboard.answers import get
from pipelines.dashboard.board import Board
from pipelines.dashboard.commits import commits_of
from pipelines.dashboard.filters import Query
from pipelines.dashboard.index import Index
from pipelines.dashboard.run_folders import DATA, json_file, stages_of, training_runs
from pipelines.workspace import storage_errors

MOST_FILES = 2_000


class ShardQuery(Query):
    """The samples of a subset."""

    subset: str = Field(max_length=100)
    """Its name."""


def shards(board: Board, asked: ShardQuery) -> dict[str, Any]:
    """The samples of a subset, by file and by bucket, and what has read them.

    Returns:
        `table`, `folder`, `version`; `files` as the Delta log names them, with `rows`, `samples`,
        `size_bytes`, `hours` and `buckets`; `num_files`; `buckets`; `outcomes` by status and
        reason; `totals`; `stale`: samples of clips that the subset no longer keeps, which go when
        the subset's samples are next cut; `schema`; `latents` (null without any); `readers`: the
        stages of training runs that read the samples or the latents.

    Raises:
        ValueError: there is no such subset.
    """
    index = board.index
    board.decided(asked.subset)
    table = SHARDS + asked.subset
    found: dict[str, Any] = {
        "subset": asked.subset,
        "table": table,
        "folder": f"{board.workspace.uri}/{table}",
        "workspace": board.workspace.uri,
        "is_remote": board.workspace.is_remote,
        "version": None,
        "schema": _schema(SHARD),
        "readers": readers(board, index, asked.subset),
        "latents": _latents(board, index, asked.subset),
    }
    if table not in index.committed:
        return found
    name = {"subset": asked.subset}
    files = _files(board, index, table, asked.subset)
    return found | {
        "version": index.committed[table].version,
        "files": files[:MOST_FILES],
        "num_files": len(files),
        "size_bytes": sum(one["size_bytes"] for one in files),
        "buckets": board.ask(_BUCKETS, name, index=index),
        "outcomes": board.ask(_OUTCOMES, name, index=index),
        "totals": board.ask(_TOTALS, name, index=index)[0],
        "stale": board.ask(_STALE_SAMPLES, name, index=index)[0]["num"],
    }


_TOTALS = """SELECT count(*) AS rows, count(*) FILTER (status = 'ok') AS samples,
        coalesce(sum(end_s - start_s) FILTER (status = 'ok'), 0) / 3600 AS hours,
        coalesce(sum(size_bytes) FILTER (status = 'ok'), 0)::BIGINT AS video_bytes,
        count(video_sha256) FILTER (status = 'ok') AS num_hashed,
        count(DISTINCT fingerprint)::INT AS fingerprints,
        count(*) FILTER (status = 'ok' AND caption IS NOT NULL) AS captioned
    FROM shards WHERE subset = $subset"""

_BUCKETS = """SELECT bucket, count(*) AS num, any_value(width) AS width,
        any_value(height) AS height,
        any_value(num_frames) AS num_frames, sum(num_frames)::BIGINT AS frames,
        sum(end_s - start_s) / 3600 AS hours, sum(size_bytes)::BIGINT AS size_bytes,
        sum(weight) AS weight
    FROM shards WHERE subset = $subset AND status = 'ok'
    GROUP BY bucket ORDER BY num DESC, bucket"""

_OUTCOMES = """SELECT status, reason, count(*) AS num FROM shards WHERE subset = $subset
    GROUP BY status, reason ORDER BY num DESC, status, reason"""

_OF_FILES = """SELECT p.file, count(*) AS rows, count(*) FILTER (h.status = 'ok') AS samples,
        coalesce(sum(h.end_s - h.start_s) FILTER (h.status = 'ok'), 0) / 3600 AS hours,
        list(DISTINCT h.bucket ORDER BY h.bucket) FILTER (h.bucket IS NOT NULL) AS buckets
    FROM places AS p JOIN (FROM shards WHERE subset = $subset) AS h ON h.clip_id = p.key
    WHERE p.table_name = $table GROUP BY p.file"""

_LATENTS = """SELECT count(*) AS rows, count(*) FILTER (status = 'ok') AS samples,
        list(DISTINCT encoder_hash) FILTER (encoder_hash IS NOT NULL) AS encoders,
        min(num_frames / fps) AS least_s, max(num_frames / fps) AS most_s
    FROM latents WHERE subset = $subset"""

_SHAPES = """SELECT latent_shape AS shape, count(*) AS num, any_value(width) AS width,
        any_value(height) AS height, any_value(num_frames) AS num_frames,
        count(image_shape) AS with_image
    FROM latents WHERE subset = $subset AND status = 'ok' GROUP BY latent_shape
    ORDER BY num DESC, latent_shape"""

_STALE_SAMPLES = """SELECT count(*) AS num
    FROM (FROM shards WHERE subset = $subset AND status = 'ok') AS h
    ANTI JOIN (FROM selection WHERE subset = $subset AND status = 'ok') AS s
    ON s.clip_id = h.clip_id"""

# A latent is of a sample only while the sample's bytes are those that were encoded.
_STALE = """SELECT count(*) AS num FROM (FROM latents WHERE subset = $subset AND status = 'ok') AS n
    ANTI JOIN (FROM shards WHERE subset = $subset AND status = 'ok') AS h
    ON h.clip_id = n.clip_id AND h.video_sha256 IS NOT DISTINCT FROM n.video_sha256"""


def _files(board: Board, index: Index, table: str, subset: str) -> list[dict[str, Any]]:
    params = {"subset": subset, "table": table}
    known = {row["file"]: row for row in board.ask(_OF_FILES, params, index=index)}
    none = {"rows": 0, "samples": 0, "hours": 0.0, "buckets": []}
    return [
        {**none, **known.get(path, {}), "file": path, "size_bytes": size}
        for path, size in _sizes(board, index, table)
    ]


def _sizes(board: Board, index: Index, table: str) -> list[tuple[str, int]]:
    """Name and bytes of each file of the version that the index is of, by name."""
    at = board.workspace.table(table)
    with storage_errors(at.uri):
        actions = pa.table(at.delta(index.committed[table].version).get_add_actions())
    return sorted(zip(actions["path"].to_pylist(), actions["size_bytes"].to_pylist(), strict=True))


def _latents(board: Board, index: Index, subset: str) -> dict[str, Any] | None:
    table = LATENTS_PREFIX + subset
    if table not in index.committed:
        return None
    name, sizes = {"subset": subset}, _sizes(board, index, table)
    told = board.ask(_LATENTS, name, index=index)[0]
    return told | {
        "table": table,
        "folder": f"{board.workspace.uri}/{table}",
        "version": index.committed[table].version,
        "num_files": len(sizes),
        "size_bytes": sum(size for _, size in sizes),
        "shapes": board.ask(_SHAPES, name, index=index),
        "stale": board.ask(_STALE, name, index=index)[0]["num"],
        "schema": _schema(LATENTS),
    }


def _schema(schema: pa.Schema) -> list[dict[str, str]]:
    return [
        {"name": one.name, "type": str(one.type), "doc": (one.metadata or {})[b"doc"].decode()}
        for one in [*schema, FINGERPRINT]
    ]


def readers(board: Board, index: Index, subset: str) -> list[dict[str, Any]]:
    """The stages of the training runs that were trained on the samples or latents of a subset.

    Returns:
        For each `run`, `name`, `stage`, `table`, `version`, `encoder_hash`, `num_samples`,
        `workspace` as its `data.json` has it, `is_here` (it is this workspace), and
        `num_changes`: commits since that changed the table's rows; null where it was elsewhere.
    """
    wanted = (SHARDS + subset, LATENTS_PREFIX + subset)
    found = []
    for run in training_runs(board):
        for stage, folder in stages_of(run).items():
            said = json_file(folder, DATA)
            versions = said.get("versions")
            for table, version in versions.items() if isinstance(versions, dict) else ():
                if table in wanted:
                    is_here = str(said.get("workspace", "")) == board.workspace.uri
                    changes = _changes(board, index, table, version) if is_here else None
                    found.append(
                        {
                            "run": run.number,
                            "name": run.name,
                            "stage": stage,
                            "table": table,
                            "version": version,
                            "encoder_hash": said.get("encoder_hash"),
                            "num_samples": said.get("num_samples"),
                            "workspace": said.get("workspace"),
                            "is_here": is_here,
                            "num_changes": changes,
                        }
                    )
    return found


def _changes(board: Board, index: Index, table: str, version: object) -> int | None:
    if table not in index.committed or not isinstance(version, int):
        return None
    commits = commits_of(board.workspace, {table: index.committed[table]})
    return sum(one.version > version and bool(one.added or one.removed) for one in commits)


ROUTES = [get("shards", shards, ShardQuery)]
