"""DuckDB over a workspace: what `moviola sql` asks, and what `verify`, `explain` and `report` do.

A query sees committed rows only, and cannot write, read files or reach the network.
"""

from collections.abc import Mapping
from typing import Any

import duckdb
import obstore
import pyarrow as pa

from curation.selection import SelectionSettings, SubsetSettings
from curation.tables import TABLES
from curation.views import CAPTIONS, LATENTS, SHARDS, connect
from pipelines.recipe_history import decided_subset, read_recipe
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
        listed = obstore.list_with_delimiter(workspace.reading_store(), prefix=prefix.rstrip("/"))
    folders = sorted(path.rstrip("/").rpartition("/")[2] for path in listed["common_prefixes"])
    return [prefix + name for name in folders if workspace.table(prefix + name).exists()]


def open_views(
    workspace: Workspace, versions: Mapping[str, int] | None = None
) -> duckdb.DuckDBPyConnection:
    """A connection with the views of `curation.views` over the committed rows.

    Args:
        workspace: whose.
        versions: of the tables to see, by name; left out, all tables as they are now.

    Raises:
        ValueError: this is no workspace, or its tables lack a column that this version has.
        StorageError: the storage cannot be read.
    """
    seen = dict.fromkeys(table_names(workspace)) if versions is None else versions
    rows = {name: workspace.table(name).dataset(version) for name, version in seen.items()}
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
    return {
        name: SubsetSettings.model_validate(recipe["subsets"][name])
        for name, recipe in _recipes(workspace).items()
    }


def subset_recipe(workspace: Workspace, subset: str) -> dict[str, Any] | None:
    """The recipe that a subset was last selected by; None where it was not kept."""
    return _recipes(workspace).get(subset)


def _recipes(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """The recipe that each subset was last selected by, as far as it was kept."""
    if not workspace.table("selection").exists():
        return {}
    found: dict[str, dict[str, Any] | None] = {}
    kept: dict[str | None, dict[str, Any]] = {}
    for commit in workspace.table("selection").delta().history(COMMITS):
        named = commit.get("recipe")
        if named not in kept:
            kept[named] = read_recipe(workspace, named)
        subsets = kept[named].get("subsets", {})
        decided = decided_subset(commit)
        for name in subsets if decided is None else [decided]:
            found.setdefault(name, kept[named] if name in subsets else None)
    return {name: recipe for name, recipe in found.items() if recipe is not None}


def selection_settings(workspace: Workspace, subset: str) -> SelectionSettings:
    """What a subset shared with the others of the recipe that it was last selected by.

    It is what a recipe has by default where that recipe was not kept.
    """
    recipe = subset_recipe(workspace, subset) or {}
    return SelectionSettings.model_validate(recipe.get("selection", {}))
