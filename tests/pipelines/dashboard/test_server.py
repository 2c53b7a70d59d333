"""Where the dashboard listens, and for whom."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from pipelines.dashboard.origins import is_loopback, origin_of
from pipelines.dashboard.server import PATIENCE_S, open_at, origins_of, serve
from pipelines.queries import run_query
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


def test_the_origins_of_loopback_are_its_three_names():
    expected = {"http://127.0.0.1", "http://localhost", "http://[::1]"}
    for host in ("127.0.0.1", "localhost", "::1"):
        assert set(map(str, origins_of(host, 80))) == expected


def test_the_origins_of_another_address_hold_it_and_the_machines_names():
    found = set(map(str, origins_of("10.0.0.1", 8000)))
    assert {"http://10.0.0.1:8000", f"http://{socket.gethostname().lower()}:8000"} <= found
    assert "http://[fe80::1]:1" in map(str, origins_of("FE80::1", 1))


def test_a_port_in_use_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=rf"cannot listen on 127.0.0.1:{port}.*--port"):
            serve(Workspace("/nowhere"), port=port)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def started(tmp_path, *arguments, workspace=None, **environment):
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pipelines.cli",
            "dashboard",
            workspace or small_workspace().uri,
            "--port",
            "0",
            *arguments,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"MOVIOLA_CACHE": str(tmp_path)} | environment,
    )
    return process, re.search(r"open (\S+)", process.stdout.readline())[1]


def stopped(process, by=signal.SIGINT):
    process.send_signal(by)
    said = process.communicate(timeout=20)
    return process.returncode, said


def test_the_command_serves_until_it_is_interrupted(tmp_path):
    process, address = started(tmp_path)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
    with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - our own server
        assert b"<title>Moviola</title>" in answer.read()
    assert stopped(process) == (0, ("", ""))


@contextlib.contextmanager
def silent_storage(tmp_path):
    """A dashboard, and its address, of a workspace in a storage that never answers."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        process, address = started(
            tmp_path,
            workspace="s3://bucket/workspace",
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{silent.getsockname()[1]}",
            AWS_ALLOW_HTTP="true",
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",  # noqa: S106 - of nothing
            AWS_REGION="us-east-1",
        )
        try:
            yield process, address
        finally:
            process.kill()
            process.communicate()


def state_of(address):
    with urllib.request.urlopen(f"{address}api/state", timeout=3) as answer:  # noqa: S310
        return json.load(answer)


def test_a_storage_that_never_answers_is_told_and_not_waited_for_at_the_end(tmp_path):
    with silent_storage(tmp_path) as (process, address):
        while not (state := state_of(address))["waits_s"]:
            time.sleep(0.05)
        assert (state["is_ready"], state["problem"]) == (False, "")
        assert state["making"] == "looking at the tables"
        time.sleep(1)
        assert state_of(address)["waits_s"] > state["waits_s"] + 0.5
        began = time.monotonic()
        assert stopped(process, signal.SIGTERM) == (0, ("", ""))
        assert time.monotonic() - began < PATIENCE_S


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_it_at_once(tmp_path, second):
    with silent_storage(tmp_path) as (process, address):
        state_of(address)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert process.poll() is None
        began = time.monotonic()
        assert stopped(process, second) == (0, ("", ""))
        assert time.monotonic() - began < 1


def test_a_request_that_hangs_does_not_keep_it_from_ending(tmp_path):
    shutil.copytree(small_workspace().uri, tmp_path / "work")
    process, address = started(tmp_path / "cache", workspace=str(tmp_path / "work"))
    try:
        while not state_of(address)["is_ready"]:
            time.sleep(0.05)
        [clip] = run_query(small_workspace(), "SELECT clip_id FROM clips LIMIT 1")["clip_id"]
        for file in (tmp_path / "work" / "clips").glob("*.parquet"):
            file.unlink()
            os.mkfifo(file)
        with pytest.raises(TimeoutError):
            urllib.request.urlopen(f"{address}api/clips/{clip}/poster", timeout=1)  # noqa: S310
        began = time.monotonic()
        assert stopped(process, signal.SIGTERM) == (0, ("", ""))
        assert time.monotonic() - began < PATIENCE_S + 1
    finally:
        process.kill()


def answer_to(port, path, **headers):
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310 - our own server
        return answer.read()


def test_on_any_address_a_token_is_demanded_and_the_machine_is_named(tmp_path):
    process, address = started(tmp_path, "--host", "0.0.0.0")  # noqa: S104 - what is tested
    try:
        name = re.escape(socket.gethostname().lower())
        found = re.fullmatch(rf"http://{name}:(\d+)/\?token=([\w-]{{32}})", address)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            answer_to(found[1], "/api/state")
        bearer = f"Bearer {found[2]}"
        assert b"workspace" in answer_to(found[1], "/api/state", authorization=bearer)
    finally:
        stopped(process)


@pytest.mark.parametrize(
    ("host", "origins", "expected"),
    [
        ("127.0.0.1", (), "http://127.0.0.1:9"),
        ("::1", (), "http://[::1]:9"),
        ("10.0.0.1", (), "http://10.0.0.1:9"),
        ("::", (), f"http://{socket.gethostname().lower()}:9"),
        ("::", ("https://a.example", "http://b:81"), "https://a.example"),
    ],
)
def test_what_is_to_be_opened_is_an_address_that_a_browser_can_ask(host, origins, expected):
    assert open_at(host, 9, [origin_of(text) for text in origins]) == expected


def test_behind_a_proxy_a_token_is_demanded_though_it_listens_on_loopback(tmp_path):
    port = free_port()
    process, address = started(tmp_path, "--origin", "https://a.example", "--port", str(port))
    try:
        found = re.fullmatch(r"https://a\.example/\?token=([\w-]{32})", address)
        for host in ("a.example", f"127.0.0.1:{port}"):
            with pytest.raises(urllib.error.HTTPError, match="401"):
                answer_to(port, "/api/state", host=host)
        bearer = f"Bearer {found[1]}"
        told = answer_to(port, "/api/state", host="a.example", authorization=bearer)
        assert b"workspace" in told
    finally:
        stopped(process)


def test_a_tunnel_on_loopback_needs_no_token(tmp_path):
    process, address = started(tmp_path, "--origin", "http://localhost:9000")
    stopped(process)
    assert address == "http://localhost:9000/"


def test_an_origin_that_is_none_is_said_before_anything_is_begun():
    with pytest.raises(ValueError, match=r"--origin takes scheme://host.*not 'a.example'"):
        serve(Workspace("/nowhere"), origins=["https://b.example", "a.example"])
