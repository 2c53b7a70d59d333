"""How training goes, on standard error: a line that renews itself, or in a log one now and then."""

import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from pipelines.progress import duration
from training.autoencoder.settings import TaeFitSettings
from training.settings import TrainingRecipe
from training.step import StepReport

EVERY_S = {True: 0.5, False: 15.0}
"""Seconds between lines, on a terminal and elsewhere."""


class TrainingProgress:
    """Says step, loss, speed and the time that is left of the stage."""

    def __init__(self, recipe: TrainingRecipe) -> None:
        """Knows how many steps there are.

        Args:
            recipe: of the training.
        """
        self._recipe = recipe
        self._is_terminal = sys.stderr.isatty()
        self._stage = ""
        self._began = self._said = 0.0
        self._first = 0
        self._loss = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_terminal and self._stage:
            sys.stderr.write("\n")

    def saw(self, stage: str, report: StepReport) -> None:
        """Takes a step in, and says something if it is time."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._began, self._first = stage, now - report.busy_s, report.step - 1
            self._loss, self._said = report.loss, 0.0
        # Of single steps the loss jumps with their times and samples.
        self._loss += 0.05 * (report.loss - self._loss)
        steps = self._recipe.stages[stage].steps
        is_last = report.step == steps
        if now - self._said < EVERY_S[self._is_terminal] and not is_last:
            return
        self._said = now
        left_s = (now - self._began) / (report.step - self._first) * (steps - report.step)
        line = f"{stage}: step {report.step:,} of {steps:,}, loss {self._loss:.3f}"
        line += "" if is_last else f", {duration(left_s)} left"
        end = "\n" if is_last or not self._is_terminal else ""
        sys.stderr.write(f"\r\x1b[K{line}{end}" if self._is_terminal else f"{line}{end}")
        sys.stderr.flush()


def say_fit(settings: TaeFitSettings) -> Callable[[Mapping[str, Any]], None]:
    """What says, on standard error, how the training of an autoencoder goes."""
    said = 0.0

    def saw(line: Mapping[str, Any]) -> None:
        nonlocal said
        now = time.monotonic()
        end = f"of {settings.steps:,}" if settings.max_s is None else f"for {settings.max_s:g} s"
        text = f"autoencoder: step {line['step']:,} {end}, {duration(line['elapsed_s'])} so far"
        if line["kind"] == "held_out":
            text += f", held out: {line['psnr_db']:.2f} dB, SSIM {line['ssim']:.3f}"
        elif now - said < EVERY_S[False]:
            return
        else:
            text += f", loss {line['loss']:.4f}"
        said = now
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    return saw
