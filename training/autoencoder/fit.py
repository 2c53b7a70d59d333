"""Training of a temporal autoencoder: the loop of `moviola train-tae`."""

import fcntl
import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from curation.models.devices import Device
from training.autoencoder.crops import Clips, Crops, split
from training.autoencoder.files import (
    DESCRIPTION,
    check_weights,
    read_description,
    write_autoencoder,
)
from training.autoencoder.held_out import held_out_quality, latent_statistics
from training.autoencoder.settings import AutoencoderSettings, Precision
from training.autoencoder.trainee import Progress, Trainee
from training.data.prefetch import Feed, Prefetcher
from training.metrics import Metrics
from training.run_folder import versions
from training.signals import stop_asked

CHECKPOINTS = "checkpoints"
LOG_EVERY_STEPS = 10
PREFETCH = 2


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
        ValueError: another process trains in the folder, it holds another autoencoder or a part of
            one, there is nothing to train on, or a file of the perceptual distance is missing.
        TrainingError: the loss is no number; the checkpoint, if any, is from before.
        CheckpointError: a checkpoint cannot be written.
        KeyboardInterrupt: it was asked to stop, and wrote a checkpoint; the same call goes on.
    """
    asked = _asked(settings, seed, clips)
    with _locked(folder):
        if (folder / DESCRIPTION).exists():
            found = read_description(folder)
            if found.get("asked") == asked:
                check_weights(folder, found)
                return found
            raise ValueError(
                f"{folder} holds an autoencoder of other settings, seed or clips: name another "
                "folder, or remove it"
            )
        trainee = Trainee(settings, seed, torch.device(device), precision, weights)
        return Fitting(settings, clips, folder, trainee, asked, on_log).run()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The folder, made if need be, is this process's to write to."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another process trains in {folder}") from None
        yield


class Fitting:
    """The loop around one autoencoder in training."""

    def __init__(
        self,
        settings: AutoencoderSettings,
        clips: Clips,
        folder: Path,
        trainee: Trainee,
        asked: dict[str, Any],
        on_log: Callable[[Mapping[str, Any]], None],
    ) -> None:
        """As `fit`; `asked` is what a checkpoint must be of."""
        self._settings, self._fit, self._folder = settings, settings.fit, folder
        self._trainee, self._asked, self._on_log = trainee, asked, on_log
        trained, held = split(clips, self._fit.held_out_share)
        self._crops = Crops(clips, trained, self._fit, asked["seed"])
        self._held = held[: self._fit.max_held_out]
        self._num_clips = {"trained": len(trained), "held_out": len(held)}
        self._feed = Feed(self._batches)
        self._quality: tuple[int, dict[str, float]] | None = None
        """The step of the last evaluation since this began, and what was found."""

    def _batches(self) -> Prefetcher[Tensor]:
        """The crops of the steps from the next on, read ahead."""
        return Prefetcher(self._crops.from_step(self._trainee.progress.step), PREFETCH)

    def run(self) -> dict[str, Any]:
        """To the end."""
        self._trainee.restore(self._folder / CHECKPOINTS, self._asked)
        metrics = Metrics(self._folder, self._trainee.progress.step)
        try:
            with stop_asked() as stop:
                self._train(metrics, lambda: stop.asked)
            return self._finish()
        finally:
            self._feed.pause()
            metrics.close()

    def _train(self, metrics: Metrics, stopping: Callable[[], bool]) -> None:
        progress = self._trainee.progress
        saved_s = progress.elapsed_s
        clock = _Clock(progress)
        if progress.evaluations == 0:
            self._evaluate(metrics)
            clock.tick()
        while (share := self._share()) < 1:
            values = self._trainee.step(self._feed.next(), share)
            clock.tick()
            if progress.step % LOG_EVERY_STEPS == 0:
                self._log(metrics, "train", values)
            # The evaluation before the first step is number 0.
            if self._share() * self._fit.num_evaluations >= progress.evaluations:
                self._evaluate(metrics)
                clock.tick()
            if stopping():
                self._trainee.save(self._folder / CHECKPOINTS, self._asked)
                raise KeyboardInterrupt
            if progress.elapsed_s - saved_s >= self._fit.checkpoint_every_s:
                self._trainee.save(self._folder / CHECKPOINTS, self._asked)
                saved_s = progress.elapsed_s

    def _share(self) -> float:
        """How much of the training is done, 0 to 1."""
        progress = self._trainee.progress
        if self._fit.max_s is not None:
            return min(progress.elapsed_s / self._fit.max_s, 1.0)
        return min(progress.step / self._fit.steps, 1.0)

    def _evaluate(self, metrics: Metrics) -> None:
        self._trainee.progress.evaluations += 1
        if quality := self._held_out_quality():
            self._log(metrics, "held_out", quality)

    def _held_out_quality(self) -> dict[str, float]:
        """Of the average of the weights as they are; found once for each step."""
        trainee, step = self._trainee, self._trainee.progress.step
        if self._quality is None or self._quality[0] != step:
            self._feed.pause()
            with trainee.ema.applied(), trainee.cast():
                found = held_out_quality(trainee.model, self._crops, self._held)
            self._quality = (step, found)
        return self._quality[1]

    def _log(self, metrics: Metrics, kind: str, values: Mapping[str, float]) -> None:
        progress = self._trainee.progress
        line = dict(values) | {"elapsed_s": round(progress.elapsed_s, 3)}
        metrics.write(kind, progress.step, line)
        self._on_log({"kind": kind, "step": progress.step} | line)

    def _finish(self) -> dict[str, Any]:
        trainee, shape = self._trainee, self._settings.architecture
        quality = self._held_out_quality()
        with trainee.ema.applied(), trainee.cast():
            mean, std = latent_statistics(trainee.model, self._crops)
            notes = {
                "held_out": quality,
                "clips": self._num_clips,
                "steps": trainee.progress.step,
                "elapsed_s": round(trainee.progress.elapsed_s, 3),
                "versions": versions(),
                "asked": self._asked,
            }
            weights = trainee.model.state_dict()
            write_autoencoder(self._folder, weights, shape, mean, std, notes)
        shutil.rmtree(self._folder / CHECKPOINTS, ignore_errors=True)
        return read_description(self._folder)


class _Clock:
    """Adds the time since the last tick to the progress."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._last_s = progress, time.monotonic()

    def tick(self) -> None:
        now_s = time.monotonic()
        self._progress.elapsed_s += now_s - self._last_s
        self._last_s = now_s


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
