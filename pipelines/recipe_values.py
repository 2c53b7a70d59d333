"""Between recipe files and typed settings: the check on the way in, the listing on the way out."""

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from curation.settings import Settings
from pipelines.recipe_entry import Entry, RecipeError
from pipelines.recipe_keys import Key, recipe_keys

Model = TypeVar("Model", bound=Settings)


def checked(entry: Entry, model: type[Model]) -> Model:
    """The settings that `entry` gives, defaults filled in.

    Types are strict: text is no number, `1` is no yes or no.

    Raises:
        RecipeError: with one line per problem: place, key, what is wrong, the nearest key.
    """
    try:
        values = _over(_group_defaults(model), entry.plain())
        return model.model_validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        keys = recipe_keys(model)
        problems: dict[str, list[str]] = {}
        for details in sorted(error.errors(include_url=False), key=partial(_line, entry)):
            where, what = _problem(details, entry, keys)
            problems.setdefault(where, []).append(what)
        # A key that takes one of several types reports each of them.
        lines = [f"{where}: {' or '.join(dict.fromkeys(what))}" for where, what in problems.items()]
        raise RecipeError("\n".join(lines)) from None


def listing(settings: Settings, entry: Entry) -> str:
    """Every value as YAML that reads back to the same settings, each with where it came from."""
    lines = list(_listed(settings.model_dump(mode="json"), entry, ()))
    width = max(len(text) for text, origin in lines if origin)
    return "".join(
        f"{text:<{width}}  # {origin}\n" if origin else f"{text}\n" for text, origin in lines
    )


def _group_defaults(model: type[Settings]) -> dict[str, Any]:
    """What groups have as defaults that their classes have not.

    Without it a recipe that sets one key of such a group would lose the others.
    """

    def differing(group: Settings) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, field in type(group).model_fields.items():
            value = getattr(group, name)
            if isinstance(value, Settings):
                found[name] = differing(value)
            elif value != field.default:
                found[name] = group.model_dump(mode="json", include={name})[name]
        return found

    return {
        name: differing(field.default)
        for name, field in model.model_fields.items()
        if isinstance(field.default, Settings)
    }


def _over(base: Any, values: Any) -> Any:  # noqa: ANN401 - plain JSON
    if not isinstance(base, dict) or not isinstance(values, dict):
        return values
    return base | {name: _over(base.get(name), value) for name, value in values.items()}


def _line(entry: Entry, details: ErrorDetails) -> tuple[str, int]:
    origin = entry.at(details["loc"])[0].origin
    return origin.place, origin.line or 0


def _problem(details: ErrorDetails, entry: Entry, keys: Sequence[Key]) -> tuple[str, str]:
    path = details["loc"]
    found, depth = entry.at(path)
    kind = details["type"]
    if kind == "missing":
        return f"{found.origin}: {_dotted(path)}", "is missing"
    where = f"{found.origin}: {_dotted(path[:depth])}" if depth else str(found.origin)
    if kind == "extra_forbidden":
        return where, f"unknown key; {_nearest(path, keys)}"
    message = details["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if kind in ("value_error", "assertion_error"):
        return where, message
    return where, f"{message}, not {json.dumps(found.plain(), ensure_ascii=False)[:80]}"


def _nearest(path: Sequence[str | int], keys: Sequence[Key]) -> str:
    name = str(path[-1])
    siblings = [key.path[-1] for key in keys if key.is_below(path[:-1])]
    near = difflib.get_close_matches(name, siblings, n=1)
    if not near:  # a right name in the wrong group
        near = [key.dotted for key in keys if key.path[-1] == name][:1]
    if near:
        return f'did you mean "{near[0]}"?'
    return f"the keys here are {', '.join(siblings)}"


def _dotted(path: Sequence[str | int]) -> str:
    return ".".join(map(str, path))


def _listed(
    values: dict[str, Any], entry: Entry, path: tuple[str, ...]
) -> Iterator[tuple[str, str | None]]:
    indent = "  " * len(path)
    for name, value in values.items():
        key = name if re.fullmatch(r"[\w.-]+", name, re.ASCII) else _yaml(name)
        if isinstance(value, dict) and value:
            yield f"{indent}{key}:", None
            yield from _listed(value, entry, (*path, name))
        else:
            found, depth = entry.at((*path, name))
            origin = str(found.origin) if depth > len(path) else "default"
            yield f"{indent}{key}: {_yaml(value)}", origin


def _yaml(value: Any) -> str:  # noqa: ANN401 - what JSON can hold
    # JSON is YAML, and says without doubt what is text and what is a number; but YAML wants more
    # characters escaped: those that no printer prints, and its other line ends.
    return re.sub(
        "[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]",
        lambda match: f"\\u{ord(match.group()):04x}",
        json.dumps(value, ensure_ascii=False),
    )
