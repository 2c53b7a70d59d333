"""The command `moviola`: reads arguments, calls one function, prints its answer.

Exit codes: 0 done; 1 a check found something wrong, or a bug; 2 bad usage, recipe or input; 3 done,
but more rows failed than the recipe allows; 4 storage; 130 interrupted (run the same command
again).
"""

import json
import logging
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click
import duckdb
import pyarrow.compute as pc

from curation.inputs import Inputs, read_inputs
from curation.storage import StorageError as SourceStorageError
from pipelines import doctor as doctor_checks
from pipelines import models as model_files
from pipelines import queries, summary
from pipelines.caption_sheet import PAGE, write_caption_sheet
from pipelines.cli_dashboard import dashboard
from pipelines.cli_options import (
    FAILED_ROWS,
    INTERRUPTED,
    STORAGE,
    USAGE,
    dry_run_option,
    json_option,
    limit_option,
    optional_workspace_option,
    print_config_option,
    progress_option,
    recipe_argument,
    retry_option,
    set_option,
    workspace_argument,
    workspace_option,
)
from pipelines.cli_review import review
from pipelines.cli_training import average, encode, generate, train, train_tae
from pipelines.curate import STAGES, Curation, passed_over, plans
from pipelines.escaping import printable
from pipelines.explain import explain as explain_one
from pipelines.explain_text import as_lines
from pipelines.progress import Progress, Style
from pipelines.recipe import LoadedRecipe, Recipe, load_recipe
from pipelines.recipe_kinds import OtherKind
from pipelines.report.files import write_report
from pipelines.run import Run
from pipelines.selecting import check_subsets
from pipelines.training_recipe import load_training_recipe
from pipelines.verify import verify as verify_workspace
from pipelines.worker import StageError
from pipelines.workspace import StorageError, Workspace
from training.errors import CheckpointError, TrainingError

input_option = click.option(
    "--input", "inputs", multiple=True, help="Folder, glob, file, URI or manifest; repeatable."
)


@click.group()
@click.version_option(package_name="moviola")
def app() -> None:
    """Turns raw footage into training shards, and trains on them."""


app.add_command(review)
for command in (dashboard, encode, train_tae, train, generate, average):
    app.add_command(command)


@app.command()
@recipe_argument
@optional_workspace_option
@input_option
@set_option
@limit_option
@retry_option
@dry_run_option
@print_config_option
@progress_option
@json_option
def curate(
    recipe: str,
    workspace: str,
    inputs: tuple[str, ...],
    sets: tuple[str, ...],
    limit: int | None,
    retry_failed: bool,
    dry_run: bool,
    print_config: bool,
    progress: Style | None,
    as_json: bool,
) -> None:
    """The whole way from footage to shards; the same line again resumes."""
    loaded = load_recipe(recipe, sets)
    if print_config:
        sys.stdout.write(loaded.config())
        return
    if not workspace or not inputs:
        raise click.UsageError("curate needs --input and --workspace")
    found = read_inputs(list(inputs), loaded.recipe.ingest.follow_links)
    if said := passed_over(found):
        logging.getLogger(__name__).info(said)
    place = Workspace(workspace)
    if dry_run:
        _print_plans(loaded, place, found, limit, retry_failed)
        return
    if not found.rows.num_rows:
        logging.getLogger(__name__).warning("no input files: %s", ", ".join(map(printable, inputs)))
    with _at_work(loaded, place, progress, limit, retry_failed) as work:
        work.all(found)
    _finish(work, as_json)


@app.command()
@click.argument("name", metavar="NAME", type=click.Choice(STAGES))
@recipe_argument
@workspace_option
@input_option
@set_option
@limit_option
@retry_option
@progress_option
@json_option
def stage(
    name: str,
    recipe: str,
    workspace: str,
    inputs: tuple[str, ...],
    sets: tuple[str, ...],
    limit: int | None,
    retry_failed: bool,
    progress: Style | None,
    as_json: bool,
) -> None:
    """One stage (sources, clips, scores, captions, shards) on what those before it have made."""
    loaded = load_recipe(recipe, sets)
    if (name == "sources") != bool(inputs):
        raise click.UsageError("--input belongs to stage sources, and only there")
    if name == "captions" and not loaded.recipe.captioning.is_on:
        raise click.UsageError(f"recipe {loaded.name} names no captioner")
    with _at_work(loaded, Workspace(workspace), progress, limit, retry_failed) as work:
        if name == "sources":
            work.sources(read_inputs(list(inputs), loaded.recipe.ingest.follow_links))
        else:
            queries.table_names(work.workspace)
            getattr(work, name)()
    _finish(work, as_json)


@app.command()
@recipe_argument
@workspace_option
@set_option
@click.option(
    "--subset",
    "only",
    multiple=True,
    help="This one alone: other subsets, and which videos count, stay; repeatable.",
)
@json_option
def select(
    recipe: str, workspace: str, sets: tuple[str, ...], only: tuple[str, ...], as_json: bool
) -> None:
    """Decides again from stored measures; nothing is decoded."""
    loaded = load_recipe(recipe, sets)
    check_subsets(loaded.recipe, only)
    place = Workspace(workspace)
    queries.table_names(place)
    with _at_work(loaded, place) as work:
        if not only:
            work.videos()
        work.select(only)
    _finish(work, as_json)


@app.command()
@recipe_argument
@set_option
@click.option("--fetch", is_flag=True, help="Downloads what is missing, once that is said.")
def models(recipe: str, sets: tuple[str, ...], fetch: bool) -> None:
    """Says what a recipe's models of a hub are: size, licence, and whether they are here."""
    try:
        sources = model_files.hub_models(load_recipe(recipe, sets).recipe)
    except OtherKind:
        training = load_training_recipe(recipe, sets).recipe
        sources = model_files.hub_models_of_training(training)
    for line in model_files.report(sources, Path(recipe).stem, fetching=fetch):
        sys.stdout.write(f"{line}\n")


@app.command()
@workspace_argument
@click.option(
    "--into",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="A local folder for the page and a strip of frames for each clip.",
)
@click.option("--count", type=click.IntRange(min=1), default=20, help="Clips at most; 20.")
@click.option("--captioner", help="Clips that this one has captioned.")
@click.option("--flagged", is_flag=True, help="Clips with a flagged caption only.")
def captions(
    workspace: str, folder: Path, count: int, captioner: str | None, flagged: bool
) -> None:
    """Shows captions beside their clips, for people to read."""
    shown = write_caption_sheet(
        Workspace(workspace), folder, count, captioner=captioner, flagged=flagged
    )
    for clip in shown:
        place = clip.thumbnail or f"{clip.clip_id}, of which no frame is stored"
        sys.stdout.write(f"{printable(place)}\n")
        for row in clip.captions:
            said = f"  {row['captioner']}: {row['caption']}"
            said += f" [{', '.join(row['flags'])}]" if row["flags"] else ""
            sys.stdout.write(f"{printable(said)}\n")
    sys.stdout.write(f"{len(shown):,} clips: open {printable(folder / PAGE)}\n")


@app.command()
@workspace_argument
@click.argument("query", metavar="SQL")
@json_option
def sql(workspace: str, query: str, as_json: bool) -> None:
    """Asks DuckDB, over committed rows only."""
    answer = queries.run_query(Workspace(workspace), query)
    if as_json:
        sys.stdout.write(json.dumps(answer.to_pylist(), default=str) + "\n")
    else:
        sys.stdout.write(queries.as_text(answer) + "\n")


@app.command()
@workspace_argument
@json_option
def verify(workspace: str, as_json: bool) -> None:
    """Checks that every id is accounted for and every file is whole."""
    found = verify_workspace(Workspace(workspace))
    if as_json:
        sys.stdout.write(json.dumps(asdict(found) | {"is_sound": found.is_sound}) + "\n")
    else:
        for finding in found.findings:
            sys.stdout.write(f"{finding.check}: {finding.subject}: {printable(finding.problem)}\n")
        sys.stdout.write(
            f"{found.num_rows:,} rows in {found.num_files:,} files, {found.num_samples:,} samples: "
            f"{'all is sound' if found.is_sound else f'{len(found.findings):,} findings'}\n"
        )
    if not found.is_sound:
        raise click.exceptions.Exit(1)


@app.command()
@workspace_argument
@click.argument("name", metavar="CLIP_ID")
@json_option
def explain(workspace: str, name: str, as_json: bool) -> None:
    """Every measure, threshold and verdict of a clip, its source, and where it went."""
    found = explain_one(Workspace(workspace), name)
    if as_json:
        sys.stdout.write(json.dumps(asdict(found), default=str) + "\n")
    else:
        sys.stdout.write("\n".join(as_lines(found)) + "\n")


@app.command()
@workspace_argument
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    help="A local file or folder for report.html; the workspace.",
)
def report(workspace: str, into: Path | None) -> None:
    """Writes report.html, a page to look at, and beside the shards their card and metadata."""
    for line in write_report(Workspace(workspace), into):
        sys.stdout.write(f"{printable(line)}\n")


@app.command()
@click.option("--workspace", help="Tries its storage as well.")
@json_option
def doctor(workspace: str | None, as_json: bool) -> None:
    """Checks this machine: versions, codecs, disk, GPU, confinement, storage."""
    found = doctor_checks.checks(workspace)
    text = doctor_checks.as_json(found) if as_json else doctor_checks.as_text(found)
    sys.stdout.write(text)
    raise click.exceptions.Exit(doctor_checks.exit_code(found))


def main() -> None:
    """Entry point of the command: every error the user can mend is one message and an exit code."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    for package in ("curation", "pipelines", "training"):
        logging.getLogger(package).setLevel(logging.INFO)
    sys.exit(_exit_code())


def _exit_code() -> int:
    try:
        code = app.main(standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        return _say(
            "interrupted; what was finished is kept: run the same command again", INTERRUPTED
        )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (StorageError, CheckpointError, *SourceStorageError) as error:
        return _say(str(error), STORAGE)
    except duckdb.InvalidInputException as error:
        # What DuckDB was reading: a table whose file is missing or damaged.
        return _say(f"a table cannot be read; `moviola verify` says more: {error}", STORAGE)
    except (StageError, TrainingError) as error:
        return _say(str(error), 1)
    except ValueError as error:
        return _say(str(error), USAGE)
    return code if isinstance(code, int) else 0


def _say(message: str, code: int) -> int:
    sys.stderr.write(f"moviola: {message}\n")
    return code


@contextmanager
def _at_work(
    loaded: LoadedRecipe[Recipe],
    workspace: Workspace,
    progress: Style | None = None,
    limit: int | None = None,
    retry_failed: bool = False,
) -> Iterator[Curation]:
    recipe = loaded.recipe
    run = Run(
        workspace,
        recipe.engine,
        command=shlex.join(["moviola", *sys.argv[1:]]),
        recipe=recipe.model_dump(mode="json"),
        recipe_hash=recipe.hash,
    )
    with run, Progress(progress) as shown:
        yield Curation(recipe, workspace, run, shown, limit, retry_failed)


def _finish(work: Curation, as_json: bool) -> None:
    """Prints the last screen, and leaves with 3 where too many rows failed."""
    steps = summary.steps_of(work.workspace)
    if as_json:
        sys.stdout.write(summary.as_json(work.workspace, steps, work.summaries) + "\n")
    else:
        place = shlex.quote(work.workspace.uri)
        sys.stdout.write(
            summary.as_text(work.workspace, steps, work.summaries, f"moviola report {place}") + "\n"
        )
    allowed, failed = work.recipe.max_failed_share, summary.failed_share(steps)
    if failed > allowed:
        sys.stderr.write(
            f"moviola: {failed:.1%} of a step's rows failed; max_failed_share is {allowed:.1%}\n"
        )
        raise click.exceptions.Exit(FAILED_ROWS)


def _print_plans(
    loaded: LoadedRecipe[Recipe],
    place: Workspace,
    found: Inputs,
    limit: int | None,
    retry_failed: bool,
) -> None:
    size = pc.sum(found.rows["size_bytes"]).as_py() or 0
    sys.stdout.write(f"inputs: {found.rows.num_rows:,} files, {size:,} bytes\n")
    for plan in plans(loaded.recipe, place, found, limit, retry_failed):
        sys.stdout.write(f"{plan.line()}\n")
    sys.stdout.write("what is still to be probed and decoded will add to the later stages\n")


if __name__ == "__main__":
    main()
