"""Frame embeddings near others, by faiss: exact or by an inverted file, with a bounded answer.

Below `exact_below` rows every pair is compared (`IndexFlatIP`). Above, it is a filter whose finds
the caller compares: rows are projected to `PROJECTED` numbers (at random, but always alike; Johnson
and Lindenstrauss 1984) of a byte each, k-means on a seeded sample makes cells, and a row is
compared with the rows of the `PROBES` cells nearest to it.
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

PROJECTED = 128
"""Numbers per row of an inverted file."""

EXACT_ERROR = 1e-3
"""How far an exact cosine may be off by rounding."""

ESTIMATE_ERROR = 0.1
"""The same for an inverted file: two standard errors at a cosine of 0.6, more above it."""

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

    Attributes:
        is_exact: every pair is found, with its cosine; else some are missed, and cosines are
            estimates.

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
        self.is_exact = rows < exact_below
        self._projection: Any = None
        if not self.is_exact and sample.shape[1] > PROJECTED:
            self._projection = faiss.RandomRotationMatrix(sample.shape[1], PROJECTED)
            self._projection.init(0)
        projected = self._prepared(sample)
        self._index: Any = faiss.IndexFlatIP(projected.shape[1])
        if not self.is_exact:
            self._index = faiss.IndexIVFScalarQuantizer(
                self._index,
                projected.shape[1],
                cells_of(rows),
                faiss.ScalarQuantizer.QT_8bit,
                faiss.METRIC_INNER_PRODUCT,
                False,  # the row itself, not what the centre of its cell leaves of it
            )
            self._index.nprobe = PROBES
            self._index.cp.niter = ITERATIONS
            self._index.cp.spherical = True
            self._index.train(projected)
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
        prepared = self._prepared(rows)
        for index in (self._index, self._gpu):
            if index is not None and len(rows):
                index.add(prepared)

    @property
    def portion(self) -> int:
        """Queries that may be asked at once, so that memory stays bounded where all is alike."""
        return max(1, LARGEST_ANSWER // max(1, len(self)))

    def near(self, queries: NDArray[np.floating], radius: float) -> Hits:
        """The pairs of a query, [n, D], and a row with a cosine above `radius`, by query.

        Pairs up to `EXACT_ERROR` below it may be among them, or else up to `ESTIMATE_ERROR`.
        """
        import faiss

        faiss.omp_set_num_threads(self._threads)
        part = self._prepared(queries)
        error = EXACT_ERROR if self.is_exact else ESTIMATE_ERROR
        limits, cosines, rows = self._range(part, radius - error)
        counts = (limits[1:] - limits[:-1]).astype(np.int64)  # faiss has unsigned ones
        return Hits(np.repeat(np.arange(len(part)), counts), rows, cosines)

    def _prepared(self, rows: NDArray[np.floating]) -> NDArray[np.float32]:
        import faiss

        whole = np.ascontiguousarray(rows, np.float32)
        if self._projection is None:
            return whole
        projected: NDArray[np.float32] = self._projection.apply(whole)
        faiss.normalize_L2(projected)
        return projected

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
