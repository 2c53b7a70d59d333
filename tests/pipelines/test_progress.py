"""Progress: what people and programs are shown."""

import io
import json
import re
from collections import Counter

import pytest

from pipelines import progress as progress_module
from pipelines.progress import Progress, StageSummary, duration


def summary(**counts: object) -> StageSummary:
    return StageSummary(stage="clips", total=200, done_before=20, todo=180, **counts)  # type: ignore[arg-type]


def test_the_line_says_how_far_how_fast_how_good_and_how_long_yet() -> None:
    line = summary(ok=40, rejected=Counter(dark=4), failed=Counter(timeout=1), wall_s=15.0).line()
    for part in ("clips", "65/200", "3/s", "89 % kept", "1 failed", "45.0 s to go"):
        assert part in line


def test_the_line_of_a_stage_with_nothing_to_do_says_so() -> None:
    line = StageSummary(stage="clips", total=20, done_before=20, todo=0, finished=True).line()
    assert "20/20" in line
    assert "nothing to do" in line


def test_nothing_is_divided_by_zero_before_the_first_row() -> None:
    empty = summary()
    assert (empty.rows_per_s, empty.eta_s, empty.kept_share) == (0.0, None, None)
    assert "20/200" in empty.line()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (8.21, "8.2 s"), (60, "1m 00s"), (185, "3m 05s"), (7800, "2h 10m")],
)
def test_durations_are_written_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_log_gets_a_line_every_half_minute_and_one_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([0.0, 10.0, 31.0, 40.0, 62.0, 63.0])
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: next(clock))
    stream = io.StringIO()
    with Progress(stream=stream) as progress:
        for ok in range(5):
            progress(summary(ok=ok, wall_s=1.0))
        progress(summary(ok=180, wall_s=63.0, finished=True))
    lines = stream.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["22/200", "24/200", "200/200"]


def test_programs_get_json_lines() -> None:
    stream = io.StringIO()
    with Progress("json", stream) as progress:
        progress(summary())
        progress(summary(ok=180, finished=True))
    first, last = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["stage"], first["done"], first["finished"]) == ("clips", 0, False)
    assert (last["ok"], last["done"], last["finished"]) == (180, 180, True)


def test_a_terminal_keeps_one_line_per_stage() -> None:
    stream = io.StringIO()
    with Progress("terminal", stream) as progress:
        for stage in ("sources", "clips"):
            for ok in range(3):
                progress(StageSummary(stage, 3, 0, 3, ok=ok, wall_s=1.0))
            progress(StageSummary(stage, 3, 0, 3, ok=3, wall_s=1.0, finished=True))
    shown = re.sub(r"\x1b\[[?0-9]*[a-zA-Z]", "", stream.getvalue())
    last = [line.rpartition("\r")[2] for line in shown.split("\n") if line]
    assert [line.split()[:2] for line in last] == [["sources", "3/3"], ["clips", "3/3"]]


def test_an_error_leaves_the_terminal_usable() -> None:
    stream = io.StringIO()
    with pytest.raises(RuntimeError), Progress("terminal", stream) as progress:
        progress(summary(ok=1, wall_s=1.0))
        raise RuntimeError
    assert "21/200" in stream.getvalue()
