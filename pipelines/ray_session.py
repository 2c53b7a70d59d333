"""Starts Ray: here, for this user alone and quietly, or on the cluster that `RAY_ADDRESS` names."""

import importlib.util
import logging
import os
import secrets
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

logger = logging.getLogger(__name__)

OBJECT_STORE_BYTES = 512 << 20
"""Shared memory of a local session: ids and reports travel, never media."""


def start_session(dashboard: bool) -> None:
    """Connects to the cluster of `RAY_ADDRESS`, or starts Ray on this machine.

    A local session listens on 127.0.0.1 only and wants a token that it makes up itself.

    Args:
        dashboard: start Ray's own dashboard, on 127.0.0.1:8265; local sessions only.

    Raises:
        ValueError: when the dashboard is asked for and its packages are missing.
    """
    if dashboard and importlib.util.find_spec("aiohttp_cors") is None:
        raise ValueError(
            "engine.ray_dashboard needs packages that are missing: "
            "pip install 'moviola[ray-dashboard]', or leave it off"
        )
    is_local = not os.environ.get("RAY_ADDRESS")
    _set_environment(is_local)
    import ray
    import ray.data

    local: dict[str, Any] = {
        "include_dashboard": dashboard,
        "dashboard_host": "127.0.0.1",
        "_node_ip_address": "127.0.0.1",
        "object_store_memory": OBJECT_STORE_BYTES,
    }
    on_sigterm = signal.getsignal(signal.SIGTERM)
    with _quiet_stderr(), _own_process_group():
        ray.init(
            address="local" if is_local else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **(local if is_local else {}),
        )
    # Ray takes SIGTERM for itself.
    signal.signal(signal.SIGTERM, on_sigterm)
    # Each worker that dies would be told on standard output, where programs read our answers.
    ray._private.worker.print_to_stdstream = _log_quietly
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)


def _set_environment(is_local: bool) -> None:
    """What Ray reads while it is imported and started; what the user has set stays."""
    defaults = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_BACKEND_LOG_LEVEL": "fatal",
        "RAY_task_oom_retries": "1",
        # A thread that still waits for results when the session ends would start a new one.
        "RAY_ENABLE_AUTO_CONNECT": "0",
    }
    if is_local:
        # Without this, Ray turns 127.0.0.1 into the address that other machines reach.
        defaults["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        defaults["RAY_AUTH_MODE"] = "token"
        if "RAY_AUTH_TOKEN_PATH" not in os.environ:
            defaults["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Drops what Ray's C++ core says of its own log level; what goes wrong is raised anyway."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def _own_process_group() -> Iterator[None]:
    """Ray's processes form a process group of their own.

    A SIGTERM to ours, as `timeout` and Slurm send it, would else end them too, and they would take
    this process along before it has committed what is finished.
    """
    from ray._private import utils

    # Ray has its processes call this before they become what they are.
    end_with_parent: Callable[[], None] = utils.set_kill_on_parent_death_linux

    def begin() -> None:
        os.setpgrp()
        end_with_parent()

    utils.set_kill_on_parent_death_linux = begin
    try:
        yield
    finally:
        utils.set_kill_on_parent_death_linux = end_with_parent


def _log_quietly(data: dict[str, Any], ignore_prefix: bool) -> None:
    logger.debug("Ray: %s", " ".join(data["lines"]))
