"""An object of a store as a file, read by ranges."""

import io

import obstore
from obstore.store import ObjectStore


class StoredObject(io.RawIOBase):
    """An object of a store, read by ranges.

    Unlike the file system of `deltalake`, it lets other threads run while it waits for the store.
    """

    def __init__(self, store: ObjectStore, path: str) -> None:
        """Asks for the size of the object.

        Raises:
            OSError, BaseError: it is not there, or the store cannot be reached.
        """
        self._store, self._path, self._at = store, path, 0
        self._size: int = obstore.head(store, path)["size"]

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read from anywhere."""
        return True

    def tell(self) -> int:
        """Where the next read begins, in bytes."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to where the next read begins."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        """The next bytes, empty at the end."""
        end = self._size if size < 0 else min(self._at + size, self._size)
        if end <= self._at:
            return b""
        found = bytes(obstore.get_range(self._store, self._path, start=self._at, end=end))
        self._at = end
        return found
