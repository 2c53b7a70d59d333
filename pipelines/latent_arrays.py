"""What a row of `latents/<subset>` must be, whoever made it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

DTYPE_BYTES = {"float16": 2, "uint8": 1}
"""Bytes of an element, by the types that arrays are stored in."""


def latent_problems(row: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the arrays of a row that is `ok`, in words; nothing where all is sound."""
    yield from _array_problems("latent", row["latent"], row["latent_shape"], "float16", 4)
    channels = (row["latent_shape"] or [0])[0]
    is_image = row["num_frames"] == 1
    if (row["image_latent"] is None) != is_image:
        yield "image_latent is there for an image, or is not for a video"
    elif not is_image:
        yield from _array_problems("image", row["image_latent"], row["image_shape"], "float16", 4)
    for name in ("latent_mean", "latent_std"):
        if len(row[name] or []) != channels:
            yield f"{name} does not have {channels} channels"
    for text in row["text"] or []:
        depth = 1 if text["dtype"] == "uint8" else 2
        name = f"text {text['name']}"
        yield from _array_problems(name, text["values"], text["shape"], text["dtype"], depth)


def _array_problems(
    name: str, content: bytes | None, shape: Sequence[int] | None, dtype: str, depth: int
) -> Iterator[str]:
    if content is None or shape is None or len(shape) != depth or dtype not in DTYPE_BYTES:
        yield f"{name} is no {dtype} array of {depth} axes: {shape}"
    elif len(content) != math.prod(shape) * DTYPE_BYTES[dtype]:
        yield f"{name} has {len(content)} bytes, which are no {dtype} {[*shape]}"
