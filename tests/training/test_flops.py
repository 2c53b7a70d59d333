import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import training.flops
from tests.training.small_transformers import (
    CHANNELS,
    SHAPE,
    SPECS,
    latents,
    stirred,
    texts,
    times,
    transformer,
)
from training.blocks import TIME_FEATURES
from training.flops import (
    block_flops,
    forward_flops,
    measured_matmul_peak,
    mfu,
    peak,
    training_flops,
)
from training.transformer import SHAPES

BATCH, PATCHES = 2, 3 * 4 * 5


def counted(backward):
    """What PyTorch counts for a batch, and what we say of one of its samples' forward pass."""
    model, text = stirred(transformer()), texts(BATCH)
    # Attention as plain products, which are counted everywhere.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        found = model(latents(BATCH, 3, 8, 10), times(BATCH), text)
        if backward:
            found.sum().backward()
    lengths = {name: mask.shape[1] for name, mask in text.masks.items()}
    said = forward_flops(SHAPE, CHANNELS, SPECS, PATCHES, lengths)
    return counter.get_total_flops(), said


def test_forward_is_what_pytorch_counts():
    count, said = counted(backward=False)
    assert count == BATCH * said


def test_training_is_what_pytorch_counts_but_for_gradients_of_what_is_given():
    count, said = counted(backward=True)
    # No parameter is behind latents and times. Behind embeddings of a text is its null token.
    given = PATCHES * CHANNELS * 4 + TIME_FEATURES
    assert count == BATCH * (training_flops(said) - 2 * given * SHAPE.dim)


def test_attention_is_the_share_of_movie_gens_cost_that_follows_from_its_sizes():
    def share(num_patches):
        shape = SHAPES["30b"]
        attended = 4 * shape.dim * num_patches**2
        return attended / block_flops(shape, num_patches, 0)

    # 256 frames of 768 and of 256 px.
    assert share(32 * 48 * 48) == pytest.approx(0.63, abs=0.01)
    assert share(32 * 16 * 16) == pytest.approx(0.16, abs=0.01)


@pytest.mark.parametrize(
    ("name", "bfloat16", "float32"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12, 67e12),
        ("NVIDIA H100 PCIe", 756e12, 51e12),
        ("NVIDIA H100 NVL", 835e12, 60e12),
        ("NVIDIA H200", 989e12, 67e12),
        ("NVIDIA A100-SXM4-80GB", 312e12, 19.5e12),
        ("NVIDIA B200", 2250e12, None),
        ("NVIDIA GB200", 2500e12, None),
        ("NVIDIA L40S", 362e12, 91.6e12),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", None, None),
        ("NVIDIA GeForce GTX 1080", None, None),
    ],
)
def test_the_peak_of_a_gpu_is_known_by_its_name_or_is_not_said(name, bfloat16, float32):
    assert (peak(name, "bfloat16"), peak(name, "float32")) == (bfloat16, float32)


def test_utilisation_is_the_share_of_the_peak_and_unknown_without_one():
    assert mfu(989e12, 2.0, 989e12) == 0.5
    assert mfu(989e12, 2.0, None) is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_processor_measures_its_own_peak(dtype, monkeypatch):
    monkeypatch.setattr(training.flops, "MATMUL_SIDE", 512)
    found = measured_matmul_peak(torch.device("cpu"), dtype)
    assert 1e8 < found < 1e15
