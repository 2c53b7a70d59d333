"""An autoencoder in training: what a step changes, and what a checkpoint holds."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training import checkpoint
from training.acceleration import autocast
from training.autoencoder.objective import Objective
from training.autoencoder.settings import AutoencoderSettings, Precision, TaeFitSettings
from training.autoencoder.tae import Tae
from training.ema import Ema
from training.errors import TrainingError
from training.optimizer import moments, set_steps
from training.randomness import normal

BETAS = (0.9, 0.99)
CLIP_NORM = 1.0


@dataclass
class Progress:
    """Where training is."""

    step: int = 0
    """Steps that are done."""

    elapsed_s: float = 0.0
    """Seconds of training and evaluating so far, over all calls."""

    evaluations: int = 0
    """Evaluations that are done."""


class Trainee:
    """The network, its average, its discriminator if any, and their optimizers."""

    def __init__(
        self,
        settings: AutoencoderSettings,
        seed: int,
        device: torch.device,
        precision: Precision,
        weights: Path | None,
    ) -> None:
        """As `fit`.

        Raises:
            ValueError: a file of the perceptual distance is missing or damaged.
        """
        self._fit, self._seed, self._device = settings.fit, seed, device
        self._precision = precision
        self.model = Tae(settings.architecture)
        self.model.reset(seed)
        self.model.to(device)
        self.ema = Ema(self.model, self._fit.ema_decay)
        self.progress = Progress()
        self._objective = Objective(self._fit.losses, seed, device, weights)
        self._optimizer = _adamw(self.model, self._fit)
        judge = self._objective.discriminator
        self._judge_optimizer = _adamw(judge, self._fit) if judge is not None else None

    def cast(self) -> torch.autocast:
        """In there the network computes in its precision."""
        return autocast(self._device.type, self._precision)

    def step(self, video: Tensor, share: float) -> dict[str, float]:
        """Learns from a batch.

        Args:
            video: of `Crops`.
            share: how much of the training is done, 0 to 1.

        Returns:
            The terms of the loss, its sum, the norm of the gradient and the learning rate.

        Raises:
            TrainingError: the loss or the gradient is no number.
        """
        step, model = self.progress.step, self.model
        original = video.to(self._device)
        rate = self._fit.learning_rate * min(1.0, (step + 1) / max(1, self._fit.warmup_steps))
        rate *= 0.5 * (1 + math.cos(math.pi * share))
        with self.cast():
            posterior = model.encode(original)
            noise = normal(posterior.mean.shape, self._seed, "posterior", step).to(self._device)
            decoded = model.decode(posterior.sample(noise), original.shape[2])
        terms = self._objective(posterior, decoded, original, step, model.last_layer)
        values = {name: float(term.detach()) for name, term in terms.parts.items()}
        values |= {"loss": float(terms.total.detach()), "learning_rate": rate}
        values["grad_norm"] = self._descend(model, self._optimizer, terms.total, rate)
        self.ema.update(step + 1)
        if self._objective.is_adversarial(step):
            judge, optimizer = self._objective.discriminator, self._judge_optimizer
            assert judge is not None and optimizer is not None
            loss = self._objective.discriminator_loss(decoded, original)
            values["discriminator"] = float(loss.detach())
            self._descend(judge, optimizer, loss, rate)
        self.progress.step += 1
        return values

    def _descend(
        self, model: torch.nn.Module, optimizer: torch.optim.AdamW, loss: Tensor, rate: float
    ) -> float:
        """One step of an optimizer; returns the norm of the gradient before clipping."""
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM))
        if not (math.isfinite(float(loss.detach())) and math.isfinite(norm)):
            raise TrainingError(
                f"step {self.progress.step + 1}: the loss of the {type(model).__name__} is "
                f"{float(loss.detach())} and its gradient {norm}, and nothing more was written. "
                "Try a lower learning_rate, a longer warm-up, or float32, in another folder"
            )
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        return norm

    def save(self, parent: Path, asked: dict[str, Any]) -> None:
        """Writes a checkpoint and removes those before it.

        Args:
            parent: the folder of checkpoints.
            asked: what it must be of to go on from it.

        Raises:
            CheckpointError: it cannot be written.
        """
        state = {"asked": asked, "progress": vars(self.progress)}
        checkpoint.save(parent, self.progress.step, self._tensors(), state)
        checkpoint.prune(parent, 1)

    def restore(self, parent: Path, asked: dict[str, Any]) -> None:
        """Goes on from the newest checkpoint, if there is one.

        Raises:
            ValueError: it is of something else.
        """
        newest = checkpoint.newest(parent)
        if newest is None:
            return
        state = checkpoint.read_state(newest)
        if state["asked"] != asked:
            raise ValueError(
                f"{newest} is of other settings, seed or clips: name another folder, or remove it"
            )
        checkpoint.load(newest, self._tensors())
        self.progress = Progress(**state["progress"])
        set_steps(self.model, self._optimizer, self.progress.step)
        judge = self._objective.discriminator
        if judge is not None and self._judge_optimizer is not None:
            seen = max(0, self.progress.step - self._fit.losses.adversarial_start)
            set_steps(judge, self._judge_optimizer, seen)

    def _tensors(self) -> dict[str, Tensor]:
        """All that a checkpoint holds, under names that stay the same."""
        model, judge = self.model, self._objective.discriminator
        found = {f"weights.{name}": one.detach() for name, one in model.named_parameters()}
        found |= {f"ema.{name}": one for name, one in self.ema.averages.items()}
        found |= moments(model, self._optimizer)
        if judge is not None and self._judge_optimizer is not None:
            named = {f"weights.{name}": one.detach() for name, one in judge.named_parameters()}
            named |= moments(judge, self._judge_optimizer)
            found |= {f"discriminator.{name}": one for name, one in named.items()}
        return found


def _adamw(model: torch.nn.Module, settings: TaeFitSettings) -> torch.optim.AdamW:
    """AdamW without decay: the norms of this network are what keeps its weights in check."""
    return torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, betas=BETAS, weight_decay=0.0, fused=True
    )
