"""What an autoencoder makes of clips that it was not trained on, and what its latents are like."""

from collections.abc import Sequence

import torch
from torch import Tensor

from training.autoencoder.crops import Crops
from training.autoencoder.quality import by_motion, motion, psnr, ssim
from training.autoencoder.tae import Tae

MAX_STATISTICS_CLIPS = 512
"""Clips that the mean and standard deviation of latents are measured on, at most."""

MIN_STD = 1e-4
"""Of a latent channel that nothing uses, so that dividing by it stays possible."""


@torch.no_grad()
def held_out_quality(model: Tae, crops: Crops, numbers: Sequence[int]) -> dict[str, float]:
    """PSNR in dB and SSIM, means over the frames of the middles of clips, and PSNR by motion.

    Args:
        model: what encodes and decodes.
        crops: where the clips are from.
        numbers: which.

    Returns:
        `psnr_db`, `ssim`, and `psnr_db_<third>` for the thirds of `quality.by_motion`; nothing
        without a clip that can be read.
    """
    found: list[tuple[float, float, float]] = []
    for number in numbers:
        video = crops.middle(number)
        if video is None:
            continue
        decoded = decoded_mean(model, video)
        values = (psnr(decoded, video), ssim(decoded, video), motion(video))
        found.append((float(values[0].mean()), float(values[1].mean()), float(values[2])))
    if not found:
        return {}
    columns = torch.tensor(found)
    thirds = by_motion(columns[:, 2], columns[:, 0])
    return {
        "psnr_db": float(columns[:, 0].mean()),
        "ssim": float(columns[:, 1].mean()),
        **{f"psnr_db_{name}_motion": value for name, value in thirds.items()},
    }


def decoded_mean(model: Tae, video_bcthw: Tensor) -> Tensor:
    """The video that the mean of the posterior decodes to, in [-1, 1], on the CPU."""
    device = next(model.parameters()).device
    posterior = model.encode(video_bcthw.to(device))
    decoded = model.decode(posterior.mean, video_bcthw.shape[2])
    height, width = video_bcthw.shape[3:]
    return decoded[..., :height, :width].clamp(-1, 1).cpu()


@torch.no_grad()
def latent_statistics(model: Tae, crops: Crops) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each latent channel over the clips that it was trained on."""
    device = next(model.parameters()).device
    every = -(-len(crops.long) // MAX_STATISTICS_CLIPS)
    total = torch.zeros(model.latent_channels, dtype=torch.float64)
    squares, count = torch.zeros_like(total), 0
    for number in crops.long[::every]:
        video = crops.middle(number)
        if video is None:
            continue
        latents = model.encode(video.to(device)).mean.double().cpu()
        total += latents.sum(dim=(0, 2, 3, 4))
        squares += latents.square().sum(dim=(0, 2, 3, 4))
        count += latents[:, 0].numel()
    if count == 0:
        raise ValueError("none of the clips can be read; the log says why")
    mean = total / count
    std = (squares / count - mean.square()).clamp(min=0).sqrt().clamp(min=MIN_STD)
    return mean.tolist(), std.tolist()
