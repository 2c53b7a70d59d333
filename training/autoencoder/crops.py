"""Crops of clips to train an autoencoder on, drawn by (seed, step) and nothing else."""

import logging
import math
from collections.abc import Iterator, Sequence
from typing import Protocol

import cv2
import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from curation.media.errors import MediaError
from training.autoencoder.patches import FACTOR
from training.autoencoder.settings import TaeFitSettings
from training.data.split import is_held_out, units
from training.encode import video_tensor
from training.pixels import Frames
from training.randomness import uniform

MAX_CACHE_BYTES = 1 << 30
"""Of clips that were scaled already: those of a demonstration all fit."""

MAX_ATTEMPTS = 100
"""Clips in a row that cannot be read before training gives up."""

logger = logging.getLogger(__name__)


class Clips(Protocol):
    """Clips by number, from 0."""

    @property
    def clip_ids(self) -> Sequence[str]:
        """Of each."""

    @property
    def video_ids(self) -> Sequence[str]:
        """Of each, the video that it was cut from."""

    @property
    def num_frames(self) -> Sequence[int]:
        """Of each; 1 is an image."""

    def read(self, number: int) -> Frames:
        """The frames of one, RGB, `[T, H, W, 3]`.

        Raises:
            MediaError: they cannot be read.
        """


def split(clips: Clips, share: float) -> tuple[list[int], list[int]]:
    """The numbers of the clips to train on, and of those held out, by `is_held_out`."""
    ids = (pa.array(one, pa.string()) for one in (clips.video_ids, clips.clip_ids))
    held = is_held_out(units(*ids), share)
    return np.flatnonzero(~held).tolist(), np.flatnonzero(held).tolist()


class Crops:
    """Square pieces of clips, `[B, 3, T, size, size]` in [-1, 1]; for one thread at a time."""

    def __init__(
        self, clips: Clips, numbers: Sequence[int], settings: TaeFitSettings, seed: int
    ) -> None:
        """Sorts out what is long enough.

        Args:
            clips: where they are from.
            numbers: which of the clips.
            settings: sizes.
            seed: with the step, what crops depend on.

        Raises:
            ValueError: no clip is long enough.
        """
        self._clips, self._settings, self._seed = clips, settings, seed
        self._span = (settings.num_frames - 1) * settings.frame_stride + 1
        self._all = list(numbers)
        self.long = [one for one in numbers if clips.num_frames[one] >= self._span]
        if not self.long:
            raise ValueError(
                f"none of the {len(numbers)} clips to train on has {self._span} frames: lower "
                "num_frames or frame_stride"
            )
        self._scaled: dict[int, Frames] = {}
        self._held_bytes = 0
        self.unreadable: set[int] = set()

    def from_step(self, step: int) -> Iterator[Tensor]:
        """The batches of a step and all after it."""
        while True:
            yield self.batch(step)
            step += 1

    def batch(self, step: int) -> Tensor:
        """The crops of a step.

        Raises:
            ValueError: a hundred clips in a row cannot be read.
        """
        settings = self._settings
        every = settings.image_every
        if every and step % every == every - 1:
            size = settings.batch_size * -(-settings.num_frames // FACTOR)
            return torch.cat([self._crop(step, slot, 1) for slot in range(size)])
        size = settings.batch_size
        return torch.cat([self._crop(step, slot, settings.num_frames) for slot in range(size)])

    def middle(self, number: int) -> Tensor | None:
        """The square from the middle of a clip, one frame of a clip that is too short.

        Args:
            number: the clip's.

        Returns:
            `[1, 3, T, size, size]`, or None for a clip that cannot be read.
        """
        try:
            frames = self._read(number)
        except MediaError as error:
            self._report(number, error)
            return None
        count = self._settings.num_frames if len(frames) >= self._span else 1
        return video_tensor(self._cut(frames, count, (0.5, 0.5, 0.5)))

    def _crop(self, step: int, slot: int, count: int) -> Tensor:
        pool = self.long if count > 1 else self._all
        for attempt in range(MAX_ATTEMPTS):
            key = (self._seed, "crop", step, slot, attempt)
            number = pool[math.floor(uniform(*key, "clip") * len(pool))]
            try:
                frames = self._read(number)
            except MediaError as error:
                self._report(number, error)
                continue
            places = tuple(uniform(*key, axis) for axis in "tyx")
            cut = self._cut(frames, count, places)
            is_mirrored = uniform(*key, "mirror") < 0.5
            return video_tensor(cut[:, :, ::-1] if is_mirrored else cut)
        raise ValueError(f"{MAX_ATTEMPTS} clips in a row cannot be read; the log says why")

    def _cut(self, frames: Frames, count: int, places: Sequence[float]) -> Frames:
        """A piece: place 0 is at the beginning of an axis, 1 at its end."""
        size, span = self._settings.size_px, self._span if count > 1 else 1
        pieces = zip(frames.shape, (span, size, size), places, strict=False)
        t, y, x = (
            min(math.floor(place * (length - piece + 1)), length - piece)
            for length, piece, place in pieces
        )
        return frames[t : t + span : self._settings.frame_stride, y : y + size, x : x + size]

    def _read(self, number: int) -> Frames:
        if number in self._scaled:
            return self._scaled[number]
        frames = scaled(self._clips.read(number), self._settings.size_px)
        if self._held_bytes + frames.nbytes <= MAX_CACHE_BYTES:
            self._scaled[number] = frames
            self._held_bytes += frames.nbytes
        return frames

    def _report(self, number: int, error: MediaError) -> None:
        if number not in self.unreadable:
            logger.warning("clip %s is passed over: %s", self._clips.clip_ids[number], error)
        self.unreadable.add(number)


def scaled(frames: Frames, short_side_px: int) -> Frames:
    """The frames `[T, H, W, 3]` with that short side, and the long one in proportion."""
    height, width = frames.shape[1:3]
    scale = short_side_px / min(height, width)
    if scale == 1:
        return frames
    size = (max(short_side_px, round(width * scale)), max(short_side_px, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.stack(
        [np.asarray(cv2.resize(one, size, interpolation=how), np.uint8) for one in frames]
    )
