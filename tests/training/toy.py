"""A tiny model and batches of made latents, as a stage sees them."""

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.data.buckets import Bucket
from training.data.loader import Batch, State
from training.evaluation import HeldOutBatch
from training.flow import time_of
from training.loop import StageWork
from training.randomness import normal, uniform
from training.results import ModelCard
from training.settings import PositionSettings, TimeSettings, TrainingRecipe
from training.state import TrainingState
from training.text.conditioning import TextBatch, collate
from training.text.spec import TextSpec
from training.transformer import Shape

CHANNELS = 4
SPECS = (TextSpec("words", 6, 8, "embedding"), TextSpec("letters", 8, 8, "bytes", 1))
BUCKETS = (Bucket(2, 4, 4), Bucket(1, 4, 6), Bucket(2, 2, 4))
STEPS_PER_EPOCH = 5


def recipe(**stage: Any) -> TrainingRecipe:
    """One stage of twelve steps, and another after it."""
    first = {
        "steps": 12,
        "data": {"subset": "toy", "tokens_per_micro_batch": None},
        "optimizer": {"learning_rate": 3e-3, "warmup_steps": 3},
        "positions": {"frames": 2, "height": 3, "width": 3},
        "ema_decay": 0.9,
    } | stage
    return TrainingRecipe.model_validate(
        {
            "seed": 7,
            "text": {"words": {"kind": "minilm"}},
            "transformer": {"num_layers": 2, "dim": 16, "ffn_dim": 24, "num_heads": 2},
            "stages": {"first": first, "second": first | {"steps": 4}},
            "evaluation": {"every_steps": 5, "num_times": 3},
            "checkpoints": {"every_steps": 4, "keep": 3},
            "machine": {"log_every_steps": 5, "prefetch": 0},
        }
    )


def card(positions: PositionSettings | None = None) -> ModelCard:
    return ModelCard(
        Shape(2, 16, 24, 2),
        CHANNELS,
        positions or PositionSettings(frames=2, height=3, width=3),
        SPECS,
        ("tae:1", "words:1"),
    )


def text(names: list[str], dropped: list[bool]) -> TextBatch:
    said = [
        {
            "words": normal((3 + len(name) % 3, 6), 1, "words", name).numpy(),
            "letters": np.frombuffer(name.encode(), np.uint8),
        }
        for name in names
    ]
    return collate(said, SPECS, dropped)


def latents(names: list[str], bucket: Bucket) -> torch.Tensor:
    shape = (CHANNELS, bucket.frames, bucket.height, bucket.width)
    common = normal(shape, 2, "common")
    return torch.stack([0.9 * common + 0.4 * normal(shape, 2, "own", name) for name in names])


def batch(state: State, seed: int = 7) -> Batch:
    """The batch at a place: one of three buckets, of two to four samples."""
    number = state.epoch * STEPS_PER_EPOCH + state.step
    bucket = BUCKETS[number % 3]
    names = [f"{number % 4}-{one}" for one in range(2 + number % 3)]
    data = latents(names, bucket)
    noise = [normal(data.shape[1:], seed, "noise", name, number) for name in names]
    times = torch.tensor([uniform(seed, "time", name, number) for name in names])
    step = state.step + 1
    after = State(state.epoch + 1, 0) if step == STEPS_PER_EPOCH else State(state.epoch, step)
    return Batch(
        bucket,
        bucket.frames == 1,
        tuple(names),
        tuple(range(len(names))),
        (number,) * len(names),
        data,
        torch.stack(noise),
        time_of(times, TimeSettings()),
        text(names, [uniform(seed, "drop", name, number) < 0.2 for name in names]),
        (),
        after,
    )


def batches(state: TrainingState) -> Generator[Batch, None, None]:
    place = state.data
    while True:
        made = batch(place)
        yield made
        place = made.next_state


def held_out() -> Iterator[HeldOutBatch]:
    names = ["held-1", "held-2", "held-3"]
    yield HeldOutBatch(
        tuple(names),
        BUCKETS[0].name,
        latents(names, BUCKETS[0]),
        text(names, [False] * 3),
        (1, 1, None),
        ("a", "b", "b"),
    )


def work(folder: Path, settings: TrainingRecipe | None = None, **changes: Any) -> StageWork:
    made = StageWork(
        "first",
        settings or recipe(),
        folder,
        card(),
        batches,
        held_out,
        None,
        begins_at_zero=True,
        peak_flops=1e9,
    )
    return replace(made, **changes)
