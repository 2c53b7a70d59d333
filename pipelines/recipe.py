"""The recipe: every setting of a run, from a YAML file, the files it extends, and `--set`.

Defaults live beside the code that uses them, in the settings classes that `Recipe` is made of.
"""

import difflib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from captioning.captioners import CaptioningSettings
from curation.clips import ClipsSettings
from curation.ingest import IngestSettings
from curation.media.sandbox import Limits
from curation.models.openclip import OpenClipSettings
from curation.quotas import Quota
from curation.scores import ScoresSettings
from curation.selection import SelectionSettings, SubsetSettings
from curation.settings import Settings
from curation.shards import ShardsSettings
from curation.videos import VideoRules
from curation.views import view_of
from pipelines.recipe_entry import Entry, Origin, RecipeError, merged
from pipelines.recipe_file import read_file, read_setting
from pipelines.recipe_values import checked, listing
from pipelines.run import EngineSettings

PACKAGED = Path(__file__).parent / "recipes"
"""The recipes that come with Moviola, found by name."""

SubsetName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""Small letters, digits, `-` and `_`: it names a folder below `shards/`."""


class Recipe(Settings):
    """Every setting of a run."""

    ingest: IngestSettings = IngestSettings()
    """How inputs are listed, fetched and probed."""

    videos: VideoRules = VideoRules()
    """Which videos are taken, by their metadata alone, before anything is decoded."""

    clips: ClipsSettings = ClipsSettings()
    """The one decode pass: shots, clips, measures, frames."""

    scores: ScoresSettings = ScoresSettings()
    """Which models look at the stored frames of the clips that the rules on measures leave."""

    selection: SelectionSettings = SelectionSettings()
    """What the selections of all subsets share."""

    subsets: dict[SubsetName, SubsetSettings] = Field(min_length=1)
    """The subsets to select and to write as `shards/<name>`."""

    captioning: CaptioningSettings = CaptioningSettings()
    """Who describes the kept clips in words."""

    shards: ShardsSettings = ShardsSettings()
    """How the kept clips are cut, encoded and packed."""

    limits: Limits = Limits()
    """What one video may use while it is decoded."""

    max_failed_share: float = Field(default=0.05, ge=0, le=1)
    """Share of the rows of any step that may fail; above it a run ends with exit code 3."""

    engine: EngineSettings = EngineSettings()
    """How the stages are spread over processes and machines."""

    @model_validator(mode="after")
    def _fits_together(self) -> "Recipe":
        if self.selection.duplicates is not None and self.scores.copy_detection is None:
            raise ValueError("selection.duplicates needs a model in scores.copy_detection")
        if self.selection.concepts is not None and self.scores.concept is None:
            raise ValueError("selection.concepts needs a model in scores.concept")
        for name in self.engine.stages.captioners:
            if name not in self.captioning.inherited:
                known = ", ".join(self.captioning.names) or "none"
                raise ValueError(
                    f"engine.stages.captioners names {name!r}, and the captioners are {known}"
                )
        views = [view_of(name) for name in self.subsets]
        for name, view in zip(self.subsets, views, strict=True):
            if views.count(view) > 1:
                raise ValueError(f"subset {name!r} differs from another in - and _ alone")
        for name, subset in self.subsets.items():
            if subset.resampling is not None and self.selection.concepts is None:
                raise ValueError(f"subsets.{name}.resampling needs selection.concepts")
            if subset.retrieval is not None and self.scores.concept is None:
                raise ValueError(f"subsets.{name}.retrieval needs a model in scores.concept")
            asks_people = subset.resampling is not None and subset.resampling.people != Quota()
            if asks_people and not isinstance(self.scores.concept, OpenClipSettings):
                raise ValueError(
                    f"subsets.{name}.resampling.people needs a CLIP in scores.concept: the other "
                    "models do not see people"
                )
        return self

    @property
    def hash(self) -> str:
        """Twelve hex digits that name every value of the recipe, the order of rules included."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


@dataclass(frozen=True)
class LoadedRecipe:
    """A recipe and where its values came from."""

    name: str
    """The file's name without `.yaml`."""

    recipe: Recipe

    entry: Entry
    """What was written, before defaults."""

    def config(self) -> str:
        """Every value with where it came from, as YAML that gives the same recipe."""
        return listing(self.recipe, self.entry)


def load_recipe(name: str, settings: Sequence[str] = ()) -> LoadedRecipe:
    """The recipe of this name or path, with the `--set` settings on top, checked.

    Args:
        name: a path to a YAML file, or the name of a packaged recipe, such as `demo`.
        settings: `dotted.key=value` each; a later one wins.

    Raises:
        RecipeError: when it cannot be found or read, or a key or value is wrong.
    """
    path = find_recipe(name)
    entry = read_recipe(path)
    for setting in settings:
        entry = merged(entry, read_setting(setting))
    return LoadedRecipe(path.stem, checked(entry, Recipe), entry)


def packaged_recipes() -> list[str]:
    """The names of the recipes that come with Moviola, sorted."""
    return sorted(path.stem for path in PACKAGED.glob("*.yaml"))


def find_recipe(name: str, folder: Path | None = None) -> Path:
    """The file that `name` means: a packaged recipe's name, or a path (relative to `folder`).

    Raises:
        RecipeError: when it is no path and no packaged recipe has the name.
    """
    if "/" in name or name.endswith((".yaml", ".yml")):
        return (folder or Path()) / name
    if name in packaged_recipes():
        return PACKAGED / f"{name}.yaml"
    near = difflib.get_close_matches(name, packaged_recipes(), n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(packaged_recipes())}"
    raise RecipeError(f"no recipe is called {name!r}; {hint} (a path ends in .yaml)")


def read_recipe(path: Path, above: tuple[Path, ...] = ()) -> Entry:
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
        found = find_recipe(base.value, path.parent)
    except RecipeError as error:
        raise RecipeError(f"{base.origin}: extends: {error}") from error
    if not found.exists():
        raise RecipeError(f"{base.origin}: extends: {found} is missing")
    return merged(read_recipe(found, (*above, real)), own)
