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

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from curation.clip_frames import ClipFrames
from curation.embedded_clips import NONE, EmbeddedClips, check_clips, chosen, joined
from curation.frame_index import Device
from curation.neighbours import Nearness
from curation.rules import NUMBERS
from curation.settings import Settings
from curation.stars import Decision, Stars


class DuplicateSettings(Settings):
    """When two clips show the same, and how such pairs are looked for."""

    threshold: float = Field(default=0.7, gt=0, lt=1)
    """Clips of different videos this alike or more are duplicates: the mean cosine of the better
    half of their best matching frames. Movie Gen takes 0.99, which few re-encoded copies reach."""

    same_video_threshold: float = Field(default=0.97, gt=0, lt=1)
    """The same for two clips of one video. Other moments of one shot look alike without being
    copies, and what is repeated within one file was encoded in one go, so it can be stricter."""

    prefer: tuple[str, ...] = ("min_side_px", "-quality_brisque", "bits_per_pixel", "duration_s")
    """Which of them is kept: that with the highest of the first measure, then of the second, and so
    on; `-` before a name takes the lowest. A missing measure is the worst; last, ids decide."""

    against: list[str] = Field(default_factory=list)
    """Earlier workspaces, and Parquet files with columns `clip_id` and `copy_embedding` (and
    `video_id` and `models`, if known): a clip near one of these is dropped for it."""

    exact_below: int = Field(default=50_000, ge=1)
    """Frames from which the search is approximate: exact, the time grows with their square."""

    device: Device = "auto"
    """Where faiss searches; `auto` is a GPU if the installed faiss finds one."""

    @field_validator("prefer")
    @classmethod
    def _can_be_compared(cls, prefer: tuple[str, ...]) -> tuple[str, ...]:
        for name in prefer:
            if name.removeprefix("-") not in NUMBERS:
                raise ValueError(f"{name!r} is no measure that is a number")
        return prefer


def find_duplicates(
    clips: EmbeddedClips,
    quality: NDArray[np.floating],
    settings: DuplicateSettings,
    *,
    known: EmbeddedClips = NONE,
    decided: Mapping[str, Decision] | None = None,
    threads: int = 1,
) -> list[Decision]:
    """The decision on every clip, in their order.

    Args:
        clips: what to decide on.
        quality: [N], what is kept is the clip with the highest; ties by the smaller id.
        settings: when two clips are duplicates; `against` is for the caller to read (`known`).
        known: clips of earlier workspaces or block lists. They come before every clip, and are not
            compared with each other. A clip with the id of a known one is a duplicate of that id.
        decided: decisions of an earlier run with the same settings, known clips, embeddings and
            qualities. Clips not in it are new; those whose kept clip is gone are decided again.
        threads: that faiss may use, from now on and in all of the process.

    Raises:
        ValueError: what `check_clips` raises, of the known clips too; qualities that are no
            numbers; known embeddings of another length or model; no GPU where one is asked for.
    """
    for one in (clips, known):
        check_clips(one)
    if np.shape(quality) != (len(clips.ids),) or not np.isfinite(quality).all():
        raise ValueError(f"quality is one finite number per clip, {len(clips.ids)}")
    twins = set(known.ids)
    found = [Decision(name, 1.0) for name in clips.ids]
    left = [place for place, name in enumerate(clips.ids) if name not in twins]
    if left:
        # Best first, as numbers: known clips, then the clips to decide.
        order = np.lexsort((np.array(clips.ids)[left], -np.asarray(quality, np.float64)[left]))
        ranked = [left[place] for place in order]
        every = joined([known, chosen(clips, ranked)])
        frames = ClipFrames(every.embeddings, every.clip_of, len(every.ids))
        nearness = Nearness.of(every.videos, settings.threshold, settings.same_video_threshold)
        stars = Stars(
            frames, nearness, len(known.ids), settings.exact_below, threads, settings.device
        )
        decisions = stars.decisions(every.ids, decided or {})
        for place, decision in zip(ranked, decisions, strict=True):
            found[place] = decision
    return found
