"""Against timm's network of the same name, which pads and normalises by code of its own."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import timm
import torch

from curation.models.checkpoint import tensors
from curation.models.efficientnet import FILE, EfficientNetLite0, network_input


@pytest.fixture(scope="module")
def network(model_weights: Path) -> EfficientNetLite0:
    return EfficientNetLite0(model_weights)


def noise(count: int) -> np.ndarray:
    """Pictures of soft colours in several sizes of grain."""
    rng = np.random.default_rng(3)
    sizes = [4 << (number % 5) for number in range(count)]
    small = [rng.integers(0, 256, (size, size, 3), dtype=np.uint8) for size in sizes]
    return np.stack([cv2.resize(one, (224, 224), interpolation=cv2.INTER_CUBIC) for one in small])


def renamed(own: str) -> str:
    """Timm's name of one of the weights: it counts blocks within stages of 1, 2, 2, 3, 3, 4, 1."""
    if found := re.match(r"_blocks\.(\d+)\.(.*)", own):
        stages = [(stage, row) for stage, n in enumerate((1, 2, 2, 3, 3, 4, 1)) for row in range(n)]
        stage, row = stages[int(found[1])]
        parts = ["_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2"]
        theirs = ["conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3"]
        if stage == 0:
            theirs = ["", "", "conv_dw", "bn1", "conv_pw", "bn2"]
        part, _, kind = found[2].partition(".")
        return f"blocks.{stage}.{row}.{theirs[parts.index(part)]}.{kind}"
    part, _, kind = own.partition(".")
    whole = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
    return f"{whole.get(part, 'classifier')}.{kind}"


def test_probabilities_are_those_of_timms_network(
    network: EfficientNetLite0, model_weights: Path
) -> None:
    reference = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    held = tensors(model_weights / FILE)
    state = {renamed(name): torch.tensor(value) for name, value in held.items()}
    reference.load_state_dict(state, strict=True)
    batch = noise(5)
    with torch.inference_mode():
        values = (torch.tensor(batch).permute(0, 3, 1, 2).float() - 127) / 128
        expected = reference(values).softmax(dim=1).numpy()
    found = network(batch)
    assert found.dtype == np.float32
    assert expected.max() > 0.2, "it is sure of something"
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_a_picture_is_seen_the_same_in_any_company(network: EfficientNetLite0) -> None:
    batch = noise(3)
    np.testing.assert_allclose(network(batch)[1], network(batch[1:2])[0], atol=1e-5)


@pytest.mark.parametrize("size", [(360, 640), (640, 360), (7, 1000), (224, 224), (1, 1)])
def test_a_frame_of_any_size_is_squeezed_whole(size: tuple[int, int]) -> None:
    frame = np.zeros((*size, 3), np.uint8)
    frame[..., 0] = np.linspace(0, 200, size[1]).astype(np.uint8)
    small = network_input(frame)
    assert small.shape == (224, 224, 3)
    assert small.dtype == np.uint8
    if size[1] > 100:
        np.testing.assert_allclose(small[100, :, 0], np.linspace(0, 200, 224), atol=3)


def test_weights_that_are_missing_or_of_another_network_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"{FILE} is missing; `make setup`"):
        EfficientNetLite0(tmp_path)
    torch.save({"_conv_stem.weight": torch.ones(32, 3, 3, 3)}, tmp_path / FILE)
    with pytest.raises(ValueError, match=r"is no EfficientNet-Lite0: it lacks '_bn0\.weight'"):
        EfficientNetLite0(tmp_path)
