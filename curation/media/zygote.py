"""The helper process of a `Sandbox`: imports libraries once, then forks one confined child per job.

Started as `python -m curation.media.zygote FOLDER [MODULE …]`. Reads a job as one line of JSON from
its standard input, writes the answer as one line of JSON to its standard output, and ends when its
input ends. It has one thread, so that a fork copies a process at rest.
"""

import gc
import importlib
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from curation.media.child import describe, work
from curation.media.confine import confine_zygote

_HEARTBEAT_S = 1.0
"""How often a waiting zygote looks whether its parent still lives."""


def serve(scratch: Path, preload: Sequence[str]) -> None:
    """Answers jobs until the parent is gone, then removes `scratch`.

    Args:
        scratch: the folder for the jobs' own folders.
        preload: modules to import first.
    """
    parent = os.getppid()
    wake = _wake_on_child()
    confinement = dict(confine_zygote())
    try:
        for module in preload:
            _load(module)
        _say(confinement)
        while (job := _next_job(parent)) is not None:
            answer = _perform(job, Path(tempfile.mkdtemp(prefix="job-", dir=scratch)), parent, wake)
            if answer is None:
                break
            _say(answer)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _say(message: dict[str, Any]) -> None:
    line = memoryview(json.dumps(message).encode() + b"\n")
    while line:
        line = line[os.write(1, line) :]


def _next_job(parent: int) -> dict[str, Any] | None:
    line = b""
    while not line.endswith(b"\n"):
        if select.select([0], [], [], _HEARTBEAT_S)[0]:
            part = os.read(0, 1 << 16)
            if not part:
                return None
            line += part
        elif os.getppid() != parent:
            return None
    job: dict[str, Any] = json.loads(line)
    return job


def _wake_on_child() -> int:
    """A descriptor that becomes readable when a child ends."""
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return readable


def _perform(job: dict[str, Any], folder: Path, parent: int, wake: int) -> dict[str, Any] | None:
    """The answer to a job, or None when the parent went away meanwhile."""
    nothing = {"folder": folder.name, "cpu_s": 0.0, "peak_memory_bytes": 0, "wall_s": 0.0}
    try:
        function = _import(job["function"])
    except Exception as failure:  # noqa: BLE001 - written into the answer, and so into the row
        return nothing | {"reason": "bug", "error": describe(failure)}
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        work(function, job, folder)
    in_time = _await(child, start + job["limits"]["wall_s"], parent, wake)
    _kill_group(child)
    _, status, usage = os.wait4(child, 0)
    if in_time is None:
        return None
    reason, error = _verdict(os.waitstatus_to_exitcode(status), in_time, folder, job["limits"])
    return {
        "folder": folder.name,
        "reason": reason,
        "error": error,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_memory_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "wall_s": time.monotonic() - start,
    }


def _import(function: str) -> Callable[..., bytes]:
    """The function named `module:name`; its module stays loaded for the children to come."""
    module, name = function.split(":")
    attribute: Callable[..., bytes] = getattr(_load(module), name)
    return attribute


def _load(module: str) -> ModuleType:
    if module in sys.modules:
        return sys.modules[module]
    loaded = importlib.import_module(module)
    if arrow := sys.modules.get("pyarrow"):
        # Its first conversion imports pandas, a third of a second: here, not in every child.
        arrow.array([0])
    # Objects that live on are kept out of the collector, whose marks would unshare their pages.
    gc.collect()
    gc.freeze()
    return loaded


def _await(child: int, deadline: float, parent: int, wake: int) -> bool | None:
    """True when the child has ended (unreaped), False at the deadline, None when orphaned."""
    while True:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return True
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return False
        ready = select.select([0, wake], [], [], min(left_s, _HEARTBEAT_S))[0]
        if wake in ready:
            os.read(wake, 4096)
        # No job comes while one is under way: input that is readable has ended.
        if 0 in ready or os.getppid() != parent:
            return None


def _kill_group(child: int) -> None:
    """Kills the child and all it started; to be called unreaped, while the ids are its own."""
    for kill in (os.kill, os.killpg):
        try:
            kill(child, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue  # already gone, or (macOS) nothing but zombies left in the group


def _verdict(
    code: int, in_time: bool, folder: Path, limits: dict[str, Any]
) -> tuple[str | None, str | None]:
    """Reason and error of a child that ended with `code` (negative: a signal), None for success."""
    if not in_time:
        return "timeout", f"stopped after {limits['wall_s']:g} s"
    result = folder / "result"
    if code == 0 and result.is_file() and not result.is_symlink():
        return None, None
    if code == -signal.SIGXCPU:
        return "timeout", f"stopped after {limits['cpu_s']:g} CPU-seconds"
    if code == 1 and (folder / "failure").is_file():
        failure = json.loads((folder / "failure").read_text())
        return failure["reason"], failure["error"]
    noise = _tail(folder / "stderr")
    if code == -signal.SIGABRT and "bad_alloc" in noise:
        return "memory", f"out of memory: {noise}"
    how = f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
    return "crash", f"the child process died: {how}. {noise}".strip()


def _tail(path: Path, size: int = 1000) -> str:
    """The last characters of what the child wrote to its standard error."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read().decode(errors="replace").strip()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2:])
