"""Arguments and options that several commands share."""

from typing import get_args

import click

from pipelines.progress import Style

recipe_argument = click.argument("recipe", metavar="RECIPE")
workspace_argument = click.argument("workspace", metavar="WORKSPACE")
workspace_option = click.option(
    "--workspace", required=True, help="Directory, s3://, gs:// or az:// prefix."
)
optional_workspace_option = click.option(
    "--workspace", default="", help="Directory, s3://, gs:// or az:// prefix."
)
set_option = click.option(
    "--set", "sets", multiple=True, metavar="KEY=VALUE", help="Overrides a recipe key; repeatable."
)
limit_option = click.option(
    "--limit", type=click.IntRange(min=0), help="At most so many rows per stage."
)
retry_option = click.option("--retry-failed", is_flag=True, help="Tries failed rows again.")
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Says what would be done, and does nothing."
)
print_config_option = click.option(
    "--print-config", is_flag=True, help="Prints every value and where it comes from."
)
progress_option = click.option(
    "--progress",
    type=click.Choice(get_args(Style)),
    help="How to show progress, on standard error.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Answers in JSON.")

USAGE, FAILED_ROWS, STORAGE, INTERRUPTED = 2, 3, 4, 130
"""Exit codes; see `pipelines.cli`."""
