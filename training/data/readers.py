"""From rows of an index to examples, or to the reasons why there are none."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor

from curation.media.errors import MediaError
from training.data.buckets import Bucket
from training.data.index import SampleIndex
from training.data.rows import CACHE_BYTES, RowReader


@dataclass(frozen=True)
class Example:
    """What the model is shown of a sample, before noise."""

    latent: Tensor
    """`[C, T, H, W]`, float32, standardised."""

    text: Mapping[str, npt.NDArray[Any]]
    """By the encoder's name, `[L, D]` float32, or `[L]` uint8 of bytes."""


@dataclass(frozen=True)
class Unreadable:
    """A sample that cannot be used."""

    id: str
    reason: str
    """In words."""


class BrokenSample(Exception):
    """Raised when a stored sample is not what it should be; the message says how."""


class Reader(ABC):
    """Reads examples. Several threads may: the loader's and the one that evaluates, in turn."""

    def __init__(self, index: SampleIndex, cache_bytes: int = CACHE_BYTES) -> None:
        self.index = index
        self._rows = RowReader(index.places, cache_bytes)
        self._has_images = bool(index.is_image.any())
        self._lock = threading.Lock()

    def read(self, rows: Sequence[int], is_image: bool) -> list[Example | Unreadable]:
        """The example of each row, or why there is none; what it is depends on no other row.

        Args:
            rows: of the index, of one bucket.
            is_image: whether to take images: samples of one frame, or the middle frames of clips.
        """
        with self._lock:
            found = self._rows.read(rows, self._columns(is_image and not self._has_images))
            return [self._example(*one, is_image) for one in zip(rows, found, strict=True)]

    def _example(self, row: int, stored: pa.Table | str, is_image: bool) -> Example | Unreadable:
        index = self.index
        bucket = index.buckets[(index.image_bucket if is_image else index.bucket)[row]]
        try:
            if isinstance(stored, str):
                raise BrokenSample(stored)
            example = self._made(stored, bucket, is_image and not self._has_images)
            shape = tuple(example.latent.shape[1:])
            if shape != (bucket.frames, bucket.height, bucket.width):
                raise BrokenSample(f"its latent is {shape}, and its bucket {bucket.name}")
            # Their sum is finite if and only if all are, at a tenth of the cost of asking each.
            if not torch.isfinite(example.latent.sum()):
                raise BrokenSample("its latent has values that are not finite")
        except (BrokenSample, MediaError) as error:
            return Unreadable(index.ids[row].as_py(), f"{error}")
        return example

    @abstractmethod
    def _columns(self, of_middle: bool) -> Sequence[str]:
        """What is read of the table; `of_middle` as for `_made`."""

    @abstractmethod
    def _made(self, stored: pa.Table, bucket: Bucket, of_middle: bool) -> Example:
        """The example of one stored row of a bucket; `of_middle` for the middle frame of a clip.

        Raises:
            BrokenSample, MediaError: there is none.
        """
