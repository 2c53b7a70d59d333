"""Whether minutes of training make an autoencoder that beats what needs none, on held-out clips.

`python -m benchmarks.accuracy.learns_autoencoder [--footage FOLDER] [--seconds S] [--threads N]`:
the demo's film is curated, or every clip of a folder of videos; a fifth of the videos is held out,
or of the clips where there is one video. A small temporal autoencoder learns for ten minutes on two
threads, at 64 px. PSNR and SSIM on held-out clips are compared at 16 numbers for 8x8x8 pixels with

- `pca`: the 16 principal components of blocks of 8x8x8 pixels of the clips that it learnt from,
- `bicubic`: scaling down and up again, space and time divided in the way that is best on the
  held-out clips, and never fewer numbers.

The curve over time is printed, and a sheet of originals and what became of them is written.
"""

import argparse
import json
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from deltalake import DeltaTable
from torch import Tensor
from torch.nn.functional import interpolate

from benchmarks.accuracy.captions import ALL_CLIPS
from curation.inputs import read_inputs
from curation.media.samples import decode_sample
from pipelines.assets import cache_folder, fetch
from pipelines.curate import Curation
from pipelines.recipe import load_recipe
from pipelines.run import Run
from pipelines.workspace import Workspace
from training.autoencoder.coder import autoencoder
from training.autoencoder.crops import Crops, split
from training.autoencoder.fit import fit
from training.autoencoder.patches import blocks_of, video_of
from training.autoencoder.quality import by_motion, motion, psnr, ssim
from training.autoencoder.settings import AutoencoderSettings
from training.pixels import Frames

BAR = {"psnr_over_pca_db": 0.4, "psnr_over_bicubic_db": 1.2, "ssim_over_pca": 0.01}
"""At least, and SSIM above that of bicubic by as much."""

NUM_LATENTS = 16
PCA_STEPS = 240
"""Batches of training that the components are found on: 46 000 blocks."""

KEPT_FRAMES = (1, 2, 3, 4, 6, 8, 16)
"""Of 16, in the ways to scale down."""

SETTINGS = {
    "architecture": {
        "latent_channels": NUM_LATENTS,
        "channels": [8, 32, 64, 128],
        "blocks_per_scale": 1,
    },
    "fit": {
        "size_px": 64,
        "num_frames": 16,
        "batch_size": 2,
        "learning_rate": 2e-3,
        "warmup_steps": 50,
        "ema_decay": 0.998,
        "held_out_share": 0.2,
        "losses": {"l1": 0.0, "l2": 4.0, "perceptual": 0.0},
    },
}


class Shards:
    """The training samples of a curated workspace."""

    def __init__(self, workspace: Path) -> None:
        """Reads all of them, as they are stored."""
        columns = ["clip_id", "video_id", "num_frames", "video"]
        table = DeltaTable(str(workspace / "shards" / "256p")).to_pyarrow_table(columns=columns)
        rows = sorted(table.to_pylist(), key=lambda row: row["clip_id"])
        rows = [row for row in rows if row["video"] is not None]
        self.clip_ids = [row["clip_id"] for row in rows]
        self.video_ids = [row["video_id"] for row in rows]
        self.num_frames = [row["num_frames"] for row in rows]
        self._contents = [row["video"] for row in rows]

    def read(self, number: int) -> Frames:
        """The frames of one."""
        return decode_sample(self._contents[number])


def curate(workspace: Path, inputs: Sequence[str]) -> None:
    """The way from footage to shards, every clip kept, in this process."""
    off = ["engine.runner=inline", "scores.safety=null", "scores.quality=null"]
    recipe = load_recipe("demo", [*off, *ALL_CLIPS]).recipe
    place = Workspace(str(workspace))
    with Run(place, recipe.engine, recipe=recipe.model_dump(mode="json")) as run:
        Curation(recipe, place, run).all(read_inputs(list(inputs)))


def components(crops: Crops) -> tuple[Tensor, Tensor]:
    """Mean and principal components of blocks, `[1536]` and `[16, 1536]`."""
    batches = [crops.batch(step) for step in range(PCA_STEPS)]
    blocks = torch.cat([blocks_of(one).flatten(0, 3) for one in batches if one.shape[2] > 1])
    mean = blocks.mean(dim=0)
    _, vectors = torch.linalg.eigh((blocks - mean).T.double() @ (blocks - mean).double())
    return mean, vectors[:, -NUM_LATENTS:].T.float()


def projected(video: Tensor, mean: Tensor, basis: Tensor) -> Tensor:
    """The video as its blocks' components have it."""
    blocks = (blocks_of(video) - mean) @ basis.T @ basis + mean
    return video_of(blocks, video.shape[2]).clamp(-1, 1)


def bicubic(video: Tensor, kept_frames: int) -> Tensor:
    """The video scaled down to so many frames, and sides for at least 16 of 512 numbers, and up."""
    frames, height, width = video.shape[2:]
    positions = NUM_LATENTS * video[0, 0].numel() / 512 / 3
    scale = math.sqrt(positions / (kept_frames * height * width))
    small = (math.ceil(height * scale), math.ceil(width * scale))
    down = _in_time(_in_space(video, small), kept_frames)
    return _in_space(_in_time(down, frames), (height, width)).clamp(-1, 1)


def _in_space(video: Tensor, size: tuple[int, int]) -> Tensor:
    pictures = video[0].transpose(0, 1)
    done = interpolate(pictures, size=size, mode="bicubic", antialias=True, align_corners=False)
    return done.transpose(0, 1)[None]


def _in_time(video: Tensor, frames: int) -> Tensor:
    rows = video[0].flatten(2).transpose(1, 2)[None]  # [1, 3, H*W, T]
    size = (rows.shape[2], frames)
    done = interpolate(rows, size=size, mode="bicubic", antialias=True, align_corners=False)
    return done[0].transpose(1, 2).reshape(3, frames, *video.shape[3:])[None]


def quality(videos: Sequence[Tensor], way: Callable[[Tensor], Tensor]) -> dict[str, float]:
    """PSNR and SSIM of what a way makes of the videos, and PSNR by motion."""
    decoded = [way(one) for one in videos]
    pairs = list(zip(decoded, videos, strict=True))
    levels = torch.tensor([float(psnr(*pair).mean()) for pair in pairs])
    likeness = sum(float(ssim(*pair).mean()) for pair in pairs) / len(pairs)
    moved = torch.tensor([float(motion(one)) for one in videos])
    thirds = {f"psnr_db_{name}_motion": one for name, one in by_motion(moved, levels).items()}
    return {"psnr_db": float(levels.mean()), "ssim": likeness, **thirds}


def sheet(videos: Sequence[Tensor], ways: Sequence[Callable[[Tensor], Tensor]]) -> Frames:
    """Four frames of each video: the original, and below it what each way makes of it."""
    rows = []
    for video in videos:
        for one in [video, *(way(video) for way in ways)]:
            shown = one[0, :, ::5].permute(2, 1, 0, 3).flatten(2)  # [H, frames, 3 * W]
            frames = shown.unflatten(2, (3, -1)).permute(0, 1, 3, 2).flatten(1, 2)
            rows.append(((frames + 1) * 127.5).round().to(torch.uint8).numpy())
    return np.concatenate(rows)


def trained(clips: Shards, folder: Path, seconds: float) -> Callable[[Tensor], Tensor]:
    """The autoencoder after so many seconds; says on the way how it is doing."""
    settings = settings_of(folder, seconds)
    fit(settings, 0, clips, folder, precision="bfloat16", on_log=_print_curve)
    coder = autoencoder(settings)
    threads = torch.get_num_threads()
    coder.load("cpu")
    torch.set_num_threads(threads)
    return lambda video: coder.decode(coder.encode(video), video.shape[2])


def settings_of(folder: Path, seconds: float) -> AutoencoderSettings:
    """The settings, by the clock."""
    fitting = {**SETTINGS["fit"], "max_s": seconds}
    return AutoencoderSettings.model_validate({**SETTINGS, "fit": fitting, "folder": str(folder)})


def _print_curve(line: Mapping[str, Any]) -> None:
    if line["kind"] == "held_out":
        print(
            f"{line['elapsed_s']:7.0f} s  step {line['step']:6d}  {line['psnr_db']:6.2f} dB  "
            f"SSIM {line['ssim']:.4f}",
            flush=True,
        )


def main() -> None:
    """Prints the curve, a table, and a last line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--footage", type=Path, help="folder of real videos")
    parser.add_argument("--workspace", type=Path, help="curated already, instead of footage")
    parser.add_argument(
        "--seconds", type=float, default=600, help="of training; the bar is for 600"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--into", type=Path, default=Path("build/learns-autoencoder.png"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as name:
        workspace = arguments.workspace or Path(name) / "workspace"
        if arguments.workspace is None:
            fetch("models", cache_folder() / "models")
            film = fetch("demo", cache_folder() / "footage")[:1]
            curate(workspace, [str(arguments.footage)] if arguments.footage else map(str, film))
            torch.set_num_threads(arguments.threads)
        clips = Shards(workspace)
        settings = settings_of(Path(name), arguments.seconds).fit
        learnt, held = split(clips, settings.held_out_share)
        print(
            f"{len(learnt)} clips to learn from, {len(held)} held out, {arguments.threads} threads"
        )
        crops = Crops(clips, learnt, settings, 0)
        found = (crops.middle(number) for number in held)
        videos = [one for one in found if one is not None and one.shape[2] > 1]
        mean, basis = components(crops)
        ways: dict[str, Callable[[Tensor], Tensor]] = {
            "pca": lambda video: projected(video, mean, basis),
            **{f"bicubic_{n}": lambda video, n=n: bicubic(video, n) for n in KEPT_FRAMES},
        }
        rows = {name: quality(videos, way) for name, way in ways.items()}
        best = max((name for name in rows if name != "pca"), key=lambda one: rows[one]["psnr_db"])
        ways["tae"] = trained(clips, Path(name) / "tae", arguments.seconds)
        rows["tae"] = quality(videos, ways["tae"])
        arguments.into.parent.mkdir(parents=True, exist_ok=True)
        shown = sheet(videos[:6], [ways["tae"], ways["pca"], ways[best]])
        cv2.imwrite(str(arguments.into), shown[..., ::-1])
    for name, row in rows.items():
        print(f"{name:12}" + "".join(f"  {key} {value:.3f}" for key, value in row.items()))
    tae, pca, cubic = rows["tae"], rows["pca"], rows[best]
    figures = {
        f"{name}_{key}": rows[name][key] for name in ("tae", "pca", best) for key in rows[name]
    }
    figures |= {
        "psnr_over_pca_db": tae["psnr_db"] - pca["psnr_db"],
        "psnr_over_bicubic_db": tae["psnr_db"] - cubic["psnr_db"],
        "ssim_over_pca": tae["ssim"] - max(pca["ssim"], cubic["ssim"]),
        "seconds": arguments.seconds,
        "threads": arguments.threads,
    }
    held_up = all(figures[key] >= bar for key, bar in BAR.items())
    line = {"name": "accuracy/learns_autoencoder", "figures": figures, "bar": BAR, "held": held_up}
    print(json.dumps(line))


if __name__ == "__main__":
    main()
