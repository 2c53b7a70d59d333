"""Reads a `metrics.jsonl` as it grows, in bounded memory: curves in bins, evaluations by place.

`training.metrics.read_metrics` reads such a file whole; one of a long run has hundreds of
megabytes, and a page asks every few seconds.
"""

import json
import math
import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from pipelines.dashboard.curves import Curve
from pipelines.workspace import storage_errors

MOST_EVALUATIONS = 2_000
MOST_READ_BYTES = 16 << 20
"""Read at a time; a page that sees that there is more asks again."""

MOST_LINE_BYTES = 8 << 20

_TAIL_BYTES = 64

MOST_FIELDS = 60
"""Of a line of training that become curves."""


class Evaluation(NamedTuple):
    """A line of kind `evaluation`: what all of them are drawn by, and where the rest of it is."""

    step: int
    loss: float
    floor: float | None
    interval: tuple[float, float] | None
    by_time: tuple[tuple[float, float, float | None], ...]
    """Time, loss, floor."""
    start: int
    """Byte at which the line begins."""
    length: int


class MetricsFile:
    """One `metrics.jsonl`. Every call of `read` takes in what was added since."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self._path = path
        self._lock = threading.Lock()
        self._begin(None)

    def _begin(self, mark: tuple[int, int] | None) -> None:
        self._mark = mark
        self._offset, self._tail = 0, b""
        self._is_whole = False
        self.curves: dict[str, Curve] = {}
        self.evaluations: list[Evaluation] = []
        self._keep_every, self._evaluated = 1, 0
        self.last_step = 0
        self.num_broken = 0
        """Lines that are no JSON of ours, as a killed run may leave."""
        self._seen: deque[tuple[float, int]] = deque(maxlen=30)

    def read(self) -> dict[str, Any]:
        """Takes in what is new, and tells all that is known.

        Returns:
            `curves` by field (see `Curve.told`), `evaluations`, `last_step`, `written_s` (seconds
            since 1970 UTC at which the file last changed), `steps_per_s` (as seen while the
            dashboard looked; null before it has seen two changes), `num_broken`, `read_share`.

        Raises:
            StorageError: the file cannot be read.
        """
        with self._lock, storage_errors(str(self._path)):
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                mark = (status.st_dev, status.st_ino)
                # A run that is resumed writes the file anew, without what it does again.
                if mark != self._mark or not self._goes_on(file):
                    self._begin(mark)
                self._take(file)
                self._tail = _before(file, self._offset)
            if not self._seen or self._seen[-1][1] != self.last_step:
                self._seen.append((status.st_mtime, self.last_step))
            return {
                "curves": {name: curve.told() for name, curve in self.curves.items()},
                "evaluations": [one._asdict() for one in self.evaluations],
                "last_step": self.last_step,
                "written_s": status.st_mtime,
                "steps_per_s": self._rate(),
                "num_broken": self.num_broken,
                "read_share": 1.0 if self._is_whole else self._offset / status.st_size,
            }

    def line(self, step: int) -> dict[str, Any]:
        """The whole line of the evaluation at a step.

        Raises:
            FileNotFoundError: there is none of that step, or the file has been written anew.
            StorageError: the file cannot be read.
        """
        with self._lock:
            found = next((one for one in self.evaluations if one.step == step), None)
        if found is None:
            raise FileNotFoundError(f"no evaluation at step {step} is known")
        with storage_errors(str(self._path)), self._path.open("rb") as file:
            file.seek(found.start)
            line = _parsed(file.read(found.length))
        if line is None or line["step"] != step or line["kind"] != "evaluation":
            raise FileNotFoundError(f"the evaluation at step {step} has just been written anew")
        return line

    def _goes_on(self, file: BinaryIO) -> bool:
        """Whether what was read is still there: a number of a file may come back for another."""
        return _before(file, self._offset) == self._tail

    def _rate(self) -> float | None:
        if len(self._seen) < 2:
            return None
        (first_s, first), (last_s, last) = self._seen[0], self._seen[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s and last > first else None

    def _take(self, file: BinaryIO) -> None:
        for start, text in self._lines(file):
            line = _parsed(text)
            if line is None:
                self.num_broken += bool(text.strip())
            elif line["kind"] == "train":
                self._add_train(line)
            elif line["kind"] == "evaluation":
                self._add_evaluation(line, start, len(text))
            if line is not None:
                self.last_step = max(self.last_step, line["step"])

    def _lines(self, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
        """Where each whole line begins, and its bytes; what follows the last of them waits."""
        file.seek(self._offset)
        end = self._offset + MOST_READ_BYTES
        self._is_whole = False
        while self._offset < end:
            text = file.readline(MOST_LINE_BYTES)
            if not text.endswith(b"\n") and len(text) < MOST_LINE_BYTES:
                self._is_whole = True
                return
            start, self._offset = self._offset, self._offset + len(text)
            yield start, text

    def _add_train(self, line: Mapping[str, Any]) -> None:
        for name, value in line.items():
            if name in ("kind", "step") or not _is_number(value):
                continue
            if name in self.curves or len(self.curves) < MOST_FIELDS:
                self.curves.setdefault(name, Curve()).add(line["step"], float(value))

    def _add_evaluation(self, line: Mapping[str, Any], start: int, length: int) -> None:
        if not _is_number(line.get("loss")):
            return
        # Every n-th is kept, and the last one, whichever it is.
        if self.evaluations and (self._evaluated - 1) % self._keep_every:
            self.evaluations.pop()
        self._evaluated += 1
        by_time = tuple(
            (float(one["time"]), float(one["loss"]), _number(one.get("floor_gaussian")))
            for one in _dicts(line.get("by_time"))
            if _is_number(one.get("time")) and _is_number(one.get("loss"))
        )
        bounds = line.get("interval")
        is_pair = isinstance(bounds, list) and len(bounds) == 2 and all(map(_is_number, bounds))
        self.evaluations.append(
            Evaluation(
                line["step"],
                float(line["loss"]),
                _number(line.get("floor_gaussian")),
                (float(bounds[0]), float(bounds[1])) if is_pair and bounds else None,
                by_time,
                start,
                length,
            )
        )
        if len(self.evaluations) > MOST_EVALUATIONS:
            self.evaluations = self.evaluations[::2]
            self._keep_every *= 2


@lru_cache(maxsize=64)
def metrics_file(path: Path) -> MetricsFile:
    """The file as far as it was read in this process."""
    return MetricsFile(path)


def _before(file: BinaryIO, offset: int) -> bytes:
    """The last bytes before a place."""
    start = max(0, offset - _TAIL_BYTES)
    file.seek(start)
    return file.read(offset - start)


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_ours = isinstance(line, dict) and isinstance(line.get("kind"), str)
    return line if is_ours and type(line.get("step")) is int and line["step"] >= 0 else None


def _dicts(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _is_number(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)  # type: ignore[arg-type]


def _number(value: object) -> float | None:
    return float(value) if _is_number(value) else None  # type: ignore[arg-type]
