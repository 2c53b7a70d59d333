"""Frame embeddings near others, by faiss: exact or by an inverted file, with a bounded answer.

Below `exact_below` rows every pair is compared (`IndexFlatIP`). Above, an inverted file: k-means on
a seeded sample makes cells, a row is compared with the rows of the `PROBES` cells nearest to it.
Rows are then kept as float16, which moves a cosine by less than `STORED_ERROR`.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from curation.clip_frames import Array

Device = Literal["auto", "cpu", "gpu"]

PROBES = 16
"""Cells that a row is compared with. Measured in `benchmarks/speed/duplicates`."""

CELLS_PER_ROOT = 4
"""Cells of an inverted file, in square roots of its rows: filing and searching cost about alike."""

SAMPLE_PER_CELL = 40
"""Rows of the k-means sample per cell; faiss warns below 39."""

ITERATIONS = 3
"""Of k-means: near-duplicates fall into one cell long before the cells are good clusters."""

STORED_ERROR = 1e-3
"""How far the cosine of rows as stored may lie from that of the rows as given."""

LARGEST_ANSWER = 1 << 26
"""Neighbours that one call of faiss may have to hold, 12 bytes each (`FrameIndex.portion`)."""

NEAREST_ON_GPU = 64
"""Neighbours a GPU looks for; rows with more are searched again on the CPU."""


class Hits(NamedTuple):
    """Pairs of rows with a high cosine, three arrays of one length."""

    query: Array
    """Position of the row that was looked up."""
    row: Array
    """Position of the row that was found, in the order of adding."""
    cosine: NDArray[np.float32]


class FrameIndex:
    """Rows of unit length that can be asked for their neighbours.

    Args:
        sample: rows like those to come, [n, D], to learn the cells from.
        rows: how many rows will be added at most; decides between exact and approximate.
        exact_below: rows from which the search is approximate.
        threads: that faiss may use.
        device: where to search; `gpu` needs faiss-gpu, `auto` takes what there is.

    Raises:
        ValueError: a GPU is asked for and faiss has none.
    """

    def __init__(
        self,
        sample: NDArray[np.floating],
        rows: int,
        *,
        exact_below: int,
        threads: int,
        device: Device,
    ) -> None:
        import faiss

        self._threads = threads
        faiss.omp_set_num_threads(threads)
        dimension = sample.shape[1]
        self._index: Any = faiss.IndexFlatIP(dimension)
        if rows >= exact_below:
            self._index = faiss.IndexIVFScalarQuantizer(
                self._index,
                dimension,
                cells_of(rows),
                faiss.ScalarQuantizer.QT_fp16,
                faiss.METRIC_INNER_PRODUCT,
                False,  # the row itself, not what the centre of its cell leaves of it
            )
            self._index.nprobe = PROBES
            self._index.cp.niter = ITERATIONS
            self._index.cp.spherical = True
            self._index.train(np.asarray(sample, np.float32))
        self._gpu: Any = None
        has_gpu = faiss.get_num_gpus() > 0
        if device == "gpu" and not has_gpu:
            raise ValueError("faiss finds no GPU: put faiss-gpu in the place of faiss-cpu")
        if device != "cpu" and has_gpu:
            self._gpu = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, self._index)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, rows: NDArray[np.floating]) -> None:
        """Adds rows, [n, D]; their positions follow those of the rows before."""
        import faiss

        faiss.omp_set_num_threads(self._threads)
        for index in (self._index, self._gpu):
            if index is not None and len(rows):
                index.add(np.ascontiguousarray(rows, np.float32))

    @property
    def portion(self) -> int:
        """Queries that may be asked at once, so that memory stays bounded where all is alike."""
        return max(1, LARGEST_ANSWER // max(1, len(self)))

    def near(self, queries: NDArray[np.floating], radius: float) -> Hits:
        """The pairs of a query, [n, D], and a row with a cosine above `radius`, by query.

        Pairs up to `STORED_ERROR` below it may be among them.
        """
        import faiss

        faiss.omp_set_num_threads(self._threads)
        part = np.ascontiguousarray(queries, np.float32)
        limits, cosines, rows = self._range(part, radius - STORED_ERROR)
        counts = (limits[1:] - limits[:-1]).astype(np.int64)  # faiss has unsigned ones
        return Hits(np.repeat(np.arange(len(part)), counts), rows, cosines)

    def _range(self, queries: NDArray[np.float32], radius: float) -> tuple[NDArray[Any], ...]:
        """Limits, cosines and rows, as faiss returns them."""
        if self._gpu is None:
            found: tuple[NDArray[Any], ...] = self._index.range_search(queries, radius)
            return found
        from faiss.contrib.exhaustive_search import range_search_gpu

        search: Any = range_search_gpu  # faiss has no types
        found = search(queries, radius, self._gpu, self._index, NEAREST_ON_GPU)
        return found


def cells_of(rows: int) -> int:
    """Cells of an inverted file of this many rows."""
    return max(1, min(int(CELLS_PER_ROOT * rows**0.5), rows // SAMPLE_PER_CELL))
