"""The folder of a run: what was asked for, by which versions, stage by stage what came of it.

RUN/recipe.json              every value of the recipe
RUN/versions.json            of the packages that matter, and of this machine
RUN/<stage>/data.json        the versions of the tables that it reads, and of the encoders
RUN/<stage>/metrics.jsonl    lines of training, evaluations and samples; tensorboard/ the same
RUN/<stage>/loss.png         the loss so far, beside its floor
RUN/<stage>/checkpoints/     step-00001000/ …
RUN/<stage>/samples/         step-00001000/ …
RUN/<stage>/model.safetensors   the result: there when the stage is finished
"""

import fcntl
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from curation.storage import write_whole
from training.settings import TrainingRecipe

PACKAGES = ("moviola", "torch", "safetensors", "transformers", "tokenizers", "diffusers")

FREE = ("machine", "encoding", "checkpoints", "samples", "evaluation", "generation", "autoencoder")
"""Groups of a recipe that change nothing of what is learnt, but for rounding; another autoencoder
shows in the version that its latents and the models have."""

FREE_ENDS = (".data.tokens_per_micro_batch", ".data.max_unreadable_share")


class RunFolder:
    """A local folder; `opened` makes or checks it, and holds it for one process."""

    def __init__(self, path: Path) -> None:
        """Names it.

        Args:
            path: the folder, which need not exist yet.
        """
        self.path = path

    def stage(self, name: str) -> Path:
        """The folder of a stage."""
        return self.path / name

    def result(self, name: str) -> Path:
        """The weights that a finished stage leaves."""
        return self.stage(name) / "model.safetensors"

    def recipe(self) -> TrainingRecipe:
        """The recipe that it was started with.

        Raises:
            ValueError: there is no run, or its recipe is of another version of Moviola.
        """
        path = self.path / "recipe.json"
        if not path.is_file():
            raise ValueError(f"{self.path} is no run: there is no {path.name} in it")
        try:
            return TrainingRecipe.model_validate_json(path.read_bytes())
        except ValueError as error:
            raise ValueError(f"{path} is no training recipe of this version: {error}") from error

    @contextmanager
    def opened(self, recipe: TrainingRecipe) -> Iterator[None]:
        """Makes it, or goes on with it; nobody else writes to it meanwhile.

        Raises:
            ValueError: another process trains in it, or it was started with another recipe.
        """
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"{self.path} is a file, and a run is a folder")
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ValueError(f"another process trains in {self.path}") from None
            self._check(recipe)
            write_json(self.path / "recipe.json", recipe.model_dump(mode="json"))
            write_json(self.path / "versions.json", versions())
            yield

    def _check(self, recipe: TrainingRecipe) -> None:
        if not (self.path / "recipe.json").exists():
            if begun := sorted(one.parent.name for one in self.path.glob("*/checkpoints")):
                raise ValueError(
                    f"{self.path} has stages ({', '.join(begun)}) but no recipe.json, so it cannot "
                    "be told what they were trained with: name another folder with --run"
                )
            return
        before = self.recipe()
        begun = [name for name in before.stages if self.stage(name).exists()]
        changes = differences(before, recipe, begun)
        if changes:
            raise ValueError(
                f"{self.path} was started with another recipe, so going on would train another "
                f"model: {'; '.join(changes)}. Name another folder with --run, or keep these"
            )


def differences(before: TrainingRecipe, after: TrainingRecipe, begun: Sequence[str]) -> list[str]:
    """What is different and matters to what has been learnt, as `key: before -> after`.

    Args:
        before: the recipe so far.
        after: the recipe now.
        begun: the stages that have begun; what only others depend on may change.
    """
    if not begun:
        return []
    names = [*before.stages][: [*before.stages].index(begun[-1]) + 1]
    order = ", ".join([*after.stages][: len(names)])
    found = [] if order == ", ".join(names) else [f"stages: {', '.join(names)} -> {order}"]
    old, new = (dict(_leaves(one.model_dump(mode="json"))) for one in (before, after))
    for key in {**old, **new}:
        if old.get(key) != new.get(key) and _matters(key, before, begun):
            found.append(f"{key}: {json.dumps(old.get(key))} -> {json.dumps(new.get(key))}")
    return found


def _matters(key: str, recipe: TrainingRecipe, begun: Sequence[str]) -> bool:
    group, _, rest = key.partition(".")
    stages = [recipe.stages[name] for name in begun]
    if group == "evaluation":  # it decides when the learning rate is cut
        return any(stage.optimizer.schedule == "plateau" for stage in stages)
    if key == "checkpoints.every_steps":
        return any(stage.average_last > 1 for stage in stages)
    if group == "stages":
        return rest.split(".")[0] in begun and not key.endswith(FREE_ENDS)
    return group not in FREE


def _leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield above + name, value


def versions() -> dict[str, str]:
    """Of Python, the packages that matter, and the devices."""
    found = {"python": platform.python_version(), "machine": platform.platform()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    gpus = [torch.cuda.get_device_name(one) for one in range(torch.cuda.device_count())]
    return found | {"cpu_threads": str(torch.get_num_threads()), "gpus": ", ".join(gpus) or "none"}


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Writes a file of JSON that is there whole or not at all."""
    write_whole(path, (json.dumps(dict(values), indent=2) + "\n").encode())
