import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from tests.training.autoencoder.test_tae import SMALL, model_of, video_of_shape
from training.autoencoder.coder import autoencoder
from training.autoencoder.files import DESCRIPTION, WEIGHTS, write_autoencoder
from training.autoencoder.settings import AutoencoderSettings
from training.autoencoder.tae import Tae

MEAN, STD = [0.5, -1.0, 0.0, 2.0], [2.0, 1.0, 0.5, 1.5]


@pytest.fixture
def folder(tmp_path):
    model = model_of(disturbed=True)
    write_autoencoder(tmp_path, model.state_dict(), SMALL, MEAN, STD, {"held_out": {}})
    return tmp_path


def coder_of(folder, **tiling):
    settings = AutoencoderSettings.model_validate({"folder": str(folder), "tiling": tiling})
    return autoencoder(settings)


def loaded(folder, **tiling):
    coder = coder_of(folder, **tiling)
    coder.load("cpu")
    return coder


def test_latents_are_the_mean_standardised_by_channel(folder):
    video = video_of_shape(2, 3, 9, 16, 16)
    raw = model_of(disturbed=True).encode(video).mean
    expected = torch.stack([(raw[:, n] - MEAN[n]) / STD[n] for n in range(4)], dim=1)
    torch.testing.assert_close(loaded(folder).encode(video), expected)


def test_decoding_undoes_the_standardising_and_stays_in_bounds(folder):
    coder, model = loaded(folder), model_of(disturbed=True)
    video = 1.5 + 0.1 * video_of_shape(1, 3, 9, 16, 16)
    decoded = coder.decode(coder.encode(video), 9)
    expected = model.decode(model.encode(video).mean, 9)
    assert expected.abs().max() > 1
    torch.testing.assert_close(decoded, expected.clamp(-1, 1), atol=1e-5, rtol=1e-4)


def test_long_videos_are_coded_in_pieces(folder):
    coder, model = loaded(folder, frames=16, decoder_overlap=8), model_of(disturbed=True)
    video = video_of_shape(1, 3, 40, 8, 8)
    latents = coder.encode(video)
    assert latents.shape == (1, 4, coder.latent_frames(40), 1, 1)
    second = model.encode(video[:, :, 16:32]).mean[0, :, :, 0, 0]
    own = (second - torch.tensor(MEAN)[:, None]) / torch.tensor(STD)[:, None]
    torch.testing.assert_close(latents[0, :, 2:4, 0, 0], own)
    assert coder.decode(latents, 40).shape == video.shape


def test_it_can_be_pickled_before_it_is_loaded_and_reads_no_weights_till_then(folder):
    coder = pickle.loads(pickle.dumps(coder_of(folder)))  # noqa: S301 - our own bytes
    assert (coder.latent_channels, coder.space_factor, coder.mean, coder.std) == (4, 8, MEAN, STD)
    coder.load("cpu")
    assert coder.encode(video_of_shape(1, 3, 1, 8, 8)).shape == (1, 4, 1, 1, 1)


def test_bfloat16_gives_float32_that_is_near(folder):
    coder = coder_of(folder)
    coder.load("cpu", "bfloat16")
    video = video_of_shape(1, 3, 8, 16, 16)
    latents, exact = coder.encode(video), loaded(folder).encode(video)
    assert latents.dtype == torch.float32
    assert 0 < (latents - exact).abs().max() < 0.1


def test_each_thread_has_its_precision_back_whoever_coded_meanwhile(folder, monkeypatch):
    coder, video = coder_of(folder), video_of_shape(1, 3, 8, 8, 8)
    coder.load("cpu", "bfloat16")
    encode = Tae.encode

    def encode_while_another_does(model, piece):
        monkeypatch.setattr(Tae, "encode", encode)
        with ThreadPoolExecutor(1) as other:
            other.submit(coder.encode, video).result()
        return encode(model, piece)

    monkeypatch.setattr(Tae, "encode", encode_while_another_does)
    with torch.autocast("cpu", torch.bfloat16):
        coder.encode(video)
        assert torch.is_autocast_enabled("cpu")


def test_files_that_cannot_be_written_leave_what_was_there_and_no_rest(folder):
    (folder / DESCRIPTION).unlink()
    (folder / DESCRIPTION).mkdir()
    with pytest.raises(OSError, match="directory"):
        write_autoencoder(folder, model_of().state_dict(), SMALL, MEAN, STD, {})
    assert {path.name for path in folder.iterdir()} == {DESCRIPTION, WEIGHTS}


def test_the_version_names_weights_statistics_and_pieces(folder, tmp_path_factory):
    version = coder_of(folder).version
    assert coder_of(folder).version == version
    assert coder_of(folder, decoder_overlap=8).version == version  # changes no latent
    seen = {version, coder_of(folder, frames=64).version}
    for seed, mean in ((1, MEAN), (0, [0.0] * 4)):
        other = tmp_path_factory.mktemp("other")
        write_autoencoder(other, model_of(seed=seed).state_dict(), SMALL, mean, STD, {})
        seen.add(coder_of(other).version)
    assert len(seen) == 4


def test_missing_files_are_named_with_what_to_do(folder):
    (folder / WEIGHTS).unlink()
    with pytest.raises(ValueError, match=r"autoencoder\.safetensors is missing.*train-tae"):
        coder_of(folder)
    with pytest.raises(ValueError, match=r"nowhere/autoencoder\.json is missing"):
        coder_of(folder / "nowhere")


def test_weights_that_are_cut_off_or_of_another_training_are_refused(folder, tmp_path_factory):
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"is not the file that autoencoder\.json"):
        coder_of(folder)
    other = tmp_path_factory.mktemp("other")
    write_autoencoder(other, model_of(seed=1).state_dict(), SMALL, MEAN, STD, {})
    (folder / WEIGHTS).write_bytes((other / WEIGHTS).read_bytes())
    with pytest.raises(ValueError, match=r"is not the file that autoencoder\.json"):
        loaded(folder)


def test_weights_of_another_shape_are_refused(folder):
    described = json.loads((folder / DESCRIPTION).read_text())
    described["architecture"]["channels"] = [8, 8, 16, 24]
    (folder / DESCRIPTION).write_text(json.dumps(described))
    with pytest.raises(ValueError, match=r"does not fit autoencoder\.json"):
        loaded(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", 2),
        ("architecture", {"channels": "wide"}),
        ("mean", [0.0]),
        ("std", [1.0, 1.0, 0.0, 1.0]),
        ("std", ["1", "1", "1", "1"]),
        ("weights_sha256", None),
    ],
)
def test_a_damaged_description_is_refused(folder, key, value):
    described = json.loads((folder / DESCRIPTION).read_text())
    (folder / DESCRIPTION).write_text(json.dumps(described | {key: value}))
    with pytest.raises(ValueError, match="describes no autoencoder"):
        coder_of(folder)
    (folder / DESCRIPTION).write_text("{")
    with pytest.raises(ValueError, match="describes no autoencoder"):
        coder_of(folder)
