"""The sources stage: every input file read once, hashed, and probed in a confined process."""

import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field

from curation import storage
from curation.media.containers import open_regular
from curation.media.errors import MediaError
from curation.media.sandbox import Limits, Sandbox
from curation.settings import Settings, fingerprint
from curation.stage import Stage
from curation.tables import FAILED, OK, SOURCES, video_id


class IngestSettings(Settings):
    """How inputs are listed, fetched and probed. What is over a limit is never decoded."""

    follow_links: bool = False
    """Take symbolic links that lead out of the input folder too, instead of refusing them."""

    max_size_bytes: int = Field(default=256 << 30, gt=0)
    """Largest file that is fetched and hashed."""

    max_frame_pixels: int = Field(default=64_000_000, gt=0)
    """Largest picture, width times height; 7680x4320 (8K) has 33,177,600."""

    max_duration_s: float = Field(default=12 * 3600.0, gt=0)
    """Longest duration that a header may declare."""

    max_frames: int = Field(default=5_000_000, gt=0)
    """Most frames that a header may declare."""

    probe_wall_s: float = Field(default=60.0, gt=0)
    """Seconds by the clock after which the probe of one file is stopped (`timeout`)."""


class IngestStage(Stage):
    """Fetches, hashes and probes each input file. Takes rows of the schema `inputs.INPUTS`."""

    name: ClassVar[str] = "sources"
    key: ClassVar[str] = "uri"
    tracked: ClassVar[tuple[str, ...]] = ("modified", "licence", "source", "carried")
    version: ClassVar[int] = 2
    schema: ClassVar[pa.Schema] = SOURCES

    def __init__(self, settings: IngestSettings, limits: Limits) -> None:
        """Names what to do; `setup` prepares the worker."""
        self._settings = settings
        wall_s = min(limits.wall_s, settings.probe_wall_s)
        self._limits = limits.model_copy(update={"wall_s": wall_s})

    @property
    def fingerprint(self) -> str:
        """Changes with the version and the limits on what is decoded."""
        return fingerprint(
            self.name, self.version, self._probe_limits(), self._settings.max_size_bytes
        )

    def _probe_limits(self) -> dict[str, float]:
        names = {"max_frame_pixels", "max_duration_s", "max_frames"}
        return self._settings.model_dump(include=names)

    def setup(self) -> None:
        """Starts the confined helper process, which imports the media libraries once."""
        self._sandbox = Sandbox(self._limits)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """One row per input: hash and probe, or why there are none."""
        return pa.Table.from_pylist([self._row(row) for row in batch.to_pylist()], schema=SOURCES)

    def _row(self, row: dict[str, Any]) -> dict[str, Any]:
        start_s = time.thread_time()
        # `modified` stays as it was listed: if the file is another by now, the next run sees it.
        known = {name: row[name] for name in ("uri", "size_bytes", *self.tracked)}
        if row["reason"] is not None:
            return known | _failure(row["reason"], row["error"])
        try:
            found = self._read(row["uri"], row["size_bytes"])
        except MediaError as error:
            found = _failure(error.reason, str(error))
        except FileNotFoundError:
            found = _failure("changed", "the file is gone")
        except storage.StorageError as error:
            found = _failure("unreadable", str(error))
        child_cpu_s = found.get("cpu_s", 0.0)
        return known | found | {"cpu_s": child_cpu_s + time.thread_time() - start_s}

    def _read(self, uri: str, size_bytes: int | None) -> dict[str, Any]:
        """Content hash and probe of one file.

        Raises:
            MediaError: `empty`, `not_a_file`, `unreadable`, `too_large`, `changed`.
            StorageError: it cannot be fetched.
        """
        # Asked before a fetch that might fill the disk.
        self._check_size(storage.entry(uri).size_bytes if size_bytes is None else size_bytes)
        with storage.local_copy(uri, Path(tempfile.gettempdir())) as path:
            before = _version(path)
            self._check_size(before[0])
            sha256 = content_hash(path)
            outcome = self._sandbox.run(
                "curation.media.probe:probe", path=str(path), **self._probe_limits()
            )
            if _version(path) != before:
                raise MediaError("changed", "the file changed while it was read")
        identity = {"size_bytes": before[0], "sha256": sha256, "video_id": video_id(sha256)}
        if outcome.result is None:
            failure = _failure(outcome.reason, outcome.error)
            return identity | failure | {"cpu_s": outcome.cpu_s}
        columns: dict[str, Any] = json.loads(outcome.result)
        return identity | columns | {"status": OK, "cpu_s": outcome.cpu_s}

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._settings.max_size_bytes:
            limit = self._settings.max_size_bytes
            raise MediaError("too_large", f"{size_bytes} bytes are over max_size_bytes={limit}")


def content_hash(path: Path) -> str:
    """SHA-256 of a file's content, in hex, read in pieces.

    Raises:
        MediaError: `empty`, `not_a_file` or `unreadable`.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version(path: Path) -> tuple[int, int, int]:
    """What changes when a file is written to or replaced; its size comes first."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino


def _failure(reason: str | None, error: str | None) -> dict[str, Any]:
    # Names in messages may hold bytes that are no UTF-8, which Arrow refuses.
    words = (error or "").encode("utf-8", "replace").decode()[:2000]
    return {"status": FAILED, "reason": reason, "error": words}
