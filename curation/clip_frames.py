"""The frame embeddings of clips, and how alike two clips are.

Two clips are as alike as the less well shown of the two is shown by the other: for every frame of
a clip the best cosine among the frames of the other, the mean over its frames, and the smaller of
the two directions (Chamfer similarity, Kordopatis-Zilos et al. 2019, "ViSiL", made symmetric).
A single title card or black frame that two clips share raises this by its share of the frames only,
where the greatest cosine of all pairs would be 1. Frames need no common clock, so a copy that was
cut or sampled at other times still matches, where a frame-by-frame comparison would not.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NORM_ERROR = 1e-3
"""How far from 1 the length of a row may be: float16 rounding moves it by half of this at most."""

CHECKED_ROWS = 1 << 14
COMPARED_PAIRS = 1 << 14
"""Rows and pairs of frames that are looked at together, to bound memory (32 MB of float32 each)."""

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

    def _similarity(self, one: Array, other: Array) -> NDArray[np.float64]:
        """The same for a portion of the pairs."""
        frames_one, frames_other = self.frames_in(one), self.frames_in(other)
        width = np.repeat(frames_other, frames_one)  # per frame of `one`, in pair order
        left = np.repeat(self.rows(one)[0], width)
        number = _count_up(frames_one * frames_other)
        along = number % np.repeat(frames_other, frames_one * frames_other)
        first = np.repeat(self._starts[other], frames_one * frames_other)
        right = self._rows[first + along]
        a, b = (self.embeddings[rows].astype(np.float32) for rows in (left, right))
        cosine = np.clip(np.einsum("ij,ij->i", a, b), -1, 1)
        pair = np.repeat(np.arange(len(one)), frames_one * frames_other)
        across = np.lexsort((number, along, pair))
        forth = _mean_of_best(cosine, width, frames_one)
        back = _mean_of_best(cosine[across], np.repeat(frames_one, frames_other), frames_other)
        return np.minimum(forth, back)


def _mean_of_best(cosine: NDArray[np.float32], widths: Array, frames: Array) -> NDArray[np.float64]:
    """The greatest of each run of `widths` cosines, then the mean of each run of `frames`."""
    best = np.maximum.reduceat(cosine, np.cumsum(widths) - widths).astype(np.float64)
    sums: NDArray[np.float64] = np.add.reduceat(best, np.cumsum(frames) - frames)
    return sums / frames


def _count_up(lengths: Array) -> Array:
    """0, 1, … of each run of these lengths."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def check_frames(
    ids: Sequence[str], embeddings: NDArray[np.floating], clip_of: NDArray[np.integer]
) -> None:
    """Raises unless these are embeddings of frames of clips with these ids.

    Args:
        ids: the clips.
        embeddings: should be [F, D], rows of unit length, float16 or float32.
        clip_of: should be [F], for each row the position in `ids` of its clip.

    Raises:
        ValueError: shapes that do not fit, clips without frames, ids that are not unique, or rows
            that are no numbers or not of unit length; the message names the first few clips.
    """
    if embeddings.ndim != 2 or embeddings.dtype not in (np.float16, np.float32):
        shape, kind = embeddings.shape, embeddings.dtype
        raise ValueError(f"embeddings are float16 or float32 [F, D], not {kind} {list(shape)}")
    if clip_of.shape != embeddings.shape[:1] or not np.issubdtype(clip_of.dtype, np.integer):
        raise ValueError(f"clip_of is one integer per row, {len(embeddings)}, not {clip_of.shape}")
    if len(clip_of) and not (clip_of.min() >= 0 and clip_of.max() < len(ids)):
        raise ValueError(f"clip_of has positions outside 0 to {len(ids) - 1}")
    if len(set(ids)) != len(ids):
        raise ValueError("clip ids are not unique")
    empty = np.flatnonzero(np.bincount(clip_of, minlength=len(ids)) == 0)
    if len(empty):
        raise ValueError(f"clips without a frame embedding: {_some(ids, empty)}")
    for start in range(0, len(embeddings), CHECKED_ROWS):
        part = embeddings[start : start + CHECKED_ROWS].astype(np.float32)
        norm = np.sqrt(np.einsum("ij,ij->i", part, part))
        for wrong, what in (
            (~np.isfinite(norm), "not finite"),
            (np.abs(norm - 1) > NORM_ERROR, "not of unit length"),
        ):
            if wrong.any():
                clips = np.unique(clip_of[start + np.flatnonzero(wrong)])
                raise ValueError(f"frame embeddings that are {what}, of: {_some(ids, clips)}")


def _some(ids: Sequence[str], positions: Array) -> str:
    """The first few of these ids, in words."""
    more = len(positions) - 5
    return ", ".join(ids[i] for i in positions[:5]) + (f" and {more} more" if more > 0 else "")
