"""Clips and samples as files that browsers play, made on demand and kept for a while.

Sources are untrusted: they are decoded in the confined child process that cuts training samples
too. What is played is what was analysed, or nothing.
"""

import hashlib
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from curation.media.sandbox import Limits, Sandbox
from curation.tables import FAILURES
from pipelines.dashboard.clip_sources import SourceFiles
from pipelines.dashboard.pictures import sample_bytes
from pipelines.dashboard.proxies import cut_proxy
from pipelines.dashboard.proxy_request import PlaybackError, ProxyRequest, Source
from pipelines.dashboard.shelf import Shelf
from pipelines.escaping import printable
from pipelines.workspace import Workspace, storage_errors

WAITING = 16
"""Requests that may wait for their turn; nobody would see more of them in time."""

LIMITS = Limits(wall_s=60.0, cpu_s=60.0, memory_bytes=2 << 30, output_bytes=256 << 20)
"""What one proxy may use."""


class Playback:
    """The proxies and samples of one workspace, for the threads of a server."""

    def __init__(
        self,
        workspace: Workspace,
        folder: Path,
        max_bytes: int = 2 << 30,
        concurrency: int = 2,
        limits: Limits = LIMITS,
    ) -> None:
        """Takes the folder; helper processes start with the first proxies, or with `warm_up`.

        Args:
            workspace: whose samples are played.
            folder: for the files; others may share it, but it holds nothing else.
            max_bytes: of all files in it together.
            concurrency: proxies that are made at the same time.
            limits: what one proxy may use.

        Raises:
            StorageError: the folder cannot be made.
        """
        self._workspace = workspace
        self._shelf = Shelf(folder, max_bytes)
        self._sources = SourceFiles(self._shelf)
        self._sandboxes = [Sandbox(limits, ["curation.media.cut"]) for _ in range(concurrency)]
        # Last in, first out: the one that worked last is the one that has started already.
        self._idle: queue.LifoQueue[Sandbox] = queue.LifoQueue()
        for sandbox in reversed(self._sandboxes):
            self._idle.put(sandbox)
        self._room = threading.BoundedSemaphore(concurrency + WAITING)

    def warm_up(self) -> None:
        """Starts one helper process, so that the first proxy takes no longer than others.

        Raises:
            OSError: it does not start.
        """
        self._sandboxes[0].confinement()

    def close(self) -> None:
        """Ends the helper processes; the files stay."""
        for sandbox in self._sandboxes:
            sandbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def proxy(self, clip: ProxyRequest) -> Path:
        """The clip as MP4 (H.264, at most 360 px high and 30 fps, silent), an image as JPEG.

        Raises:
            PlaybackError: its source is gone, changed or cannot be decoded, or too many wait.
            StorageError: the folder cannot be written.
        """

        def write(aside: Path) -> None:
            content = self._cut(clip)
            with storage_errors(str(aside), need_bytes=len(content)):
                aside.write_bytes(content)

        return self._shelf.file(clip.clip_id + (".jpg" if clip.is_image else ".mp4"), write)

    def sample(self, table: str, file: str, row: int) -> Path:
        """A sample as it is trained on, as MP4 or JPEG; arguments and errors as in `sample_bytes`.

        Raises:
            ValueError: there is no such sample, or it has no video.
            StorageError: the table cannot be read, or the folder cannot be written.
        """
        place = f"{self._workspace.table(table).uri}/{file}/{row}"

        def write(aside: Path) -> None:
            content = sample_bytes(self._workspace, table, file, row)
            with storage_errors(str(aside), need_bytes=len(content)):
                aside.write_bytes(content)

        # By its place, because files of a table never change: cut again, it lies in another.
        name = hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        return self._shelf.file(f"sample-{name}", write)

    def _cut(self, clip: ProxyRequest) -> bytes:
        problem = PlaybackError("gone", f"clip {clip.clip_id} has no source any more")
        with self._turn() as sandbox:
            for source in clip.sources:
                try:
                    return self._cut_from(clip, source, sandbox)
                except PlaybackError as error:
                    if error.reason == "unplayable":
                        raise  # as the same content elsewhere would be
                    problem = error
        raise problem

    @contextmanager
    def _turn(self) -> Iterator[Sandbox]:
        if not self._room.acquire(blocking=False):
            raise PlaybackError("busy", "too many clips are being prepared; try again in a moment")
        try:
            sandbox = self._idle.get()
            try:
                yield sandbox
            finally:
                self._idle.put(sandbox)
        finally:
            self._room.release()

    def _cut_from(self, clip: ProxyRequest, source: Source, sandbox: Sandbox) -> bytes:
        with self._sources.opened(clip, source) as path:
            outcome = cut_proxy(sandbox, clip, path)
        if outcome.result is None:
            assert outcome.reason is not None
            said = (outcome.error or "").partition("\n")[0]
            raise PlaybackError(
                "unplayable",
                f"the source {printable(source.uri)} cannot be decoded here: "
                f"{FAILURES[outcome.reason]} ({printable(said)})",
            )
        return outcome.result
