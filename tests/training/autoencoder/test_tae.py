import math

import pytest
import torch

from training.autoencoder.patches import PatchCode, blocks_of, cosine_basis, video_of
from training.autoencoder.settings import TaeArchitecture
from training.autoencoder.tae import Tae

SMALL = TaeArchitecture(channels=(8, 8, 16, 16), blocks_per_scale=1, latent_channels=4)
LOCAL = SMALL.model_copy(update={"attention": False})


def model_of(shape=SMALL, seed=0, disturbed=False):
    model = Tae(shape)
    model.reset(seed)
    if disturbed:  # what starts as zeros and identities would hide mistakes
        draw = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.05 * torch.randn(parameter.shape, generator=draw)
    return model.requires_grad_(False)


def video_of_shape(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("frames", [1, 2, 7, 8, 9, 16, 19])
def test_any_length_has_a_latent_frame_for_each_8_begun_and_decodes_to_itself(frames):
    model = model_of(disturbed=True)
    posterior = model.encode(video_of_shape(1, 3, frames, 16, 24))
    assert posterior.mean.shape == (1, 4, math.ceil(frames / 8), 2, 3)
    assert model.decode(posterior.mean, frames).shape == (1, 3, frames, 16, 24)


def test_sides_that_are_no_multiple_of_8_are_filled_up_with_their_last_pixels():
    model = model_of(disturbed=True)
    video = video_of_shape(1, 3, 8, 16, 24)
    video[..., 13:, :] = video[..., 12:13, :]
    video[..., 18:] = video[..., 17:18]
    whole, cut = model.encode(video), model.encode(video[..., :13, :18])
    torch.testing.assert_close(cut.mean, whole.mean)


def test_before_training_an_image_is_the_same_as_a_still_video():
    model = model_of()
    image = video_of_shape(1, 3, 1, 16, 16)
    still = image.expand(-1, -1, 8, -1, -1)
    latent, latents = model.encode(image).mean, model.encode(still).mean
    torch.testing.assert_close(latent, latents)
    torch.testing.assert_close(model.decode(latents, 8)[:, :, :1], model.decode(latent, 1))


def test_an_untrained_model_is_the_linear_code_of_blocks():
    model = model_of()
    waves, _ = cosine_basis(4)
    video = video_of_shape(1, 3, 16, 16, 16)
    blocks = blocks_of(video)
    projected = blocks @ waves.flatten(1).T @ waves.flatten(1)
    decoded = model.decode(model.encode(video).mean, 16)
    torch.testing.assert_close(decoded, video_of(projected, 16), atol=1e-5, rtol=1e-4)


def test_the_waves_are_orthonormal_and_begin_with_the_mean():
    waves, stds = cosine_basis(64)
    flat = waves.flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(64), atol=1e-5, rtol=0)
    assert flat[0].std() < 1e-6
    assert (stds.diff() <= 0).all()


def test_a_full_set_of_waves_loses_nothing():
    code = PatchCode(1536)
    blocks = blocks_of(video_of_shape(1, 3, 8, 8, 8))
    torch.testing.assert_close(code.decode(code.encode(blocks)), blocks, atol=1e-4, rtol=1e-4)


def test_blocks_put_together_are_the_video_and_repeat_the_last_frame():
    video = video_of_shape(2, 3, 11, 16, 8)
    whole = video_of(blocks_of(video), 16)
    torch.testing.assert_close(whole[:, :, :11], video)
    torch.testing.assert_close(whole[:, :, 11:], video[:, :, 10:].expand(-1, -1, 5, -1, -1))


def test_time_is_symmetric_so_a_video_played_backwards_has_its_blocks_backwards():
    # Not causal: with stride-1 kernels that are symmetric, nothing prefers a direction.
    from training.autoencoder.blocks import TimeConv

    conv = TimeConv(4).requires_grad_(False)
    conv.weight += torch.randn(4, 4, 1, 1, 1) * torch.tensor([0.5, 0.1, 0.5]).view(1, 1, 3, 1, 1)
    x = video_of_shape(1, 4, 9, 2, 2)
    torch.testing.assert_close(conv(x.flip(2)), conv(x).flip(2))


def test_what_lies_before_the_first_frame_is_a_copy_of_it():
    model = model_of(LOCAL, disturbed=True)
    still = video_of_shape(1, 3, 1, 16, 16).expand(-1, -1, 16, -1, -1)
    latents = model.encode(still).mean
    torch.testing.assert_close(latents[:, :, 0], latents[:, :, 1], atol=1e-5, rtol=1e-4)


def test_attention_in_time_reaches_across_the_whole_video():
    changed = video_of_shape(1, 3, 64, 8, 8)
    video = changed.clone()
    changed[:, :, 56:] *= -1
    for shape, reaches in ((SMALL, True), (LOCAL, False)):
        model = model_of(shape, disturbed=True)
        first = [model.encode(one).mean[:, :, 0] for one in (video, changed)]
        assert torch.equal(*first) is not reaches


def test_weights_depend_on_seed_and_name_and_on_nothing_before():
    torch.manual_seed(5)
    one, other = model_of(seed=3), model_of(seed=4, disturbed=True).requires_grad_(True)
    other.reset(3)
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name
    different = model_of(seed=4).state_dict()["encoder.conv_in.frame.weight"]
    assert not torch.equal(one.state_dict()["encoder.conv_in.frame.weight"], different)


def test_every_weight_gets_a_gradient():
    model = model_of(disturbed=True).requires_grad_(True)
    video = video_of_shape(1, 3, 16, 16, 16)
    posterior = model.encode(video)
    decoded = model.decode(posterior.sample(torch.ones_like(posterior.mean)), 16)
    (decoded - video).square().mean().backward()
    missing = [name for name, one in model.named_parameters() if not one.grad.abs().sum() > 0]
    # A bias of keys moves all scores of a query alike, so that one may be 0 but for rounding.
    assert missing == []


def test_bfloat16_is_float32_but_for_rounding():
    model = model_of(disturbed=True)
    video = video_of_shape(1, 3, 8, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        low = model.decode(model.encode(video).mean, 8)
    high = model.decode(model.encode(video).mean, 8)
    assert low.dtype == torch.float32
    assert (low - high).abs().max() < 0.02
