"""Weights out of PyTorch's files, without running what stands in them.

Since version 1.6 `torch.save` writes a zip: `data.pkl`, which describes the tensors, and a file of
bare numbers per storage. Before, it wrote both into one file, one after the other. Either way the
description is a pickle, which `pickled` reads without doing what it says.
"""

import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from curation.models.pickled import Tensor, value

Array = npt.NDArray[Any]

BFLOAT16 = "torch BFloat16Storage"
"""NumPy has no such type; its numbers become float32, which holds each of them exactly."""

DTYPES: dict[str, np.dtype[Any]] = {
    "torch DoubleStorage": np.dtype("<f8"),
    "torch FloatStorage": np.dtype("<f4"),
    "torch HalfStorage": np.dtype("<f2"),
    BFLOAT16: np.dtype("<u2"),
    "torch LongStorage": np.dtype("<i8"),
    "torch IntStorage": np.dtype("<i4"),
    "torch ShortStorage": np.dtype("<i2"),
    "torch CharStorage": np.dtype("i1"),
    "torch ByteStorage": np.dtype("u1"),
    "torch BoolStorage": np.dtype("?"),
}

MAGIC = 0x1950A86A20F9469CFC6C
"""What files from before 1.6 begin with, as a pickle."""

_BROKEN = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)
"""What comes of reading a file that torch did not write, or not to its end."""


def tensors(path: Path) -> dict[str, Array]:
    """The tensors of a state dict that `torch.save` wrote, by name.

    Returns:
        Arrays of the tensors' shapes and types, read-only; tensors that share a storage share
        memory here too.

    Raises:
        ValueError: the file is missing or cut off, wants a global that is none of those of tensors,
            or holds anything but a dict of tensors; the message names the file and what was found.
    """
    try:
        with path.open("rb") as file:
            described, storages = _zipped(file) if zipfile.is_zipfile(file) else _joined(file)
        return {name: _array(tensor, storages) for name, tensor in described.items()}
    except _BROKEN as error:
        raise ValueError(f"{path} is no checkpoint that can be read: {error}") from error


def _zipped(file: IO[bytes]) -> tuple[dict[str, Tensor], dict[str, Array]]:
    with zipfile.ZipFile(file) as archive:
        programs = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(programs) != 1:
            raise ValueError(f"it has {len(programs)} members called data.pkl, not 1")
        root = programs[0].removesuffix("data.pkl")
        order = f"{root}byteorder"
        if order in archive.namelist() and _member(archive, order) != b"little":
            raise ValueError("its numbers are not little-endian")
        with archive.open(programs[0]) as program:
            described = _checked(value(program))
        return described, {
            key: np.frombuffer(_member(archive, f"{root}data/{key}"), dtype)
            for key, dtype in _dtypes(described).items()
        }


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    # PyTorch stores without compression; so no member is larger than the file.
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    return archive.read(name)


def _joined(file: IO[bytes]) -> tuple[dict[str, Tensor], dict[str, Array]]:
    file.seek(0)
    if value(file) != MAGIC:
        raise ValueError("it begins as no file of torch does")
    _version, system = value(file), value(file)
    if not system["little_endian"]:
        raise ValueError("its numbers are not little-endian")
    described = _checked(value(file))
    dtypes = _dtypes(described)
    storages = {}
    for key in value(file):
        length = int.from_bytes(file.read(8), "little")
        storages[key] = np.frombuffer(file.read(length * dtypes[key].itemsize), dtypes[key])
    return described, storages


def _checked(found: object) -> dict[str, Tensor]:
    if not isinstance(found, dict):
        raise ValueError(f"it holds no dict of tensors but {type(found).__name__}")
    for name, tensor in found.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise ValueError(f"it holds more than a dict of tensors: see {name!r}")
        if tensor.storage.dtype not in DTYPES:
            raise ValueError(f"{name} is of {tensor.storage.dtype}, which is not known here")
    return found


def _dtypes(described: dict[str, Tensor]) -> dict[str, np.dtype[Any]]:
    """Of each storage, by key."""
    storages = {tensor.storage for tensor in described.values()}
    return {storage.key: DTYPES[storage.dtype] for storage in storages}


def _array(tensor: Tensor, storages: dict[str, Array]) -> Array:
    """The tensor's view of its storage."""
    storage, offset, shape, strides = tensor
    numbers = storages[storage.key]
    if len(numbers) != storage.length:
        raise ValueError(f"a storage has {len(numbers)} numbers, not {storage.length}")
    if min(offset, *shape, *strides, 0) < 0:
        raise ValueError(f"shape {shape}, strides {strides}, offset {offset}: no tensor")
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if 0 not in shape and last >= len(numbers):
        raise ValueError(f"a tensor reaches to {last} in a storage of {len(numbers)}")
    if storage.dtype == BFLOAT16:
        numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
    return np.lib.stride_tricks.as_strided(
        numbers[offset:],
        shape,
        [step * numbers.itemsize for step in strides],
        writeable=False,
    )
