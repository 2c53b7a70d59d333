"""Training of a temporal autoencoder: the loop of `moviola train-tae`."""

import hashlib
import logging
import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from curation.models.devices import Device
from training import checkpoint
from training.autoencoder.coder import (
    DESCRIPTION,
    Precision,
    read_description,
    write_autoencoder,
)
from training.autoencoder.crops import Clips, Crops, split
from training.autoencoder.held_out import held_out_quality, latent_statistics
from training.autoencoder.objective import Objective
from training.autoencoder.settings import AutoencoderSettings, TaeFitSettings
from training.autoencoder.tae import Tae
from training.data.prefetch import Prefetcher
from training.ema import Ema
from training.metrics import Metrics
from training.optimizer import moments, set_steps
from training.randomness import normal
from training.run_folder import versions
from training.signals import stop_asked

CHECKPOINTS = "checkpoints"
BETAS = (0.9, 0.99)
CLIP_NORM = 1.0
LOG_EVERY_STEPS = 10
PREFETCH = 2

logger = logging.getLogger(__name__)


class NotFinite(RuntimeError):
    """The loss or its gradient is no number; the message says at which step and what to try."""


def fit(
    settings: AutoencoderSettings,
    seed: int,
    clips: Clips,
    folder: Path,
    *,
    device: Device = "cpu",
    precision: Precision = "float32",
    weights: Path | None = None,
    on_log: Callable[[Mapping[str, Any]], None] = lambda line: None,
) -> dict[str, Any]:
    """Trains an autoencoder, or goes on with it, and writes it into the folder.

    Beside `autoencoder.safetensors` and `autoencoder.json` lies `metrics.jsonl`, and until it is
    finished `checkpoints/`. What is finished with the same settings, seed and clips is left alone.

    Args:
        settings: architecture and fit of a `tae`.
        seed: of weights, crops and noise.
        clips: what it is trained and evaluated on.
        folder: where to.
        device: where it computes.
        precision: what the network computes in; weights and losses are float32.
        weights: the folder of the packaged models, which the stand-in for LPIPS needs.
        on_log: gets each line of metrics.

    Returns:
        What `autoencoder.json` says.

    Raises:
        ValueError: the folder holds another autoencoder or a part of one, there is nothing to train
            on, or a file of the perceptual distance is missing.
        NotFinite: the loss is no number; the checkpoints are from before.
        KeyboardInterrupt: it was asked to stop, and wrote a checkpoint; the same call goes on.
    """
    asked = _asked(settings, seed, clips)
    if (folder / DESCRIPTION).exists():
        found = read_description(folder)
        if found.get("asked") == asked:
            return found
        raise ValueError(
            f"{folder} holds an autoencoder of other settings, seed or clips: name another folder, "
            "or remove it"
        )
    folder.mkdir(parents=True, exist_ok=True)
    fitting = Fitting(settings, seed, clips, folder, device, precision, weights, asked, on_log)
    return fitting.run()


@dataclass
class Progress:
    """Where training is."""

    step: int = 0
    """Steps that are done."""

    elapsed_s: float = 0.0
    """Seconds of training and evaluating so far, over all calls."""

    evaluations: int = 0
    """Evaluations that are done."""


class Fitting:
    """One autoencoder in training."""

    def __init__(
        self,
        settings: AutoencoderSettings,
        seed: int,
        clips: Clips,
        folder: Path,
        device: Device,
        precision: Precision,
        weights: Path | None,
        asked: dict[str, Any],
        on_log: Callable[[Mapping[str, Any]], None],
    ) -> None:
        """As `fit`; `asked` is what a checkpoint must be of."""
        self._settings, self._seed, self._folder = settings, seed, folder
        self._fit: TaeFitSettings = settings.fit
        self._device = torch.device(device)
        self._precision, self._asked, self._on_log = precision, asked, on_log
        trained, held = split(clips, self._fit.held_out_share)
        self._crops = Crops(clips, trained, self._fit, seed)
        self._held = held[: self._fit.max_held_out]
        self._num_clips = {"trained": len(trained), "held_out": len(held)}
        model = Tae(settings.architecture)
        model.reset(seed)
        self._model = model.to(self._device)
        self._objective = Objective(self._fit.losses, seed, self._device, weights)
        self._optimizer = _adamw(model, self._fit)
        judge = self._objective.discriminator
        self._judge_optimizer = _adamw(judge, self._fit) if judge is not None else None
        self._ema = Ema(model, self._fit.ema_decay)
        self._progress = Progress()

    def run(self) -> dict[str, Any]:
        """To the end."""
        self._restore()
        metrics = Metrics(self._folder, self._progress.step)
        batches = Prefetcher(self._crops.from_step(self._progress.step), PREFETCH)
        try:
            with stop_asked() as stop:
                self._train(metrics, batches, lambda: stop.asked)
            return self._finish()
        finally:
            batches.close()
            metrics.close()

    def _train(
        self, metrics: Metrics, batches: "Prefetcher[Tensor]", stopping: Callable[[], bool]
    ) -> None:
        progress, saved_s = self._progress, self._progress.elapsed_s
        clock = _Clock(progress)
        if progress.evaluations == 0:
            self._evaluate(metrics)
            clock.tick()
        while (share := self._share()) < 1:
            values = self._step(next(batches), share)
            progress.step += 1
            clock.tick()
            if progress.step % LOG_EVERY_STEPS == 0:
                self._log(metrics, "train", values)
            # The evaluation before the first step is number 0.
            if self._share() * self._fit.num_evaluations >= progress.evaluations:
                self._evaluate(metrics)
                clock.tick()
            if stopping():
                self._save()
                raise KeyboardInterrupt
            if progress.elapsed_s - saved_s >= self._fit.checkpoint_every_s:
                self._save()
                saved_s = progress.elapsed_s

    def _share(self) -> float:
        """How much of the training is done, 0 to 1."""
        if self._fit.max_s is not None:
            return min(self._progress.elapsed_s / self._fit.max_s, 1.0)
        return min(self._progress.step / self._fit.steps, 1.0)

    def _step(self, video: Tensor, share: float) -> dict[str, float]:
        step, model = self._progress.step, self._model
        original = video.to(self._device)
        rate = self._fit.learning_rate * min(1.0, (step + 1) / max(1, self._fit.warmup_steps))
        rate *= 0.5 * (1 + math.cos(math.pi * share))
        with self._cast():
            posterior = model.encode(original)
            noise = normal(posterior.mean.shape, self._seed, "posterior", step).to(self._device)
            decoded = model.decode(posterior.sample(noise), original.shape[2])
        terms = self._objective(posterior, decoded, original, step, model.last_layer)
        values = {name: float(term.detach()) for name, term in terms.parts.items()}
        values |= {"loss": float(terms.total.detach()), "learning_rate": rate}
        values["grad_norm"] = self._descend(model, self._optimizer, terms.total, rate)
        self._ema.update(step + 1)
        if self._objective.is_adversarial(step):
            judge, optimizer = self._objective.discriminator, self._judge_optimizer
            assert judge is not None and optimizer is not None
            loss = self._objective.discriminator_loss(decoded, original)
            values["discriminator"] = float(loss.detach())
            self._descend(judge, optimizer, loss, rate)
        return values

    def _descend(
        self, model: torch.nn.Module, optimizer: torch.optim.AdamW, loss: Tensor, rate: float
    ) -> float:
        """One step of an optimizer; returns the norm of the gradient before clipping."""
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM))
        if not (math.isfinite(float(loss.detach())) and math.isfinite(norm)):
            raise NotFinite(
                f"step {self._progress.step + 1}: the loss is {float(loss.detach())} and its "
                f"gradient {norm}. Nothing was changed by the step; try a lower learning_rate, a "
                f"longer warm-up, or float32, from the checkpoint in {self._folder}"
            )
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        return norm

    def _cast(self) -> torch.autocast:
        is_low = self._precision == "bfloat16"
        return torch.autocast(self._device.type, torch.bfloat16, enabled=is_low)

    def _evaluate(self, metrics: Metrics) -> dict[str, float]:
        self._progress.evaluations += 1
        with self._ema.applied(), self._cast():
            quality = held_out_quality(self._model, self._crops, self._held)
        if quality:
            self._log(metrics, "held_out", quality)
        return quality

    def _log(self, metrics: Metrics, kind: str, values: Mapping[str, float]) -> None:
        line = dict(values) | {"elapsed_s": round(self._progress.elapsed_s, 3)}
        metrics.write(kind, self._progress.step, line)
        self._on_log({"kind": kind, "step": self._progress.step} | line)

    def _finish(self) -> dict[str, Any]:
        with self._ema.applied(), self._cast():
            mean, std = latent_statistics(self._model, self._crops)
            quality = held_out_quality(self._model, self._crops, self._held)
            weights = dict(self._model.state_dict())
            notes = {
                "held_out": quality,
                "clips": self._num_clips,
                "steps": self._progress.step,
                "elapsed_s": round(self._progress.elapsed_s, 3),
                "versions": versions(),
                "asked": self._asked,
            }
            shape = self._settings.architecture
            write_autoencoder(self._folder, weights, shape, mean, std, notes)
        shutil.rmtree(self._folder / CHECKPOINTS, ignore_errors=True)
        return read_description(self._folder)

    def _tensors(self) -> dict[str, Tensor]:
        """All that a checkpoint holds, under names that stay the same."""
        model, judge = self._model, self._objective.discriminator
        found = {f"weights.{name}": one.detach() for name, one in model.named_parameters()}
        found |= {f"ema.{name}": one for name, one in self._ema.averages.items()}
        found |= moments(model, self._optimizer)
        if judge is not None and self._judge_optimizer is not None:
            named = {f"weights.{name}": one.detach() for name, one in judge.named_parameters()}
            named |= moments(judge, self._judge_optimizer)
            found |= {f"discriminator.{name}": one for name, one in named.items()}
        return found

    def _save(self) -> None:
        parent, progress = self._folder / CHECKPOINTS, self._progress
        state = {"asked": self._asked, "progress": vars(progress)}
        checkpoint.save(parent, progress.step, self._tensors(), state)
        checkpoint.prune(parent, 1)

    def _restore(self) -> None:
        newest = checkpoint.newest(self._folder / CHECKPOINTS)
        if newest is None:
            return
        state = checkpoint.read_state(newest)
        if state["asked"] != self._asked:
            raise ValueError(
                f"{newest} is of other settings, seed or clips: name another folder, or remove it"
            )
        checkpoint.load(newest, self._tensors())
        self._progress = Progress(**state["progress"])
        set_steps(self._model, self._optimizer, self._progress.step)
        judge = self._objective.discriminator
        if judge is not None and self._judge_optimizer is not None:
            seen = max(0, self._progress.step - self._fit.losses.adversarial_start)
            set_steps(judge, self._judge_optimizer, seen)


class _Clock:
    """Adds the time since the last tick to the progress."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._last_s = progress, time.monotonic()

    def tick(self) -> None:
        now_s = time.monotonic()
        self._progress.elapsed_s += now_s - self._last_s
        self._last_s = now_s


def _adamw(model: torch.nn.Module, settings: TaeFitSettings) -> torch.optim.AdamW:
    """AdamW without decay: the norms of this network are what keeps its weights in check."""
    return torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, betas=BETAS, weight_decay=0.0, fused=True
    )


def _asked(settings: AutoencoderSettings, seed: int, clips: Clips) -> dict[str, Any]:
    """What two trainings must agree in to be the same."""
    ids = "\n".join(
        f"{one} {other}" for one, other in zip(clips.clip_ids, clips.video_ids, strict=True)
    )
    fitted = settings.fit.model_dump(mode="json", exclude={"checkpoint_every_s"})
    return {
        "architecture": settings.architecture.model_dump(mode="json"),
        "fit": fitted,
        "seed": seed,
        "clips": hashlib.sha256(ids.encode()).hexdigest()[:16],
    }
