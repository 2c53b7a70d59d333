"""Coding of long videos piece by piece in time, after section 3.1.1 of Movie Gen.

The encoder's pieces do not overlap; the decoder's do, and are blended linearly where they do.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from training.autoencoder.patches import FACTOR


def encode_tiled(encode: Callable[[Tensor], Tensor], video_bcthw: Tensor, frames: int) -> Tensor:
    """The latents of a video, those of its pieces one after the other.

    Args:
        encode: latents `[B, C, ceil(T / 8), H', W']` of a video.
        video_bcthw: of any length.
        frames: of a piece, a multiple of 8; the last may be shorter.
    """
    return torch.cat([encode(piece) for piece in torch.split(video_bcthw, frames, dim=2)], dim=2)


def decode_tiled(
    decode: Callable[[Tensor, int], Tensor],
    latents_bcthw: Tensor,
    num_frames: int,
    frames: int,
    overlap: int,
) -> Tensor:
    """The video of latents, of pieces that overlap.

    Where two pieces share N frames, frame j of these, from 0, is `j/N` of the later piece and the
    rest of the earlier, so that the video goes over from one to the other without a jump.

    Args:
        decode: the video `[B, 3, n, H, W]` of latents and n, at most 8 for each latent frame.
        latents_bcthw: of any length.
        num_frames: of the video.
        frames: of a piece, a multiple of 8.
        overlap: frames that neighbours share, a multiple of 8 below `frames`.
    """
    size, stride = frames // FACTOR, (frames - overlap) // FACTOR
    total = latents_bcthw.shape[2]
    pieces: list[Tensor] = []
    start = 0
    while True:
        piece = latents_bcthw[:, :, start : start + size]
        wanted = min(piece.shape[2] * FACTOR, num_frames - start * FACTOR)
        decoded = decode(piece, wanted)
        if pieces and overlap:
            later = torch.arange(overlap, device=decoded.device).view(1, 1, -1, 1, 1) / overlap
            blend = (1 - later) * pieces.pop() + later * decoded[:, :, :overlap]
            decoded = torch.cat([blend, decoded[:, :, overlap:]], dim=2)
        if start + size >= total:
            return torch.cat([*pieces, decoded], dim=2)
        pieces += decoded.tensor_split([stride * FACTOR], dim=2) if overlap else [decoded]
        start += stride
