"""Where the dashboard listens, and for whom."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from pipelines.dashboard.server import hosts_of, is_loopback, serve
from pipelines.workspace import Workspace
from tests.workspaces import small_workspace


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((name, True) for name in ("127.0.0.1", "127.1.2.3", "::1", "localhost")),
        *((name, False) for name in ("0.0.0.0", "::", "10.0.0.1", "a.b", "localhost.evil")),  # noqa: S104
    ],
)
def test_loopback_is_what_reaches_this_machine_only(host, expected):
    assert is_loopback(host) is expected


def test_the_hosts_of_loopback_are_its_three_names():
    expected = {"127.0.0.1:80", "localhost:80", "[::1]:80"}
    assert hosts_of("127.0.0.1", 80) == hosts_of("localhost", 80) == hosts_of("::1", 80) == expected


def test_the_hosts_of_another_address_hold_it_and_the_machines_names():
    found = hosts_of("10.0.0.1", 8000)
    assert {"10.0.0.1:8000", f"{socket.gethostname().lower()}:8000"} <= found
    assert "[fe80::1]:1" in hosts_of("FE80::1".lower(), 1)


def test_a_port_in_use_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=rf"cannot listen on 127.0.0.1:{port}.*--port"):
            serve(Workspace("/nowhere"), port=port)


def started(tmp_path, *arguments):
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pipelines.cli",
            "dashboard",
            small_workspace().uri,
            "--port",
            "0",
            *arguments,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"MOVIOLA_CACHE": str(tmp_path)},
    )
    return process, re.search(r"open (\S+)", process.stdout.readline())[1]


def stopped(process):
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=20)
    return process.returncode, said


def test_the_command_serves_until_it_is_interrupted(tmp_path):
    process, address = started(tmp_path)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
    with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - our own server
        assert b"<title>Moviola</title>" in answer.read()
    assert stopped(process) == (0, ("", ""))


def test_on_another_address_a_token_is_demanded(tmp_path):
    process, address = started(tmp_path, "--host", "0.0.0.0")  # noqa: S104 - what is tested
    found = re.fullmatch(r"http://0\.0\.0\.0:(\d+)/\?token=([\w-]{32})", address)
    local = f"http://127.0.0.1:{found[1]}"
    try:
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{local}/api/state", timeout=10)  # noqa: S310
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{local}/api/state", headers={"authorization": f"Bearer {found[2]}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            assert b"workspace" in answer.read()
    finally:
        stopped(process)
