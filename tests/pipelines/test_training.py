"""From latents to videos: what the commands do, do again, and refuse."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import click
import click.testing
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from deltalake import write_deltalake
from PIL import Image

from pipelines import video_model
from pipelines.cli import app
from pipelines.encode import Encoding, encoding_run
from pipelines.generation import strip
from pipelines.training_recipe import load_training_recipe
from pipelines.workspace import Workspace
from tests.models import weights as packaged_weights
from tests.pipelines.test_encode import rewrite, said
from tests.training.toy_models import caption
from tests.workspaces import small_workspace
from training.autoencoder.coder import TaeCoder
from training.autoencoder.files import write_autoencoder
from training.autoencoder.settings import TaeArchitecture
from training.autoencoder.tae import Tae
from training.errors import TrainingError
from training.metrics import read_metrics
from training.results import read_result
from training.sheet import contact_sheet

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
machine: {{cpu_threads: 1}}
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
    place = tmp_path / "place"
    shutil.copytree(encoded, place)
    (place / "train.yaml").write_text(RECIPE.format(tae=place / "tae"))
    return place


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
@pytest.mark.parametrize("number", [2, 15, 9])
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
    if number != 9:
        assert done.returncode == 130, done.stderr
        assert "run the same command again" in done.stderr
    else:
        assert done.returncode == -9
    assert train(place, run="halved").exit_code == 0
    whole, halved = weights_of(place / "whole"), weights_of(place / "halved")
    for name, one in whole.items():
        assert torch.equal(one, halved[name]), name


def test_a_run_stays_with_the_version_of_the_table_it_began_with(place: Path) -> None:
    assert train(place, "checkpoints.every_steps=2").exit_code == 0
    whole = weights_of(place / "run")
    table = Workspace(place / "work").table("latents/256p")
    shutil.rmtree(place / "run" / "t2v" / "checkpoints" / "step-00000004")
    unfinish(place, "t2v")
    write_deltalake(table.uri, table.read().slice(0, 1), mode="overwrite")
    assert train(place).exit_code == 0
    for name, one in whole.items():
        assert torch.equal(one, weights_of(place / "run")[name])


def unfinish(place: Path, stage: str) -> None:
    (place / "run" / stage / "model.safetensors").unlink()


def said_of_data(place: Path, stage: str = "t2v") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place / "run" / stage / "data.json").read_text())
    return found


def test_until_it_has_a_checkpoint_a_stage_takes_the_tables_as_they_are(place: Path) -> None:
    assert train(place).exit_code == 0
    before = said_of_data(place, "t2i")
    shutil.rmtree(place / "run" / "t2v")
    unfinish(place, "t2i")
    shutil.rmtree(place / "run" / "t2i" / "checkpoints")
    write_tae(place / "tae", seed=1)
    assert "run `moviola encode` again" in failed(train(place))
    line = ["encode", place / "train.yaml", "--workspace", place / "work"]
    assert invoked(*line).exit_code == 0
    done = train(place, "samples.prompts=[]")
    assert done.exit_code == 0, done.exception
    after = said_of_data(place, "t2i")
    assert after["versions"]["latents/256p"] > before["versions"]["latents/256p"]
    assert after["encoder_hash"] != before["encoder_hash"]


@pytest.mark.parametrize("source", ["latents", "shards"])
def test_a_run_that_has_begun_is_not_gone_on_with_by_other_encoders(
    source: str, place: Path
) -> None:
    sets = [f"stages.t2i.data.source={source}", "samples.prompts=[]"]
    assert train(place, *sets).exit_code == 0
    unfinish(place, "t2i")
    version = said_of_data(place, "t2i")["versions"][f"{source}/256p"]
    before = said_of_data(place, "t2i")["encoders"]["autoencoder"]
    write_tae(place / "tae", seed=1)
    said = failed(train(place, *sets))
    assert f"began with version {version} of {source}/256p and other encoders" in said
    assert f"autoencoder: {before} -> tae-" in said
    assert "text" not in said
    assert "name another folder with --run" in said


def test_a_selection_that_appears_or_goes_later_changes_nothing_of_what_has_begun(
    place: Path,
) -> None:
    selection = place / "work" / "selection"
    selection.rename(place / "aside")
    assert train(place).exit_code == 0
    assert said_of_data(place)["versions"]["selection"] is None
    (place / "aside").rename(selection)
    table = Workspace(place / "work").table("selection")
    rows = table.read(filter=pc.field("status") == "ok").slice(0, 1)
    write_deltalake(table.uri, rows, mode="overwrite")
    unfinish(place, "t2v")
    assert train(place).exit_code == 0
    assert said_of_data(place)["num_samples"] == 2
    assert train(place, "stages.t2v.data.held_out_share=0", run="new").exit_code == 0
    assert json.loads((place / "new" / "t2v" / "data.json").read_text())["num_samples"] == 1


def test_a_version_whose_files_are_gone_is_said_to_be(place: Path) -> None:
    assert train(place, "samples.prompts=[]").exit_code == 0
    unfinish(place, "t2v")
    table = Workspace(place / "work").table("latents/256p")
    files = table.delta().file_uris()
    write_deltalake(table.uri, table.read(), mode="overwrite")
    for file in files:
        Path(file).unlink()
    said = failed(train(place, "samples.prompts=[]"))
    assert f"of its {len(files)} files are gone" in said
    assert "name another folder with --run" in said


def test_a_stage_whose_metrics_were_removed_can_still_be_finished(place: Path) -> None:
    assert train(place, "samples.prompts=[]").exit_code == 0
    unfinish(place, "t2v")
    (place / "run" / "t2v" / "metrics.jsonl").unlink()
    done = train(place, "samples.prompts=[]")
    assert done.exit_code == 0, done.exception


def test_the_log_says_what_is_trained_on(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert train(place, "samples.prompts=[]").exit_code == 0
    assert "t2i: trains on 2 images (2 of 1x6x10); 0 of 2 samples are held out" in caplog.text
    assert "t2v: trains on 1 clips (1 of 2x6x10) and 1 images (1 of 1x6x10); 1 of 2" in caplog.text


def test_a_stop_that_is_asked_for_while_a_stage_is_finished_keeps_the_next_from_beginning(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines import train as module

    real = module.finish

    def stopped(*inputs: Any) -> Path:
        signal.raise_signal(signal.SIGTERM)
        return real(*inputs)

    monkeypatch.setattr(module, "finish", stopped)
    done = train(place, "samples.prompts=[]")
    assert isinstance(done.exception, KeyboardInterrupt | click.Abort | SystemExit)
    assert done.exit_code != 0
    assert (place / "run" / "t2i" / "model.safetensors").is_file()
    assert not (place / "run" / "t2v").exists()


def test_a_gpu_without_memory_ends_training_with_what_to_lower(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*inputs: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("pipelines.train.train_stage", full)
    done = train(place, "samples.prompts=[]")
    assert isinstance(done.exception, TrainingError)
    assert "lower stages.t2i.data.tokens_per_micro_batch" in str(done.exception)


@pytest.mark.parametrize("package", ["torch", "safetensors", "PIL"])
@pytest.mark.parametrize("command", ["train", "train-tae", "generate", "average", "encode"])
def test_without_the_extra_packages_commands_say_how_to_get_them(
    command: str, package: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = ["--workspace", place / "work"]
    words = {
        "train": ["train", place / "train.yaml", *work, "--run", place / "run"],
        "train-tae": ["train-tae", place / "train.yaml", *work],
        "generate": ["generate", place / "run", "--prompt", "a", "--into", place / "videos"],
        "average": ["average", place / "a.safetensors", "--into", place / "b.safetensors"],
        "encode": ["encode", place / "train.yaml", *work],
    }
    monkeypatch.setitem(sys.modules, package, None)
    said = failed(invoked(*words[command]))
    assert said == f"this needs {package}: pip install 'moviola[training]'"


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


def test_a_model_that_was_cut_short_is_written_anew_from_its_checkpoint(place: Path) -> None:
    train(place)
    path = place / "run" / "t2v" / "model.safetensors"
    before = path.read_bytes()
    os.truncate(path, 500)
    assert train(place).exit_code == 0
    assert path.read_bytes() == before


def test_a_truncated_autoencoder_is_said_and_costs_no_latents(place: Path) -> None:
    os.truncate(place / "tae" / "autoencoder.safetensors", 500)
    line = [place / "train.yaml", "--workspace", place / "work"]
    for words in (["encode", *line], ["train", *line, "--run", place / "run"]):
        assert "is not the file that autoencoder.json beside it describes" in failed(
            invoked(*words)
        )
    assert Workspace(place / "work").table("latents/256p").read().num_rows == 2


def test_latents_of_another_autoencoder_are_refused(place: Path) -> None:
    write_tae(place / "other", seed=1)
    said = failed(train(place, f"autoencoder.folder={place / 'other'}"))
    assert "moviola encode" in said
    assert not (place / "run" / "t2i" / "metrics.jsonl").exists()


def test_training_straight_from_pixels_gives_what_training_on_latents_gives(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[TaeCoder] = []
    loaded: list[TaeCoder] = []
    make, load = TaeCoder.__init__, TaeCoder.load

    def counted_make(self: TaeCoder, *inputs: Any) -> None:
        made.append(self)
        make(self, *inputs)

    def counted_load(self: TaeCoder, *inputs: Any) -> None:
        loaded.append(self)
        load(self, *inputs)

    assert train(place, run="latents").exit_code == 0
    monkeypatch.setattr(TaeCoder, "__init__", counted_make)
    monkeypatch.setattr(TaeCoder, "load", counted_load)
    pixels = [f"stages.{name}.data.source=shards" for name in ("t2i", "t2v")]
    done = train(place, *pixels, run="pixels")
    assert done.exit_code == 0, done.exception
    assert len(made) == 1, "readers and samples of both stages use the same models"
    assert loaded == made
    for name, one in weights_of(place / "latents").items():
        # Stored latents are rounded to half precision.
        torch.testing.assert_close(one, weights_of(place / "pixels")[name], rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["stages.t2v.data.subset=768p"], "has no latents/768p, which stages.t2v.data names"),
        (["stages.t2i.positions.width=2"], "set positions.width of the stage to"),
        (["autoencoder.folder=nowhere"], "`moviola train-tae` writes it"),
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
    of_stage = "stages.t2v.data."
    done = train(place, f"{of_stage}held_out_share=0", f"{of_stage}max_unreadable_share=0")
    assert isinstance(done.exception, TrainingError)
    assert "1 bytes, which is not float16" in str(done.exception)


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
    (place / "videos" / "notes.png").touch()
    again = generated(place, "--prompt", 'a wall, "STOP"')
    assert again == rows[:1]
    left = {path.name for path in (place / "videos").iterdir()}
    assert left == {"000.mp4", "sheet.png", "videos.jsonl", "notes.png"}


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


def test_videos_are_written_one_by_one_and_a_stop_keeps_what_is_made(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(place, "samples.prompts=[]").exit_code == 0
    words = ["--prompt", "a cat", "--count", "3"]
    whole = generated(place, *words)
    videos = [(place / "videos" / row["file"]).read_bytes() for row in whole]
    shutil.rmtree(place / "videos")
    real, batches = video_model.generate, []

    def stopped(*inputs: Any) -> Any:
        batches.append(len(inputs[2]))
        if len(batches) == 3:
            raise KeyboardInterrupt
        return real(*inputs)

    monkeypatch.setattr(video_model, "generate", stopped)
    done = invoked("generate", place / "run", "--into", place / "videos", *words)
    assert done.exit_code != 0
    assert batches == [1, 1, 1]
    lines = (place / "videos" / "videos.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == whole[:2]
    assert done.stdout.splitlines() == lines
    made = sorted((place / "videos").glob("*.mp4"))
    assert [path.read_bytes() for path in made] == videos[:2]


def test_the_sheet_keeps_a_few_small_frames_of_a_video() -> None:
    grey = np.arange(33, dtype=np.uint8)
    video = np.broadcast_to(grey[:, None, None, None], (33, 600, 800, 3))
    small = strip(video)
    assert small.shape == (8, 150, 200, 3)
    assert small[:, 0, 0, 0].tolist() == [0, 5, 9, 14, 18, 23, 27, 32]
    assert np.array_equal(contact_sheet([small], ["a"]), contact_sheet([video[:, ::4, ::4]], ["a"]))
    assert strip(video[:3, :48, :80]).shape == (3, 48, 80, 3)


def test_a_gpu_without_memory_ends_generating_with_what_to_lower(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(place, "samples.prompts=[]").exit_code == 0

    def full(*inputs: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(video_model, "generate", full)
    done = invoked("generate", place / "run", "--prompt", "a", "--into", place / "videos")
    assert isinstance(done.exception, TrainingError)
    assert "fewer --frames or a smaller --base-px" in str(done.exception)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--prompt", "!!!"], "holds no word"),
        (["--prompt", "a", "--stage", "t3v"], "has no stage 't3v': t2i, t2v"),
        (["--prompt", "a", "--frames", "100000000000"], "ask for smaller or shorter ones"),
        (["--prompt", "a", "--frames", "99"], "ask for smaller or shorter ones"),
        (["--prompt", "a", "--base-px", "256"], "`positions.height` of 12 or more"),
        (["--prompt", "a", "--model", "nowhere.safetensors"], "is no model of Moviola"),
        (["--prompt", "a", "--set", "generation.step=2"], "steps"),
        (["--prompt", "a", "--fps", "1000"], "is not in the range 1<=x<=999"),
        (["--prompt", "a", "--fps", "nan"], "nan is no number"),
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
