"""Single rows of a table's Parquet files: of each file, only the row group that holds the row."""

import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from curation.stored_object import StoredObject
from pipelines.dashboard.flights import Flights
from pipelines.workspace import Table, Workspace, reading_file

Place = tuple[str, str, int]
"""A table's URI, a file of it, and a row of that file."""


def stored_row(
    workspace: Workspace, table: str, file: str, row: int, columns: Sequence[str]
) -> pa.RecordBatch:
    """One row of a table, by its place.

    Args:
        workspace: where the table lies.
        table: its name.
        file: a file of the table, relative to it.
        row: the row's number in the file, from 0.
        columns: paths of Parquet columns, such as `frames` or `clips.list.element.clip_id`.

    Raises:
        ValueError: the file has no such row.
        StorageError: the file is not there, or cannot be read.
    """
    place = workspace.table(table)
    pre_buffer = workspace.is_remote
    with (
        reading_file(place, file),
        pq.ParquetFile(opened(place, file), pre_buffer=pre_buffer) as rows,
    ):
        first = 0
        for group in range(rows.num_row_groups):
            end = first + rows.metadata.row_group(group).num_rows
            if first <= row < end:
                return _row_of_group(rows, group, row - first, columns)
            first = end
    raise ValueError(f"{place.uri}/{file} has {first} rows, so none of number {row}")


def _row_of_group(
    parquet: pq.ParquetFile, group: int, row: int, columns: Sequence[str]
) -> pa.RecordBatch:
    # On this thread, because several requests read at once.
    batches = parquet.iter_batches(
        batch_size=1, row_groups=[group], columns=[*columns], use_threads=False
    )
    for number, batch in enumerate(batches):
        if number == row:
            return batch
    raise AssertionError("the row group ended before the rows that its metadata counts")


def opened(table: Table, file: str) -> pa.NativeFile | io.RawIOBase:
    """A file of a table, to be read by ranges.

    Raises:
        OSError, BaseError: the file is not there, or cannot be read.
    """
    if table.workspace.is_remote:
        return StoredObject(table.workspace.reading_store(table.name), file)
    return pafs.SubTreeFileSystem(table.uri, pafs.LocalFileSystem()).open_input_file(file)


class RecentRows:
    """The rows that were read last. Files of a table never change, so none goes stale."""

    def __init__(self, max_bytes: int) -> None:
        """Starts empty.

        Args:
            max_bytes: of all rows together; a row that is larger is not kept.
        """
        self._max_bytes, self._bytes = max_bytes, 0
        self._lock = threading.Lock()
        self._rows: OrderedDict[Place, pa.RecordBatch] = OrderedDict()
        self._flights: Flights[Place, pa.RecordBatch] = Flights()

    def get(self, place: Place, read: Callable[[], pa.RecordBatch]) -> pa.RecordBatch:
        """The row; threads that ask for the same one at once read it once."""
        known = self._known(place)
        if known is not None:
            return known
        return self._flights.take(place, lambda: self._read(place, read))

    def _known(self, place: Place) -> pa.RecordBatch | None:
        with self._lock:
            if place in self._rows:
                self._rows.move_to_end(place)
            return self._rows.get(place)

    def _read(self, place: Place, read: Callable[[], pa.RecordBatch]) -> pa.RecordBatch:
        known = self._known(place)
        if known is not None:
            return known  # by a thread that was done just before this one looked
        row = read()
        if row.nbytes <= self._max_bytes:
            with self._lock:
                self._rows[place] = row
                self._bytes += row.nbytes
                while self._bytes > self._max_bytes:
                    self._bytes -= self._rows.popitem(last=False)[1].nbytes
        return row
