"""DuckDB over a workspace: what `moviola sql` asks, and what `verify`, `explain` and `report` do.

A query sees committed rows only, and cannot write, read files or reach the network.
"""

import json
from typing import Any

import duckdb
import obstore
import pyarrow as pa

from curation.tables import SHARD, TABLES
from curation.views import SHARDS, Rows, connect
from pipelines.recipe_history import FOLDER
from pipelines.workspace import Workspace, storage_errors


def table_names(workspace: Workspace) -> list[str]:
    """The tables that have been committed to, upstream first, each subset's samples last.

    Raises:
        ValueError: there are none, so this is no workspace.
        StorageError: the storage cannot be read.
    """
    names = [name for name in TABLES if name != "shards" and workspace.table(name).exists()]
    if not names:
        raise ValueError(f"{workspace.uri} is no workspace: it holds none of {', '.join(TABLES)}")
    with storage_errors(workspace.uri):
        listed = obstore.list_with_delimiter(workspace.store(), prefix=SHARDS.rstrip("/"))
    folders = sorted(path.rstrip("/").rpartition("/")[2] for path in listed["common_prefixes"])
    samples = [SHARDS + folder for folder in folders]
    return names + [name for name in samples if workspace.table(name).exists()]


def open_views(workspace: Workspace) -> duckdb.DuckDBPyConnection:
    """A connection with the views of `curation.views` over the committed rows.

    A subset that keeps nothing has no table of samples, but a view all the same.

    Raises:
        ValueError: this is no workspace.
        StorageError: the storage cannot be read.
    """
    rows: dict[str, Rows] = {
        name: workspace.table(name).dataset() for name in table_names(workspace)
    }
    if "selection" in rows:
        chosen = workspace.table("selection").read(columns=["subset"])["subset"]
        rows = {SHARDS + name: SHARD.empty_table() for name in chosen.unique().to_pylist()} | rows
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


def last_recipe(workspace: Workspace, table: str = "selection") -> dict[str, Any]:
    """The recipe, as JSON values, of the last commit to a table; empty where none was kept."""
    if not workspace.table(table).exists():
        return {}
    commit: dict[str, Any] = workspace.table(table).delta().history(1)[0]
    with storage_errors(f"{workspace.uri}/{FOLDER}"):
        try:
            name = f"{commit.get('recipe')}.json"
            content = bytes(obstore.get(workspace.store(FOLDER), name).bytes())
        except FileNotFoundError:
            return {}
    found: dict[str, Any] = json.loads(content)
    return found
