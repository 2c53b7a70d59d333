"""Kill -9 at every write and at random moments: the same rows in the end, and none twice."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.workspace import Workspace
from tests import toys

ROWS = 20
SEED = 20261122


def driver(workspace: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "tests.toys", str(workspace), *options]


def run_to_the_end(workspace: Path, *options: str) -> None:
    subprocess.run(driver(workspace, *options), check=True, timeout=120)


def rows(workspace: Path, table: str) -> list[dict[str, object]]:
    found = Workspace(workspace).table(table).read().drop_columns(["cpu_s"])
    return found.sort_by("number").to_pylist()


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("part-*")}


def committed(workspace: Path, table: str) -> set[str]:
    actions = Workspace(workspace).table(table).delta().get_add_actions()
    return set(actions.column("path").to_pylist())


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A workspace with rows of other settings, and the one that an undisturbed run makes of it."""
    before = tmp_path_factory.mktemp("before")
    run_to_the_end(before, "--table", "shards/a", "--rows", "10", "--add", "1")
    after = tmp_path_factory.mktemp("after") / "workspace"
    shutil.copytree(before, after)
    run_to_the_end(after, "--table", "shards/a", "--rows", str(ROWS), "--accident", "000007=bug")
    return before, after


def test_a_driver_killed_at_any_write_leaves_what_the_next_run_finishes(
    golden: tuple[Path, Path], tmp_path: Path
) -> None:
    before, after = golden
    options = ["--table", "shards/a", "--rows", str(ROWS), "--accident", "000007=bug"]
    kills = 0
    while True:
        workspace = tmp_path / str(kills)
        shutil.copytree(before, workspace)
        died = subprocess.run(driver(workspace, *options, "--kill-at", str(kills)), timeout=120)
        if died.returncode == 0:
            break
        assert died.returncode == -signal.SIGKILL
        kills += 1
        seen = rows(workspace, "shards/a")
        assert len({row["number"] for row in seen}) == len(seen)
        assert toys.main([str(workspace), *options]) == 0
        assert rows(workspace, "shards/a") == rows(after, "shards/a"), f"after kill {kills - 1}"
        assert files(workspace / "shards" / "a") == committed(workspace, "shards/a")
    assert kills >= 20


@pytest.mark.slow
def test_a_driver_on_ray_killed_again_and_again_ends_with_the_same_rows(tmp_path: Path) -> None:
    moments = random.Random(SEED)
    options = ["--runner", "ray", "--rows", "120", "--batch", "1", "--sleep-s", "0.1"]
    kills = 0
    for _ in range(4):
        victim = subprocess.Popen(driver(tmp_path, *options))
        try:
            wait_for_rows(tmp_path, victim, more_than=kills * 8)
            time.sleep(moments.uniform(0, 1.5))
        finally:
            kills += victim.poll() is None
            victim.kill()
            victim.wait()
    assert kills >= 3, f"seed {SEED}: the run was over before it could be killed"
    run_to_the_end(tmp_path, "--rows", "120", "--batch", "1")
    undisturbed = tmp_path / "undisturbed"
    run_to_the_end(undisturbed, "--rows", "120", "--batch", "1")
    assert rows(tmp_path, "squares") == rows(undisturbed, "squares"), f"seed {SEED}"


@pytest.mark.slow
def test_killed_workers_cost_no_row_and_no_neighbour(tmp_path: Path) -> None:
    choice = random.Random(SEED)
    pids = tmp_path / "pids"
    pids.mkdir()
    workspace = tmp_path / "workspace"
    options = ["--runner", "ray", "--rows", "240", "--batch", "4", "--sleep-s", "0.05"]
    run = subprocess.Popen(driver(workspace, *options, "--pids", str(pids)))
    kills = 0
    while run.poll() is None and kills < 6:
        time.sleep(choice.uniform(0.2, 0.8))
        alive = [int(path.name) for path in pids.iterdir() if is_worker(int(path.name))]
        if alive:
            os.kill(choice.choice(sorted(alive)), signal.SIGKILL)
            kills += 1
    assert run.wait(timeout=120) == 0
    assert kills >= 3, f"seed {SEED}: the run was over before its workers could be killed"
    undisturbed = tmp_path / "undisturbed"
    run_to_the_end(undisturbed, "--rows", "240")
    assert rows(workspace, "squares") == rows(undisturbed, "squares"), f"seed {SEED}"


def wait_for_rows(workspace: Path, victim: "subprocess.Popen[bytes]", more_than: int) -> None:
    table = Workspace(workspace).table("squares")
    deadline = time.monotonic() + 90
    while victim.poll() is None and time.monotonic() < deadline:
        if table.exists() and table.read(["number"]).num_rows > more_than:
            return
        time.sleep(0.1)


def is_worker(pid: int) -> bool:
    """Whether the process is a Ray worker that still runs; a number may have been used again."""
    command = Path(f"/proc/{pid}/cmdline")
    return command.exists() and command.read_bytes().startswith(b"ray::")
