"""DuckDB over a workspace: what `moviola sql` asks, and what `verify`, `explain` and `report` do.

A query sees committed rows only, and cannot write, read files or reach the network.
"""

import json
from typing import Any

import duckdb
import obstore
import pyarrow as pa

from curation.selection import SubsetSettings
from curation.tables import TABLES
from curation.views import CAPTIONS, LATENTS, SHARDS, connect
from pipelines.recipe_history import FOLDER
from pipelines.workspace import Workspace, storage_errors

COMMITS = 50
"""Commits looked back for the recipe of a subset that the last run did not have."""


def table_names(workspace: Workspace) -> list[str]:
    """The tables that have been committed to, upstream first, the samples and latents last.

    Raises:
        ValueError: there are none, so this is no workspace.
        StorageError: the storage cannot be read.
    """
    several = [CAPTIONS, SHARDS, LATENTS]
    single = [name for name in TABLES if f"{name}/" not in several]
    names = [name for name in single if workspace.table(name).exists()]
    if not names:
        raise ValueError(f"{workspace.uri} is no workspace: it holds none of {', '.join(TABLES)}")
    return [*names, *(part for prefix in several for part in parts_of(workspace, prefix))]


def parts_of(workspace: Workspace, prefix: str) -> list[str]:
    """The tables whose names begin with this prefix, such as `captions/`, sorted.

    Raises:
        StorageError: the storage cannot be read.
    """
    with storage_errors(workspace.uri):
        listed = obstore.list_with_delimiter(workspace.store(), prefix=prefix.rstrip("/"))
    folders = sorted(path.rstrip("/").rpartition("/")[2] for path in listed["common_prefixes"])
    return [prefix + name for name in folders if workspace.table(prefix + name).exists()]


def open_views(workspace: Workspace) -> duckdb.DuckDBPyConnection:
    """A connection with the views of `curation.views` over the committed rows.

    Raises:
        ValueError: this is no workspace, or its tables lack a column that this version has.
        StorageError: the storage cannot be read.
    """
    rows = {name: workspace.table(name).dataset() for name in table_names(workspace)}
    for name, dataset in rows.items():
        known = TABLES[name.partition("/")[0]]
        if missing := [column for column in known.names if column not in dataset.schema.names]:
            command = "encode" if name.startswith(LATENTS) else "curate"
            raise ValueError(
                f"{workspace.uri}: table {name} has no column {', '.join(missing)}: an earlier "
                f"version of Moviola made it. Run `moviola {command}` on the workspace again."
            )
    return connect(rows)


def run_query(workspace: Workspace, sql: str) -> pa.Table:
    """The answer to one or several SQL statements: that of the last.

    Raises:
        ValueError: this is no workspace, or DuckDB refuses the statement; the message says why.
        StorageError: the storage cannot be read.
    """
    with open_views(workspace) as connection:
        try:
            answer = connection.sql(sql)
            return pa.table({}) if answer is None else answer.to_arrow_table()
        except duckdb.Error as error:
            raise ValueError(str(error)) from error


def as_text(answer: pa.Table) -> str:
    """The answer as a table of characters, as wide as it needs and long ones shortened."""
    return str(duckdb.from_arrow(answer)) if answer.num_columns else ""


def subset_settings(workspace: Workspace) -> dict[str, SubsetSettings]:
    """What each subset was last selected by, as far as the recipes were kept."""
    if not workspace.table("selection").exists():
        return {}
    commits = workspace.table("selection").delta().history(COMMITS)
    found: dict[str, SubsetSettings] = {}
    for recipe in dict.fromkeys(commit.get("recipe") for commit in commits):
        for name, values in _recipe(workspace, recipe).get("subsets", {}).items():
            found.setdefault(name, SubsetSettings.model_validate(values))
    return found


def _recipe(workspace: Workspace, recipe_hash: str | None) -> dict[str, Any]:
    with storage_errors(f"{workspace.uri}/{FOLDER}"):
        try:
            content = obstore.get(workspace.store(FOLDER), f"{recipe_hash}.json").bytes()
        except FileNotFoundError:
            return {}
    values: dict[str, Any] = json.loads(bytes(content))
    return values
