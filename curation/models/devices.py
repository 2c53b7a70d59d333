"""Where the models of PyTorch compute, and in which precision."""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Device = Literal["cpu", "cuda"]

Precision = Literal["float32", "float16", "bfloat16"]


def required(package: str) -> ModuleType:
    """The package of the extra `models`, imported: seconds, the first time.

    Raises:
        ValueError: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise ValueError(f"this model needs {error.name}: pip install 'moviola[models]'") from error


def ready(device: Device) -> "torch.device":
    """The device, and PyTorch told to compute on the calling thread alone.

    Raises:
        ValueError: PyTorch is not installed, or there is no GPU and `cuda` is asked for.
    """
    required("torch")
    import torch

    # Two processes of one thread each do more than one process of two, and Ray counts one.
    torch.set_num_threads(1)
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "a model has `device: cuda`, and PyTorch finds no GPU here; use `cpu`, or see with "
            "`moviola doctor` what is missing"
        )
    return torch.device(device)
