"""What a recipe file says, value by value, with the place where each was written."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Scalar = str | int | float | bool | None


class RecipeError(ValueError):
    """What is wrong with a recipe, one problem a line, each with where it is and what to do."""


@dataclass(frozen=True)
class Origin:
    """Where a value was written."""

    place: str
    """A file, or the `--set` as it was typed."""

    line: int | None = None
    """Line in the file, from 1."""

    column: int | None = None
    """Column in the line, from 1."""

    def __str__(self) -> str:
        """`file:line:column`, as editors and terminals link it."""
        return self.place if self.line is None else f"{self.place}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Entry:
    """A value and where it was written; for the value of a key, where the key is."""

    value: "Scalar | list[Entry] | dict[str, Entry]"
    origin: Origin

    def plain(self) -> Any:  # noqa: ANN401 - what YAML can hold
        """The value without its origins."""
        if isinstance(self.value, dict):
            return {key: entry.plain() for key, entry in self.value.items()}
        if isinstance(self.value, list):
            return [entry.plain() for entry in self.value]
        return self.value

    def at(self, path: Iterable[str | int]) -> tuple["Entry", int]:
        """The entry nearest to `path`, and how many steps of the path lead there."""
        entry, depth = self, 0
        for step in path:
            children: Any = entry.value
            if not isinstance(children, dict | list):
                break
            try:
                entry = children[step]  # type: ignore[index]
            except (KeyError, IndexError, TypeError):
                break
            depth += 1
        return entry, depth


def merged(base: Entry, over: Entry) -> Entry:
    """`base` with what `over` says: groups key by key, everything else replaced.

    Keys keep their place in `base`, new ones come last: rules are tried in that order.
    """
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    values = dict(base.value)
    for key, entry in over.value.items():
        values[key] = merged(values[key], entry) if key in values else entry
    return Entry(values, over.origin)


def as_entry(values: Any, origin: Origin) -> Entry:  # noqa: ANN401 - what JSON can hold
    """Plain values as if they had been written at one place."""
    if isinstance(values, dict):
        return Entry({key: as_entry(value, origin) for key, value in values.items()}, origin)
    if isinstance(values, list):
        return Entry([as_entry(value, origin) for value in values], origin)
    return Entry(values, origin)
