"""The commands that read training recipes, train models, and use them."""

import json
import math
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import click

from curation.buckets import Aspect
from curation.models.devices import required
from pipelines import encode_summary
from pipelines.assets import cache_folder
from pipelines.cli_options import (
    FAILED_ROWS,
    dry_run_option,
    json_option,
    limit_option,
    optional_workspace_option,
    print_config_option,
    progress_option,
    recipe_argument,
    retry_option,
    set_option,
)
from pipelines.encode import Encoding, check_subsets, encoding_run, plans
from pipelines.escaping import printable
from pipelines.progress import Progress, Style
from pipelines.training_recipe import load_training_recipe
from pipelines.workspace import Workspace

run_option = click.option(
    "--run",
    "run_folder",
    type=click.Path(path_type=Path),
    help="The local folder of the run; one that is there is gone on with.",
)


def _no_nan(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
    """A range lets "nan" pass."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("nan is no number.")
    return value


def need_packages() -> None:
    """Says what to install, before anything that imports it fails.

    Raises:
        ValueError: a package of the extra `training` is missing.
    """
    for package in ("torch", "safetensors", "PIL"):
        try:
            required(package)
        except ValueError as error:
            raise ValueError(f"this needs {package}: pip install 'moviola[training]'") from error


@click.command()
@recipe_argument
@optional_workspace_option
@set_option
@limit_option
@retry_option
@dry_run_option
@print_config_option
@progress_option
@json_option
def encode(
    recipe: str,
    workspace: str,
    sets: tuple[str, ...],
    limit: int | None,
    retry_failed: bool,
    dry_run: bool,
    print_config: bool,
    progress: Style | None,
    as_json: bool,
) -> None:
    """Encodes the shards that a training recipe reads; the same line again resumes."""
    loaded = load_training_recipe(recipe, sets)
    if print_config:
        sys.stdout.write(loaded.config())
        return
    if not workspace:
        raise click.UsageError("encode needs --workspace")
    need_packages()
    place = Workspace(workspace)
    if dry_run:
        for plan in plans(loaded.recipe, place, limit, retry_failed):
            sys.stdout.write(f"{plan.line()}\n")
        return
    check_subsets(loaded.recipe, place)
    run = encoding_run(loaded.recipe, place, shlex.join(["moviola", *sys.argv[1:]]))
    with run, Progress(progress) as shown:
        work = Encoding(loaded.recipe, place, run, shown, limit, retry_failed)
        work.all()
    steps = encode_summary.steps_of(place, work.summaries)
    show = encode_summary.as_json if as_json else encode_summary.as_text
    sys.stdout.write(show(place, steps, work.summaries) + "\n")
    allowed, failed = loaded.recipe.encoding.max_failed_share, encode_summary.failed_share(steps)
    if failed > allowed:
        sys.stderr.write(
            f"moviola: {failed:.1%} of a subset's samples failed; encoding.max_failed_share is "
            f"{allowed:.1%}\n"
        )
        raise click.exceptions.Exit(FAILED_ROWS)


@click.command()
@recipe_argument
@optional_workspace_option
@run_option
@click.option("--stage", help="This stage alone; those before it are finished.")
@set_option
@print_config_option
def train(
    recipe: str,
    workspace: str,
    run_folder: Path | None,
    stage: str | None,
    sets: tuple[str, ...],
    print_config: bool,
) -> None:
    """Trains the model of a training recipe, stage by stage; the same line again resumes."""
    loaded = load_training_recipe(recipe, sets)
    if print_config:
        sys.stdout.write(loaded.config())
        return
    if not workspace or run_folder is None:
        raise click.UsageError("train needs --workspace and --run")
    need_packages()
    from pipelines.train import Training
    from pipelines.training_progress import TrainingProgress
    from training.run_folder import RunFolder

    place, run = Workspace(workspace), RunFolder(run_folder)
    with TrainingProgress(loaded.recipe) as shown:
        work = Training(loaded.recipe, place, run, cache_folder() / "models", shown.saw)
        results = work.all(stage)
    for path in results:
        sys.stdout.write(f"{printable(path)}\n")


@click.command("train-tae")
@recipe_argument
@optional_workspace_option
@set_option
@print_config_option
def train_tae(recipe: str, workspace: str, sets: tuple[str, ...], print_config: bool) -> None:
    """Trains the autoencoder of a training recipe into autoencoder.folder; again resumes."""
    loaded = load_training_recipe(recipe, sets)
    if print_config:
        sys.stdout.write(loaded.config())
        return
    if not workspace:
        raise click.UsageError("train-tae needs --workspace")
    need_packages()
    from pipelines.train_autoencoder import train_autoencoder
    from pipelines.training_progress import say_fit

    said = say_fit(loaded.recipe.autoencoder.fit)
    done = train_autoencoder(loaded.recipe, Workspace(workspace), cache_folder() / "models", said)
    quality = done["held_out"]
    held = f": {quality['psnr_db']:.2f} dB, SSIM {quality['ssim']:.3f}" if quality else ""
    sys.stdout.write(f"{printable(loaded.recipe.autoencoder.folder)}{held}\n")


@click.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--prompt", "prompts", multiple=True, help="What is to be seen; repeatable.")
@click.option(
    "--file",
    "prompt_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A text file with a prompt on each line.",
)
@click.option(
    "--into",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="A local folder for the videos and a sheet of their frames.",
)
@click.option("--stage", help="The stage whose model it is; the last that is finished.")
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="Other weights than the stage's, such as a mean by `moviola average`.",
)
@click.option("--seed", type=int, default=0, help="Of the first video; the next has the next. 0.")
@click.option("--count", type=click.IntRange(min=1), default=1, help="Videos of each prompt; 1.")
@click.option("--aspect", type=click.Choice(get_args(Aspect)), help="Width to height.")
@click.option("--base-px", type=click.IntRange(min=16), help="Side of a square of the area, px.")
@click.option("--frames", "num_frames", type=click.IntRange(min=1), help="Frames; 1 is an image.")
@click.option(
    "--fps", type=click.FloatRange(min=1, max=999), callback=_no_nan, help="Frames per second."
)
@click.option("--raw", is_flag=True, help="Takes prompts as they are, FPS-N and camera included.")
@set_option
def generate(
    run_folder: Path,
    prompts: tuple[str, ...],
    prompt_file: Path | None,
    folder: Path,
    stage: str | None,
    model: Path | None,
    seed: int,
    count: int,
    aspect: Aspect | None,
    base_px: int | None,
    num_frames: int | None,
    fps: float | None,
    raw: bool,
    sets: tuple[str, ...],
) -> None:
    """Generates videos by the model of a run; what is not said is as in its training."""
    asked = [*prompts]
    if prompt_file is not None:
        try:
            text = prompt_file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise click.UsageError(f"{prompt_file} is no text in UTF-8: {error}") from error
        asked += [line.strip() for line in text.splitlines() if line.strip()]
    if not asked:
        raise click.UsageError("generate needs --prompt or --file")
    need_packages()
    from pipelines.generation import Order, generate_videos

    order = Order(asked, seed, count, stage, model, aspect, base_px, num_frames, fps, raw, sets)
    generate_videos(run_folder, order, folder, cache_folder() / "models", _print_row)


def _print_row(row: Mapping[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(dict(row))}\n")
    sys.stdout.flush()


@click.command()
@click.argument("models", metavar="MODEL", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--into",
    "target",
    required=True,
    type=click.Path(path_type=Path),
    help="The file of the mean, such as build/mean/model.safetensors.",
)
def average(models: tuple[Path, ...], target: Path) -> None:
    """Writes the mean of several models' weights, such as of fine-tuning runs that differ."""
    need_packages()
    from training.results import average_files

    average_files(models, target)
    sys.stdout.write(f"wrote {printable(target)}, the mean of {len(models):,} models\n")
