"""Videos from prompts: noise, the flow with guidance, then the autoencoder's decoder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from training.acceleration import autocast
from training.autoencoder.coder import Autoencoder
from training.data.buckets import Bucket
from training.flow import guided
from training.randomness import normal
from training.schedules import schedule
from training.settings import GenerationSettings, MachineSettings
from training.solvers import solve
from training.text.conditioning import TextBatch, collate
from training.text.spec import TextSpec
from training.transformer import Transformer


@dataclass(frozen=True)
class VideoShape:
    """What is asked for, in pixels."""

    num_frames: int
    height: int
    width: int


def latent_shape(shape: VideoShape, autoencoder: Autoencoder) -> tuple[int, int, int, int]:
    """The `[C, T, H, W]` of the latent of a video."""
    factor = autoencoder.space_factor
    return (
        autoencoder.latent_channels,
        autoencoder.latent_frames(shape.num_frames),
        -(-shape.height // factor),
        -(-shape.width // factor),
    )


def noise_of(shape: Sequence[int], seeds: Sequence[int]) -> Tensor:
    """The noise `[B, C, T, H, W]` that videos of these seeds start from, whatever else is made."""
    return torch.stack([normal(shape, seed, "generate") for seed in seeds])


@torch.inference_mode()
def generate_latents(
    model: nn.Module,
    text: TextBatch,
    noise_BCTHW: Tensor,
    settings: GenerationSettings,
    machine: MachineSettings,
) -> Tensor:
    """Latents `[B, C, T, H, W]`, standardised, on the CPU.

    With a guidance of 1 the model is asked once a step, else once for all samples with and without
    their prompts.

    Args:
        model: gives the velocity of `[B, C, T, H, W]` at times `[B]` under a text.
        text: the encoded prompts.
        noise_BCTHW: where the flow starts.
        settings: solver, schedule, steps, guidance.
        machine: where it is computed, and in which precision.
    """
    device = next(model.parameters()).device
    count = len(noise_BCTHW)
    both = text.joined(text.nulled()).to(device)
    conditional = text.to(device)

    def field(x: Tensor, t: float) -> Tensor:
        with autocast(machine.device, machine.precision):
            if settings.guidance == 1:
                found: Tensor = model(x, torch.full((count,), t, device=device), conditional)
                return found
            times = torch.full((2 * count,), t, device=device)
            pair: Tensor = model(torch.cat([x, x]), times, both)
        return guided(pair[:count], pair[count:], settings.guidance)

    grid = schedule(settings.schedule, settings.steps, settings.shift)
    was_training = model.training
    model.eval()
    try:
        return solve(field, noise_BCTHW.to(device), grid, settings.solver).float().cpu()
    finally:
        model.train(was_training)


def rgb_frames(video_CTHW: Tensor) -> npt.NDArray[np.uint8]:
    """A video in [-1, 1] as RGB `[T, H, W, 3]`, 0 to 255."""
    scaled = (video_CTHW.clamp(-1, 1) + 1) * 127.5
    return scaled.round().to(torch.uint8).permute(1, 2, 3, 0).cpu().numpy()


def generate(
    model: Transformer,
    autoencoder: Autoencoder,
    texts: Sequence[Mapping[str, npt.NDArray[np.generic]]],
    specs: Sequence[TextSpec],
    shape: VideoShape,
    seeds: Sequence[int],
    settings: GenerationSettings,
    machine: MachineSettings,
) -> list[npt.NDArray[np.uint8]]:
    """A video `[T, H, W, 3]`, RGB, for each text and seed.

    Args:
        model: the transformer.
        autoencoder: loaded, the one whose latents the transformer was trained on.
        texts: each prompt by each text encoder.
        specs: of the encoders.
        shape: of the videos.
        seeds: one for each text.
        settings: solver, schedule, steps, guidance.
        machine: where it is computed, and in which precision.
    """
    batch = collate(texts, specs, [False] * len(texts))
    sizes = latent_shape(shape, autoencoder)
    # Before so much noise is made that there is no memory for it.
    model.positions.check(*Bucket(*sizes[1:]).patches)
    noise = noise_of(sizes, seeds)
    latents = generate_latents(model, batch, noise, settings, machine)
    videos = []
    for latent in latents:  # one by one: decoding needs far more memory than the flow
        video = autoencoder.decode(latent[None], shape.num_frames)[0]
        videos.append(rgb_frames(video[:, :, : shape.height, : shape.width]))
    return videos
