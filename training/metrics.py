"""What a stage says of itself: lines of JSON that are the record, and TensorBoard to look at."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curation.storage import write_whole

logger = logging.getLogger(__name__)


class Metrics:
    """Writes `<folder>/metrics.jsonl` and `<folder>/tensorboard/`."""

    def __init__(self, folder: Path, step: int) -> None:
        """Opens both.

        Args:
            folder: the stage's.
            step: where the run goes on: what a run that was cut off has said of later steps is
                removed, as those steps are done again.
        """
        self.path = folder / "metrics.jsonl"
        _keep_up_to(self.path, step)
        self._file = self.path.open("a", encoding="utf-8")
        self._board = _board(folder / "tensorboard", step)

    def write(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        """Adds a line `{"kind": …, "step": …, …}`, and its numbers to TensorBoard."""
        line = {"kind": kind, "step": step} | dict(values)
        self._file.write(json.dumps(line, allow_nan=False) + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in values.items():
                if isinstance(value, int | float) and not isinstance(value, bool):
                    self._board.add_scalar(f"{kind}/{name}", value, step)

    def image(self, name: str, step: int, picture: Any) -> None:  # noqa: ANN401 - uint8 [H, W, 3]
        """Shows a picture on TensorBoard."""
        if self._board is not None:
            self._board.add_image(name, picture, step, dataformats="HWC")

    def close(self) -> None:
        """Ends both files."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def read_metrics(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The lines of a kind that a stage has written, in order."""
    path = folder / "metrics.jsonl"
    return [line for line in _lines(path) if line["kind"] == kind]


def _lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a file that are whole: a killed run may leave half of one."""
    if not path.exists():
        return []
    found = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("step"), int) and "kind" in line:
            found.append(line)
    return found


def _keep_up_to(path: Path, step: int) -> None:
    if path.exists():
        kept = [json.dumps(line) + "\n" for line in _lines(path) if line["step"] <= step]
        write_whole(path, "".join(kept).encode())


def _board(folder: Path, step: int) -> Any:  # noqa: ANN401 - a SummaryWriter, or None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        logger.warning(
            "tensorboard is not installed, so nothing is written for it; metrics.jsonl is"
        )
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)
