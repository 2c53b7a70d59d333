"""Starts the dashboard: on loopback for whoever sits here, elsewhere for those with the token."""

import ipaddress
import logging
import secrets
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn

from pipelines.dashboard.app import dashboard_app
from pipelines.dashboard.board import Board
from pipelines.workspace import Workspace

DEFAULT_PORT = 8765

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def serve(
    workspace: Workspace,
    runs: Sequence[Path] = (),
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    cache: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Serves a workspace until it is interrupted.

    Args:
        workspace: what is shown.
        runs: folders of training runs.
        host: address to listen on; another than loopback demands a token, which is told.
        port: 0 takes any that is free.
        cache: see `Board`.
        say: told the address to open, in one line.

    Raises:
        ValueError: the address cannot be listened on.
    """
    listening = _listening(host, port)
    port = listening.getsockname()[1]
    token = None if is_loopback(host) else secrets.token_urlsafe(24)
    board = Board(workspace, runs, cache)
    app = dashboard_app(board, hosts_of(host, port), token)
    shown = f"[{host}]" if ":" in host else host
    say(f"http://{shown}:{port}/{f'?token={token}' if token else ''}")
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=2
    )
    uvicorn.Server(config).run(sockets=[listening])


def is_loopback(host: str) -> bool:
    """Whether an address reaches this machine only."""
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def hosts_of(host: str, port: int) -> frozenset[str]:
    """The values of `Host` that requests to this server may have."""
    names = {*LOOPBACK, f"[{host}]" if ":" in host else host.lower()}
    if not is_loopback(host):
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
        address = _address(host)
        if address is not None and address.is_unspecified:
            names |= set(_own_addresses())
    return frozenset(f"{name}:{port}" for name in names)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _own_addresses() -> list[str]:
    try:
        found = socket.getaddrinfo(socket.gethostname(), None)
    except OSError:
        return []
    return [f"[{one[4][0]}]" if one[0] == socket.AF_INET6 else str(one[4][0]) for one in found]


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
