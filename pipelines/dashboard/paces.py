"""How fast stages went, from the times and rows of their commits, and how fast one goes now."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.dashboard.commits import Commit

WINDOW_S = 300.0
"""The rate of a stage at work is that of its last minutes, as the first ones say little of the last
ones: workers start, and long videos come late."""

LEAST_S = 0.5
"""Shorter stages have no rate: their commits came in one moment."""

MOST_POINTS = 400
"""Of a line of the chart."""


@dataclass
class Pace:
    """A table of one run: the rows that it got, and in what time."""

    table: str
    is_stage: bool
    """Whether workers made its rows one by one; other tables are written in one commit."""
    began_ms: int
    """Milliseconds since 1970 UTC of the run's first commit to it, which a stage makes before its
    workers start."""
    ended_ms: int
    """Of the last."""
    rows: int = 0
    withdrawn: int = 0
    """Rows that the run took out: made with other settings, of inputs that changed, or failed and
    tried again."""
    steps: list[tuple[int, int]] = field(default_factory=list)
    """Time and rows of each commit that added some."""

    @property
    def wall_s(self) -> float:
        """Seconds from the first commit to the last."""
        return (self.ended_ms - self.began_ms) / 1000

    @property
    def rows_per_s(self) -> float | None:
        """Over all that time, the start of the workers included; None where it was too short."""
        return self.rows / self.wall_s if self.is_stage and self.wall_s >= LEAST_S else None


def paces(
    commits: Iterable[Commit], withdrawn: Mapping[tuple[str, int], int]
) -> dict[str, list[Pace]]:
    """The tables of each run, in the order in which it came to them; runs in theirs.

    Args:
        commits: oldest first.
        withdrawn: of `pipelines.dashboard.commits.withdrawn_rows`.
    """
    found: dict[str, dict[str, Pace]] = {}
    for commit in commits:
        if not commit.run:
            continue
        tables = found.setdefault(commit.run, {})
        pace = tables.setdefault(
            commit.table, Pace(commit.table, bool(commit.stage), commit.time_ms, commit.time_ms)
        )
        pace.ended_ms = max(pace.ended_ms, commit.time_ms)
        came, went = rows_of(commit, withdrawn)
        pace.rows += came
        pace.withdrawn += went
        if came:
            pace.steps.append((commit.time_ms, came))
    return {run: list(tables.values()) for run, tables in found.items()}


def rows_of(commit: Commit, withdrawn: Mapping[tuple[str, int], int]) -> tuple[int, int]:
    """Rows that a commit brought, and rows that it took out.

    A stage that withdraws rows brings none in the same commit: what it adds there are the other
    rows of the same files, written again.
    """
    went = withdrawn.get((commit.table, commit.version), 0)
    if commit.stage and commit.removed:
        return 0, max(0, went - commit.num_added)
    return commit.num_added, went


def recent_rate(pace: Pace, now_ms: int, window_s: float = WINDOW_S) -> float | None:
    """Rows per second over the last minutes, or since the stage began if that is later.

    None where the stage has just begun. Time in which nothing was committed counts, so the rate of
    a stage that hangs falls to 0.
    """
    since = max(pace.began_ms, now_ms - round(1000 * window_s))
    seconds = (now_ms - since) / 1000
    if seconds < LEAST_S:
        return None
    return sum(rows for time_ms, rows in pace.steps if time_ms > since) / seconds


def line_of(pace: Pace) -> list[tuple[int, int]]:
    """Rows so far over time, from 0 when the stage began; not every commit where they are many."""
    total, points = 0, [(pace.began_ms, 0)]
    for time_ms, rows in pace.steps:
        total += rows
        points.append((time_ms, total))
    return thinned(points, MOST_POINTS)


def thinned(points: Sequence[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """At most so many of the points, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    places = sorted({round(place * (len(points) - 1) / (most - 1)) for place in range(most)})
    return [points[place] for place in places]
