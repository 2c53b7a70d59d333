"""Videos from prompts by the model of a run: `moviola generate`, and samples during training."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, PngImagePlugin

from curation.buckets import ASPECTS, Aspect, size_of
from curation.media.samples import encode_video
from pipelines.rewriting import prompts_of
from pipelines.training_recipe import with_settings
from training.acceleration import device_of
from training.autoencoder.coder import Autoencoder, autoencoder
from training.generate import VideoShape, generate
from training.results import read_result
from training.run_folder import RunFolder
from training.settings import GenerationSettings, MachineSettings, TrainingRecipe
from training.sheet import contact_sheet
from training.text.encoders import TextEncoder, text_encoders

logger = logging.getLogger(__name__)

SHEET, LIST = "sheet.png", "videos.jsonl"


@dataclass(frozen=True)
class Format:
    """The form of a video."""

    shape: VideoShape
    fps: float | None
    """None for an image."""


@dataclass(frozen=True)
class Generator:
    """A model with all that it takes from a prompt to pixels."""

    model: torch.nn.Module
    autoencoder: Autoencoder
    encoders: Sequence[TextEncoder]
    settings: GenerationSettings
    machine: MachineSettings

    def videos(
        self, prompts: Sequence[str], shape: VideoShape, seeds: Sequence[int]
    ) -> list[npt.NDArray[np.uint8]]:
        """A video `[T, H, W, 3]`, RGB, of each prompt and seed."""
        encoded = [encoder(prompts) for encoder in self.encoders]
        specs = [encoder.spec for encoder in self.encoders]
        texts = [
            {spec.name: one[row] for spec, one in zip(specs, encoded, strict=True)}
            for row in range(len(prompts))
        ]
        return generate(
            self.model, self.autoencoder, texts, specs, shape, seeds, self.settings, self.machine
        )


def versions_of(coder: Autoencoder, encoders: Sequence[TextEncoder]) -> tuple[str, ...]:
    """The versions that a model's card holds."""
    return (coder.version, *(encoder.version for encoder in encoders))


def load_encoders(
    settings: MachineSettings, coder: Autoencoder, encoders: Sequence[TextEncoder]
) -> None:
    """Loads what lies between prompts, pixels and the model, which goes on with all its threads."""
    # Encoders are made for workers of one thread each, and bid PyTorch be one.
    threads = torch.get_num_threads()
    coder.load(settings.device, settings.precision)
    for encoder in encoders:
        encoder.load(settings.device)
    torch.set_num_threads(threads)


def load_generator(
    run: RunFolder,
    recipe: TrainingRecipe,
    stage: str | None,
    model_file: Path | None,
    weights: Path,
) -> tuple[Generator, str]:
    """The model of a finished stage, loaded, and the stage.

    Args:
        run: the run.
        recipe: its recipe, perhaps with other settings of generation or machine.
        stage: which stage's; None for the last that is finished.
        model_file: other weights than that stage's.
        weights: the folder of the packaged models' files.

    Raises:
        ValueError: there is no such model, or it is of other encoders than those that are there.
    """
    if stage is not None and stage not in recipe.stages:
        raise ValueError(f"{run.path} has no stage {stage!r}: {', '.join(recipe.stages)}")
    names = [stage] if stage else [*recipe.stages]
    finished = [name for name in names if run.result(name).is_file()]
    if not finished:
        raise ValueError(
            f"{run.path} has no finished stage {stage or ''}".rstrip()
            + ": the same `moviola train` goes on with it"
        )
    path = model_file or run.result(finished[-1])
    values, card = read_result(path)
    coder, encoders = autoencoder(recipe.autoencoder), text_encoders(recipe.text, weights)
    found = versions_of(coder, encoders)
    if found != card.versions:
        raise ValueError(
            f"{path} was trained with other encoders: {', '.join(card.versions)}, and here are "
            f"{', '.join(found)}"
        )
    model = card.build()
    model.load_state_dict(values)
    device = device_of(recipe.machine)
    load_encoders(recipe.machine, coder, encoders)
    generator = Generator(model.to(device), coder, encoders, recipe.generation, recipe.machine)
    return generator, finished[-1]


def typical_format(run: RunFolder, stage: str) -> Format:
    """The form of most samples that a stage was trained on.

    Raises:
        ValueError: the stage has not said so.
    """
    path = run.stage(stage) / "data.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["typical"]
        shape = VideoShape(found["num_frames"], found["height"], found["width"])
        return Format(shape, found["fps"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} does not say what the stage was trained on: {error!r}") from error


def asked_format(
    typical: Format,
    aspect: Aspect | None,
    base_px: int | None,
    num_frames: int | None,
    fps: float | None,
) -> Format:
    """What is asked for, and what is not asked for as in training."""
    shape = typical.shape
    height, width = shape.height, shape.width
    if aspect or base_px:
        area_px = base_px or round((height * width) ** 0.5)
        width, height = size_of(aspect or nearest_aspect(width, height), area_px)
    frames = num_frames or shape.num_frames
    rate = None if frames == 1 else fps or typical.fps or 16.0
    return Format(VideoShape(frames, height, width), rate)


def nearest_aspect(width: int, height: int) -> Aspect:
    """The aspect of the buckets that a size is nearest to."""
    return min(ASPECTS, key=lambda name: abs(np.log(ASPECTS[name] * height / width)))


def write_videos(
    folder: Path,
    videos: Sequence[npt.NDArray[np.uint8]],
    prompts: Sequence[str],
    fps: float | None,
    about: Sequence[Mapping[str, Any]],
) -> npt.NDArray[np.uint8]:
    """Writes the videos, a sheet of their frames and a list; returns the sheet, RGB `[H, W, 3]`.

    They are `000.mp4`, `001.mp4` and so on, images `.png`, each with its prompt in the file.

    Args:
        folder: made where it is missing.
        videos: `[T, H, W, 3]` each.
        prompts: of each.
        fps: frames per second; None for images.
        about: what else the list says of each, such as the seed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (video, prompt) in enumerate(zip(videos, prompts, strict=True)):
        name = f"{number:03d}.{'png' if fps is None else 'mp4'}"
        if fps is None:
            chunk = PngImagePlugin.PngInfo()
            chunk.add_itxt("Description", prompt)
            Image.fromarray(video[0]).save(folder / name, pnginfo=chunk)
        else:
            (folder / name).write_bytes(encode_video(video, fps, {"comment": prompt}))
        lines.append(json.dumps({"file": name, "prompt": prompt, "fps": fps} | dict(about[number])))
    (folder / LIST).write_text("\n".join(lines) + "\n", encoding="utf-8")
    sheet = contact_sheet(videos, prompts)
    Image.fromarray(sheet).save(folder / SHEET)
    return sheet


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


def generate_videos(path: Path, order: Order, folder: Path, weights: Path) -> list[dict[str, Any]]:
    """Generates and writes videos; what is not ordered is as in training.

    Args:
        path: the folder of a run.
        order: what is to be generated.
        folder: where to.
        weights: the folder of the packaged models' files.

    Returns:
        What was made, a row for each video, as `videos.jsonl` has it.

    Raises:
        ValueError: the run has no such model, a request no word, or a size is beyond the model.
    """
    run = RunFolder(path)
    recipe = with_settings(run.recipe(), order.sets)
    generator, stage = load_generator(run, recipe, order.stage, order.model, weights)
    form = asked_format(
        typical_format(run, stage), order.aspect, order.base_px, order.num_frames, order.fps
    )
    prompts = [*order.requests]
    if not order.raw:
        prompts = prompts_of(prompts, recipe.generation.rewriter, weights, form.fps)
    requests = [one for one in order.requests for _ in range(order.count)]
    prompts = [one for one in prompts for _ in range(order.count)]
    seeds = [order.seed + number for number in range(len(prompts))]
    videos = generator.videos(prompts, form.shape, seeds)
    about = [
        {"request": request, "seed": seed, "stage": stage} | asdict(form.shape)
        for request, seed in zip(requests, seeds, strict=True)
    ]
    write_videos(folder, videos, prompts, form.fps, about)
    lines = (folder / LIST).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


class Sampler:
    """Writes videos of a recipe's prompts during training, always from the same noise."""

    def __init__(self, generator: Generator, recipe: TrainingRecipe, form: Format) -> None:
        """Keeps what it needs.

        Args:
            generator: encoders and autoencoder, loaded; the model is given at each call.
            recipe: prompts, seed and settings.
            form: of the videos.
        """
        self._generator, self._recipe, self._form = generator, recipe, form

    def __call__(self, model: torch.nn.Module, folder: Path) -> npt.NDArray[np.uint8]:
        """Writes them, and returns the contact sheet."""
        samples = self._recipe.samples
        prompts, seeds = samples.prompts, [samples.seed] * len(samples.prompts)
        videos = replace(self._generator, model=model).videos(prompts, self._form.shape, seeds)
        about = [asdict(self._form.shape) | {"seed": seed} for seed in seeds]
        return write_videos(folder, videos, prompts, self._form.fps, about)
