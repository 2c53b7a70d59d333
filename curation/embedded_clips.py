"""Clips with the embeddings of their frames: the input of near-duplicate removal."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from curation.clip_frames import Array

NORM_ERROR = 1e-3
"""How far from 1 the length of a row may be: float16 rounding moves it by half of this at most."""

CHECKED_ROWS = 1 << 14
"""Rows that are looked at together, to bound memory (32 MB of float32)."""


class EmbeddedClips(NamedTuple):
    """Clips, and what a copy detector made of their frames."""

    ids: Sequence[str]
    """[N], all different."""

    videos: Sequence[str | None]
    """[N], the video of each clip; None where unknown, which is the video of no other clip."""

    embeddings: NDArray[np.floating]
    """[F, D], a row of unit length for each frame, float16 or float32, in any order."""

    clip_of: NDArray[np.integer]
    """[F], for each row the position of its clip, 0 to N - 1; each clip has one row at least."""

    model: str | None = None
    """`name:version` of the copy detector; None where unknown."""


NONE = EmbeddedClips([], [], np.empty((0, 0), np.float16), np.empty(0, np.int64))


def joined(parts: Sequence[EmbeddedClips]) -> EmbeddedClips:
    """All clips of the parts, in their order.

    Raises:
        ValueError: they cannot be compared: embeddings of several lengths or models.
    """
    parts = [part for part in parts if len(part.ids)]
    lengths = sorted({part.embeddings.shape[1] for part in parts})
    if len(lengths) > 1:
        raise ValueError(f"embeddings of several lengths cannot be compared: {lengths}")
    models = sorted({part.model for part in parts if part.model is not None})
    if len(models) > 1:
        raise ValueError(f"embeddings of several models cannot be compared: {', '.join(models)}")
    if len(parts) < 2:
        return parts[0] if parts else NONE
    starts = np.cumsum([0, *(len(part.ids) for part in parts)])
    return EmbeddedClips(
        [name for part in parts for name in part.ids],
        [video for part in parts for video in part.videos],
        np.concatenate([part.embeddings for part in parts]),
        np.concatenate([part.clip_of + start for part, start in zip(parts, starts, strict=False)]),
        models[0] if models else None,
    )


def chosen(clips: EmbeddedClips, positions: Sequence[int]) -> EmbeddedClips:
    """The clips at these positions, in this order."""
    place = np.full(len(clips.ids), -1)
    place[positions] = np.arange(len(positions))
    rows = place[clips.clip_of] >= 0
    return EmbeddedClips(
        [clips.ids[position] for position in positions],
        [clips.videos[position] for position in positions],
        clips.embeddings if rows.all() else clips.embeddings[rows],
        place[clips.clip_of[rows]],
        clips.model,
    )


def check_clips(clips: EmbeddedClips) -> None:
    """Raises unless every field is what `EmbeddedClips` says.

    Raises:
        ValueError: shapes that do not fit, clips without frames, ids that are not unique, or rows
            that are no numbers or not of unit length; the message names the first few clips.
    """
    ids, videos, embeddings, clip_of, _ = clips
    if embeddings.ndim != 2 or embeddings.dtype not in (np.float16, np.float32):
        shape, kind = embeddings.shape, embeddings.dtype
        raise ValueError(f"embeddings are float16 or float32 [F, D], not {kind} {list(shape)}")
    if clip_of.shape != embeddings.shape[:1] or not np.issubdtype(clip_of.dtype, np.integer):
        raise ValueError(f"clip_of is one integer per row, {len(embeddings)}, not {clip_of.shape}")
    if len(clip_of) and not (clip_of.min() >= 0 and clip_of.max() < len(ids)):
        raise ValueError(f"clip_of has positions outside 0 to {len(ids) - 1}")
    if len(videos) != len(ids):
        raise ValueError(f"videos are one per clip, {len(ids)}, not {len(videos)}")
    if len(set(ids)) != len(ids):
        raise ValueError("clip ids are not unique")
    empty = np.flatnonzero(np.bincount(clip_of, minlength=len(ids)) == 0)
    if len(empty):
        raise ValueError(f"clips without a frame embedding: {_some(ids, empty)}")
    _check_rows(clips)


def _check_rows(clips: EmbeddedClips) -> None:
    for start in range(0, len(clips.embeddings), CHECKED_ROWS):
        part = clips.embeddings[start : start + CHECKED_ROWS].astype(np.float32)
        norm = np.sqrt(np.einsum("ij,ij->i", part, part))
        for wrong, what in (
            (~np.isfinite(norm), "not finite"),
            (np.abs(norm - 1) > NORM_ERROR, "not of unit length"),
        ):
            if wrong.any():
                found = np.unique(clips.clip_of[start + np.flatnonzero(wrong)])
                raise ValueError(f"frame embeddings that are {what}, of: {_some(clips.ids, found)}")


def _some(ids: Sequence[str], positions: Array) -> str:
    """The first few of these ids, in words."""
    more = len(positions) - 5
    return ", ".join(ids[i] for i in positions[:5]) + (f" and {more} more" if more > 0 else "")
