"""Whether a recipe's models can be had, asked before anything else is done."""

import logging

from captioning.captioners import captioners
from curation.models.transnet import check_transnet
from curation.scores import models
from pipelines.assets import cache_folder
from pipelines.recipe import Recipe

logger = logging.getLogger(__name__)


def check_detector(recipe: Recipe) -> None:
    """Refuses a recipe whose shots need a network that is not here.

    Raises:
        ValueError: its weights or the package torch are missing.
    """
    if recipe.clips.shots.transnet is not None:
        check_transnet(cache_folder() / "models")


def check_models(recipe: Recipe) -> None:
    """Refuses a recipe whose models this machine cannot run, before anything is decoded.

    Raises:
        ValueError: a file or a package is missing, or a model wants a GPU and its workers get none.
    """
    check_detector(recipe)
    for model in models(recipe.scores, cache_folder() / "models"):
        model.check()
    for name, captioner in captioners(recipe.captioning, cache_folder() / "models").items():
        try:
            captioner.check()
        except ValueError as error:
            if not captioner.is_remote:
                raise
            logger.warning("captioner %s: %s; it has to be there when it is needed", name, error)
    is_ray = recipe.engine.runner == "ray"
    if recipe.scores.is_on_gpu and is_ray and not recipe.engine.stages.scores.num_gpus:
        raise ValueError(
            "a model of `scores` has `device: cuda`, and its workers get no GPU: set "
            "engine.stages.scores.num_gpus, such as 0.5 for two workers on each GPU"
        )
    stages = recipe.engine.stages
    for name in recipe.captioning.on_gpu:
        if is_ray and not stages.captioners.get(name, stages.captions).num_gpus:
            raise ValueError(
                f"captioner {name} has `device: cuda`, and its workers get no GPU: set "
                f"engine.stages.captioners.{name}.num_gpus"
            )
