import json

import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderKLCogVideoX, AutoencoderKLLTXVideo, AutoencoderKLWan

from tests.training.autoencoder.test_tae import video_of_shape
from training.autoencoder.coder import autoencoder
from training.autoencoder.settings import AutoencoderSettings


def wan():
    return AutoencoderKLWan(
        base_dim=4,
        z_dim=3,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        latents_mean=[0.1, -0.2, 0.3],
        latents_std=[1.5, 0.5, 2.0],
    )


def cogvideox():
    return AutoencoderKLCogVideoX(
        block_out_channels=(4, 4, 4, 4),
        latent_channels=3,
        layers_per_block=1,
        norm_num_groups=2,
        scaling_factor=0.7,
    )


def ltx():
    model = AutoencoderKLLTXVideo(
        latent_channels=3,
        block_out_channels=(4, 4, 4, 4),
        decoder_block_out_channels=(4, 4, 4, 4),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
        scaling_factor=2.0,
    )
    model.latents_mean.copy_(torch.tensor([0.1, -0.2, 0.3]))
    model.latents_std.copy_(torch.tensor([1.5, 0.5, 2.0]))
    return model


MODELS = {
    # What makes it, factors of space and time, mean and std of latents as pipelines have them.
    "wan": (wan, 8, 4, [0.1, -0.2, 0.3], [1.5, 0.5, 2.0]),
    "cogvideox": (cogvideox, 8, 4, [0.0] * 3, [1 / 0.7] * 3),
    "ltx": (ltx, 32, 8, [0.1, -0.2, 0.3], [0.75, 0.25, 1.0]),
}


@pytest.fixture(scope="module", params=MODELS)
def saved(request, tmp_path_factory):
    make, *expected = MODELS[request.param]
    torch.manual_seed(0)
    model = make().eval().requires_grad_(False)
    folder = tmp_path_factory.mktemp(request.param)
    model.save_pretrained(folder)
    return folder, model, *expected


def coder_of(folder, revision=None):
    settings = {"kind": "diffusers", "folder": str(folder), "revision": revision}
    return autoencoder(AutoencoderSettings.model_validate(settings))


def test_it_is_what_the_model_does_with_its_own_statistics(saved):
    folder, model, space, time, mean, std = saved
    coder = coder_of(folder)
    assert (coder.space_factor, coder.latent_channels) == (space, 3)
    assert coder.mean == pytest.approx(mean)
    assert coder.std == pytest.approx(std)
    coder.load("cpu")
    video = video_of_shape(1, 3, 1 + 2 * time, 64, 96)
    latents = coder.encode(video)
    assert latents.shape == (1, 3, 3, 64 // space, 96 // space)
    raw = model.encode(video).latent_dist.mode()
    shape = (1, 3, 1, 1, 1)
    expected = (raw - torch.tensor(mean).view(shape)) / torch.tensor(std).view(shape)
    torch.testing.assert_close(latents, expected, atol=1e-5, rtol=1e-4)
    decoded = coder.decode(latents, 1 + 2 * time)
    torch.testing.assert_close(decoded, model.decode(raw).sample.clamp(-1, 1), atol=1e-4, rtol=1e-3)


def test_any_length_and_size_works_and_an_image_is_one_frame(saved):
    folder, _, space, time, _, _ = saved
    coder = coder_of(folder)
    coder.load("cpu")
    for frames in (1, 2, time, 1 + time, time + 3):
        latents = coder.encode(video_of_shape(1, 3, frames, 40, 64))
        assert latents.shape[2:] == (coder.latent_frames(frames), -(-40 // space), 64 // space)
        decoded = coder.decode(latents, frames)
        assert decoded.shape == (1, 3, frames, -(-40 // space) * space, 64)
        assert decoded.abs().max() <= 1


def test_the_version_names_the_content(saved, tmp_path):
    folder = saved[0]
    version = coder_of(folder).version
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert coder_of(tmp_path).version == version
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"scaling_factor": 9.0}))
    assert coder_of(tmp_path).version != version


def test_weights_that_are_cut_off_are_refused(saved, tmp_path):
    folder = saved[0]
    for path in folder.iterdir():
        content = path.read_bytes()
        half = len(content) // 2 if path.suffix == ".safetensors" else None
        (tmp_path / path.name).write_bytes(content[:half])
    with pytest.raises(ValueError, match=r"no whole|is not of a causal video autoencoder"):
        coder_of(tmp_path).load("cpu")


def test_what_is_missing_or_no_video_autoencoder_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"config\.json is missing"):
        coder_of(tmp_path)
    image = AutoencoderKL(block_out_channels=(4,), norm_num_groups=2, layers_per_block=1)
    image.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"not of a causal video autoencoder.*time shrinks"):
        coder_of(tmp_path)
    (tmp_path / "config.json").write_text('{"_class_name": "os.system"}')
    with pytest.raises(ValueError, match=r"os\.system is no autoencoder"):
        coder_of(tmp_path)


def test_a_repository_is_used_at_a_commit_and_from_this_machine_only():
    with pytest.raises(ValueError, match="is no commit"):
        coder_of("organisation/repository/vae", "main")
    commit = "0" * 40
    with pytest.raises(
        ValueError, match=r"vae/config\.json of organisation/repository at 0+ is not"
    ):
        coder_of("organisation/repository/vae", commit)
