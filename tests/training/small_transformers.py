"""Transformers that a test can afford, with weights that let every part of them be seen."""

import numpy as np
import torch

from training.randomness import initialise, normal
from training.settings import PositionSettings
from training.text.conditioning import TextBatch, collate
from training.text.spec import TextSpec
from training.transformer import Shape, Transformer

CHANNELS = 3
SHAPE = Shape(num_layers=2, dim=24, ffn_dim=40, num_heads=3)
SPECS = (
    TextSpec(name="words", dim=10, max_tokens=7, kind="embedding"),
    TextSpec(name="letters", dim=8, max_tokens=9, kind="bytes", num_layers=1),
)


def stirred(module, seed=1, std=0.2):
    """The module with random numbers in all parameters, those that start at zero included."""
    initialise(module, seed, lambda name, parameter: std)
    return module


def transformer(frames=3, height=4, width=5, shape=SHAPE, growth="extend"):
    positions = PositionSettings(frames=frames, height=height, width=width, growth=growth)
    return Transformer(shape, CHANNELS, positions, SPECS)


def latents(*shape, seed=0):
    """[B, C, T, H, W] of the sizes given but C."""
    batch, frames, height, width = shape
    return normal((batch, CHANNELS, frames, height, width), seed, "latents")


def texts(batch, dropped=(), seed=0) -> TextBatch:
    """Samples with 3 to 6 tokens and 2 to 5 letters."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "words": rng.standard_normal((3 + row % 4, 10)).astype(np.float32),
            "letters": rng.integers(0, 256, 2 + row % 4).astype(np.uint8),
        }
        for row in range(batch)
    ]
    return collate(rows, SPECS, [row in dropped for row in range(batch)])


def times(batch):
    return torch.linspace(0.1, 0.9, batch)
