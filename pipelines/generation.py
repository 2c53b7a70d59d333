"""Videos from prompts by the model of a run: `moviola generate`, and samples during training."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin

from curation.buckets import Aspect
from curation.media.samples import encode_video
from pipelines.gpu_memory import enough_gpu_memory
from pipelines.rewriting import prompts_of
from pipelines.training_recipe import with_settings
from pipelines.video_format import Format, asked_format, typical_format
from pipelines.video_model import Video, VideoModel, load_video_model
from training.run_folder import RunFolder
from training.settings import SamplesSettings
from training.sheet import contact_sheet
from training.transformer import Transformer

SHEET, LIST = "sheet.png", "videos.jsonl"

SHEET_FRAMES = 8
"""Frames of a video on the sheet."""

SHEET_FRAME_PX = 192
"""Frames that are higher are made smaller for the sheet."""

SHEET_VIDEOS = 64
"""The sheet has no more rows, so that it can be looked at."""


_NUMBERED = re.compile(r"[0-9]{3,}\.(mp4|png)")


@dataclass(frozen=True)
class Take:
    """A video that is to be made."""

    prompt: str
    seed: int
    about: Mapping[str, Any] = field(default_factory=dict)
    """What else the list says of it."""


def make_videos(
    model: VideoModel,
    takes: Sequence[Take],
    form: Format,
    folder: Path,
    on_video: Callable[[Mapping[str, Any]], None] = lambda row: None,
) -> npt.NDArray[np.uint8]:
    """Makes and writes one video after the other; what is written stays if it is stopped.

    They are `000.mp4`, `001.mp4` and so on, images `.png`, each with its prompt in the file.
    `videos.jsonl` has a line for each, and `sheet.png` frames of the first `SHEET_VIDEOS`. What an
    earlier call has written there is removed first.

    Args:
        model: makes them.
        takes: which, one at least.
        form: of all of them.
        folder: made where it is missing.
        on_video: gets the row of each in the list, once the video is there.

    Returns:
        The sheet, RGB `[H, W, 3]`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in [*folder.iterdir()]:
        if path.name == SHEET or _NUMBERED.fullmatch(path.name):
            path.unlink()
    strips: list[Video] = []
    with (folder / LIST).open("w", encoding="utf-8") as rows:
        for number, take in enumerate(takes):
            video = model.video(take.prompt, form.shape, take.seed)
            file = _write(folder, f"{number:03d}", video, take.prompt, form.fps)
            row = {"file": file, "prompt": take.prompt, "seed": take.seed}
            row |= form.plain() | dict(take.about)
            rows.write(json.dumps(row) + "\n")
            rows.flush()
            on_video(row)
            if number < SHEET_VIDEOS:
                strips.append(strip(video))
    sheet = contact_sheet(strips, [one.prompt for one in takes[: len(strips)]], SHEET_FRAMES)
    Image.fromarray(sheet).save(folder / SHEET)
    return sheet


def _write(folder: Path, stem: str, video: Video, prompt: str, fps: float | None) -> str:
    """Writes a video, or an image where it has no rate, and returns the name of the file."""
    if fps is not None:
        (folder / f"{stem}.mp4").write_bytes(encode_video(video, fps, {"comment": prompt}))
        return f"{stem}.mp4"
    chunk = PngImagePlugin.PngInfo()
    chunk.add_itxt("Description", prompt)
    Image.fromarray(video[0]).save(folder / f"{stem}.png", pnginfo=chunk)
    return f"{stem}.png"


def strip(video: Video) -> Video:
    """What the sheet shows of a video: a few frames from its first to its last, small."""
    count = min(SHEET_FRAMES, len(video))
    chosen = np.linspace(0, len(video) - 1, count).round().astype(int)
    factor = -(-video.shape[1] // SHEET_FRAME_PX)
    return np.stack([np.asarray(Image.fromarray(video[one]).reduce(factor)) for one in chosen])


@dataclass(frozen=True)
class Order:
    """What is to be generated."""

    requests: Sequence[str]
    seed: int
    """Of the first video; every further one has the next."""

    count: int
    """Videos of each request."""

    stage: str | None
    model: Path | None
    """Other weights than a stage's, such as a mean of several runs."""

    aspect: Aspect | None
    base_px: int | None
    num_frames: int | None
    fps: float | None
    raw: bool
    """Whether the requests are complete prompts."""

    sets: Sequence[str]
    """Settings that differ from the run's, as `--set` has them."""


def generate_videos(
    path: Path,
    order: Order,
    folder: Path,
    weights: Path,
    on_video: Callable[[Mapping[str, Any]], None] = lambda row: None,
) -> None:
    """Generates and writes videos; what is not ordered is as in training.

    Args:
        path: the folder of a run.
        order: what is to be generated.
        folder: where to.
        weights: the folder of the packaged models' files.
        on_video: gets a row for each video, as `videos.jsonl` has it, once the video is there.

    Raises:
        ValueError: the run has no such model, a request no word, or a size is beyond the model.
        TrainingError: the memory of the GPU does not suffice.
    """
    run = RunFolder(path)
    recipe = with_settings(run.recipe(), order.sets)
    with enough_gpu_memory("ask for fewer --frames or a smaller --base-px"):
        model, stage = load_video_model(run, recipe, order.stage, order.model, weights)
        form = asked_format(
            typical_format(run, stage), order.aspect, order.base_px, order.num_frames, order.fps
        )
        prompts = [*order.requests]
        if not order.raw:
            prompts = prompts_of(prompts, recipe.generation.rewriter, weights, form.fps)
        pairs = [
            pair for pair in zip(prompts, order.requests, strict=True) for _ in range(order.count)
        ]
        takes = [
            Take(prompt, order.seed + number, {"request": request, "stage": stage})
            for number, (prompt, request) in enumerate(pairs)
        ]
        make_videos(model, takes, form, folder, on_video)


class Sampler:
    """Writes videos of a recipe's prompts during training, always from the same noise."""

    def __init__(self, model: VideoModel, settings: SamplesSettings, form: Format) -> None:
        """Keeps what it needs.

        Args:
            model: encoders and autoencoder, loaded; the transformer is given at each call.
            settings: prompts and seed.
            form: of the videos.
        """
        self._model, self._form = model, form
        self._takes = [Take(prompt, settings.seed) for prompt in settings.prompts]

    def __call__(self, model: Transformer, folder: Path) -> npt.NDArray[np.uint8]:
        """Writes them, and returns the contact sheet."""
        with enough_gpu_memory("samples are too large for it; samples.prompts=[] does without"):
            return make_videos(replace(self._model, model=model), self._takes, self._form, folder)
