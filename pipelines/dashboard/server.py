"""Starts the dashboard: on loopback for whoever sits here, elsewhere for those with the token."""

import logging
import os
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import uvicorn

from pipelines.dashboard.app import dashboard_app
from pipelines.dashboard.board import Board
from pipelines.dashboard.origins import (
    LOOPBACK,
    Origin,
    address_of,
    in_url,
    is_loopback,
    origin_of,
)
from pipelines.workspace import Workspace

DEFAULT_PORT = 8765

PATIENCE_S = 5.0
"""After a signal to end: requests and the index have some 2 s each."""


def serve(
    workspace: Workspace,
    runs: Sequence[Path] = (),
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    origins: Sequence[str] = (),
    cache: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Serves a workspace until it is interrupted.

    Args:
        workspace: what is shown.
        runs: folders of training runs.
        host: address to listen on; another than loopback demands a token, which is told.
        port: 0 takes any that is free.
        origins: how browsers reach it besides, `scheme://host[:port]` each: through a proxy, a
            tunnel or a container's port. Another than loopback demands a token as well.
        cache: see `Board`.
        say: told the address to open, in one line.

    Raises:
        ValueError: the address cannot be listened on, or an origin is none.
    """
    given = [origin_of(text) for text in origins]
    listening = _listening(host, port)
    port = listening.getsockname()[1]
    is_local = is_loopback(host) and all(origin.is_loopback for origin in given)
    token = None if is_local else secrets.token_urlsafe(24)
    board = Board(workspace, runs, cache)
    app = dashboard_app(board, origins_of(host, port).union(given), token)
    say(f"{open_at(host, port, given)}/{f'?token={token}' if token else ''}")
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=2
    )
    _Server(config).run(sockets=[listening])


class _Server(uvicorn.Server):
    """Ends at SIGINT or SIGTERM, at once at the second, and in any case before long."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Has the server end. The signal is not raised again: to be stopped is no error."""
        if self.should_exit:
            end_process()
        self.should_exit = True
        # It would tell of each request that is cut off.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        # Threads that wait for a storage that does not answer would keep the process alive.
        late = threading.Timer(PATIENCE_S, end_process)
        late.daemon = True
        late.start()


def end_process() -> NoReturn:
    """Ends the process without an error, and without waiting for its threads."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def origins_of(host: str, port: int) -> frozenset[Origin]:
    """The origins that a server has of itself: its address, loopback, the names of its machine."""
    names = {*LOOPBACK, in_url(host)}
    if not is_loopback(host):
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return frozenset(Origin("http", name, port) for name in names)


def open_at(host: str, port: int, given: Sequence[Origin]) -> str:
    """What to open: the first of the origins that were given, else the address itself."""
    if given:
        return str(given[0])
    address = address_of(host)
    # "Any address of this machine" is none that another machine could ask.
    is_any = address is not None and address.is_unspecified
    return f"http://{socket.gethostname().lower() if is_any else in_url(host)}:{port}"


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise ValueError(
            f"cannot listen on {host}:{port}: {error.strerror}; --port names another"
        ) from error
    return listening
