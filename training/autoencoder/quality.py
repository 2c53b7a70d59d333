"""How close decoded videos are to the originals, and how that depends on how much moves."""

import torch
from torch import Tensor
from torch.nn import functional

WINDOW, SIGMA = 11, 1.5
"""Side in pixels and standard deviation of the Gaussian window of SSIM."""

MOST_DB = 100.0
"""PSNR of frames that are the same."""

MOTION = ("low", "medium", "high")


def psnr(decoded_bcthw: Tensor, original_bcthw: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each frame, `[B, T]` dB, at most 100.

    Args:
        decoded_bcthw: in [-1, 1], so that the peak is 2.
        original_bcthw: the same shape.
    """
    errors = (decoded_bcthw.float() - original_bcthw.float()).square().mean(dim=(1, 3, 4))
    return (10 * (4 / errors.double()).log10()).clamp(max=MOST_DB).float()


def ssim(decoded_bcthw: Tensor, original_bcthw: Tensor) -> Tensor:
    """Structural similarity of each frame, `[B, T]`, mean over channels.

    Wang et al. 2004 (https://doi.org/10.1109/TIP.2003.819861): window of 11, sigma 1.5, K 0.01 and
    0.03, over the positions where the window lies inside of the frame.

    Args:
        decoded_bcthw: in [-1, 1], sides of at least 11 px.
        original_bcthw: the same shape.
    """
    batch, channels, frames = decoded_bcthw.shape[:3]
    x, y = (
        video.double().transpose(1, 2).reshape(-1, 1, *video.shape[3:])
        for video in (decoded_bcthw, original_bcthw)
    )
    mean_x, mean_y = _blurred(x), _blurred(y)
    # Weighted moments, without the correction for the size of a sample: the paper's.
    variance_x = _blurred(x * x) - mean_x * mean_x
    variance_y = _blurred(y * y) - mean_y * mean_y
    covariance = _blurred(x * y) - mean_x * mean_y
    c1, c2 = (2 * 0.01) ** 2, (2 * 0.03) ** 2
    likeness = ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / (
        (mean_x * mean_x + mean_y * mean_y + c1) * (variance_x + variance_y + c2)
    )
    return likeness.mean(dim=(1, 2, 3)).view(batch, frames, channels).mean(dim=2).float()


def _blurred(images_n1hw: Tensor) -> Tensor:
    at = torch.arange(WINDOW, dtype=images_n1hw.dtype, device=images_n1hw.device) - WINDOW // 2
    weights = (-(at**2) / (2 * SIGMA**2)).exp()
    weights = weights / weights.sum()
    rows = functional.conv2d(images_n1hw, weights.view(1, 1, -1, 1))
    return functional.conv2d(rows, weights.view(1, 1, 1, -1))


def motion(video_bcthw: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring frames, `[B]`; 0 for images."""
    if video_bcthw.shape[2] < 2:
        return torch.zeros(video_bcthw.shape[0])
    return video_bcthw.float().diff(dim=2).abs().mean(dim=(1, 2, 3, 4))


def by_motion(motions: Tensor, values: Tensor) -> dict[str, float]:
    """Mean of a value in each third of the videos, by how much moves in them.

    Args:
        motions: of `motion`, `[N]`.
        values: what is averaged, `[N]`.

    Returns:
        By `low`, `medium` and `high`; a third that nothing falls into is left out.
    """
    order = motions.argsort(stable=True)
    thirds = values[order].tensor_split(len(MOTION))
    named = zip(MOTION, thirds, strict=True)
    return {name: float(third.mean()) for name, third in named if len(third)}
