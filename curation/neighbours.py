"""Clips near other clips: their frames looked up by faiss, the clips so found compared exactly."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from curation.clip_frames import Array, ClipFrames, better_half
from curation.frame_index import EXACT_ERROR, SAMPLE_PER_CELL, Device, FrameIndex, cells_of

BLOCK_CLIPS = 256
"""Clips whose frames are handed to faiss together."""

SLACK = 0.15
"""How far below the lower threshold frames are looked up.

A mean can reach the threshold while single frames stay below it. Looking lower finds more of those
frames: then a pair of clips that have but a title card in common is seen to be none.
"""


class Nearness(NamedTuple):
    """From which similarity on two clips are near each other."""

    video_of: Array
    """[N], the video of each clip as a number."""

    threshold: float
    """For clips of different videos."""

    same_video_threshold: float
    """For clips of one video."""

    @classmethod
    def of(
        cls, videos: Sequence[str | None], threshold: float, same_video_threshold: float
    ) -> "Nearness":
        """The same by the names of videos; an unknown one, None, is the video of no other clip."""
        numbers: dict[str | int, int] = {}
        keys = (position if name is None else name for position, name in enumerate(videos))
        video_of = [numbers.setdefault(key, len(numbers)) for key in keys]
        return cls(np.array(video_of, np.int64), threshold, same_video_threshold)

    @property
    def lowest(self) -> float:
        """The least similarity with which any two clips can be near each other."""
        return min(self.threshold, self.same_video_threshold)

    def of_pairs(self, one: Array, other: Array) -> NDArray[np.float64]:
        """The threshold for the clips `one[i]` and `other[i]`, for each i."""
        same = self.video_of[one] == self.video_of[other]
        return np.where(same, self.same_video_threshold, self.threshold)


class NearClips(NamedTuple):
    """Pairs of clips that are near each other, three arrays of one length."""

    one: Array
    other: Array
    similarity: NDArray[np.float32]


class ClipIndex:
    """Clips that can be asked which of them are near others.

    Args:
        frames: of all clips.
        nearness: of all clips.
        clips: those that may be added; `FrameIndex` learns from a seeded sample of their frames.
        exact_below: frames from which the search is approximate.
        threads: that faiss may use.
        device: where faiss searches.
    """

    def __init__(
        self,
        frames: ClipFrames,
        nearness: Nearness,
        clips: Array,
        *,
        exact_below: int,
        threads: int,
        device: Device,
    ) -> None:
        self._frames, self._nearness = frames, nearness
        rows, _ = frames.rows(clips)
        self._rows, self._owners = np.empty((2, len(rows)), np.int64)
        self._added = 0
        learned = rows[:1]
        if len(rows) >= exact_below:
            wanted = min(len(rows), SAMPLE_PER_CELL * cells_of(len(rows)))
            learned = np.random.default_rng(0).choice(rows, wanted, replace=False)
        self._index = FrameIndex(
            frames.embeddings[learned],
            len(rows),
            exact_below=exact_below,
            threads=threads,
            device=device,
        )

    def add(self, clips: Array) -> None:
        """Adds these clips."""
        for start in range(0, len(clips), BLOCK_CLIPS):
            rows, owners = self._frames.rows(clips[start : start + BLOCK_CLIPS])
            self._index.add(self._frames.embeddings[rows])
            self._rows[self._added : self._added + len(rows)] = rows
            self._owners[self._added : self._added + len(rows)] = owners
            self._added += len(rows)

    def near(self, clips: Array) -> Iterator[NearClips]:
        """Pairs of one of `clips` and another clip in the index, a portion of `clips` at a time."""
        if not self._added:
            return
        most = int(self._frames.frames_in(clips).max(initial=1))
        portion = min(BLOCK_CLIPS, max(1, self._index.portion // most))
        for start in range(0, len(clips), portion):
            one, other = self._candidates(clips[start : start + portion])
            similarity = self._frames.similarity(one, other)
            near = similarity >= self._nearness.of_pairs(one, other)
            yield NearClips(one[near], other[near], similarity[near])

    def _candidates(self, clips: Array) -> tuple[Array, Array]:
        """Every pair whose similarity may reach its threshold, by what is known from the search.

        Where the search is exact, a frame without a hit in the other clip has no match above the
        radius there, so the mean of the better matches has an upper bound. Else a hit may be
        missing, and one frame that reaches the threshold is enough.
        """
        lowest = self._nearness.lowest
        radius = lowest - min(SLACK, 1 - lowest)
        rows, owners = self._frames.rows(clips)
        hits = self._index.near(self._frames.embeddings[rows], radius)
        clip = self._owners[hits.row]
        strange = clip != owners[hits.query]
        query, clip, cosine = hits.query[strange], clip[strange], hits.cosine[strange]
        if not self._index.is_exact:
            cosine = self._frames.cosines(rows[query], self._rows[hits.row[strange]])
        order = np.lexsort((-cosine, clip, query))
        query, clip, cosine = query[order], clip[order], cosine[order]
        best = np.ones(len(order), bool)  # of a frame's matches in a clip, which are neighbours now
        best[1:] = (query[1:] != query[:-1]) | (clip[1:] != clip[:-1])
        total = self._frames.count
        pairs, place = np.unique(owners[query[best]] * total + clip[best], return_inverse=True)
        one, other = pairs // total, pairs % total
        if self._index.is_exact:
            above = np.maximum(cosine[best] - radius, 0)
            counted = better_half(self._frames.frames_in(one))
            bound = radius + np.bincount(place, above, len(pairs)) / counted
        else:
            bound = np.full(len(pairs), -np.inf)
            np.maximum.at(bound, place, cosine[best])
        possible = bound >= self._nearness.of_pairs(one, other) - 2 * EXACT_ERROR
        return one[possible], other[possible]
