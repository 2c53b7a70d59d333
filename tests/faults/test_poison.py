"""A row that kills its worker costs itself: no neighbour, no endless retry, no hanging run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.compute as pc
import pytest

from pipelines.workspace import Workspace
from tests import toys

ACCIDENTS = {"000002": "kill", "000013": "segfault", "000021": "bug"}


def on_ray(workspace: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "tests.toys", str(workspace), "--runner", "ray", *options]


def children(pid: int) -> list[int]:
    listed = (path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(child) for text in listed for child in text.split()]


@pytest.mark.slow
def test_rows_that_kill_their_worker_cost_only_themselves(tmp_path: Path) -> None:
    accidents = [f"--accident={number}={kind}" for number, kind in ACCIDENTS.items()]
    subprocess.run(
        on_ray(tmp_path, "--rows", "40", "--batch", "4", *accidents), check=True, timeout=240
    )
    rows = Workspace(tmp_path).table("squares").read()
    assert sorted(rows["number"].to_pylist()) == toys.numbers(40)["number"].to_pylist()
    failed = rows.filter(pc.equal(rows["status"], "failed"))
    reasons = dict(zip(failed["number"].to_pylist(), failed["reason"].to_pylist(), strict=True))
    assert reasons == {"000002": "crash", "000013": "crash", "000021": "bug"}
    assert all("died" in error for error in failed["error"].to_pylist() if "taste" not in error)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_commits_what_is_finished_and_exits_130(
    tmp_path: Path, number: signal.Signals
) -> None:
    run = subprocess.Popen(
        on_ray(
            tmp_path,
            *("--rows", "2000", "--batch", "1", "--sleep-s", "0.1"),
            # No test waits for that long: what is there in the end was committed by the stop.
            *("--commit-s", "999"),
        ),
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob("squares/part-*"))) < 10:
        assert time.monotonic() < deadline, "no worker came up"
        assert run.poll() is None
        time.sleep(0.1)
    helpers = children(run.pid)
    # What goes to the whole group, as Slurm sends it, must not end Ray before the commit.
    assert helpers
    assert not any(os.getpgid(helper) == run.pid for helper in helpers)
    os.killpg(run.pid, number)
    said = run.communicate(timeout=60)[1]
    assert run.returncode == 130, said
    assert said.splitlines() == [
        "stopping: committing what is finished (once more to stop at once)"
    ]
    rows = Workspace(tmp_path).table("squares").read(["number"])
    assert 0 < rows.num_rows < 2000
    assert not (tmp_path / "_run.json").exists()
    assert not any(Path(f"/proc/{helper}").exists() for helper in helpers)
