"""An autoencoder whose latents can be told without PyTorch, for tests of what is around one."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from curation.models.devices import Device
from training.autoencoder.coder import Autoencoder, Precision


class BlockMeans(Autoencoder):
    """Mean colour of blocks of 8x8 px and 8 frames, the last frame repeated; red as a channel."""

    latent_channels, space_factor = 3, 8
    mean, std = [0.0, 0.25, 0.5], [1.0, 2.0, 4.0]

    def __init__(self, version: str = "means-1", *, breaks_at: float | None = None) -> None:
        self.version, self._breaks_at = version, breaks_at
        self._is_loaded = False

    def load(self, device: Device, precision: Precision = "float32") -> None:
        self._is_loaded = True

    def latent_frames(self, num_frames: int) -> int:
        return -(-num_frames // 8)

    def encode(self, video_bcthw: Tensor) -> Tensor:
        assert self._is_loaded
        assert video_bcthw.shape[1] == 3 and video_bcthw.min() >= -1 and video_bcthw.max() <= 1
        count = video_bcthw.shape[2]
        rest = -count % 8 if count > 1 else 0
        last = video_bcthw[:, :, -1:].expand(-1, -1, rest, -1, -1)
        whole = torch.cat([video_bcthw, last], 2)
        pooled = functional.avg_pool3d(whole, (min(8, whole.shape[2]), 8, 8))
        if self._breaks_at is not None:
            pooled[0, 0, 0, 0, 0] = self._breaks_at
        mean, std = (torch.tensor(one).view(1, 3, 1, 1, 1) for one in (self.mean, self.std))
        return (pooled - mean) / std

    def decode(self, latents_bcthw: Tensor, num_frames: int) -> Tensor:
        mean, std = (torch.tensor(one).view(1, 3, 1, 1, 1) for one in (self.mean, self.std))
        whole = (latents_bcthw * std + mean).repeat_interleave(8, 2)[:, :, :num_frames]
        return whole.repeat_interleave(8, 3).repeat_interleave(8, 4)


def block_means(frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """The same of frames `[T, H, W, 3]`, `[3, t, h, w]`, computed another way."""
    count, height, width, _ = frames.shape
    times = 8 if count > 1 else 1
    padded = np.concatenate([frames, np.repeat(frames[-1:], -count % times, axis=0)])
    blocks = padded.reshape(len(padded) // times, times, height // 8, 8, width // 8, 8, 3)
    means = blocks.mean((1, 3, 5)).transpose(3, 0, 1, 2) / 127.5 - 1
    mean, std = (np.reshape(one, (3, 1, 1, 1)) for one in (BlockMeans.mean, BlockMeans.std))
    return np.asarray((means - mean) / std)


def array(content: bytes, shape: list[int], dtype: str = "<f2") -> npt.NDArray[np.generic]:
    """A stored array."""
    return np.frombuffer(content, dtype).reshape(shape)


def caption(row: int) -> str:
    """What is written of the row of a shard, in words with a quotation."""
    return f'A bright pattern drifts past a wall that says "WALL {row}".'
