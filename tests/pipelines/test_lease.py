"""The lease: one living run at a time, and no dead one in the way."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines import lease as lease_module
from pipelines.lease import LEASE, Holder, Lease, process_mark
from pipelines.workspace import FencedError, Workspace

NOW = datetime.now(UTC)


def written(folder: Path, **changes: object) -> Holder:
    """A lease of this very process, with changes, as another run would have written it."""
    stamp = NOW.isoformat(timespec="seconds")
    mine = process_mark(os.getpid())
    holder = Holder("another", socket.gethostname(), os.getpid(), mine, "curate", stamp, stamp)
    holder = dataclasses.replace(holder, **changes)  # type: ignore[arg-type]
    (folder / LEASE).write_text(json.dumps(dataclasses.asdict(holder)))
    return holder


def test_a_second_run_stops_and_names_the_first(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with Lease(workspace, "first", "moviola curate demo"):
        with (
            pytest.raises(FencedError, match=r"run first on host .*moviola curate demo"),
            Lease(workspace, "second", ""),
        ):
            pass
        assert json.loads((tmp_path / LEASE).read_text())["run"] == "first"
    assert not (tmp_path / LEASE).exists()


def test_a_run_whose_process_is_gone_is_taken_over(tmp_path: Path) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], **OUTPUT)
    written(tmp_path, pid=int(gone.stdout))
    with Lease(Workspace(tmp_path), "next", "") as lease:
        holder = lease.holder()
        assert holder is not None
        assert holder.run == "next"


OUTPUT: dict[str, bool] = {"capture_output": True, "text": True, "check": True}


def test_a_process_that_was_given_the_same_number_is_not_taken_for_the_first(
    tmp_path: Path,
) -> None:
    written(tmp_path, process="another boot:17")
    with Lease(Workspace(tmp_path), "next", ""):
        pass


@pytest.mark.parametrize(("silent_s", "is_dead"), [(30, False), (90, True)])
def test_a_run_of_another_host_is_dead_when_it_has_been_silent(
    silent_s: int, is_dead: bool, tmp_path: Path
) -> None:
    beat = (datetime.now(UTC) - timedelta(seconds=silent_s)).isoformat(timespec="seconds")
    assert written(tmp_path, host="elsewhere", heartbeat=beat).is_dead() is is_dead


def test_a_run_whose_lease_was_taken_notices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "BEAT_S", 0.05)
    with Lease(Workspace(tmp_path), "first", "") as lease:
        lease.check()
        written(tmp_path, run="thief")
        deadline = time.monotonic() + 10
        with pytest.raises(FencedError, match="run thief"):
            while time.monotonic() < deadline:
                lease.check()
    assert (tmp_path / LEASE).exists(), "the lease is the thief's now, and not ours to remove"


def test_a_heartbeat_is_written_while_the_run_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "BEAT_S", 0.05)
    with Lease(Workspace(tmp_path), "first", ""):
        first = (tmp_path / LEASE).stat().st_mtime_ns
        deadline = time.monotonic() + 10
        while (tmp_path / LEASE).stat().st_mtime_ns == first:
            assert time.monotonic() < deadline
