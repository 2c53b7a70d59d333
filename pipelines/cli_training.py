"""The commands that read training recipes."""

import shlex
import sys

import click

from pipelines import encode_summary
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
from pipelines.progress import Progress, Style
from pipelines.training_recipe import load_training_recipe
from pipelines.workspace import Workspace


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
