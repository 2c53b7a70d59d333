"""Whether a transformer that was overfitted on eight captioned clips gives each caption its clip.

`python -m benchmarks.accuracy.learns [--workspace W --autoencoder FOLDER] [--footage FOLDER]
[--into FOLDER] [--steps N] [--tae-s S]`: the demo's film, or the videos of a folder, are curated;
an autoencoder is trained for a few minutes; eight clips with eight captions are encoded and trained
on until the transformer knows them. Then a video is generated of each caption from noise that
training has not seen, and held against all eight clips, as the autoencoder decodes them: it should
be nearest to its own, by PSNR over all its pixels and by SSCD, a copy detector, over its middle
frame.

Printed are both tables, the loss over time beside its Gaussian floor, and a last line of JSON. The
contact sheet has generated videos and clips in turn.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from benchmarks.accuracy.captions import ALL_CLIPS
from curation.inputs import read_inputs
from curation.models.sscd import CopyDetector
from pipelines.assets import cache_folder, fetch
from pipelines.curate import Curation
from pipelines.encode import Encoding, encoding_run
from pipelines.recipe import load_recipe
from pipelines.run import Run
from pipelines.train import Training
from pipelines.train_autoencoder import train_autoencoder
from pipelines.training_recipe import load_training_recipe
from pipelines.video_format import typical_format
from pipelines.video_model import load_video_model
from pipelines.workspace import Workspace
from training.generate import rgb_frames
from training.metrics import read_metrics
from training.run_folder import RunFolder
from training.settings import TrainingRecipe
from training.sheet import contact_sheet

NUM_CLIPS = 8
BAR = {"own_nearest_psnr": NUM_CLIPS, "own_nearest_sscd": NUM_CLIPS}
GUIDANCE = 2.0

Video = npt.NDArray[np.uint8]


def curated(workspace: Workspace, inputs: Sequence[str]) -> None:
    """Footage to captioned shards, in this process, every shot of it."""
    # One shape for all: every video is compared with every clip.
    sets = ["engine.runner=inline", "scores.safety=null", 'subsets.256p.buckets.aspects=["16:9"]']
    recipe = load_recipe("demo", [*sets, *ALL_CLIPS]).recipe
    with Run(workspace, recipe.engine, recipe=recipe.model_dump(mode="json")) as run:
        Curation(recipe, workspace, run).all(read_inputs(list(inputs)))


def recipe_of(folder: Path, steps: int, tae_s: float) -> TrainingRecipe:
    """The demo's training recipe, made to learn eight clips by heart."""
    sets = [
        f"autoencoder.folder={folder}",
        f"autoencoder.fit.max_s={tae_s}",
        "encoding.runner=inline",
        "stages.t2i.steps=1",
        f"stages.t2v.steps={steps}",
        "stages.t2v.data.held_out_share=0",
        "stages.t2i.data.held_out_share=0",
        "stages.t2v.data.image_share=0",
        "stages.t2v.data.tokens_per_step=1024",
        "stages.t2v.optimizer.learning_rate=0.001",
        "stages.t2v.optimizer.schedule=cosine",
        "stages.t2v.ema_decay=0.995",
        "samples.prompts=[]",
        f"checkpoints.every_steps={steps}",
        f"evaluation.every_steps={steps}",
        f"generation.guidance={GUIDANCE}",
    ]
    return load_training_recipe("train-demo", sets).recipe


def stored(workspace: Workspace) -> tuple[list[str], list[npt.NDArray[np.float32]], list[int]]:
    """Of each clip that was encoded its prompt, its latents, and its number of frames."""
    rows = workspace.table("latents/256p").read().sort_by("clip_id").to_pylist()
    latents = [
        np.frombuffer(row["latent"], "<f2").reshape(row["latent_shape"]).astype(np.float32)
        for row in rows
    ]
    return [row["prompt"] for row in rows], latents, [row["num_frames"] for row in rows]


def psnr_table(made: Sequence[Video], clips: Sequence[Video]) -> npt.NDArray[np.float64]:
    """PSNR in dB of each generated video (rows) against each clip (columns)."""
    found = np.empty((len(made), len(clips)))
    for row, one in enumerate(made):
        for column, clip in enumerate(clips):
            error = np.mean((one.astype(np.float64) - clip) ** 2)
            found[row, column] = 10 * np.log10(255**2 / max(error, 1e-9))
    return found


def sscd_table(made: Sequence[Video], clips: Sequence[Video]) -> npt.NDArray[np.float64]:
    """Cosine of SSCD's embeddings of middle frames, likewise."""
    model = CopyDetector(cache_folder() / "models")
    model.setup()

    def embedded(videos: Sequence[Video]) -> npt.NDArray[np.float64]:
        rows = model([[np.ascontiguousarray(video[len(video) // 2])] for video in videos])
        vectors = np.array([row["copy_embedding"][0] for row in rows], np.float64)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    return embedded(made) @ embedded(clips).T


def num_own_nearest(table: npt.NDArray[np.float64]) -> int:
    """How many rows have their largest value on the diagonal."""
    return int((table.argmax(axis=1) == np.arange(len(table))).sum())


def shown(name: str, table: npt.NDArray[np.float64], digits: int) -> None:
    """Prints a table."""
    print(f"\n{name}: generated videos down, clips across")
    for row in table:
        print("  " + " ".join(f"{value:7.{digits}f}" for value in row))


def main() -> None:
    """Prints tables and a last line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", help="one that is curated already, with captions")
    parser.add_argument("--autoencoder", type=Path, help="folder of one that is trained")
    parser.add_argument("--footage", type=Path, help="folder of real videos")
    parser.add_argument("--into", type=Path, default=Path("build/learns"), help="for the sheet")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--tae-s", type=float, default=240.0, help="seconds for the autoencoder")
    arguments = parser.parse_args()
    weights = cache_folder() / "models"
    fetch("models", weights)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workspace = Workspace(arguments.workspace or folder / "workspace")
        if not arguments.workspace:
            footage = cache_folder() / "footage"
            if not arguments.footage:
                fetch("demo", footage)
            curated(workspace, [str(arguments.footage or footage / "manifest.csv")])
        tae = arguments.autoencoder or folder / "tae"
        recipe = recipe_of(tae, arguments.steps, arguments.tae_s)
        if not arguments.autoencoder:
            quality = train_autoencoder(recipe, workspace, weights)["held_out"]
            print(f"autoencoder, held out: {quality}")
        with encoding_run(recipe, workspace, "accuracy/learns") as run:
            Encoding(recipe, workspace, run, limit=NUM_CLIPS).all()
        prompts, latents, num_frames = stored(workspace)
        assert len(set(prompts)) == len(prompts) == NUM_CLIPS, prompts

        began_s = time.monotonic()
        place = RunFolder(folder / "run")
        Training(recipe, workspace, place, weights).all()
        trained_s = time.monotonic() - began_s
        print(f"\ntrained {arguments.steps} steps in {trained_s:.0f} s; loss, Gaussian floor:")
        lines = read_metrics(place.stage("t2v"), "train")
        for line in lines[:: max(1, len(lines) // 12)]:
            print(f"  {line['step']:6} {line['loss']:.3f} {line['floor_gaussian']:.3f}")

        model, stage = load_video_model(place, recipe, None, None, weights)
        clips = []
        for latent, count in zip(latents, num_frames, strict=True):
            video = model.encoders.autoencoder.decode(torch.from_numpy(latent)[None], count)[0]
            clips.append(rgb_frames(video))
        shape = typical_format(place, stage).shape
        made = [model.video(one, shape, 1000 + number) for number, one in enumerate(prompts)]
        tables = {"psnr": psnr_table(made, clips), "sscd": sscd_table(made, clips)}
        shown("PSNR, dB", tables["psnr"], 1)
        shown("SSCD, cosine", tables["sscd"], 3)
        arguments.into.mkdir(parents=True, exist_ok=True)
        pairs = [video for pair in zip(made, clips, strict=True) for video in pair]
        labels = [text for one in prompts for text in (one, "the clip, through the autoencoder")]
        Image.fromarray(contact_sheet(pairs, labels, 6)).save(arguments.into / "learns.png")
    figures = {
        "num_clips": NUM_CLIPS,
        "steps": arguments.steps,
        "train_s": round(trained_s, 1),
        "last_loss": lines[-1]["loss"],
        **{f"own_nearest_{name}": num_own_nearest(table) for name, table in tables.items()},
        **{f"own_{name}_mean": float(np.diag(table).mean()) for name, table in tables.items()},
    }
    held = all(figures[name] >= bar for name, bar in BAR.items())
    print(f"\nlook at {arguments.into / 'learns.png'}")
    print(json.dumps({"name": "accuracy/learns", "figures": figures, "bar": BAR, "held": held}))


if __name__ == "__main__":
    main()
