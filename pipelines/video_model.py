"""The model of a run, ready to make videos."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.encoders import Encoders
from training.acceleration import device_of
from training.generate import VideoShape, generate
from training.results import read_result
from training.run_folder import RunFolder
from training.settings import GenerationSettings, MachineSettings, TrainingRecipe
from training.transformer import Transformer

Video = npt.NDArray[np.uint8]
"""`[T, H, W, 3]`, RGB."""


@dataclass(frozen=True)
class VideoModel:
    """A model with all that it takes from a prompt to pixels."""

    model: Transformer
    encoders: Encoders
    """Loaded."""

    settings: GenerationSettings
    machine: MachineSettings

    def video(self, prompt: str, shape: VideoShape, seed: int) -> Video:
        """The video of a prompt and a seed."""
        text = {one.spec.name: one([prompt])[0] for one in self.encoders.texts}
        coder, specs = self.encoders.autoencoder, self.encoders.specs
        [video] = generate(
            self.model, coder, [text], specs, shape, [seed], self.settings, self.machine
        )
        return video


def load_video_model(
    run: RunFolder,
    recipe: TrainingRecipe,
    stage: str | None,
    model_file: Path | None,
    weights: Path,
) -> tuple[VideoModel, str]:
    """The model of a finished stage, loaded, and the stage.

    Args:
        run: the run.
        recipe: its recipe, perhaps with other settings of generation or machine.
        stage: which stage's; None for the last that is finished.
        model_file: other weights than that stage's.
        weights: the folder of the packaged models' files.

    Raises:
        ValueError: there is no such model, or it is of other encoders than those that are there.
    """
    if stage is not None and stage not in recipe.stages:
        raise ValueError(f"{run.path} has no stage {stage!r}: {', '.join(recipe.stages)}")
    names = [stage] if stage else [*recipe.stages]
    finished = [name for name in names if run.result(name).is_file()]
    if not finished:
        raise ValueError(
            f"{run.path} has no finished stage {stage or ''}".rstrip()
            + ": the same `moviola train` goes on with it"
        )
    path = model_file or run.result(finished[-1])
    values, card = read_result(path)
    encoders = Encoders(recipe, weights)
    found = tuple(encoders.versions.values())
    if found != card.versions:
        raise ValueError(
            f"{path} was trained with other encoders: {', '.join(card.versions)}, and here are "
            f"{', '.join(found)}"
        )
    model = card.build()
    model.load_state_dict(values)
    encoders.load()
    on_device = model.to(device_of(recipe.machine))
    return VideoModel(on_device, encoders, recipe.generation, recipe.machine), finished[-1]
