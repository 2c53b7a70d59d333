"""What makes the same numbers come faster, or in less memory."""

from functools import partial

import torch
from torch.utils.checkpoint import checkpoint

from training.autoencoder.settings import Precision
from training.settings import MachineSettings
from training.transformer import Transformer

MOST_GRAPHS = 64
"""Graphs of a block that `torch.compile` may make: for shapes of buckets, lengths of texts, with
gradients and without. PyTorch's own limit of 8 would end a run with many buckets."""


def accelerate(model: Transformer, settings: MachineSettings) -> None:
    """Prepares the blocks: first to keep their inputs only, then compiled, each as one graph.

    Names of parameters stay as they are.
    """
    for block in model.blocks.values():
        if settings.activation_checkpointing:
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)
        if settings.compile:
            block.compile(fullgraph=True, recompile_limit=MOST_GRAPHS)


def autocast(device: str, precision: Precision) -> torch.autocast:
    """In there networks compute in that precision; a new one for each use, by one thread.

    Weights stay in float32, and so do the loss and times.
    """
    return torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16")


def device_of(settings: MachineSettings) -> torch.device:
    """The device; PyTorch is told how many threads of the CPU it may use.

    Raises:
        ValueError: `cuda` is asked for, and there is none.
    """
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "machine.device is cuda, and PyTorch finds no GPU here; `moviola doctor` says what is "
            "missing, and --set machine.device=cpu does without"
        )
    if settings.cpu_threads is not None:
        torch.set_num_threads(settings.cpu_threads)
    return torch.device(settings.device)
