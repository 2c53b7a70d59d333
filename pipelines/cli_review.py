"""The commands `moviola review …`: clips to people, verdicts back."""

import json
import shlex
import sys
from pathlib import Path

import click

from pipelines.cli_options import json_option, workspace_argument
from pipelines.contact_sheet import SHEET
from pipelines.escaping import printable
from pipelines.review import FILE, export_review, import_reviews
from pipelines.workspace import Workspace


@click.group()
def review() -> None:
    """Lets people judge the clips of a subset."""


@review.command("export")
@workspace_argument
@click.argument("subset", metavar="SUBSET")
@click.option(
    "--into",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    help="A new or empty local folder.",
)
@click.option("--again", is_flag=True, help="Takes clips that were judged before as well.")
@json_option
def export_command(workspace: str, subset: str, folder: Path, again: bool, as_json: bool) -> None:
    """Writes a contact sheet of what the subset keeps so far, and a file for the verdicts."""
    done = export_review(Workspace(workspace), subset, folder, again)
    if as_json:
        sys.stdout.write(json.dumps(done) + "\n")
        return
    place = printable(folder)
    sys.stdout.write(
        f"{done['num_clips']:,} clips to judge, on {done['num_pages']:,} pages: open "
        f"{place}/{SHEET}, or write keep or drop into column verdict of {place}/{FILE}\n"
        f"Next:   moviola review import {shlex.quote(workspace)} {shlex.quote(str(folder))}/*.csv\n"
    )


@review.command("import")
@workspace_argument
@click.argument("files", metavar="FILE", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--reviewer", help="Who looked; stored beside the verdicts.")
@json_option
def import_command(
    workspace: str, files: tuple[Path, ...], reviewer: str | None, as_json: bool
) -> None:
    """Stores the verdicts of review files; nothing is stored if anything is wrong with one."""
    command = shlex.join(["moviola", *sys.argv[1:]])
    done = import_reviews(Workspace(workspace), files, reviewer, command)
    if as_json:
        sys.stdout.write(json.dumps(done._asdict()) + "\n")
        return
    sys.stdout.write(
        f"stored {done.num_keep:,} keep and {done.num_drop:,} drop; {done.num_empty:,} rows have "
        f"no verdict\nNext:   moviola select RECIPE --workspace {shlex.quote(workspace)}\n"
    )
