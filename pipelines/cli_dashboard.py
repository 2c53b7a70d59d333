"""The command `moviola dashboard`."""

import sys
from contextlib import suppress
from pathlib import Path

import click

from pipelines.cli_options import workspace_argument
from pipelines.workspace import Workspace


@click.command()
@workspace_argument
@click.option(
    "--run",
    "runs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder of a training run, or of several; repeatable.",
)
@click.option("--host", default="127.0.0.1", help="Another than loopback demands a token.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, help="8765; 0 takes any.")
@click.option(
    "--origin",
    "origins",
    multiple=True,
    help="How browsers reach it through a proxy or another port, such as "
    "https://moviola.example.com; repeatable. Another than loopback demands a token.",
)
def dashboard(
    workspace: str, runs: tuple[Path, ...], host: str, port: int, origins: tuple[str, ...]
) -> None:
    """Shows what every filter did, with the clips behind it, in a browser."""
    # Starlette and uvicorn are loaded by this command alone.
    from pipelines.dashboard.server import end_process, serve

    def say(address: str) -> None:
        sys.stdout.write(f"open {address}\n")
        sys.stdout.flush()

    # Ctrl-C is how a server ends, and no error.
    with suppress(KeyboardInterrupt):
        serve(Workspace(workspace), runs, host=host, port=port, origins=origins, say=say)
    # What reads a storage that does not answer would be waited for.
    end_process()
