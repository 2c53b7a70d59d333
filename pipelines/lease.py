"""The lease: at most one run at a time works in a workspace, and a dead one never blocks the next.

`<workspace>/_run.json` names the run. A second one stops at once and says which it met; a run whose
process is gone, or whose heartbeat has stopped, is taken over without a question. The lease is a
courtesy that saves the second run's work: what keeps the tables right is the fence in
`pipelines.writer`, which holds even when two runs believe that the lease is theirs.
"""

import json
import os
import socket
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import ObjectStore

from pipelines.workspace import FencedError, StorageError, Workspace, storage_errors

LEASE = "_run.json"

BEAT_S = 10.0
STALE_S = 60.0
"""Six missed beats: the machine is gone, or cut off. Clocks of machines must agree within this."""


@dataclass(frozen=True)
class Holder:
    """The run that holds a workspace, as `_run.json` has it."""

    run: str
    host: str
    pid: int
    process: str
    """When the process began, so that another process of the same number is not taken for it."""
    command: str
    since: str
    heartbeat: str

    def is_dead(self) -> bool:
        """Whether its process is gone (on this host) or has been silent for too long (on any)."""
        if self.host == socket.gethostname():
            return process_mark(self.pid) != self.process
        silence = datetime.now(UTC) - datetime.fromisoformat(self.heartbeat)
        return silence.total_seconds() > STALE_S

    def __str__(self) -> str:
        return (
            f"run {self.run} on host {self.host} (process {self.pid}, since {self.since}, "
            f"last heard of {self.heartbeat}, command: {self.command})"
        )


class Lease:
    """Holds a workspace for a run while the `with` block lasts.

    Raises:
        FencedError: on entry, when another run is alive in the workspace.
        StorageError: when the lease cannot be read or written.
    """

    def __init__(self, workspace: Workspace, run: str, command: str) -> None:
        self._workspace = workspace
        now = _now()
        self._holder = Holder(
            run, socket.gethostname(), os.getpid(), process_mark(os.getpid()), command, now, now
        )
        self._ended = threading.Event()
        self._lost: str | None = None
        self._beating = threading.Thread(target=self._beat, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._store = self._workspace.store()
        with storage_errors(f"{self._workspace.uri}/{LEASE}"):
            try:
                self._put(create=True)
            except AlreadyExistsError:
                other = self.holder()
                if other is not None and not other.is_dead():
                    raise FencedError(
                        f"the workspace {self._workspace.uri} is held by {other}. Wait for it, or "
                        "stop it: what it has committed stays, and this command goes on from there"
                    ) from None
                self._put(create=False)
        self._beating.start()
        self.check()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._beating.join()
        with storage_errors(f"{self._workspace.uri}/{LEASE}"):
            other = self.holder()
            if other is not None and other.run == self._holder.run:
                obstore.delete(self._store, LEASE)

    def holder(self) -> Holder | None:
        """The run that the lease names now; None when there is none."""
        return _holder(self._store)

    def check(self) -> None:
        """Raises FencedError when another run has taken the workspace over."""
        if self._lost is not None:
            raise FencedError(f"{self._lost} has taken over {self._workspace.uri}; this run stops")

    def _put(self, create: bool) -> None:
        content = json.dumps(asdict(self._holder), indent=1).encode()
        obstore.put(self._store, LEASE, content, mode="create" if create else "overwrite")

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_S):
            try:
                self._renew()
            except StorageError:
                # A full disk or a lost network is met, and told, by whoever writes rows next.
                continue

    def _renew(self) -> None:
        with storage_errors(f"{self._workspace.uri}/{LEASE}"):
            other = self.holder()
            if other is not None and other.run != self._holder.run:
                self._lost = str(other)
                return
            self._holder = Holder(**{**asdict(self._holder), "heartbeat": _now()})
            self._put(create=False)


def held_by(workspace: Workspace) -> Holder | None:
    """The run that the lease of a workspace names, dead or alive; None where there is no lease.

    Raises:
        StorageError: it cannot be read, or is none.
    """
    with storage_errors(f"{workspace.uri}/{LEASE}"):
        try:
            return _holder(workspace.reading_store())
        except (ValueError, TypeError) as error:
            raise StorageError(f"{workspace.uri}/{LEASE} is no lease: {error}") from error


def _holder(store: ObjectStore) -> Holder | None:
    try:
        content = bytes(obstore.get(store, LEASE).bytes())
    except FileNotFoundError:
        return None
    return Holder(**json.loads(content))


def process_mark(pid: int) -> str:
    """When the process began, as text that no other process here shares; "" if it is gone.

    Where the system does not tell (no `/proc`), "alive" stands for any process of that number.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass  # alive, and another user's
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return "alive"
    fields = stat.read_text().rpartition(")")[2].split()
    state, began = fields[0], fields[19]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return "" if state == "Z" else f"{boot}:{began}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
