"""Every key of a recipe with its type, default and documentation, read off the settings models."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from curation.settings import Settings

NAME = "<name>"
"""Stands in a key's path for a name that the recipe chooses, such as that of a subset."""

ITEM = "[]"
"""Stands in a key's path for the items of a list."""


@dataclass(frozen=True)
class Key:
    """One key that a recipe may set."""

    path: tuple[str, ...]
    """Its steps from the top, with `NAME` and `ITEM` in them."""

    type: str
    """What values it takes, in words; `group` where it has keys of its own."""

    default: Any
    """The default, as plain JSON; None for a group and where it must be given."""

    required: bool
    """Whether it must be given."""

    doc: str
    """The string under its definition."""

    @property
    def dotted(self) -> str:
        """The path as it is written for `--set`."""
        return ".".join(self.path).replace(f".{ITEM}", ITEM)

    def is_below(self, parent: Sequence[str | int]) -> bool:
        """Whether it is a key of the group at `parent`, a path with real names and indexes."""
        return len(self.path) == len(parent) + 1 and all(
            ours in (NAME, theirs) or (ours == ITEM and isinstance(theirs, int))
            for ours, theirs in zip(self.path, parent, strict=False)
        )


def recipe_keys(model: type[Settings]) -> list[Key]:
    """Every key of `model` in the order of its definition, a group before its own keys."""
    schema = model.model_json_schema()
    return list(_keys(schema, schema.get("$defs", {}), (), {}))


def _keys(
    group: dict[str, Any], models: dict[str, Any], path: tuple[str, ...], defaults: dict[str, Any]
) -> Iterator[Key]:
    for name, field in group.get("properties", {}).items():
        here = (*path, name)
        inner = _resolved(field, models)
        below = list(_groups(inner, models, here))
        # A group without a line of its own is documented by its class.
        doc = field.get("description") or next((_doc(one) for one, at in below if at == here), "")
        kind = "group" if "properties" in inner else _type(field, models)
        default = defaults.get(name, field.get("default"))
        yield Key(
            here,
            kind,
            None if kind == "group" else default,
            name in group.get("required", ()),
            " ".join(doc.split()),
        )
        for one, at in below:
            if at != here:
                yield Key(at, "group", None, False, _doc(one))
            yield from _keys(one, models, at, default if at == here and default else {})


def _doc(group: dict[str, Any]) -> str:
    return " ".join(group.get("description", "").split())


def _groups(
    field: dict[str, Any], models: dict[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    if "properties" in field:
        yield field, path
    for step, part in (
        (NAME, field.get("additionalProperties")),
        (NAME, next(iter(field.get("patternProperties", {}).values()), None)),
        (ITEM, field.get("items")),
    ):
        if isinstance(part, dict):
            yield from _groups(_resolved(part, models), models, (*path, step))
    for option in field.get("anyOf", ()):
        yield from _groups(_resolved(option, models), models, path)


def _resolved(field: dict[str, Any], models: dict[str, Any]) -> dict[str, Any]:
    reference = field.get("$ref")
    return models[reference.rpartition("/")[2]] if reference else field


def _type(field: dict[str, Any], models: dict[str, Any]) -> str:
    field = _resolved(field, models)
    if "anyOf" in field:
        return " or ".join(_type(option, models) for option in field["anyOf"])
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    match field.get("type"):
        case "array" if "prefixItems" in field:
            return "list: " + ", ".join(_type(item, models) for item in field["prefixItems"])
        case "array":
            items = _type(field["items"], models)
            return f"list of ({items})" if " or " in items else f"list of {items}"
        case "object":
            if "properties" in field:
                return "group"
            return "names to groups" if any(_groups(field, models, ())) else "names to values"
        case None:
            return "any"
    return f"{field['type']}{_bounds(field)}"


def _bounds(field: dict[str, Any]) -> str:
    signs = {
        "minimum": "≥",
        "exclusiveMinimum": ">",
        "maximum": "≤",
        "exclusiveMaximum": "<",
        "multipleOf": "multiple of",
    }
    bounds = [f"{sign} {field[word]:g}" for word, sign in signs.items() if word in field]
    return f" {', '.join(bounds)}" if bounds else ""
