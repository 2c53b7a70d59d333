"""Near-duplicates: of clips that show the same, the best is kept.

Clips are gone through from the best to the worst by the quality that the caller states (ties by
clip id). A clip that is near one already kept is its duplicate; any other is kept. So no two kept
clips are near each other, and every clip that is dropped is near the one that was kept in its
place. Within a connected component of the graph of near clips this makes stars, not chains: where A
is near B and B near C, but A not near C, keeping A drops B alone, while keeping one clip of the
whole component would drop C for a clip that it does not resemble.

A clip's fate hangs on better clips alone, which makes growing exact: only clips that can be reached
from a new clip over near pairs of falling quality may change, and only they are decided again.

Nothing depends on the order of the input. The search is exact below `exact_below` frames. Above, it
may miss pairs (see `curation/frame_index.py`), and then growing may find a pair that a run from
scratch misses, or the other way round; pairs that it finds are compared exactly all the same.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from curation.clip_frames import Array, ClipFrames, check_frames
from curation.frame_index import Device
from curation.neighbours import BLOCK_CLIPS, ClipIndex
from curation.settings import Settings


class DuplicateSettings(Settings):
    """When two clips show the same."""

    threshold: float = Field(default=0.9, gt=0, lt=1)
    """Clips this alike or more are duplicates: the mean cosine of their best matching frames.

    Movie Gen takes 0.99, which few re-encoded copies reach. Of 30 real videos, clips of different
    ones stay below 0.3; of the pairs of different clips of one video 15 % reach 0.9, 27 % 0.85.
    """
    exact_below: int = Field(default=50_000, ge=1)
    """Frames from which the search is approximate: exact, the time grows with their square."""


class Decision(NamedTuple):
    """What became of one clip."""

    duplicate_of: str | None
    """The clip kept in its place, the best one near it; null if it is kept itself."""
    cosine: float | None
    """How alike the two are; null if it is kept."""


KEEP = Decision(None, None)
KEPT = -1
"""In place of the position of a better clip."""


class Blocklist(NamedTuple):
    """Clips decided elsewhere: a clip near one is its duplicate. Never compared with each other."""

    ids: Sequence[str]
    embeddings: NDArray[np.floating]
    clip_of: NDArray[np.integer]


def find_duplicates(
    ids: Sequence[str],
    embeddings: NDArray[np.floating],
    clip_of: NDArray[np.integer],
    quality: NDArray[np.floating],
    settings: DuplicateSettings,
    *,
    known: Blocklist | None = None,
    decided: Mapping[str, Decision] | None = None,
    threads: int = 1,
    device: Device = "cpu",
) -> list[Decision]:
    """The decision on every clip, in the order of `ids`.

    Args:
        ids: the clips.
        embeddings: [F, D], frame embeddings of unit length, float16 or float32.
        clip_of: [F], for each row the position in `ids` of its clip.
        quality: [N], what is kept is the clip with the highest; ties by the smaller id.
        settings: when two clips are duplicates.
        known: clips of earlier workspaces or a block list; they come before every clip.
        decided: decisions of an earlier run with the same settings, known clips, embeddings and
            qualities. Clips not in it are new; those whose kept clip is gone are decided again.
        threads: that faiss may use, from now on and in all of the process.
        device: where faiss searches.

    Raises:
        ValueError: what `check_frames` raises, of the known clips too; qualities that are no
            numbers; known embeddings of another length; a clip both known and to be decided.
    """
    check_frames(ids, embeddings, clip_of)
    if np.shape(quality) != (len(ids),) or not np.isfinite(quality).all():
        raise ValueError(f"quality is one finite number per clip, {len(ids)}")
    if not ids:
        return []
    known = known or Blocklist([], embeddings[:0], np.empty(0, np.int64))
    _check_known(known, ids, embeddings)
    order = np.lexsort((np.array(ids), -np.asarray(quality, np.float64)))
    rank = np.empty(len(ids), np.int64)
    rank[order] = np.arange(len(known.ids), len(known.ids) + len(ids))
    ranked = [*known.ids, *(ids[i] for i in order)]
    clips = np.concatenate([known.clip_of, rank[clip_of]])
    rows = np.concatenate([known.embeddings, embeddings]) if known.ids else embeddings
    frames = ClipFrames(rows, clips, len(ranked))
    search = _Search(frames, len(known.ids), settings, threads, device)
    search.recall(ranked, decided or {})
    search.stars(*search.reached())
    return [search.decision(ranked, int(place)) for place in rank]


def _check_known(known: Blocklist, ids: Sequence[str], embeddings: NDArray[np.floating]) -> None:
    """Raises ValueError unless the known clips can be compared with these."""
    check_frames(known.ids, known.embeddings, known.clip_of)
    if not set(known.ids).isdisjoint(ids):
        raise ValueError("a clip is both known and to be decided")
    if known.embeddings.shape[1] != embeddings.shape[1]:
        sizes = f"{known.embeddings.shape[1]} numbers, those of the clips {embeddings.shape[1]}"
        raise ValueError(f"the known embeddings have {sizes}")


class _Search:
    """The decisions on clips numbered by rank, the best first; known clips before all others."""

    def __init__(
        self,
        frames: ClipFrames,
        known: int,
        settings: DuplicateSettings,
        threads: int,
        device: Device,
    ) -> None:
        self._frames, self._known, self._settings = frames, known, settings
        self._threads, self._device = threads, device
        self._best = np.full(frames.count, KEPT)
        self._cosine = np.ones(frames.count, np.float32)
        self._fresh = np.arange(frames.count) >= known

    def recall(self, ids: Sequence[str], decided: Mapping[str, Decision]) -> None:
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

    def reached(self) -> tuple[Array, Array]:
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

    def stars(self, known: Array, clips: Array) -> None:
        """Decides `clips`, in rank order, among themselves and the `known` ones."""
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

    def decision(self, ids: Sequence[str], position: int) -> Decision:
        """What became of the clip at this position."""
        best = self._best[position]
        return KEEP if best == KEPT else Decision(ids[best], float(self._cosine[position]))

    def _join(self, index: ClipIndex, clips: Array) -> None:
        """Makes each clip near a better kept one in the index its duplicate."""
        for one, other, cosine in index.near(clips):
            better = np.flatnonzero(other < one)
            # In rank order: whether a clip is kept is settled before a worse one asks.
            for pair in better[np.lexsort((other[better], one[better]))]:
                if self._best[one[pair]] == KEPT == self._best[other[pair]]:
                    self._best[one[pair]], self._cosine[one[pair]] = other[pair], cosine[pair]

    def _index(self, clips: Array, exact: bool = False) -> ClipIndex:
        return ClipIndex(
            self._frames,
            clips,
            self._settings.threshold,
            exact_below=sys.maxsize if exact else self._settings.exact_below,
            threads=self._threads,
            device="cpu" if exact else self._device,
        )
