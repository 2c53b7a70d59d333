"""The source files of clips, as long as they are what was analysed."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curation import storage
from curation.ingest import content_hash
from curation.media.errors import MediaError
from pipelines.dashboard.proxy_request import PlaybackError, ProxyRequest, Source
from pipelines.dashboard.shelf import Shelf
from pipelines.escaping import printable
from pipelines.workspace import storage_errors

MAX_FETCH_BYTES = 1 << 30
"""Largest object that is fetched from an object store, whole, because somebody looks at a clip."""


class SourceFiles:
    """Sources as local files: themselves, or copies of objects on a shelf."""

    def __init__(self, shelf: Shelf) -> None:
        """Knows nothing yet.

        Args:
            shelf: for the copies.
        """
        self._shelf = shelf
        self._hashes: dict[storage.Entry, str] = {}

    @contextmanager
    def opened(self, clip: ProxyRequest, source: Source) -> Iterator[Path]:
        """The file, which holds what was analysed, before and after it is used.

        Raises:
            PlaybackError: it is gone, changed or too large.
            StorageError: a copy cannot be written.
        """
        name = printable(source.uri)
        if storage.is_remote(source.uri):
            kept = f"{clip.video_id}.source"
            yield self._shelf.file(kept, lambda aside: _fetch(clip, source.uri, aside))
            return
        before = _entry(source.uri)
        if not self._holds(clip, source, before):
            raise _changed(name)
        yield storage.path_of(source.uri)
        if _entry(source.uri) != before:
            raise _changed(name)

    def _holds(self, clip: ProxyRequest, source: Source, found: storage.Entry) -> bool:
        if found.size_bytes != clip.size_bytes:
            return False
        if found.modified == source.modified:
            return True
        # Another file than the one listed, as after a move: its content tells, which is read once.
        if found not in self._hashes:
            self._hashes[found] = _hash(storage.path_of(source.uri), printable(source.uri))
        return self._hashes[found] == clip.sha256


def _entry(uri: str) -> storage.Entry:
    try:
        return storage.entry(uri)
    except storage.StorageError as error:
        raise _gone(printable(uri), error) from error


def _hash(path: Path, name: str) -> str:
    try:
        return content_hash(path)
    except (MediaError, OSError) as error:
        raise _gone(name, error) from error


def _fetch(clip: ProxyRequest, uri: str, target: Path) -> None:
    name, size_bytes = printable(uri), _entry(uri).size_bytes
    if size_bytes != clip.size_bytes:
        raise _changed(name)
    if size_bytes > MAX_FETCH_BYTES:
        raise PlaybackError(
            "too_large",
            f"{name} has {size_bytes:,} bytes; objects over {MAX_FETCH_BYTES:,} bytes are not "
            "fetched for playback. Look at the clip's stored frames or its sample instead",
        )
    try:
        with storage.local_copy(uri, Path(tempfile.gettempdir())) as copy:
            if _hash(copy, name) != clip.sha256:
                raise _changed(name)
            with storage_errors(str(target), need_bytes=size_bytes):
                shutil.copyfile(copy, target)
    except storage.StorageError as error:
        raise _gone(name, error) from error


def _gone(name: str, error: Exception) -> PlaybackError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        why = "is no longer there"
    else:
        why = f"cannot be read ({str(error).splitlines()[0]})"
    return PlaybackError(
        "gone", f"the source {name} {why}; put it back, or look at the clip's stored frames"
    )


def _changed(name: str) -> PlaybackError:
    return PlaybackError(
        "changed",
        f"the source {name} no longer has the content that was analysed; "
        "`moviola curate` reads it again",
    )
