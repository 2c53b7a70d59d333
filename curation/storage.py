"""The only door to local paths and to `s3://`, `gs://` and `az://`.

Object stores are configured by the environment alone, by the variables `deltalake` reads too:
`AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP`, `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_ACCOUNT_NAME`

A URI of a local file is its absolute path, in which each byte that is no UTF-8 is written `%XX`; so
is a percent sign that two hex digits follow. Every path has one such form, which leads back to it.
"""

import functools
import os
import re
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote_to_bytes

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import AzureStore, GCSStore, LocalStore, MemoryStore, ObjectStore, S3Store

_SCHEMES = {
    **dict.fromkeys(("s3", "s3a"), S3Store),
    **dict.fromkeys(("gs", "gcs"), GCSStore),
    **dict.fromkeys(("az", "azure", "abfs", "abfss"), AzureStore),
}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
_FETCH_BYTES = 8 << 20
_SILENCE = "60s"
"""How long a store that is read may send nothing, before the request is tried again."""

StorageError = (OSError, BaseError)
"""What the functions here raise when the storage fails; a missing file is a `FileNotFoundError`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as its storage lists it.

    Attributes:
        uri: where it is.
        size_bytes: its size.
        modified: its ETag, or its modification time in nanoseconds and its inode.
    """

    uri: str
    size_bytes: int
    modified: str


def is_remote(uri: str) -> bool:
    """Whether the URI names an object store."""
    return scheme_of(uri) in _SCHEMES


def scheme_of(uri: str) -> str | None:
    """The scheme in lower case, None for a path."""
    match = _SCHEME.match(uri)
    return match[1].lower() if match else None


def join(uri: str, *parts: str) -> str:
    """The URI of something below a folder or prefix."""
    return "/".join([uri.rstrip("/"), *parts])


def uri_of(path: str | Path) -> str:
    """The URI of a local file: its absolute path, with what is no UTF-8 escaped."""
    text = _ESCAPED.sub(lambda match: "%25" + match[0][1:], os.path.abspath(path))  # noqa: PTH100
    return "".join(f"%{ord(c) - 0xDC00:02X}" if "\udc80" <= c <= "\udcff" else c for c in text)


def path_of(uri: str) -> Path:
    """The local file that a URI of `uri_of` names."""
    raw = _ESCAPED.sub(lambda match: os.fsdecode(unquote_to_bytes(match[0])), uri)
    return Path(os.fsdecode(raw.encode("utf-8", "surrogateescape")))


def make_durable(uri: str) -> None:
    """Has a file that was just written outlast a power cut; object stores do so by themselves."""
    if is_remote(uri):
        return
    path = path_of(uri)
    for target in (path, path.parent):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A place to write a local file to, which is there whole afterwards, or not at all.

    Whatever is raised inside, what was there before is still there.
    """
    aside = path.with_name(f".{path.name}")
    try:
        yield aside
        make_durable(str(aside))
        aside.rename(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    make_durable(str(path))


def write_whole(path: Path, content: bytes) -> None:
    """Writes a local file that is there whole or not at all.

    Raises:
        OSError: it cannot be written; what was there before is still there.
    """
    with written_whole(path) as aside:
        aside.write_bytes(content)


def check_remote(uri: str) -> None:
    """Raises `ValueError` unless the URI names a known scheme and a bucket."""
    _split(uri)


def store_for(uri: str) -> ObjectStore:
    """The object store rooted at a folder (made where it is missing) or a prefix, for writing.

    Raises:
        ValueError: the scheme is none of s3, gs, az.
    """
    if scheme_of(uri) is None:
        return LocalStore(path_of(uri), mkdir=True)
    return _remote_store(*_split(uri))


def reading_store(uri: str) -> ObjectStore:
    """The object store rooted at a folder or a prefix, for reading: a missing folder is empty.

    Raises:
        ValueError: the scheme is none of s3, gs, az.
    """
    if scheme_of(uri) is not None:
        return _remote_store(*_split(uri), for_reading=True)
    path = path_of(uri)
    return LocalStore(path) if path.exists() else MemoryStore()


def _split(uri: str) -> tuple[str, str, str]:
    """Scheme, bucket or container, and key of a remote URI."""
    scheme = scheme_of(uri)
    if scheme not in _SCHEMES:
        raise ValueError(f"{uri}: the scheme is none of {', '.join(_SCHEMES)}, nor is it a path")
    bucket, _, key = uri.split("://", 1)[1].partition("/")
    if not bucket:
        raise ValueError(f"{uri}: names no bucket")
    return scheme, bucket, key


@functools.lru_cache(64)
def _remote_store(scheme: str, bucket: str, prefix: str, for_reading: bool = False) -> ObjectStore:
    # One request must carry a whole file; the default is 30 s. While one is sent, nothing is to be
    # read. As `client_options` these would replace what the environment says of the client, such as
    # `AWS_ALLOW_HTTP`.
    config = {"timeout": "30m", "connect_timeout": "20s"}
    if for_reading:
        config["read_timeout"] = _SILENCE
    store: ObjectStore = _SCHEMES[scheme](
        bucket,
        prefix=prefix.strip("/") or None,
        config=config,
        retry_config={"max_retries": 10, "retry_timeout": timedelta(minutes=3)},
    )
    return store


def entry(uri: str) -> Entry:
    """The file as its storage sees it now.

    Raises:
        StorageError: it is not there, or cannot be reached.
    """
    if is_remote(uri):
        scheme, bucket, key = _split(uri)
        return _remote_entry(uri, obstore.head(_remote_store(scheme, bucket, ""), key))
    return local_entry(uri, path_of(uri).stat())


def local_entry(uri: str, found: os.stat_result) -> Entry:
    """The entry of a local file by what `stat` tells of it."""
    return Entry(uri, found.st_size, f"{found.st_mtime_ns}-{found.st_ino}")


def _remote_entry(uri: str, found: "obstore.ObjectMeta") -> Entry:
    return Entry(uri, found["size"], found["e_tag"] or found["last_modified"].isoformat())


def list_remote(uri: str) -> Iterator[Entry]:
    """Every object below a prefix of an object store, in the store's order.

    A prefix is a folder: `s3://bucket/films` holds `films/a.mp4`, not `films-old/b.mp4`.

    Raises:
        StorageError: the store cannot be reached.
    """
    scheme, bucket, prefix = _split(uri)
    store = _remote_store(scheme, bucket, "")
    for chunk in obstore.list(store, prefix=prefix.strip("/") or None):
        for found in chunk:
            if found["size"] > 0 or _is_object(store, found["path"]):
                yield _remote_entry(f"{scheme}://{bucket}/{found['path']}", found)


def _is_object(store: ObjectStore, key: str) -> bool:
    """Whether there is an object of that name, not just a marker `key/` that consoles make."""
    try:
        obstore.head(store, key)
    except FileNotFoundError:
        return False
    return True


@contextmanager
def local_copy(uri: str, scratch: Path) -> Iterator[Path]:
    """A local file with the content of `uri`: itself, or a copy of an object, removed again.

    Args:
        uri: a local file or an object.
        scratch: folder for the copy.

    Raises:
        StorageError: it is not there, or the transfer failed.
    """
    if not is_remote(uri):
        yield path_of(uri)
        return
    scheme, bucket, key = _split(uri)
    with tempfile.NamedTemporaryFile(dir=scratch, prefix="fetched-", suffix=".part") as file:
        for part in obstore.get(_remote_store(scheme, bucket, ""), key).stream(_FETCH_BYTES):
            file.write(part)
        file.flush()
        yield Path(file.name)


def probe_storage(uri: str) -> list[str]:
    """What a folder or prefix does wrong of what commits rely on, in words; empty when it is sound.

    Tries to create an object twice, which must fail the second time, to overwrite, list, read and
    delete one, and leaves nothing behind.
    """
    name = f".probe-{uuid.uuid4().hex}"
    try:
        store = store_for(uri)
        obstore.put(store, name, b"first", mode="create")
    except (*StorageError, ValueError) as error:
        return [f"{uri}: cannot be written: {_first_line(error)}"]
    try:
        return [f"{uri}: {problem}" for problem in _misbehaviour(store, name)]
    except StorageError as error:
        return [f"{uri}: fails: {_first_line(error)}"]
    finally:
        with suppress(*StorageError):
            obstore.delete(store, name)


def _misbehaviour(store: ObjectStore, name: str) -> Iterator[str]:
    try:
        obstore.put(store, name, b"second", mode="create")
        yield "creates an object that exists already, so two runs could overwrite each other"
    except AlreadyExistsError:
        pass  # as it must be
    obstore.put(store, name, b"third")
    if bytes(obstore.get(store, name).bytes()) != b"third":
        yield "reads old content after an overwrite"
    if name not in [found["path"] for found in obstore.list_with_delimiter(store)["objects"]]:
        yield "does not list what was just written"
    obstore.delete(store, name)
    try:
        obstore.head(store, name)
        yield "still shows what was just deleted"
    except FileNotFoundError:
        pass  # as it must be


def _first_line(error: BaseException) -> str:
    """The message without the library's debug listing."""
    return str(error).split("\n", 1)[0]
