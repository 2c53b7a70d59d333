"""The recipes that made a workspace's rows, kept so that a run can say what has changed since."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError

from pipelines.workspace import Table, Workspace, storage_errors

FOLDER = "_recipes"

_OF_SUBSET = re.compile(r"subset = '((?:[^']|'')*)'")


def keep_recipe(workspace: Workspace, recipe_hash: str, recipe: Mapping[str, Any]) -> None:
    """Writes `_recipes/<hash>.json`, once per recipe."""
    if not recipe_hash:
        return
    # In the order of the recipe, which is that in which rules are tried.
    content = json.dumps(recipe, indent=1).encode()
    with storage_errors(f"{workspace.uri}/{FOLDER}/{recipe_hash}.json"):
        try:
            obstore.put(workspace.store(FOLDER), f"{recipe_hash}.json", content, mode="create")
        except AlreadyExistsError:
            return


def read_recipe(workspace: Workspace, recipe_hash: str | None) -> dict[str, Any]:
    """The recipe of this hash as it was resolved, empty where it was not kept.

    Raises:
        StorageError: the storage cannot be read.
    """
    if not recipe_hash:
        return {}
    with storage_errors(f"{workspace.uri}/{FOLDER}"):
        try:
            store = workspace.reading_store(FOLDER)
            content = bytes(obstore.get(store, f"{recipe_hash}.json").bytes())
        except FileNotFoundError:
            return {}
    values: dict[str, Any] = json.loads(content)
    return values


def decided_subset(commit: Mapping[str, Any]) -> str | None:
    """The subset whose rows a commit of table `selection` has replaced; None if it was all rows."""
    predicate = commit.get("operationParameters", {}).get("predicate")
    if not predicate:
        return None
    found = _OF_SUBSET.fullmatch(predicate)
    assert found, f"table selection is replaced by subset, and not where {predicate}"
    return found[1].replace("''", "'")


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Dotted key, old value and new value of each key that differs, those of the engine left out.

    A key that one of them lacks counts as null there.
    """
    old, new = dict(_flat(before)), dict(_flat(now))
    return [
        (key, old.get(key), new.get(key))
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key) and not key.startswith("engine.")
    ]


def changed_keys(table: Table, recipe: Mapping[str, Any]) -> list[str]:
    """`dotted.key old -> new` for each recipe key that differs from the table's last commit."""
    before = read_recipe(table.workspace, table.delta().history(1)[0].get("recipe"))
    if not before or not recipe:
        return []
    return [
        f"{key} {json.dumps(old)} -> {json.dumps(new)}"
        for key, old, new in differences(before, recipe)
    ]


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
