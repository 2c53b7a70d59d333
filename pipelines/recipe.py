"""The curation recipe: every setting of a run, from a YAML file, what it extends, and `--set`.

Defaults live beside the code that uses them, in the settings classes that `Recipe` is made of.
"""

from collections.abc import Sequence
from typing import Annotated, Any

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
from pipelines.recipe_kinds import PACKAGED, Kind, LoadedRecipe, loaded, packaged, recipe_hash
from pipelines.run import EngineSettings
from training.settings import TrainingRecipe

__all__ = [
    "CURATION",
    "PACKAGED",
    "TRAINING",
    "LoadedRecipe",
    "Recipe",
    "load_recipe",
    "packaged_recipes",
]

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
        return recipe_hash(self)


CURATION = Kind("curation", Recipe, PACKAGED, "moviola curate")
TRAINING = Kind("training", TrainingRecipe, PACKAGED / "training", "moviola encode")
"""The two kinds of recipe; `pipelines.training_recipe` loads the other."""


def load_recipe(name: str, settings: Sequence[str] = ()) -> LoadedRecipe[Recipe]:
    """The curation recipe of this name or path, with the `--set` settings on top, checked.

    Args:
        name: a path to a YAML file, or the name of a packaged recipe, such as `demo`.
        settings: `dotted.key=value` each; a later one wins.

    Raises:
        RecipeError: when it cannot be found or read, is no curation recipe, or a key or value is
            wrong.
    """
    return loaded(CURATION, [TRAINING], name, settings)


def packaged_recipes(kind: Kind[Any] = CURATION) -> list[str]:
    """The names of the recipes of a kind that come with Moviola, sorted."""
    return packaged(kind)
