"""The kinds of recipe, and how one is found by name or path, read, put together and checked."""

import difflib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from curation.settings import Settings
from pipelines.recipe_entry import Entry, Origin, RecipeError, merged
from pipelines.recipe_file import read_file, read_setting
from pipelines.recipe_values import checked, listing

PACKAGED = Path(__file__).parent / "recipes"
"""The recipes that come with Moviola, found by name."""

Model = TypeVar("Model", bound=Settings)


class OtherKind(RecipeError):
    """A recipe is of another kind than the command reads."""


@dataclass(frozen=True)
class Kind(Generic[Model]):
    """A kind of recipe: what it may say, and who reads it."""

    name: str

    model: type[Model]

    folder: Path
    """Where those lie that come with Moviola."""

    command: str
    """One that reads it, as it is typed."""


@dataclass(frozen=True)
class LoadedRecipe(Generic[Model]):
    """A recipe and where its values came from."""

    name: str
    """The file's name without `.yaml`."""

    recipe: Model

    entry: Entry
    """What was written, before defaults."""

    def config(self) -> str:
        """Every value with where it came from, as YAML that gives the same recipe."""
        return listing(self.recipe, self.entry)


def loaded(
    kind: Kind[Model], others: Sequence[Kind[Any]], name: str, settings: Sequence[str] = ()
) -> LoadedRecipe[Model]:
    """The recipe of this kind and name or path, with the `--set` settings on top, checked.

    Args:
        kind: what it has to be.
        others: what it could be instead, by mistake.
        name: a path to a YAML file, or the name of a packaged recipe.
        settings: `dotted.key=value` each; a later one wins.

    Raises:
        RecipeError: when it cannot be found or read, is of another kind, or a key or value is
            wrong.
    """
    path = find_recipe(kind, others, name)
    entry = read_recipe(kind, others, path)
    for setting in settings:
        entry = merged(entry, read_setting(setting))
    _check_kind(kind, others, entry)
    return LoadedRecipe(path.stem, checked(entry, kind.model), entry)


def recipe_hash(recipe: Settings) -> str:
    """Twelve hex digits that name every value of the recipe, the order of its keys included."""
    return hashlib.sha256(recipe.model_dump_json().encode()).hexdigest()[:12]


def packaged(kind: Kind[Model]) -> list[str]:
    """The names of the recipes of a kind that come with Moviola, sorted."""
    return sorted(path.stem for path in kind.folder.glob("*.yaml"))


def find_recipe(
    kind: Kind[Model], others: Sequence[Kind[Any]], name: str, folder: Path | None = None
) -> Path:
    """The file that `name` means: a packaged recipe's name, or a path (relative to `folder`).

    Raises:
        RecipeError: when it is no path and no packaged recipe of this kind has the name.
    """
    if "/" in name or name.endswith((".yaml", ".yml")):
        return (folder or Path()) / name
    known = packaged(kind)
    if name in known:
        return kind.folder / f"{name}.yaml"
    for other in others:
        if name in packaged(other):
            raise OtherKind(f"{name} is a {other.name} recipe: {other.command} {name}")
    near = difflib.get_close_matches(name, known, n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(known)}"
    raise RecipeError(f"no {kind.name} recipe is called {name!r}; {hint} (a path ends in .yaml)")


def read_recipe(
    kind: Kind[Model],
    others: Sequence[Kind[Any]],
    path: Path,
    above: tuple[Path, ...] = (),
) -> Entry:
    """What the file says, on top of what the recipe says that it `extends`.

    Raises:
        RecipeError: when a file cannot be read, or a recipe extends itself.
    """
    real = path.resolve()
    if real in above:
        chain = " extends ".join(str(step) for step in (*above[above.index(real) :], real))
        raise RecipeError(f"{path}: a recipe cannot extend itself: {chain}")
    entry = read_file(path)
    values = dict(entry.value) if isinstance(entry.value, dict) else {}
    base = values.pop("extends", None)
    own = Entry(values, Origin(str(path)))
    if base is None:
        return own
    if not isinstance(base.value, str):
        raise RecipeError(f"{base.origin}: extends: should be the name or path of one recipe")
    try:
        found = find_recipe(kind, others, base.value, path.parent)
    except RecipeError as error:
        raise type(error)(f"{base.origin}: extends: {error}") from error
    if not found.exists():
        raise RecipeError(f"{base.origin}: extends: {found} is missing")
    return merged(read_recipe(kind, others, found, (*above, real)), own)


def _check_kind(kind: Kind[Model], others: Sequence[Kind[Any]], entry: Entry) -> None:
    """Refuses a recipe of another kind by its first key that only that kind has.

    Raises:
        RecipeError: saying what it is and who reads it.
    """
    assert isinstance(entry.value, dict)
    for name, value in entry.value.items():
        for other in others:
            if name in other.model.model_fields and name not in kind.model.model_fields:
                raise OtherKind(
                    f"{value.origin}: `{name}` is a key of {other.name} recipes, and this is to be "
                    f"a {kind.name} recipe: try {other.command}"
                )
