"""From one stage to the next: which weights, moments and averages go on, and what a stage leaves.

- Weights: the average of the stage before (`start_from: ema`) or its last ones.
- Tables of positions: grown as `positions.growth` says; everything else must fit as it is.
- The average starts from those weights.
- Moments: new, or with `carry_optimizer` those of the stage before; tables that have grown start
  with new moments.
- Learning rate, times, buckets and data are those of the stage.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from training import checkpoint
from training.errors import TrainingError
from training.loop import CHECKPOINTS
from training.optimizer import MOMENTS, moments, set_steps
from training.positions import grown
from training.results import ModelCard, averaged, read_result, write_result
from training.run_folder import RunFolder
from training.settings import TrainingRecipe
from training.state import TrainingState, fresh_state

logger = logging.getLogger(__name__)


def first_state(
    run: RunFolder, recipe: TrainingRecipe, name: str, card: ModelCard, device: torch.device
) -> tuple[TrainingState, bool]:
    """The state before the first step of a stage, and whether its output layer is zero.

    Args:
        run: where the stages before have left their results.
        recipe: the recipe.
        name: the stage.
        card: the model to train; the positions are those of the stage.
        device: where to.

    Raises:
        ValueError: the stage before is not finished, or left another model.
    """
    stage = recipe.stages[name]
    model = replace(card, positions=stage.positions).build()
    model.reset(recipe.seed)
    names = [*recipe.stages]
    if name == names[0]:
        return fresh_state(model.to(device), stage), True
    before = names[names.index(name) - 1]
    if not run.result(before).is_file():
        raise ValueError(f"stage {before} of {run.path} is not finished, and {name} starts from it")
    weights, found = read_result(run.result(before))
    if replace(found, positions=stage.positions) != replace(card, positions=stage.positions):
        raise ValueError(
            f"{run.result(before)} is a model of another shape, of other text encoders or of "
            "another autoencoder than the recipe's"
        )
    last = checkpoint.newest(run.stage(before) / CHECKPOINTS)
    if stage.start_from == "weights":
        weights = _read(last, "weights", weights)
    model.load_state_dict(grown(weights, model, stage.positions))
    state = fresh_state(model.to(device), stage)
    if stage.carry_optimizer:
        _carry(state, last, weights)
    return state, False


def _read(
    folder: Path | None, kind: str, like: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """The tensors of one kind of a checkpoint, by the names of parameters."""
    if folder is None:
        raise ValueError("the stage before has no whole checkpoint to take weights or moments from")
    found = {f"{kind}.{name}": torch.empty_like(one) for name, one in like.items()}
    checkpoint.load(folder, found)
    return {name.removeprefix(f"{kind}."): one for name, one in found.items()}


def _carry(state: TrainingState, folder: Path | None, like: Mapping[str, torch.Tensor]) -> None:
    """Takes the moments over where the shapes are the same."""
    ours = moments(state.model, state.optimizer)
    for moment in MOMENTS:
        for name, one in _read(folder, moment, like).items():
            target = ours[f"{moment}.{name}"]
            if target.shape == one.shape:
                target.copy_(one)
    assert folder is not None
    state.optimizer_steps = checkpoint.read_state(folder)["optimizer_steps"]
    set_steps(state.model, state.optimizer, state.optimizer_steps)


def finish(run: RunFolder, recipe: TrainingRecipe, name: str, card: ModelCard) -> Path:
    """Writes the result of a stage: the average of its weights, or the mean of several of them.

    Args:
        run: where its checkpoints are.
        recipe: the recipe.
        name: the stage, whose last step has a checkpoint.
        card: the model.

    Raises:
        ValueError: a checkpoint that is needed is missing or damaged.
        TrainingError: the weights are not finite.
        CheckpointError: the result cannot be written.
    """
    stage = recipe.stages[name]
    card = replace(card, positions=stage.positions)
    like = dict(card.build().named_parameters())
    steps = averaged_steps(stage.steps, recipe.checkpoints.every_steps, stage.average_last)
    models = []
    for step in steps:
        folder = checkpoint.folder_of(run.stage(name) / CHECKPOINTS, step)
        if (problem := checkpoint.problem_of(folder)) is not None:
            raise ValueError(
                f"{folder} is needed for the result of {name}: {problem}. Without it and the "
                "checkpoints after it the same command makes them again"
            )
        models.append(_read(folder, "ema", like))
    if len(models) > 1:
        logger.info("%s: the mean of the checkpoints at steps %s", name, steps)
    path, mean = run.result(name), averaged(models)
    if broken := [one for one, tensor in mean.items() if not torch.isfinite(tensor).all()]:
        raise TrainingError(
            f"{name} has diverged: {len(broken)} of its {len(mean)} weights are not finite. Train "
            "it again in another folder, with a lower learning rate"
        )
    write_result(path, mean, card)
    return path


def averaged_steps(steps: int, every_steps: int, count: int) -> list[int]:
    """The last planned checkpoints of a stage: wherever it was stopped, these are there."""
    return sorted({*range(every_steps, steps + 1, every_steps), steps})[-count:]
