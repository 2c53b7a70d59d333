"""A training recipe at work: tables of a workspace to stages, one after the other, in a run folder.

The same for one CPU and one GPU, by whatever starts it: `train` is a plain function.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from pipelines.encoders import Encoders
from pipelines.generation import Sampler
from pipelines.gpu_memory import enough_gpu_memory
from pipelines.training_data import StageData, say_what_is_trained_on
from pipelines.video_format import DATA, Format
from pipelines.video_model import VideoModel
from pipelines.workspace import Workspace
from training.acceleration import accelerate, device_of
from training.data.held_out import held_out_batches
from training.data.loader import Loader
from training.flops import measured_matmul_peak, peak
from training.loop import StageWork, train_stage
from training.metrics import read_metrics
from training.results import ModelCard, is_whole
from training.run_folder import RunFolder, write_json
from training.settings import MachineSettings, TrainingRecipe
from training.signals import Stop, stop_asked
from training.stages import finish, first_state
from training.state import TrainingState
from training.step import StepReport
from training.transformer import shape_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Training:
    """One training recipe at work on one workspace, in one run folder."""

    recipe: TrainingRecipe
    workspace: Workspace
    run: RunFolder

    weights: Path
    """The folder of the packaged models' files."""

    on_step: Callable[[str, StepReport], None] = lambda stage, report: None

    @cached_property
    def _encoders(self) -> Encoders:
        return Encoders(self.recipe, self.weights)

    def _card(self) -> ModelCard:
        recipe, encoders = self.recipe, self._encoders
        return ModelCard(
            shape_of(recipe.transformer),
            encoders.autoencoder.latent_channels,
            next(iter(recipe.stages.values())).positions,
            encoders.specs,
            tuple(encoders.versions.values()),
        )

    def all(self, only: str | None = None) -> list[Path]:
        """Trains every stage that is not finished, and returns the results of all of them.

        Args:
            only: one stage; those before it must be finished.

        Raises:
            ValueError: tables, encoders or run folder are not as the recipe needs them.
            TrainingError, CheckpointError, StorageError, KeyboardInterrupt: what was done until the
                last checkpoint is kept, and the same call goes on from there.
        """
        recipe = self.recipe
        if only is not None and only not in recipe.stages:
            raise ValueError(f"the recipe has no stage {only!r}: {', '.join(recipe.stages)}")
        device, card = device_of(recipe.machine), self._card()
        names = [only] if only else [*recipe.stages]
        with self.run.opened(recipe), stop_asked() as stop:
            for name in names:
                if is_whole(self.run.result(name)):
                    logger.info("%s: finished already (%s)", name, self.run.result(name))
                    continue
                if stop.asked:
                    raise KeyboardInterrupt
                lower = f"lower stages.{name}.data.tokens_per_micro_batch"
                with enough_gpu_memory(f"{lower}, which changes nothing of what is learnt"):
                    self._stage(name, card, device, stop)
        return [self.run.result(name) for name in names]

    def _stage(self, name: str, card: ModelCard, device: torch.device, stop: Stop) -> None:
        recipe, stage = self.recipe, self.recipe.stages[name]
        data = StageData(recipe, name, self.workspace, self.run, self._encoders).read()
        state, is_fresh = first_state(self.run, recipe, name, card, device)
        accelerate(state.model, recipe.machine)
        folder = self.run.stage(name)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / DATA, data.said)
        say_what_is_trained_on(name, data.index, stage.data.image_share)

        prefetch = recipe.machine.prefetch
        loader = Loader(data.reader, stage.data, stage.times, card.text, recipe.seed, prefetch)
        work = StageWork(
            name,
            recipe,
            folder,
            card,
            lambda state: loader.batches(state.data, state.samples_read, state.unreadable),
            lambda: held_out_batches(data.reader, stage.data, recipe.evaluation, card.text),
            self._sampler(state, data.form),
            begins_at_zero=is_fresh,
            peak_flops=device_peak(device, recipe.machine),
        )
        for report in train_stage(work, state, stop):
            self.on_step(name, report)
        path = finish(self.run, recipe, name, card)
        if lines := read_metrics(folder, "train"):
            logger.info(
                "%s: loss %.3f at step %d, %.3f at step %d; white Gaussian latents would allow "
                "%.3f", name, lines[0]["loss"], lines[0]["step"], lines[-1]["loss"],
                lines[-1]["step"], lines[-1]["floor_gaussian"],
            )  # fmt: skip
        logger.info("%s: finished, its model is %s", name, path)

    def _sampler(self, state: TrainingState, form: Format) -> Sampler | None:
        recipe = self.recipe
        if not recipe.samples.prompts:
            return None
        self._encoders.load()
        made = VideoModel(state.model, self._encoders, recipe.generation, recipe.machine)
        return Sampler(made, recipe.samples, form)


def device_peak(device: torch.device, settings: MachineSettings) -> float | None:
    """Operations per second that the device could do; of a CPU they are measured."""
    if device.type == "cuda":
        return peak(torch.cuda.get_device_name(device), settings.precision)
    dtype = torch.bfloat16 if settings.precision == "bfloat16" else torch.float32
    return measured_matmul_peak(device, dtype)
