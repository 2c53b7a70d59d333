"""How far a stage is, for people and for programs."""

import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Literal, Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

Style = Literal["terminal", "plain", "json"]

PLAIN_EVERY_S = 30.0
LIVE_EVERY_S = 0.25
JSON_EVERY_S = 1.0


@dataclass
class StageSummary:
    """What a stage did in this run, so far or in the end."""

    stage: str

    total: int
    """Input rows."""

    done_before: int
    """Of them, those that an earlier run had done."""

    todo: int
    """Of them, those that this run set out to do."""

    withdrawn: dict[str, int] = field(default_factory=dict)
    """Rows taken out of the table first, by reason (a key of `pipelines.plan.REASONS`)."""

    ok: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    """Rows by the rule that rejected them."""

    failed: Counter[str] = field(default_factory=Counter)
    """Rows by class of failure (a key of `curation.tables.FAILURES`)."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    """CPU-seconds of the rows, in the workers and the children they confined."""

    finished: bool = False
    """Every row that the run set out to do is committed."""

    @property
    def done(self) -> int:
        """Rows done in this run."""
        return self.ok + self.rejected.total() + self.failed.total()

    @property
    def rows_per_s(self) -> float:
        """Rows done per second of this run; 0 before the first."""
        return self.done / self.wall_s if self.wall_s else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds to go at this rate; None while nothing is known."""
        return (self.todo - self.done) / self.rows_per_s if self.rows_per_s else None

    @property
    def kept_share(self) -> float | None:
        """Share of the rows done in this run that are `ok`; None before the first."""
        return self.ok / self.done if self.done else None

    def line(self) -> str:
        """One line for people: `clips  40/200  2.1/s  95 % kept  1 failed  1m 16s to go`."""
        parts = [f"{self.stage:<12}", f"{self.done_before + self.done:,}/{self.total:,}"]
        if self.done_before and not self.done:
            parts.append(f"{self.done_before:,} done before")
        if self.done and self.kept_share is not None:
            parts += [f"{_rate(self.rows_per_s)}", f"{100 * self.kept_share:.0f} % kept"]
        if self.failed:
            parts.append(f"{self.failed.total():,} failed")
        if self.finished:
            parts.append(f"in {duration(self.wall_s)}" if self.todo else "nothing to do")
        elif self.eta_s is not None:
            parts.append(f"{duration(self.eta_s)} to go")
        else:
            parts.append(f"{duration(self.wall_s)}")
        return "  ".join(parts)

    def to_json(self) -> str:
        """The counts as one line of JSON."""
        return json.dumps({**asdict(self), "done": self.done, "eta_s": self.eta_s})


class Progress:
    """Shows summaries as they come: `run_stage(..., on_progress=progress)`, in a `with` block."""

    def __init__(self, style: Style | None = None, stream: TextIO | None = None) -> None:
        """Chooses how to show.

        Args:
            style: one line per stage that moves (`terminal`), a line every 30 s and one at the
                end (`plain`), or a JSON object a line (`json`); without it, what suits the stream.
            stream: where to; standard error if left out.
        """
        self._stream = stream or sys.stderr
        self._style = style or ("terminal" if self._stream.isatty() else "plain")
        self._live: Live | None = None
        self._stage = ""
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end_line()

    def __call__(self, summary: StageSummary) -> None:
        """Shows the summary if it is time to, and always if the stage begins or has finished."""
        now = time.monotonic()
        begins = summary.stage != self._stage
        if begins:
            self._end_line()
            self._stage = summary.stage
        if self._style == "terminal":
            self._move(summary)
        elif self._style == "json":
            if begins or summary.finished or now >= self._next:
                self._next = now + JSON_EVERY_S
                self._write(summary.to_json())
        elif summary.finished or (now >= self._next and not begins):
            self._next = now + PLAIN_EVERY_S
            self._write(summary.line())
        elif begins:
            self._next = now + PLAIN_EVERY_S
        if summary.finished:
            self._end_line()
            self._stage = ""

    def _move(self, summary: StageSummary) -> None:
        line = Text(summary.line(), no_wrap=True, overflow="ellipsis")
        if self._live is None:
            console = Console(file=self._stream, force_terminal=True)
            self._live = Live(line, console=console, refresh_per_second=1 / LIVE_EVERY_S)
            self._live.start()
        self._live.update(line, refresh=summary.finished)

    def _end_line(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


def duration(seconds: float) -> str:
    """Seconds for people: `8.2 s`, `3m 05s`, `2h 10m`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m {rest:02}s" if minutes < 60 else f"{minutes // 60}h {minutes % 60:02}m"


def _rate(rows_per_s: float) -> str:
    return f"{rows_per_s:,.0f}/s" if rows_per_s >= 10 else f"{rows_per_s:.2g}/s"
