"""From latents to videos: what the commands do, do again, and refuse."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import click.testing
import numpy as np
import pyarrow as pa
import pytest
import torch
from deltalake import write_deltalake
from PIL import Image

from pipelines.cli import app
from pipelines.encode import Encoding, encoding_run
from pipelines.training_recipe import load_training_recipe
from pipelines.workspace import Workspace
from tests.models import weights as packaged_weights
from tests.pipelines.test_encode import rewrite, said
from tests.training.toy_models import caption
from tests.workspaces import small_workspace
from training.autoencoder.coder import write_autoencoder
from training.autoencoder.settings import TaeArchitecture
from training.autoencoder.tae import Tae
from training.metrics import read_metrics
from training.results import read_result

RECIPE = """\
autoencoder: {{folder: {tae}}}
text:
  words: {{kind: bytes, dim: 16, num_layers: 1}}
  quoted: {{kind: bytes, dim: 16, of: quoted}}
latents: {{256p: {{base_px: 64, frame_stride: 8, max_frames: 16}}}}
transformer: {{num_layers: 2, dim: 32, ffn_dim: 48, num_heads: 2}}
stages:
  t2i:
    steps: 3
    data: {{subset: 256p, image_share: 1, tokens_per_step: 40, held_out_share: 0}}
    positions: {{frames: 1, height: 6, width: 6}}
  t2v:
    steps: 4
    data: {{subset: 256p, image_share: 0.3, tokens_per_step: 80, held_out_share: 0.5}}
    positions: {{frames: 2, height: 6, width: 6}}
evaluation: {{num_times: 2}}
samples: {{prompts: ["FPS-2 Something grey."]}}
generation: {{steps: 2}}
encoding: {{runner: inline}}
"""


def write_tae(folder: Path, seed: int = 0) -> None:
    """An autoencoder that has learnt nothing yet."""
    shape = TaeArchitecture(
        channels=(8, 8, 8, 8), latent_channels=4, blocks_per_scale=1, attention=False
    )
    model = Tae(shape)
    model.reset(seed)
    write_autoencoder(folder, model.state_dict(), shape, [0.0] * 4, [3.0] * 4, {})


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a workspace that has latents, its autoencoder, and a recipe; copy it."""
    folder = tmp_path_factory.mktemp("encoded")
    shutil.copytree(small_workspace().uri, folder / "work")
    workspace = Workspace(folder / "work")
    rewrite(workspace, lambda row: row | said(row, caption(row["start_s"] > 0)))
    write_tae(folder / "tae")
    (folder / "train.yaml").write_text(RECIPE.format(tae=folder / "tae"))
    recipe = load_training_recipe(str(folder / "train.yaml")).recipe
    with encoding_run(recipe, workspace, "test") as run:
        Encoding(recipe, workspace, run).all()
    return folder


@pytest.fixture
def place(encoded: Path, tmp_path: Path) -> Path:
    shutil.copytree(encoded, tmp_path / "place")
    return tmp_path / "place"


def invoked(*words: str | Path) -> click.testing.Result:
    return click.testing.CliRunner().invoke(app, [str(word) for word in words])


def train(place: Path, *settings: str, run: str = "run") -> click.testing.Result:
    sets = [word for one in settings for word in ("--set", one)]
    return invoked(
        *("train", place / "train.yaml", "--workspace", place / "work", "--run", place / run),
        *sets,
    )


def failed(result: click.testing.Result) -> str:
    assert result.exit_code != 0, result.output
    assert isinstance(result.exception, ValueError), result.exception
    return str(result.exception)


def test_both_stages_are_trained_and_the_same_line_again_does_nothing(place: Path) -> None:
    done = train(place)
    assert done.exit_code == 0, done.exception
    results = [place / "run" / name / "model.safetensors" for name in ("t2i", "t2v")]
    assert done.stdout.splitlines() == [str(path) for path in results]
    before = [path.stat().st_mtime_ns for path in results]
    assert train(place).exit_code == 0
    assert [path.stat().st_mtime_ns for path in results] == before


def test_what_a_stage_was_trained_on_is_written_down(place: Path) -> None:
    train(place)
    said = json.loads((place / "run" / "t2v" / "data.json").read_text())
    table = Workspace(place / "work").table("latents/256p")
    assert said["versions"]["latents/256p"] == table.delta().version()
    assert said["encoder_hash"] == table.read(["encoder_hash"])["encoder_hash"][0].as_py()
    assert said["num_samples"] == 2
    assert said["typical"] == {
        "num_frames": 16,
        "height": 48,
        "width": 80,
        "fps": pytest.approx(8 / 3),
    }
    assert (place / "run" / "t2v" / "samples" / "step-00000004" / "000.mp4").is_file()
    [line] = read_metrics(place / "run" / "t2v", "evaluation")
    assert line["num_samples"] >= 1
    assert line["floor_gaussian"] > 1
    assert read_metrics(place / "run" / "t2i", "evaluation") == []


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return read_result(run / "t2v" / "model.safetensors")[0]


@pytest.mark.slow
@pytest.mark.parametrize("number", [2, 9])
def test_stopped_or_killed_in_the_middle_the_same_line_gives_the_same_weights(
    number: int, place: Path
) -> None:
    words = ["train", str(place / "train.yaml"), "--workspace", str(place / "work"), "--run"]
    assert train(place, run="whole").exit_code == 0
    script = place / "killed.py"
    script.write_text(
        f"""
import os
from pipelines import train
from pipelines.cli import app, main
real = train.train_stage
def watched(work, state, *more):
    for report in real(work, state, *more):
        if work.name == "t2v" and report.step == 2:
            os.kill(os.getpid(), {number})
        yield report
train.train_stage = watched
main()
"""
    )
    line = [sys.executable, str(script), *words, str(place / "halved")]
    done = subprocess.run(line, capture_output=True, text=True)
    if number == 2:
        assert done.returncode == 130, done.stderr
        assert "run the same command again" in done.stderr
    else:
        assert done.returncode == -9
    assert train(place, run="halved").exit_code == 0
    whole, halved = weights_of(place / "whole"), weights_of(place / "halved")
    for name, one in whole.items():
        assert torch.equal(one, halved[name]), name


def test_a_run_stays_with_the_version_of_the_table_it_began_with(place: Path) -> None:
    train(place, run="whole")
    first = train(place, "stages.t2i.steps=3", run="run")
    assert first.exit_code == 0
    table = Workspace(place / "work").table("latents/256p")
    shutil.rmtree(place / "run" / "t2v" / "checkpoints")
    (place / "run" / "t2v" / "model.safetensors").unlink()
    rows = table.read()
    write_deltalake(table.uri, rows.slice(0, 1), mode="overwrite")
    assert train(place).exit_code == 0
    for name, one in weights_of(place / "whole").items():
        assert torch.equal(one, weights_of(place / "run")[name])


def test_an_autoencoder_is_trained_on_shards_used_to_encode_and_left_alone_when_done(
    place: Path,
) -> None:
    fit = ["steps=3", "size_px=32", "num_frames=8", "batch_size=1", "num_evaluations=1",
           "losses.perceptual=0", "held_out_share=0.4"]  # fmt: skip
    sets = [f"autoencoder.fit.{one}" for one in fit]
    sets += ["autoencoder.architecture.channels=[4,8,8,8]", f"autoencoder.folder={place / 'own'}",
             "autoencoder.architecture.blocks_per_scale=1"]  # fmt: skip
    words = [word for one in sets for word in ("--set", one)]
    line = ["train-tae", place / "train.yaml", "--workspace", place / "work", *words]
    done = invoked(*line)
    assert done.exit_code == 0, done.exception
    assert done.stdout.startswith(f"{place / 'own'}: ")
    assert " dB, SSIM 0." in done.stdout
    before = (place / "own" / "autoencoder.safetensors").stat().st_mtime_ns
    assert invoked(*line).exit_code == 0
    assert (place / "own" / "autoencoder.safetensors").stat().st_mtime_ns == before
    coded = ["encode", place / "train.yaml", "--workspace", place / "work", *words]
    assert invoked(*coded).exit_code == 0
    assert train(place, *sets, "samples.prompts=[]").exit_code == 0


def test_there_is_nothing_to_train_of_an_autoencoder_of_diffusers(place: Path) -> None:
    done = invoked("train-tae", place / "train.yaml", "--workspace", place / "work",
                   "--set", "autoencoder.kind=diffusers")  # fmt: skip
    assert "is not trained here" in failed(done)


def test_latents_of_another_autoencoder_are_refused(place: Path) -> None:
    write_tae(place / "other", seed=1)
    said = failed(train(place, f"autoencoder.folder={place / 'other'}"))
    assert "moviola encode" in said
    assert not (place / "run" / "t2i" / "metrics.jsonl").exists()


def test_training_straight_from_pixels_gives_what_training_on_latents_gives(place: Path) -> None:
    assert train(place, run="latents").exit_code == 0
    pixels = [f"stages.{name}.data.source=shards" for name in ("t2i", "t2v")]
    done = train(place, *pixels, run="pixels")
    assert done.exit_code == 0, done.exception
    for name, one in weights_of(place / "latents").items():
        # Stored latents are rounded to half precision.
        torch.testing.assert_close(one, weights_of(place / "pixels")[name], rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["stages.t2v.data.subset=768p"], "has no latents/768p, which stages.t2v.data names"),
        (["stages.t2i.positions.width=2"], "set positions.width of the stage to"),
        (["autoencoder.folder=nowhere"], "nowhere"),
        (["machine.device=cuda"], "PyTorch finds no GPU here"),
        (["stages.t2i.data.image_share=2"], "less than or equal to 1"),
        (["subsets.256p.rules.motion_vmaf.min=1"], "`subsets` is a key of curation recipes"),
        (["stages.t2i.learning_rate=1"], "learning_rate"),
        (["stages.t2i.data.growth=extend"], "growth"),
        (["transformer.num_heads=3"], "dim 32 is no multiple of num_heads 3"),
        (["text.words.of=quoted"], "one encoder at least should read the whole prompt"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_and_where(
    settings: list[str], said: str, place: Path
) -> None:
    if settings == ["machine.device=cuda"] and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert said in failed(train(place, *settings))


def test_a_workspace_without_latents_says_which_command_makes_them(place: Path) -> None:
    shutil.rmtree(place / "work" / "latents")
    assert "`moviola encode` with this recipe makes it" in failed(train(place))


def test_a_half_written_table_counts_only_what_is_committed(place: Path) -> None:
    folder = place / "work" / "latents" / "256p"
    [part, *_] = folder.rglob("*.parquet")
    (part.parent / "half.parquet").write_bytes(part.read_bytes()[:500])
    assert train(place).exit_code == 0


def test_a_file_of_the_table_that_was_cut_short_is_named(place: Path) -> None:
    for part in (place / "work" / "latents" / "256p").rglob("*.parquet"):
        os.truncate(part, 300)
    assert "cannot be read" in failed(train(place))


def changed_latents(place: Path, change: Any) -> None:
    table = Workspace(place / "work").table("latents/256p")
    rows = table.read().sort_by("clip_id")
    made = [change(number, row) for number, row in enumerate(rows.to_pylist())]
    write_deltalake(table.uri, pa.Table.from_pylist(made, schema=rows.schema), mode="overwrite")


def test_a_sample_with_nan_is_skipped_counted_and_named(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def spoilt(number: int, row: dict[str, Any]) -> dict[str, Any]:
        latent = np.frombuffer(row["latent"], "<f2").copy()
        latent[5] = np.nan
        return row | ({"latent": latent.tobytes()} if number == 0 else {})

    changed_latents(place, spoilt)
    sets = ["stages.t2v.data.held_out_share=0", "stages.t2v.data.max_unreadable_share=0.9"]
    assert train(place, *sets).exit_code == 0
    assert "is skipped" in caplog.text
    assert "not finite" in caplog.text
    assert read_metrics(place / "run" / "t2v", "train")[-1]["unreadable"] > 0


def test_too_many_broken_samples_end_training_and_are_named(place: Path) -> None:
    changed_latents(place, lambda number, row: row | {"latent": b"x"})
    said = failed(train(place, "stages.t2v.data.held_out_share=0"))
    assert "bytes" in said


def generated(place: Path, *words: str | Path) -> list[dict[str, Any]]:
    done = invoked("generate", place / "run", "--into", place / "videos", *words)
    assert done.exit_code == 0, done.exception
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_generated_videos_have_the_form_of_training_and_their_prompt_in_them(place: Path) -> None:
    train(place)
    rows = generated(place, "--prompt", 'a wall, "STOP"', "--prompt", "a cat", "--count", "2")
    assert [row["seed"] for row in rows] == [0, 1, 2, 3]
    assert rows[0]["prompt"] == 'FPS-3 A wall, "STOP".'
    with av.open(str(place / "videos" / "000.mp4")) as container:
        assert container.metadata["comment"] == rows[0]["prompt"]
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.frames) == (80, 48, 16)
        assert float(stream.average_rate or 0) == pytest.approx(8 / 3, rel=1e-3)
    assert Image.open(place / "videos" / "sheet.png").height > 4 * 96
    again = generated(place, "--prompt", 'a wall, "STOP"')
    assert again == rows[:1]


def test_size_length_and_rate_can_be_asked_for_and_one_frame_is_an_image(place: Path) -> None:
    train(place)
    words = ["--prompt", "a cat", "--aspect", "9:16", "--base-px", "64", "--frames", "9"]
    [row] = generated(place, *words, "--fps", "12")
    assert (row["width"], row["height"], row["num_frames"], row["fps"]) == (48, 80, 9, 12.0)
    assert row["prompt"].startswith("FPS-12 ")
    [row] = generated(place, "--prompt", "a cat", "--frames", "1", "--stage", "t2i")
    assert row["prompt"] == "A cat."
    with Image.open(place / "videos" / row["file"]) as picture:
        assert picture.size == (80, 48)
        assert picture.info["Description"] == "A cat."


def test_prompts_of_a_file_are_taken_line_by_line(place: Path) -> None:
    train(place)
    (place / "prompts.txt").write_text("a cat\n\nFPS-9 Static shot. A dog.\n")
    rows = generated(place, "--file", place / "prompts.txt", "--raw")
    assert [row["prompt"] for row in rows] == ["a cat", "FPS-9 Static shot. A dog."]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--prompt", "!!!"], "holds no word"),
        (["--prompt", "a", "--stage", "t3v"], "has no stage 't3v': t2i, t2v"),
        (["--prompt", "a", "--frames", "99"], "frames"),
        (["--prompt", "a", "--base-px", "256"], "positions"),
        (["--prompt", "a", "--model", "nowhere.safetensors"], "is no model of Moviola"),
        (["--prompt", "a", "--set", "generation.step=2"], "steps"),
        ([], "needs --prompt or --file"),
    ],
)
def test_what_cannot_be_generated_is_said(words: list[str], said: str, place: Path) -> None:
    train(place)
    done = invoked("generate", place / "run", "--into", place / "videos", *words)
    assert done.exit_code != 0
    assert said in str(done.exception) + done.output


def test_a_folder_without_a_run_and_a_run_without_a_result_are_said(place: Path) -> None:
    done = invoked("generate", place / "nowhere", "--into", place / "v", "--prompt", "a")
    assert "is no run" in failed(done)
    train(place)
    for name in ("t2i", "t2v"):
        (place / "run" / name / "model.safetensors").unlink()
    done = invoked("generate", place / "run", "--into", place / "v", "--prompt", "a")
    assert "has no finished stage" in failed(done)


def test_a_model_is_not_used_with_another_autoencoder(place: Path) -> None:
    train(place)
    write_tae(place / "other", seed=1)
    setting = f"autoencoder.folder={place / 'other'}"
    done = invoked("generate", place / "run", "--into", place / "v", "--prompt", "a",
                   "--set", setting)  # fmt: skip
    assert "was trained with other encoders" in failed(done)


def test_the_mean_of_two_runs_can_be_used(place: Path) -> None:
    for seed in (1, 2):
        assert train(place, f"seed={seed}", run=f"run-{seed}").exit_code == 0
    models = [place / f"run-{seed}" / "t2v" / "model.safetensors" for seed in (1, 2)]
    assert invoked("average", *models, "--into", place / "mean.safetensors").exit_code == 0
    shutil.copytree(place / "run-1", place / "run")
    rows = generated(place, "--prompt", "a cat", "--model", place / "mean.safetensors")
    assert len(rows) == 1


def test_a_language_model_expands_requests_where_it_is_asked_to(place: Path) -> None:
    from pipelines.rewriting import prompts_of
    from training.settings import RewriterSettings

    made = prompts_of(["a dog on the beach"], RewriterSettings(), packaged_weights(), 16.0)
    assert made[0].startswith("FPS-16 ")
    assert "dog" in made[0] and "beach" in made[0]
    assert prompts_of(["a dog"], None, packaged_weights(), None) == ["A dog."]
