"""A folder of files that can be made again: the least recently used ones go when it is full."""

import os
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from curation.storage import make_durable
from pipelines.dashboard.flights import Flights
from pipelines.workspace import storage_errors


class Shelf:
    """Files by name, each whole or not there, whatever else uses the folder or is killed."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Takes the folder, and makes it where it is missing.

        Args:
            folder: holds nothing else, because whatever is in it may be removed.
            max_bytes: of all files together; a single one may be larger.

        Raises:
            StorageError: the folder cannot be made.
        """
        self.folder, self._max_bytes = folder, max_bytes
        self._flights: Flights[str, Path] = Flights()
        self._lock = threading.Lock()
        with storage_errors(str(folder)):
            folder.mkdir(parents=True, exist_ok=True)

    def file(self, name: str, write: Callable[[Path], None]) -> Path:
        """The file, which `write` makes at the path that it is given, where it is not there yet.

        Threads that ask for the same name meanwhile wait for it.

        Raises:
            StorageError: the folder cannot be written; and whatever `write` raises.
        """
        assert Path(name).name == name, name
        path = self.folder / name
        if _used_now(path):
            return path
        return self._flights.take(name, lambda: self._made(path, write))

    def _made(self, path: Path, write: Callable[[Path], None]) -> Path:
        if _used_now(path):
            return path  # by a thread that was done just before this one looked
        aside = self.folder / f".{uuid.uuid4().hex}"
        try:
            write(aside)
            with storage_errors(str(path)):
                make_durable(str(aside))
                aside.replace(path)
                _used_now(path)
        finally:
            aside.unlink(missing_ok=True)
        self._make_room(path)
        return path

    def _make_room(self, newest: Path) -> None:
        with self._lock, storage_errors(str(self.folder)):
            found = [(path, _status(path)) for path in self.folder.iterdir()]
            there = [(path, status) for path, status in found if status is not None]
            there.sort(key=lambda one: one[1].st_atime_ns)
            excess = sum(status.st_size for _, status in there) - self._max_bytes
            for path, status in there:
                if excess <= 0:
                    break
                if path != newest:
                    path.unlink(missing_ok=True)
                    excess -= status.st_size


def _status(path: Path) -> os.stat_result | None:
    """None where another process has removed it meanwhile."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _used_now(path: Path) -> bool:
    """Notes the time of use; False where there is no such file.

    In the time of access, because browsers tell versions of a file by that of its change.
    """
    try:
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
    except FileNotFoundError:
        return False
    return True
