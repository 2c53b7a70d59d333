import json
import logging
import os
import signal
import threading
import time

import pytest
import torch
from torch.nn.functional import interpolate

from tests.models import weights
from tests.training.autoencoder.toys import MovingPatterns
from training import checkpoint
from training.autoencoder import crops as crops_module
from training.autoencoder.coder import autoencoder
from training.autoencoder.crops import Crops, split
from training.autoencoder.fit import fit
from training.autoencoder.quality import psnr
from training.autoencoder.settings import AutoencoderSettings
from training.autoencoder.trainee import Trainee
from training.errors import TrainingError
from training.metrics import read_metrics

FIT = {
    "size_px": 16,
    "num_frames": 8,
    "batch_size": 2,
    "steps": 6,
    "warmup_steps": 2,
    "learning_rate": 1e-3,
    "held_out_share": 0.25,
    "num_evaluations": 2,
    "max_held_out": 2,
    "losses": {"perceptual": 0.0},
}
SHAPE = {"channels": [8, 8, 16, 16], "blocks_per_scale": 1, "latent_channels": 4}


def settings_of(folder, losses=None, shape=None, **values):
    fitting = FIT | {"losses": FIT["losses"] | (losses or {})} | values
    return AutoencoderSettings.model_validate(
        {"folder": str(folder), "architecture": SHAPE | (shape or {}), "fit": fitting}
    )


def fitted(folder, clips=None, seed=0, on_log=lambda line: None, files=None, **values):
    settings = settings_of(folder, **values)
    clips = clips or MovingPatterns()
    return fit(settings, seed, clips, folder, weights=files, on_log=on_log)


def weights_in(folder):
    return (folder / "autoencoder.safetensors").read_bytes()


def test_it_leaves_a_described_autoencoder_that_can_be_used(tmp_path):
    lines = []
    described = fitted(tmp_path, on_log=lines.append)
    assert described["steps"] == 6
    assert described["clips"]["trained"] + described["clips"]["held_out"] == 24
    assert {"psnr_db", "ssim", "psnr_db_low_motion", "psnr_db_medium_motion"} <= {
        *described["held_out"]
    }
    assert described["versions"]["torch"]
    curve = read_metrics(tmp_path, "held_out")
    assert [line["step"] for line in curve] == [0, 3, 6]
    assert [line["step"] for line in lines if line["kind"] == "held_out"] == [0, 3, 6]
    assert not list(tmp_path.glob("checkpoints/*"))
    assert [path.name for path in tmp_path.glob(".*")] == [".lock"]
    coder = autoencoder(settings_of(tmp_path))
    coder.load("cpu")
    assert coder.encode(torch.zeros(1, 3, 9, 16, 16)).shape == (1, 4, 2, 2, 2)


def test_latents_of_what_it_was_trained_on_are_standardised(tmp_path):
    clips = MovingPatterns()
    fitted(tmp_path, clips, held_out_share=0.0)
    coder = autoencoder(settings_of(tmp_path))
    coder.load("cpu")
    crops = Crops(clips, range(24), settings_of(tmp_path).fit, 0)
    latents = torch.cat([coder.encode(crops.middle(number)) for number in range(24)])
    by_channel = latents.transpose(0, 1).flatten(1)
    assert by_channel.mean(dim=1).abs().max() < 1e-3
    torch.testing.assert_close(
        by_channel.std(dim=1, correction=0), torch.ones(4), atol=1e-3, rtol=0
    )


def test_the_same_seed_gives_the_same_bytes_whatever_the_global_generator(tmp_path):
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        torch.manual_seed(len(name))
        fitted(tmp_path / name, seed=seed)
    assert weights_in(tmp_path / "one") == weights_in(tmp_path / "two")
    assert weights_in(tmp_path / "one") != weights_in(tmp_path / "other")


class ForOneReader(MovingPatterns):
    """Clips that may not be read while they are read."""

    def __init__(self, **values):
        super().__init__(**values)
        self._free = threading.Lock()

    def read(self, number):
        assert self._free.acquire(blocking=False), "somebody else is reading"
        try:
            if threading.current_thread() is not threading.main_thread():
                time.sleep(0.05)  # so that steps wait for it, and it would never be idle
            return super().read(number)
        finally:
            self._free.release()


def test_clips_are_read_by_one_thread_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(crops_module, "MAX_CACHE_BYTES", 0)
    clips = ForOneReader(count=12)
    described = fitted(tmp_path, clips)
    assert described["steps"] == 6


def test_each_step_learns_from_the_crops_of_its_number_whatever_was_read_ahead(
    tmp_path, monkeypatch
):
    seen, step = [], Trainee.step

    def noted(trainee, video, share):
        seen.append(video)
        return step(trainee, video, share)

    monkeypatch.setattr(Trainee, "step", noted)
    clips = MovingPatterns()
    fitted(tmp_path, clips)
    settings = settings_of(tmp_path).fit
    crops = Crops(clips, split(clips, settings.held_out_share)[0], settings, 0)
    assert len(seen) == 6
    assert all(torch.equal(video, crops.batch(number)) for number, video in enumerate(seen))


def test_held_out_clips_are_decoded_once_for_each_evaluation(tmp_path, monkeypatch):
    monkeypatch.setattr(crops_module, "MAX_CACHE_BYTES", 0)
    clips = MovingPatterns()
    described = fitted(tmp_path, clips)
    _, held = split(clips, FIT["held_out_share"])
    assert [clips.reads.count(number) for number in held[:2]] == [3, 3]
    last = read_metrics(tmp_path, "held_out")[-1]
    assert described["held_out"] == {name: last[name] for name in described["held_out"]}


def test_nobody_else_trains_in_the_folder_meanwhile(tmp_path):
    refused = []

    def train_too(line):
        with pytest.raises(ValueError, match=f"another process trains in {tmp_path}") as error:
            fitted(tmp_path, steps=3)
        refused.append(error)

    described = fitted(tmp_path, on_log=train_too)
    assert len(refused) == 3
    assert fitted(tmp_path) == described


def test_stopped_after_its_last_step_it_only_has_to_be_written(tmp_path):
    def stop_at_end(line):
        if line["step"] == 6:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path, on_log=stop_at_end)
    described = fitted(tmp_path)
    curve = read_metrics(tmp_path, "held_out")
    assert [line["step"] for line in curve] == [0, 3, 6]
    assert described["held_out"]["psnr_db"] == curve[-1]["psnr_db"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_and_called_again_it_is_as_if_it_had_not_been_stopped(tmp_path, number):
    losses = {"adversarial": 0.1, "adversarial_start": 2}
    values = {"losses": losses, "size_px": 32, "steps": 4}
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    clips = MovingPatterns(count=8)
    fitted(whole, clips, **values)

    def stop_at_half(line):
        if line["kind"] == "held_out" and line["step"] == 2:
            os.kill(os.getpid(), number)

    values["num_evaluations"] = 2
    with pytest.raises(KeyboardInterrupt):
        fitted(cut, clips, on_log=stop_at_half, **values)
    assert [one.name for one in (cut / "checkpoints").iterdir()] == ["step-00000002"]
    assert not (cut / "autoencoder.json").exists()
    fitted(cut, clips, **values)
    assert weights_in(cut) == weights_in(whole)
    curves = [read_metrics(folder, "held_out") for folder in (whole, cut)]
    assert [one["psnr_db"] for one in curves[0]] == [one["psnr_db"] for one in curves[1]]


def test_what_is_finished_is_left_alone_and_of_other_settings_refused(tmp_path):
    first = fitted(tmp_path, steps=2)
    before = weights_in(tmp_path)
    clips = MovingPatterns()
    assert fitted(tmp_path, clips, steps=2, checkpoint_every_s=1.0) == first
    assert clips.reads == []
    with pytest.raises(ValueError, match="an autoencoder of other settings, seed or clips"):
        fitted(tmp_path, steps=3)
    with pytest.raises(ValueError, match="an autoencoder of other settings, seed or clips"):
        fitted(tmp_path, MovingPatterns(count=23), steps=2)
    assert weights_in(tmp_path) == before


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    def stop(line):
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path, on_log=stop)
    newest = checkpoint.newest(tmp_path / "checkpoints")
    with pytest.raises(ValueError, match=f"{newest.name} is of other settings"):
        fitted(tmp_path, learning_rate=2e-3)


def test_a_loss_that_is_no_number_ends_it_before_the_step(tmp_path):
    with pytest.raises(TrainingError, match=r"step \d: the loss .*Try a lower learning_rate"):
        fitted(tmp_path, learning_rate=1e30)
    assert not (tmp_path / "autoencoder.json").exists()


def test_by_the_clock_it_ends_after_so_many_seconds_whatever_the_steps(tmp_path):
    described = fitted(tmp_path, steps=1, max_s=1.0)
    assert described["steps"] > 1
    assert 1.0 <= described["elapsed_s"] < 10
    rates = [line["learning_rate"] for line in read_metrics(tmp_path, "train")]
    assert rates == sorted(rates, reverse=True)


def test_every_term_of_the_loss_is_logged_where_it_has_a_weight(tmp_path):
    losses = {"perceptual": 0.1, "outlier": 1.0, "l2": 1.0, "adversarial": 0.1, "kl": 1e-6}
    fitted(tmp_path, steps=10, losses=losses, size_px=32, files=weights())
    [line] = read_metrics(tmp_path, "train")
    terms = {"l1", "l2", "perceptual", "kl", "outlier", "adversarial", "discriminator"}
    assert terms <= set(line)
    assert line["step"] == 10


def test_without_a_held_out_clip_there_is_no_curve(tmp_path):
    described = fitted(tmp_path, held_out_share=0.0)
    assert described["held_out"] == {}
    assert read_metrics(tmp_path, "held_out") == []


def test_unreadable_clips_do_not_end_it(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        described = fitted(tmp_path, MovingPatterns(broken=(0, 5, 9, 11)))
    assert described["steps"] == 6
    assert "is passed over" in caplog.text


def test_description_and_metrics_are_json_without_nan(tmp_path):
    fitted(tmp_path, steps=1)
    for path in (tmp_path / "autoencoder.json", tmp_path / "metrics.jsonl"):
        assert "NaN" not in path.read_text()
    assert json.loads((tmp_path / "autoencoder.json").read_text())["format"] == 1


def bicubic(video):
    """PSNR of scaling 8x32x32 down and up again, space and time divided the better of two ways.

    Latents have 256 numbers, and these 243 and 252.
    """
    found = []
    frames = video[0].transpose(0, 1)
    for count, size in ((1, (9, 9)), (2, (6, 7))):
        small = interpolate(frames, size=size, mode="bicubic", antialias=True)
        means = small.unflatten(0, (count, -1)).mean(dim=1)
        large = interpolate(means, size=frames.shape[2:], mode="bicubic").clamp(-1, 1)
        again = large.repeat_interleave(8 // count, dim=0).transpose(0, 1)[None]
        found.append(float(psnr(again, video).mean()))
    return max(found)


@pytest.mark.slow
def test_seconds_of_training_beat_the_linear_code_and_bicubic_scaling_by_a_decibel(tmp_path):
    clips = MovingPatterns(count=48, size=32)
    shape = {"channels": [8, 16, 32, 64], "latent_channels": 16}
    values = {"size_px": 32, "steps": 40, "learning_rate": 2e-3, "warmup_steps": 10}
    values |= {"batch_size": 8, "image_every": 0, "ema_decay": 0.9, "max_held_out": 8}
    described = fitted(tmp_path, clips, shape=shape, losses={"l2": 4.0, "l1": 0.0}, **values)
    curve = [line["psnr_db"] for line in read_metrics(tmp_path, "held_out")]
    settings = settings_of(tmp_path, **values)
    _, held = split(clips, settings.fit.held_out_share)
    crops = Crops(clips, range(48), settings.fit, 0)
    videos = [crops.middle(number) for number in held[:8]]
    baseline = sum(bicubic(one) for one in videos) / len(videos)
    assert curve[-1] > curve[0] + 0.02
    assert described["held_out"]["psnr_db"] > baseline + 1
