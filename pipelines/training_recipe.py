"""The training recipe: `training.settings.TrainingRecipe`, loaded as curation recipes are."""

from collections.abc import Sequence

from pipelines.recipe import CURATION, TRAINING
from pipelines.recipe_entry import Origin, as_entry, merged
from pipelines.recipe_file import read_setting
from pipelines.recipe_kinds import LoadedRecipe, loaded
from pipelines.recipe_values import checked
from training.settings import TrainingRecipe

__all__ = [
    "LoadedRecipe",
    "TrainingRecipe",
    "encoded_subsets",
    "load_training_recipe",
    "with_settings",
]


def load_training_recipe(name: str, settings: Sequence[str] = ()) -> LoadedRecipe[TrainingRecipe]:
    """The training recipe of this name or path, with the `--set` settings on top, checked.

    Args:
        name: a path to a YAML file, or the name of a packaged recipe, such as `train-demo`.
        settings: `dotted.key=value` each; a later one wins.

    Raises:
        RecipeError: when it cannot be found or read, is no training recipe, or a key or value is
            wrong.
    """
    return loaded(TRAINING, [CURATION], name, settings)


def with_settings(recipe: TrainingRecipe, settings: Sequence[str]) -> TrainingRecipe:
    """A recipe with the `--set` settings on top.

    Raises:
        RecipeError: a key or value is wrong.
    """
    entry = as_entry(recipe.model_dump(mode="json"), Origin("the run's recipe"))
    for setting in settings:
        entry = merged(entry, read_setting(setting))
    return checked(entry, TrainingRecipe)


def encoded_subsets(recipe: TrainingRecipe) -> dict[str, str]:
    """The subsets whose `latents/<subset>` stages read, in their order, each with the key for it.

    Raises:
        ValueError: there is none, or `latents` says how to encode a subset that nothing reads.
    """
    read = [stage.data.subset for stage in recipe.stages.values()]
    for name in recipe.latents:
        if name not in read:
            known = ", ".join(dict.fromkeys(read))
            raise ValueError(f"latents.{name}: no stage reads subset {name}; they read {known}")
    found: dict[str, str] = {}
    for name, stage in recipe.stages.items():
        if stage.data.source == "latents":
            found.setdefault(stage.data.subset, f"stages.{name}.data.subset")
    if not found:
        raise ValueError("there is nothing to encode: every stage has `data.source: shards`")
    return found
