"""Examples as `moviola encode` stored them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from training.data.buckets import Bucket
from training.data.index import SampleIndex
from training.data.readers import BrokenSample, Example, Reader
from training.data.rows import CACHE_BYTES
from training.text.spec import TextSpec

STORED_TYPES = {"embedding": "float16", "bytes": "uint8"}
"""How what an encoder says is stored, by its kind."""


class LatentReader(Reader):
    """Reads `latents/<subset>`."""

    def __init__(
        self, index: SampleIndex, text: Sequence[TextSpec], cache_bytes: int = CACHE_BYTES
    ) -> None:
        """Opens nothing yet.

        Args:
            index: of a table `latents/<subset>`.
            text: the text encoders of the model.
            cache_bytes: row groups that are kept in memory.
        """
        super().__init__(index, cache_bytes)
        self._text = {spec.name: spec for spec in text}

    def _columns(self, of_middle: bool) -> Sequence[str]:
        return ("image_latent" if of_middle else "latent", "text")

    def _made(self, stored: pa.Table, bucket: Bucket, of_middle: bool) -> Example:
        shape = (self.index.channels, bucket.frames, bucket.height, bucket.width)
        latent = array(stored[0][0], shape, "float16", "its latent")
        said: dict[str, npt.NDArray[Any]] = {}
        texts = stored["text"][0].values
        for one in range(0 if texts is None else len(texts)):
            name, content, shape, kind = (texts.field(part)[one] for part in range(4))
            said[name.as_py()] = self._said(name.as_py(), content, shape.as_py(), kind.as_py())
        if missing := [name for name in self._text if name not in said]:
            raise BrokenSample(f"it has no text of encoder {', '.join(missing)}")
        return Example(torch.from_numpy(latent), said)

    def _said(
        self, name: str, content: pa.Scalar, shape: Sequence[int] | None, kind: str
    ) -> npt.NDArray[Any]:
        spec = self._text.get(name)
        if spec is None:
            raise BrokenSample(f"it has text of an encoder {name}, which the model does not have")
        if kind != STORED_TYPES[spec.kind]:
            raise BrokenSample(f"its text of {name} is {kind}, not {STORED_TYPES[spec.kind]}")
        values = array(content, shape, kind, f"its text of {name}")
        wanted = () if spec.kind == "bytes" else (spec.dim,)
        if values.ndim != 1 + len(wanted) or values.shape[1:] != wanted:
            raise BrokenSample(f"its text of {name} is {list(values.shape)}, not {['L', *wanted]}")
        if not np.isfinite(values).all():
            raise BrokenSample(f"its text of {name} has values that are not finite")
        return values


def array(
    content: pa.Scalar, shape: Sequence[int] | None, kind: str, what: str
) -> npt.NDArray[Any]:
    """A stored array: float32 of `float16`, or uint8.

    Raises:
        BrokenSample: it is missing, or has another number of bytes than its shape says.
    """
    if shape is None or not content.is_valid:
        raise BrokenSample(f"{what} is missing")
    data = np.frombuffer(content.as_buffer(), np.uint8)
    item = np.dtype("<f2" if kind == "float16" else "u1")
    if min(shape, default=0) < 0 or data.nbytes != item.itemsize * int(np.prod(shape, dtype=int)):
        raise BrokenSample(f"{what} has {data.nbytes} bytes, which is not {kind} {list(shape)}")
    values = data.view(item).reshape(shape).copy()
    # PyTorch does it several times as fast as NumPy.
    return torch.from_numpy(values).float().numpy() if kind == "float16" else values
