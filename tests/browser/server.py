"""A dashboard in a process of its own, as a person starts it."""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

START_S = 30.0

RUNNING: list["Server"] = []
"""Those that were started and not stopped, and those that were: their addresses were ours."""


class Server:
    """`moviola dashboard` on a free port of loopback; use it as a `with` block, or stop it."""

    def __init__(self, workspace: str, *arguments: str, cache: Path, port: int = 0) -> None:
        """Starts it and waits for its address.

        Args:
            workspace: what is shown.
            arguments: of the command, beside these.
            cache: its cache folder.
            port: 0 takes any that is free.
        """
        self._log = tempfile.NamedTemporaryFile("w+", prefix="moviola-")  # noqa: SIM115 - kept open
        command = [sys.executable, "-m", "pipelines.cli", "dashboard", workspace]
        self._process = subprocess.Popen(
            [*command, "--port", str(port), *map(str, arguments)],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=os.environ | {"MOVIOLA_CACHE": str(cache), "OMP_NUM_THREADS": "1"},
        )
        self.url = self._address()
        RUNNING.append(self)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    def said(self) -> str:
        """What it has printed."""
        return Path(self._log.name).read_text(errors="replace")

    def stop(self) -> None:
        """Ends it, as Ctrl-C does."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _address(self) -> str:
        ends = time.monotonic() + START_S
        while time.monotonic() < ends:
            found = re.search(r"open (http://\S+?)/?\s", self.said())
            if found:
                return found[1]
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"the dashboard did not start: {self.said()}")
