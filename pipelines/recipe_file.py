"""Recipe files as they are written: YAML whose every value remembers its file, line and column.

- YAML as in its 1.2 core schema: `yes` and `2024-01-01` are text, `1e6` is a number, `010` is text.
- Refused, with their line: duplicate keys, aliases, tags, more than 20 levels, files over 1 MB.
"""

import math
import re
from pathlib import Path
from typing import Any

import yaml

from pipelines.recipe_entry import Entry, Origin, RecipeError, Scalar

MAX_BYTES = 1_000_000
MAX_DEPTH = 20


def read_file(path: Path) -> Entry:
    """The content of one recipe file; an empty file is an error.

    Raises:
        RecipeError: when it cannot be read, is no UTF-8 or no YAML, or does not hold a mapping.
    """
    if not path.is_file():
        what = "a directory" if path.is_dir() else "not a file" if path.exists() else "missing"
        raise RecipeError(f"{path}: the recipe is {what}")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise RecipeError(f"{path}: over {MAX_BYTES} bytes, so surely no recipe")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RecipeError(f"{path}:{line}: not UTF-8 text") from error
    entry = _parsed(text, str(path))
    if entry is None:
        raise RecipeError(f"{path}: the recipe is empty")
    if not isinstance(entry.value, dict):
        raise RecipeError(f"{entry.origin}: a recipe is a mapping of keys to values")
    return entry


def read_setting(text: str) -> Entry:
    """What a `--set a.b=c` says, as a recipe of that one key; `c` is YAML.

    Raises:
        RecipeError: when it has not that form.
    """
    path, equals, value = text.partition("=")
    steps = [step.strip() for step in path.split(".")]
    if not equals or not all(steps):
        raise RecipeError(f"--set {text}: expected --set dotted.key=value")
    origin = Origin(f"--set {text}")
    parsed = _parsed(value, origin.place)
    entry = Entry(parsed.value if parsed else None, origin)
    for step in reversed(steps):
        entry = Entry({step: entry}, origin)
    return entry


class _Loader(yaml.SafeLoader):
    """Composes nodes; refuses what makes a small file large or a reader wonder."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(None, None, "aliases (*name) are not used in recipes", mark)
        if self.depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(None, None, f"more than {MAX_DEPTH} levels deep", mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


for tag, pattern, first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9_]*)", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9_]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?",
     list("-+.0123456789")),
):  # fmt: skip
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), first)


def _parsed(text: str, place: str) -> Entry | None:
    try:
        node = yaml.compose(text, Loader=_Loader)
        return None if node is None else _entry(node, place, node.start_mark)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = _origin(place, mark) if mark else place
        what = ", ".join(part for part in (error.context, error.problem) if part)
        raise RecipeError(f"{where}: {what}") from error
    except yaml.YAMLError as error:
        raise RecipeError(f"{place}: {str(error).splitlines()[0]}") from error


def _origin(place: str, mark: Any) -> Origin:  # noqa: ANN401 - PyYAML's marks have no public type
    if place.startswith("--set"):
        return Origin(place)
    return Origin(place, mark.line + 1, mark.column + 1)


def _entry(node: yaml.Node, place: str, mark: Any) -> Entry:  # noqa: ANN401
    origin = _origin(place, mark)
    if isinstance(node, yaml.MappingNode):
        children: dict[str, Entry] = {}
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise RecipeError(f"{_origin(place, key.start_mark)}: a key is one word")
            if key.value in children:
                where, first = _origin(place, key.start_mark), children[key.value].origin
                raise RecipeError(f"{where}: {key.value} is there twice, first at {first}")
            children[key.value] = _entry(child, place, key.start_mark)
        return Entry(children, origin)
    if isinstance(node, yaml.SequenceNode):
        return Entry([_entry(child, place, child.start_mark) for child in node.value], origin)
    return Entry(_scalar(node, origin), origin)


def _scalar(node: Any, origin: Origin) -> Scalar:  # noqa: ANN401
    text: str = node.value
    match node.tag.removeprefix("tag:yaml.org,2002:"):
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int" | "float" as kind:
            number = float(text.replace("_", ""))
            if not math.isfinite(number):
                raise RecipeError(f"{origin}: {text[:30]} is too large a number")
            return int(text.replace("_", "")) if kind == "int" else number
        case "str":
            return text
    raise RecipeError(f"{origin}: tags such as {node.tag} are not used in recipes")
