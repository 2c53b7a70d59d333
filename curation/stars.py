"""Decides on clips numbered from the best to the worst: each joins the best kept one near it."""

import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from curation.clip_frames import Array, ClipFrames
from curation.frame_index import Device
from curation.neighbours import BLOCK_CLIPS, ClipIndex, Nearness

KEPT = -1
"""In place of the number of a better clip."""


class Decision(NamedTuple):
    """What became of one clip."""

    duplicate_of: str | None
    """The clip kept in its place, the best one near it; null if it is kept itself."""

    cosine: float | None
    """How alike the two are; null if it is kept."""


KEEP = Decision(None, None)


class Stars:
    """The decisions on clips by their numbers.

    Args:
        frames: of all clips; a smaller number is a better clip.
        nearness: when two clips are near each other.
        known: so many clips, the first, are there to be compared with, and always kept.
        exact_below: frames from which the search is approximate.
        threads: that faiss may use.
        device: where faiss searches.
    """

    def __init__(
        self,
        frames: ClipFrames,
        nearness: Nearness,
        known: int,
        exact_below: int,
        threads: int,
        device: Device,
    ) -> None:
        self._frames, self._nearness, self._known = frames, nearness, known
        self._exact_below, self._threads, self._device = exact_below, threads, device
        self._best = np.full(frames.count, KEPT)
        self._cosine = np.ones(frames.count, np.float32)
        self._fresh = np.arange(frames.count) >= known

    def decisions(self, ids: Sequence[str], decided: Mapping[str, Decision]) -> list[Decision]:
        """What becomes of every clip but the known ones, in order.

        Args:
            ids: of all clips.
            decided: earlier decisions by id, taken over where nothing new can change them.
        """
        self._recall(ids, decided)
        self._decide(*self._reached())
        return [
            KEEP if best == KEPT else Decision(ids[best], float(cosine))
            for best, cosine in zip(
                self._best[self._known :], self._cosine[self._known :], strict=True
            )
        ]

    def _recall(self, ids: Sequence[str], decided: Mapping[str, Decision]) -> None:
        """Takes over what was decided, where the clip that was kept is still there."""
        place = {name: position for position, name in enumerate(ids)} if decided else {}
        for position in range(self._known, len(ids)):
            old = decided.get(ids[position])
            if old is None or (old.duplicate_of is not None and old.duplicate_of not in place):
                continue
            self._fresh[position] = False
            if old.duplicate_of is not None and old.cosine is not None:
                self._best[position] = place[old.duplicate_of]
                self._cosine[position] = old.cosine

    def _reached(self) -> tuple[Array, Array]:
        """The known clips that matter, and the clips to decide again.

        Those are the new, what can be reached from them, and the kept clips near these, which stay.
        """
        redone, near = self._fresh.copy(), np.zeros(self._frames.count, bool)
        index = self._index(np.flatnonzero(~self._fresh))
        index.add(np.flatnonzero(~self._fresh))
        frontier = np.flatnonzero(self._fresh)
        while len(frontier):
            before = redone.copy()
            for one, other, _ in index.near(frontier):
                near[other] = True
                redone[other[other > one]] = True
            frontier = np.flatnonzero(redone & ~before)
        matter = np.flatnonzero(redone | (near & (self._best == KEPT)))
        return matter[matter < self._known], matter[matter >= self._known]

    def _decide(self, known: Array, clips: Array) -> None:
        """Decides `clips`, the best first, among themselves and the `known` ones."""
        self._best[clips] = KEPT
        index = self._index(np.union1d(known, clips))
        index.add(known)
        for start in range(0, len(clips), BLOCK_CLIPS):
            block = clips[start : start + BLOCK_CLIPS]
            self._join(index, block)  # all in the index are better than all in the block
            left = block[self._best[block] == KEPT]
            among = self._index(left, exact=True)
            among.add(left)
            self._join(among, left)
            index.add(left[self._best[left] == KEPT])

    def _join(self, index: ClipIndex, clips: Array) -> None:
        """Makes each clip near a better kept one in the index its duplicate."""
        for one, other, cosine in index.near(clips):
            better = np.flatnonzero(other < one)
            # The best first: whether a clip is kept is settled before a worse one asks.
            for pair in better[np.lexsort((other[better], one[better]))]:
                if self._best[one[pair]] == KEPT == self._best[other[pair]]:
                    self._best[one[pair]], self._cosine[one[pair]] = other[pair], cosine[pair]

    def _index(self, clips: Array, exact: bool = False) -> ClipIndex:
        return ClipIndex(
            self._frames,
            self._nearness,
            clips,
            exact_below=sys.maxsize if exact else self._exact_below,
            threads=self._threads,
            device="cpu" if exact else self._device,
        )
