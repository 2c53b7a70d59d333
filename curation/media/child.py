"""The child process of one call in a `Sandbox`: from the fork to its exit."""

import json
import os
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeGuard

from curation.media.confine import confine_child
from curation.media.errors import MediaError


def work(function: Callable[..., bytes], job: dict[str, Any], folder: Path) -> NoReturn:
    """Runs the function, confined, and leaves `result` or `failure` in `folder`; never returns.

    Of all files, the function may read those that its arguments name by absolute paths.
    """
    code = 1
    try:
        limits = job["limits"]
        names = ("cpu_s", "memory_bytes", "output_bytes", "open_files")
        inputs = [value for value in job["arguments"].values() if _is_path(value)]
        _leave_pipes(folder)
        _enter_empty_folder(folder / "cwd")
        confine_child(inputs, folder, **{name: limits[name] for name in names})
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
                "error": describe(error),
            }
        if failure is None:
            code = 0
        else:
            (folder / "failure").write_text(json.dumps(failure))
    finally:
        os._exit(code)


def _is_path(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.startswith("/")


def _enter_empty_folder(folder: Path) -> None:
    """Makes a folder where the function finds itself, and where its temporary files go."""
    folder.mkdir()
    os.chdir(folder)
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None


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


def describe(error: BaseException) -> str:
    """Type, message and last frames of an exception, for whoever reads the row."""
    frames = "".join(traceback.format_tb(error.__traceback__)[-3:])
    return f"{type(error).__name__}: {error}\n{frames}".strip()[:2000]
