"""What a step costs in operations, and the share of the machine's peak that it reaches.

Only products of matrices count, two operations for each pair of numbers multiplied, and padding as
what it is padded to. Attention counts in full, as it looks in both directions. What activation
checkpointing computes twice counts once: this is model FLOP utilisation, MFU, of PaLM
(https://arxiv.org/abs/2204.02311, appendix B).
"""

import time
from collections.abc import Mapping, Sequence

import torch

from training.autoencoder.settings import Precision
from training.blocks import TIME_FEATURES
from training.text.spec import TextSpec
from training.transformer import PATCH, Shape

BACKWARD_TO_FORWARD = 2
"""Two products for each one forward: by the inputs and by the weights. The layers that read the
model's inputs need only the latter, which is not worth telling apart."""


PEAKS: Sequence[tuple[tuple[str, ...], float, float | None]] = (
    (("GB200",), 2500e12, None),
    (("B200",), 2250e12, None),
    (("H200", "NVL"), 836e12, 60e12),
    (("H200",), 989e12, 67e12),
    (("H100", "NVL"), 835e12, 60e12),
    (("H100", "PCIe"), 756e12, 51e12),
    (("H100",), 989e12, 67e12),
    (("A100",), 312e12, 19.5e12),
    (("L40S",), 362e12, 91.6e12),
    (("MI300X",), 1307e12, 163.4e12),
)
"""Parts of a GPU's name, the first row that fits; operations per second in bfloat16 without
sparsity, and in float32 without TF32 where known. From the makers' data sheets."""

MATMUL_SIDE = 2048
MATMUL_REPEATS = 3


def block_flops(shape: Shape, num_patches: int, num_text_tokens: int) -> int:
    """Operations of one block, forward, for one sample."""
    dim = shape.dim
    # Of patches: query, key, value and out of the one attention, query and out of the other.
    by_patch = 6 * dim * dim + 3 * dim * shape.ffn_dim
    by_token = 2 * dim * dim
    attended = 2 * dim * num_patches * (num_patches + num_text_tokens)
    return 2 * (num_patches * by_patch + num_text_tokens * by_token + attended)


def text_flops(spec: TextSpec, num_tokens: int, dim: int) -> int:
    """Operations on what one text encoder says, forward, for one sample.

    Args:
        spec: the text encoder, which itself does not count unless it is trained along.
        num_tokens: the tokens that it gives, padding included.
        dim: width of the transformer.
    """
    by_token = spec.dim * dim
    attended = 0
    if spec.kind == "bytes":
        by_token += spec.num_layers * 12 * spec.dim * spec.dim
        attended = spec.num_layers * 2 * spec.dim * num_tokens * num_tokens
    return 2 * (num_tokens * by_token + attended)


def forward_flops(
    shape: Shape,
    latent_channels: int,
    text: Sequence[TextSpec],
    num_patches: int,
    num_text_tokens: Mapping[str, int],
) -> int:
    """Operations of the transformer, forward, for one sample.

    Args:
        shape: the transformer's.
        latent_channels: channels of the latents.
        text: the text encoders.
        num_patches: patches of the sample.
        num_text_tokens: by the text encoder's name, padding included.
    """
    dim = shape.dim
    ends = 2 * num_patches * latent_channels * PATCH * PATCH * dim
    steering = TIME_FEATURES * dim + 9 * dim * dim
    of_text = sum(text_flops(spec, num_text_tokens[spec.name], dim) for spec in text)
    of_block = block_flops(shape, num_patches, sum(num_text_tokens.values()))
    return 2 * (ends + steering) + of_text + shape.num_layers * of_block


def training_flops(forward: int) -> int:
    """Operations of forward and backward pass, of those of the forward pass."""
    return (1 + BACKWARD_TO_FORWARD) * forward


def peak(device_name: str, precision: Precision) -> float | None:
    """Operations per second that a GPU could do at most; None where that is not known.

    Args:
        device_name: as `torch.cuda.get_device_name` gives it.
        precision: what is computed in.
    """
    if " MIG " in device_name:  # a slice of a GPU, and not the whole
        return None
    for parts, bfloat16, float32 in PEAKS:
        if all(part in device_name for part in parts):
            return bfloat16 if precision == "bfloat16" else float32
    return None


def measured_matmul_peak(device: torch.device, dtype: torch.dtype) -> float:
    """Operations per second of a large product of matrices, for processors without a data sheet.

    It takes about a second on a CPU, with as many threads as PyTorch has.
    """
    left, right = (
        torch.rand(MATMUL_SIDE, MATMUL_SIDE, device=device, dtype=dtype) for _ in range(2)
    )
    torch.mm(left, right)
    shortest_s = min(_matmul_s(left, right) for _ in range(MATMUL_REPEATS))
    return 2 * MATMUL_SIDE**3 / shortest_s


def mfu(flops: float, seconds: float, peak_per_s: float | None) -> float | None:
    """The share of the peak that was reached, 0 to 1; None where the peak is not known."""
    return None if peak_per_s is None else flops / seconds / peak_per_s


def _matmul_s(left: torch.Tensor, right: torch.Tensor) -> float:
    began_s = time.perf_counter()
    torch.mm(left, right)
    if left.is_cuda:
        torch.cuda.synchronize(left.device)
    return time.perf_counter() - began_s
