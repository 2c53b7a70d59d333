import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import vgg16

from tests.models import weights
from training.autoencoder.perceptual import PackagedDistance, perceptual_distance

CPU = torch.device("cpu")
WIDTHS = (64, 128, 256, 512, 512)


def pictures(seed=0, size=64):
    draw = torch.Generator().manual_seed(seed)
    rough = torch.rand(2, 3, size // 8, size // 8, generator=draw) * 2 - 1
    return torch.nn.functional.interpolate(rough, (size, size), mode="bilinear")


@pytest.fixture(scope="module")
def lpips_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lpips")
    torch.manual_seed(0)
    network = vgg16(weights=None)
    features = {f"features.{name}": one for name, one in network.features.state_dict().items()}
    save_file(features, folder / "vgg16.safetensors")
    linear = {f"lin{n}.model.1.weight": torch.rand(1, w, 1, 1) for n, w in enumerate(WIDTHS)}
    save_file(linear, folder / "lpips.safetensors")
    return folder, network.features.requires_grad_(False), linear


def test_lpips_is_its_formula_on_torchvisions_vgg16(lpips_folder):
    folder, network, linear = lpips_folder
    one, other = pictures(0), pictures(1)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = torch.zeros(2)
    outputs = []
    for batch in (one, other):
        x = ((batch + 1) / 2 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
        outputs.append([])
        for number, layer in enumerate(network):
            x = layer(x.clone())
            if number in (3, 8, 15, 22, 29):  # relu1_2 to relu5_3
                outputs[-1].append(torch.nn.functional.normalize(x, dim=1))
    for n, (a, b) in enumerate(zip(*outputs, strict=True)):
        weighted = (a - b).square() * linear[f"lin{n}.model.1.weight"]
        expected += weighted.sum(dim=1).mean(dim=(1, 2))
    ours = perceptual_distance(str(folder), folder, CPU)(one, other)
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-5)


def test_lpips_says_which_file_or_weight_is_missing(lpips_folder, tmp_path):
    folder, _, linear = lpips_folder
    with pytest.raises(ValueError, match=r"vgg16\.safetensors is missing: `perceptual_weights`"):
        perceptual_distance(str(tmp_path), tmp_path, CPU)
    (tmp_path / "vgg16.safetensors").symlink_to(folder / "vgg16.safetensors")
    del linear["lin4.model.1.weight"]
    save_file(linear, tmp_path / "lpips.safetensors")
    with pytest.raises(ValueError, match=r"lack 'lin4\.model\.1\.weight'"):
        perceptual_distance(str(tmp_path), tmp_path, CPU)
    (tmp_path / "lpips.safetensors").write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"lpips\.safetensors is no file of weights"):
        perceptual_distance(str(tmp_path), tmp_path, CPU)


@pytest.fixture(scope="module")
def packaged():
    return PackagedDistance(weights(), CPU)


def test_the_stand_in_is_0_for_the_same_and_grows_with_blur_and_noise(packaged):
    sharp = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    sharp = 0.5 * sharp + 0.5 * pictures()
    assert packaged(sharp, sharp).abs().max() < 1e-6
    blurred = [torch.nn.functional.avg_pool2d(sharp, n, 1, n // 2) for n in (1, 3, 7)]
    distances = [float(packaged(one, sharp).mean()) for one in blurred]
    assert distances[0] < distances[1] < distances[2]


def test_the_stand_in_cares_more_for_blur_than_for_brightness_at_the_same_error(packaged):
    sharp = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) - 0.5
    blurred = torch.nn.functional.avg_pool2d(sharp, 3, 1, 1)
    brighter = sharp + (blurred - sharp).square().mean().sqrt()
    assert packaged(blurred, sharp) > 2 * packaged(brighter, sharp)


def test_the_stand_in_has_a_gradient_that_leads_to_the_original(packaged):
    original = pictures(0, 32)
    moved = (original + 0.3 * pictures(1, 32)).requires_grad_()
    before = packaged(moved, original).sum()
    before.backward()
    assert moved.grad.isfinite().all()
    step = moved.detach() - 0.02 * moved.grad / moved.grad.abs().max()
    assert packaged(step, original).sum() < before


def test_the_stand_in_leaves_the_number_of_threads_alone():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        PackagedDistance(weights(), CPU)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
