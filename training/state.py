"""All that a stage is at a step: what a checkpoint holds, and resuming brings back bit by bit."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from training import checkpoint
from training.data.loader import State
from training.ema import Ema
from training.optimizer import Plateau, build_optimizer, moments, set_steps
from training.settings import CheckpointSettings, StageSettings
from training.transformer import Transformer


@dataclass
class TrainingState:
    """The model in training, and where it is."""

    model: Transformer
    optimizer: torch.optim.AdamW
    ema: Ema

    step: int = 0
    """Optimizer steps of this stage that are done."""

    optimizer_steps: int = 0
    """Steps that the optimizer's moments have seen: more, where they are carried over."""

    data: State = field(default_factory=State)
    """Where the next batch comes from."""

    plateau: Plateau = field(default_factory=Plateau)
    """What the validation loss has done so far."""

    error: float = 0.0
    """Sum of squared errors since the last line of metrics."""

    floor: float = 0.0
    """The Gaussian floor of their loss, summed likewise."""

    elements: int = 0
    """Elements that they are over."""

    samples_read: int = 0
    """Samples that were read so far, those that were skipped too."""

    unreadable: int = 0
    """Samples that were skipped so far."""

    def tensors(self) -> dict[str, torch.Tensor]:
        """Weights, averages and moments, by names that stay the same."""
        weights = {f"weights.{name}": one.detach() for name, one in self.model.named_parameters()}
        averages = {f"ema.{name}": one for name, one in self.ema.averages.items()}
        return weights | averages | moments(self.model, self.optimizer)

    def save(self, folder: Path, settings: CheckpointSettings) -> Path:
        """Writes a checkpoint, then removes those that need not be kept.

        Raises:
            CheckpointError: it cannot be written.
        """
        written = checkpoint.save(folder, self.step, self.tensors(), self._plain())
        checkpoint.prune(folder, settings.keep, settings.every_steps)
        return written

    def restore(self, folder: Path) -> None:
        """Reads a checkpoint of this very stage.

        Raises:
            ValueError: it is of another model.
        """
        checkpoint.load(folder, self.tensors())
        plain = checkpoint.read_state(folder)
        self.step, self.optimizer_steps = plain["step"], plain["optimizer_steps"]
        self.data = State(**plain["data"])
        self.plateau = Plateau.of(plain["plateau"])
        self.error, self.floor = plain["error"], plain["floor"]
        self.elements = plain["elements"]
        self.samples_read, self.unreadable = plain["samples_read"], plain["unreadable"]
        set_steps(self.model, self.optimizer, self.optimizer_steps)

    def _plain(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "optimizer_steps": self.optimizer_steps,
            "data": {"epoch": self.data.epoch, "step": self.data.step},
            "plateau": self.plateau.state(),
            "error": self.error,
            "floor": self.floor,
            "elements": self.elements,
            "samples_read": self.samples_read,
            "unreadable": self.unreadable,
        }


def fresh_state(model: Transformer, stage: StageSettings) -> TrainingState:
    """The state before the first step of a stage, with the weights as they are."""
    state = TrainingState(
        model, build_optimizer(model, stage.optimizer), Ema(model, stage.ema_decay)
    )
    moments(model, state.optimizer)
    return state
