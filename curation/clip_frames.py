"""The frame embeddings of clips, and how alike two clips are.

Two clips are as alike as the less well shown of the two is shown by the other: for every frame of
a clip the best cosine among the frames of the other, the mean over the better half of its frames,
and the smaller of the two directions (Chamfer similarity, Kordopatis-Zilos et al. 2019, "ViSiL",
made symmetric and robust). Few frames are stored, so those of a copy that was cut a moment later
show other moments, and where much moves only some of them find their match: the mean over all
frames loses such copies. The greatest cosine of all would be 1 for two clips that share one title
card or black frame. Frames need no common clock, so a copy at another speed still matches, where a
frame-by-frame comparison would not.
"""

import numpy as np
from numpy.typing import NDArray

COMPARED_PAIRS = 1 << 14
"""Pairs of frames that are compared together, to bound memory (32 MB of float32)."""

Array = NDArray[np.int64]


class ClipFrames:
    """Embeddings of the frames of clips, to be asked for by the number of the clip.

    Args:
        embeddings: [F, D], rows of unit length, float16 or float32, in any order.
        clip_of: [F], the clip of each row, 0 to `count` - 1; each has one row at least.
        count: clips.
    """

    def __init__(
        self, embeddings: NDArray[np.floating], clip_of: NDArray[np.integer], count: int
    ) -> None:
        self.embeddings = embeddings
        self.count = count
        self._rows = np.argsort(clip_of, kind="stable")
        self._starts = np.searchsorted(clip_of[self._rows], np.arange(self.count + 1))

    def frames_in(self, clips: Array) -> Array:
        """The number of frames of each of the clips."""
        return self._starts[clips + 1] - self._starts[clips]

    def rows(self, clips: Array) -> tuple[Array, Array]:
        """Rows of `embeddings` that belong to the clips, clip by clip, and the clip of each row."""
        lengths = self.frames_in(clips)
        offsets = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        positions = np.repeat(self._starts[clips], lengths) + offsets
        return self._rows[positions], np.repeat(clips, lengths)

    def similarity(self, one: Array, other: Array) -> NDArray[np.float32]:
        """How alike the clips `one[i]` and `other[i]` are, for each i, -1 to 1."""
        result = np.empty(len(one), np.float32)
        ends = np.cumsum(self.frames_in(one) * self.frames_in(other))
        start = 0
        while start < len(one):
            done = ends[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, done + COMPARED_PAIRS, "right")))
            result[start:stop] = self._similarity(one[start:stop], other[start:stop])
            start = stop
        return result

    def cosines(self, one: Array, other: Array) -> NDArray[np.float32]:
        """Of the frames in rows `one[i]` and `other[i]` of `embeddings`, for each i."""
        result = np.empty(len(one), np.float32)
        for start in range(0, len(one), COMPARED_PAIRS):
            part = slice(start, start + COMPARED_PAIRS)
            a, b = (self.embeddings[rows[part]].astype(np.float32) for rows in (one, other))
            result[part] = np.einsum("ij,ij->i", a, b)
        return result

    def _similarity(self, one: Array, other: Array) -> NDArray[np.float64]:
        """The same for a portion of the pairs."""
        frames_one, frames_other = self.frames_in(one), self.frames_in(other)
        width = np.repeat(frames_other, frames_one)  # per frame of `one`, in pair order
        left = np.repeat(self.rows(one)[0], width)
        number = _count_up(frames_one * frames_other)
        along = number % np.repeat(frames_other, frames_one * frames_other)
        first = np.repeat(self._starts[other], frames_one * frames_other)
        right = self._rows[first + along]
        cosine = np.clip(self.cosines(left, right), -1, 1)
        pair = np.repeat(np.arange(len(one)), frames_one * frames_other)
        across = np.lexsort((number, along, pair))
        forth = _mean_of_best(cosine, width, frames_one)
        back = _mean_of_best(cosine[across], np.repeat(frames_one, frames_other), frames_other)
        return np.minimum(forth, back)


def _mean_of_best(cosine: NDArray[np.float32], widths: Array, frames: Array) -> NDArray[np.float64]:
    """The greatest of each run of `widths` cosines; of each run of `frames`, its better half."""
    best = np.maximum.reduceat(cosine, np.cumsum(widths) - widths).astype(np.float64)
    runs = np.repeat(np.arange(len(frames)), frames)
    better = best[np.lexsort((-best, runs))]
    counted = better_half(frames)
    better[_count_up(frames) >= np.repeat(counted, frames)] = 0
    sums: NDArray[np.float64] = np.add.reduceat(better, np.cumsum(frames) - frames)
    return sums / counted


def better_half(frames: Array) -> Array:
    """How many of so many frames count: half of them, rounded up, and two if there are two."""
    return np.minimum(np.maximum((frames + 1) // 2, 2), frames)


def _count_up(lengths: Array) -> Array:
    """0, 1, … of each run of these lengths."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
