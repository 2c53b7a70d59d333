"""The helper process of a `Sandbox`: imports libraries once, then forks one confined child per job.

Started as `python -m curation.media.zygote FOLDER`. Reads a job as one line of JSON from its
standard input, writes the answer as one line of JSON to its standard output, and ends when its
input ends. It has one thread, so that a fork copies a process at rest.
"""

import gc
import importlib
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from curation.media.confine import confine_child, confine_zygote
from curation.media.errors import MediaError

_HEARTBEAT_S = 1.0
"""How often a waiting zygote looks whether its parent still lives."""


def serve(scratch: Path) -> None:
    """Answers jobs until the parent is gone, then removes `scratch`."""
    parent = os.getppid()
    wake = _wake_on_child()
    _say(dict(confine_zygote()))
    try:
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
        return nothing | {"reason": "bug", "error": _describe(failure)}
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        _work(function, job, folder)
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
    if module in sys.modules:
        loaded = sys.modules[module]
    else:
        loaded = importlib.import_module(module)
        # Objects that live on are kept out of the collector, whose marks would unshare their pages.
        gc.collect()
        gc.freeze()
    attribute: Callable[..., bytes] = getattr(loaded, name)
    return attribute


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


def _work(function: Callable[..., bytes], job: dict[str, Any], folder: Path) -> NoReturn:
    """The child: runs the function in an empty folder, leaves `result` or `failure`."""
    code = 1
    try:
        limits = job["limits"]
        confine_child(
            limits["cpu_s"], limits["memory_bytes"], limits["output_bytes"], limits["open_files"]
        )
        _leave_pipes(folder)
        (folder / "cwd").mkdir()
        os.chdir(folder / "cwd")
        try:
            result = function(**job["arguments"])
            failure = _store(result, folder / "result", limits["output_bytes"])
        except MediaError as error:
            failure = {"reason": error.reason, "error": str(error)}
        except MemoryError as error:
            failure = {"reason": "memory", "error": f"out of memory: {error}"}
        except BaseException as error:  # noqa: BLE001 - written into the row
            failure = {
                "reason": "memory" if _is_opencv_memory(error) else "bug",
                "error": _describe(error),
            }
        if failure is None:
            code = 0
        else:
            (folder / "failure").write_text(json.dumps(failure))
    finally:
        os._exit(code)


def _leave_pipes(folder: Path) -> None:
    """Nothing that a function prints, or reads, may touch the zygote's own pipes."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    silence = os.open(os.devnull, os.O_RDONLY)
    noise = os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(silence, 0)
    os.dup2(noise, 1)
    os.dup2(noise, 2)
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _store(result: object, path: Path, output_bytes: int) -> dict[str, str] | None:
    """Writes the result; returns the failure where that is impossible."""
    if not isinstance(result, bytes):
        return {
            "reason": "bug",
            "error": f"the function returned {type(result).__name__}, not bytes",
        }
    if len(result) > output_bytes:
        return {
            "reason": "storage",
            "error": f"a result of {len(result)} bytes is over output_bytes={output_bytes}",
        }
    try:
        path.write_bytes(result)
    except OSError as error:
        return {
            "reason": "storage",
            "error": f"the result could not be written to scratch: {error}",
        }
    return None


def _is_opencv_memory(error: BaseException) -> bool:
    """Whether OpenCV ran out of memory, which it reports as a `cv2.error` like any other."""
    cv2 = sys.modules.get("cv2")
    return (
        cv2 is not None
        and isinstance(error, cv2.error)
        and getattr(error, "code", 0) == cv2.Error.StsNoMem
    )


def _describe(error: BaseException) -> str:
    frames = "".join(traceback.format_tb(error.__traceback__)[-3:])
    return f"{type(error).__name__}: {error}\n{frames}".strip()[:2000]


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
    serve(Path(sys.argv[1]))
