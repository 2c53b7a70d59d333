"""Runs a function on an untrusted file in a confined child process, at a cost of milliseconds.

A `Sandbox` owns one long-lived helper process, the zygote (`curation.media.zygote`), which imports
the media libraries once and forks a fresh child for each call. Whatever an input does to its child
(hang, eat memory, crash, fill the disk), the caller gets an `Outcome` and the next call is fine.
"""

import contextlib
import json
import os
import selectors
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from curation.media.scratch import make_scratch
from curation.settings import Settings

START_S = 120.0
"""Patience, on top of `wall_s`, for the zygote to start and to import what a function needs."""


class Limits(Settings):
    """What one call in the sandbox may use before it is stopped."""

    wall_s: float = 1800.0
    """Seconds by the clock after which a call is stopped (`timeout`)."""

    cpu_s: float = 3600.0
    """CPU-seconds, of all threads together, after which a call is stopped (`timeout`)."""

    memory_bytes: int = 4 << 30
    """Address space that a call may add to the empty process (`memory`); enforced on Linux."""

    output_bytes: int = 1 << 30
    """Largest result, and largest file that a call may write (`storage`)."""

    open_files: int = 256
    """Files that a call may hold open."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one call: either `result`, or `reason` and `error`.

    Attributes:
        result: the bytes that the function returned.
        reason: a key of `curation.tables.FAILURES`; None when the call succeeded.
        error: what went wrong, in words.
        cpu_s: CPU-seconds of the child, all its threads included.
        peak_memory_bytes: peak resident memory of the child, shared library pages included.
        wall_s: seconds by the clock, the wait for a starting zygote left out.
    """

    result: bytes | None
    reason: str | None
    error: str | None
    cpu_s: float
    peak_memory_bytes: int
    wall_s: float


class Sandbox:
    """Confined calls of functions from JSON arguments to bytes; one call at a time."""

    def __init__(self, limits: Limits, preload: Sequence[str] = ()) -> None:
        """Remembers what to do; the helper process starts with the first call.

        Args:
            limits: what one call may use.
            preload: modules that the functions import late, and that take long; the helper imports
                them as it starts, once for all calls. They must start no thread.
        """
        self.limits = limits
        self._preload = preload
        self._lock = threading.Lock()
        self._zygote: _Zygote | None = None

    def run(self, function: str, **arguments: Any) -> Outcome:  # noqa: ANN401 - any JSON value
        """The outcome of `function(**arguments)` in a child process of its own.

        Args:
            function: `package.module:name` of a function that returns `bytes`.
            arguments: JSON values (text with surrogate escapes survives).

        Raises:
            OSError: the helper process does not start.
        """
        job = {"function": function, "arguments": arguments, "limits": self.limits.model_dump()}
        with self._lock:
            try:
                if self._zygote is None:
                    self._zygote = _Zygote(self._preload)
                return self._zygote.run(job, self.limits)
            except _ZygoteLost as lost:
                self._end()
                return Outcome(None, "crash", str(lost), 0.0, 0, lost.wall_s)
            except BaseException:
                # Interrupted: leave no child behind, and no answer to be mistaken for the next.
                self._end()
                raise

    def confinement(self) -> dict[str, bool | str]:
        """What the kernel lets the sandbox enforce, by name (see `curation.media.confine`)."""
        with self._lock:
            if self._zygote is None:
                self._zygote = _Zygote(self._preload)
            return self._zygote.confinement

    def close(self) -> None:
        """Ends the helper process and any call under way, and removes the scratch folder."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._zygote is not None:
            self._zygote.end()
            self._zygote = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def confinement() -> dict[str, bool | str]:
    """What the sandbox can enforce on this machine, for `moviola doctor`."""
    with Sandbox(Limits()) as sandbox:
        return sandbox.confinement()


class _ZygoteLost(Exception):
    """The helper process died, or does not answer."""

    def __init__(self, message: str, wall_s: float = 0.0) -> None:
        super().__init__(message)
        self.wall_s = wall_s


class _Zygote:
    """The parent's end of one helper process: a job goes out, an answer comes in, as JSON lines."""

    def __init__(self, preload: Sequence[str]) -> None:
        self.scratch, self.lock = make_scratch()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "curation.media.zygote", str(self.scratch), *preload],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(self.scratch),
            cwd=self.scratch,
            # Held by both, so that the folder counts as used until both are gone.
            pass_fds=[self.lock],
            # Ctrl-C reaches the caller alone, which then decides what becomes of the child.
            start_new_session=True,
        )
        try:
            self.confinement: dict[str, bool | str] = self._answer(START_S)
        except _ZygoteLost as lost:
            self.end()
            raise OSError(f"the sandbox's helper process does not start: {lost}") from lost

    def run(self, job: dict[str, Any], limits: Limits) -> Outcome:
        start = time.monotonic()
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(job).encode() + b"\n")
            self.process.stdin.flush()
            answer = self._answer(limits.wall_s + START_S)
        except (BrokenPipeError, _ZygoteLost) as error:
            raise _ZygoteLost(
                f"the sandbox itself ended: {error}", time.monotonic() - start
            ) from error
        folder = self.scratch / answer.pop("folder")
        try:
            result = (folder / "result").read_bytes() if answer["reason"] is None else None
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return Outcome(result=result, **answer)

    def _answer(self, patience_s: float) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = b""
        deadline = time.monotonic() + patience_s
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise _ZygoteLost(f"no answer for {patience_s:.0f} s")
                part = os.read(self.process.stdout.fileno(), 1 << 16)
                if not part:
                    raise _ZygoteLost(f"exit status {self.process.wait(10)}")
                line += part
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        """Asks the zygote to kill its child, tidy up and leave; one that does not is killed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        # A broken pipe: it died with a job unread, and there is nothing left to tell it.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        os.close(self.lock)
        shutil.rmtree(self.scratch, ignore_errors=True)


def _environment(scratch: Path) -> dict[str, str]:
    """Only what a child needs: no credentials, no proxies, one thread per numeric library."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {
        "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path),
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "LC_ALL": "C.UTF-8",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENCV_FOR_THREADS_NUM": "1",
        # An arena per decoder thread would reserve 64 MB each, which RLIMIT_AS counts.
        "MALLOC_ARENA_MAX": "2",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
    }
