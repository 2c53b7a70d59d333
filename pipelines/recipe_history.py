"""The recipes that made a workspace's rows, kept so that a run can say what has changed since."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError

from pipelines.workspace import Table, Workspace, storage_errors

FOLDER = "_recipes"


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


def changed_keys(table: Table, recipe: Mapping[str, Any]) -> list[str]:
    """`dotted.key old -> new` for each recipe key that differs from the table's last commit."""
    last = table.delta().history(1)[0].get("recipe")
    if not last or not recipe:
        return []
    with storage_errors(f"{table.workspace.uri}/{FOLDER}"):
        try:
            content = bytes(obstore.get(table.workspace.store(FOLDER), f"{last}.json").bytes())
        except FileNotFoundError:
            return []
    before, now = dict(_flat(json.loads(content))), dict(_flat(recipe))
    return [
        f"{key} {json.dumps(before.get(key))} -> {json.dumps(now.get(key))}"
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key) and not key.startswith("engine.")
    ]


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
