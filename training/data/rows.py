"""Rows of a table by their place: small columns of all of them at once, large ones of a few.

A Parquet file can only be read by the row group, which curation keeps at about 4 MiB. Those read
last are kept, so that small tables are read once, and of a large one a few samples more are read
than are used, never a whole file.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as pafs
import pyarrow.parquet as pq

Columns = Mapping[str, pc.Expression]
"""What is read, by the names that it gets."""

Whole = npt.NDArray[np.int32]

CACHE_BYTES = 256 << 20
"""Row groups that are kept in memory, all together."""

OPEN_FILES = 64
"""Local files that stay open."""

THREADS = 8
"""Files read at once where they are not local: they wait for the storage, not for a processor."""


@dataclass(frozen=True)
class Places:
    """Where each of some rows lies."""

    schema: pa.Schema
    """Of the table."""

    files: tuple[ds.ParquetFileFragment, ...]
    file: Whole
    """`[N]`, of `files`."""

    group: Whole
    """`[N]`, the row group in the file."""

    row: Whole
    """`[N]`, the row in the row group."""

    def take(self, indices: npt.NDArray[np.int64]) -> "Places":
        """The places of some of the rows, in this order."""
        taken = (column[indices] for column in (self.file, self.group, self.row))
        return Places(self.schema, self.files, *taken)


def scan(dataset: ds.Dataset, columns: Columns) -> tuple[pa.Table, Places]:
    """These columns of all rows, and the place of each row; other columns are not read.

    Raises:
        ValueError: a file cannot be read, such as one that was cut short; it is named.
    """
    files = tuple(dataset.get_fragments())
    with ThreadPoolExecutor(THREADS) as pool:
        scanned = list(pool.map(lambda file: _scan_file(file, dataset.schema, columns), files))
    sizes = [np.array(size, np.int64) for _, size in scanned]
    nothing = dataset.head(0, columns=dict(columns))
    rows = pa.concat_tables([nothing, *(rows for rows, _ in scanned)])
    empty = np.zeros(0, np.int64)
    places = Places(
        dataset.schema,
        files,
        np.repeat(np.arange(len(files)), [size.sum() for size in sizes]).astype(np.int32),
        np.concatenate([empty, *(np.repeat(np.arange(len(size)), size) for size in sizes)]).astype(
            np.int32
        ),
        np.concatenate([empty, *(np.arange(one) for size in sizes for one in size)]).astype(
            np.int32
        ),
    )
    assert len(places.file) == len(places.row) == rows.num_rows
    return rows, places


def _scan_file(
    file: ds.ParquetFileFragment, schema: pa.Schema, columns: Columns
) -> tuple[pa.Table, list[int]]:
    try:
        # The schema of the table: files that are older than a column lack it, and it is null.
        rows = file.to_table(schema=schema, columns=dict(columns), use_threads=False)
        return rows, [group.num_rows for group in file.row_groups]
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(
            f"{file.path} cannot be read: {error}. `moviola verify` tells what is damaged; remove "
            "the table and make it again"
        ) from error


def _is_local(files: pafs.FileSystem) -> bool:
    while isinstance(files, pafs.SubTreeFileSystem):
        files = files.base_fs
    return isinstance(files, pafs.LocalFileSystem)


class RowReader:
    """Reads some columns of rows by their place. Not for several threads at once."""

    def __init__(self, places: Places, cache_bytes: int = CACHE_BYTES) -> None:
        self._places = places
        self._cache_bytes = cache_bytes
        self._held_bytes = 0
        self._groups: OrderedDict[_Key, pa.Table] = OrderedDict()
        self._open: OrderedDict[int, pq.ParquetFile] = OrderedDict()
        self._pool: ThreadPoolExecutor | None = None
        self._is_local = all(_is_local(file.filesystem) for file in places.files[:1])

    def read(self, rows: Sequence[int], columns: Sequence[str]) -> list[pa.Table | str]:
        """For each row a table of this one row, or in words why it cannot be read."""
        names = tuple(columns)
        keys = [self._key(row, names) for row in rows]
        wanted = dict.fromkeys(keys)
        missing = [key for key in wanted if key not in self._groups]
        found: dict[_Key, pa.Table | str] = dict(zip(missing, self._fetched(missing), strict=True))
        for key in wanted:
            if key in self._groups:
                self._groups.move_to_end(key)
                found[key] = self._groups[key]
        answers = [
            group if isinstance(group, str) else group.slice(self._places.row[row], 1)
            for row, group in zip(rows, (found[key] for key in keys), strict=True)
        ]
        for key in missing:
            self._keep(key, found[key])
        return answers

    def _key(self, row: int, columns: tuple[str, ...]) -> "_Key":
        return int(self._places.file[row]), int(self._places.group[row]), columns

    def _fetched(self, keys: Sequence["_Key"]) -> list[pa.Table | str]:
        if len(keys) < 2 or self._is_local:
            return [self._fetch(key) for key in keys]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(THREADS, "row-groups")
        return list(self._pool.map(self._fetch, keys))

    def _fetch(self, key: "_Key") -> pa.Table | str:
        number, group, columns = key
        file = self._places.files[number]
        try:
            opened = self._open_file(number)
            rows = opened.read_row_group(group, columns=[*columns], use_threads=False)
        except (pa.ArrowException, OSError) as error:
            return f"{file.path}: {error}"
        for name in columns:  # a file that is older than a column lacks it
            if name not in rows.column_names:
                nothing = pa.nulls(rows.num_rows, self._places.schema.field(name).type)
                rows = rows.append_column(name, nothing)
        return rows.combine_chunks()

    def _open_file(self, number: int) -> pq.ParquetFile:
        """The file, which stays open if it is local and was read lately."""
        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number]
        file = self._places.files[number]
        # Pages carry checksums, and a flipped bit of a latent is a number like any other.
        opened = pq.ParquetFile(
            file.open(),
            metadata=file.metadata,
            pre_buffer=not self._is_local,
            page_checksum_verification=True,
        )
        if self._is_local:
            self._open[number] = opened
            if len(self._open) > OPEN_FILES:
                self._open.popitem(last=False)
        return opened

    def _keep(self, key: "_Key", rows: pa.Table | str) -> None:
        if isinstance(rows, str) or rows.nbytes > self._cache_bytes:
            return
        self._groups[key] = rows
        self._held_bytes += rows.nbytes
        while self._held_bytes > self._cache_bytes:
            _, dropped = self._groups.popitem(last=False)
            self._held_bytes -= dropped.nbytes


_Key = tuple[int, int, tuple[str, ...]]
"""A row group: which file, which of its row groups, which columns."""
