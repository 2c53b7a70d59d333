import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from curation.media.sandbox import Limits, Sandbox

CALLS = """
import ctypes, json, os, pathlib, socket, subprocess, sys, time
import numpy
from curation.media.errors import MediaError

def echo(**arguments):
    return json.dumps(arguments).encode()

def big(size_bytes):
    return bytes(size_bytes)

def refuse(reason):
    raise MediaError(reason, "in words")

def mistake():
    raise KeyError("no such thing")

def text():
    return "text"

def hang():
    time.sleep(600)

def spin():
    while True:
        pass

def bomb():
    return numpy.ones(1 << 40, numpy.uint8).tobytes()

def fault():
    sys.stderr.write("last words")
    sys.stderr.flush()
    ctypes.string_at(0)

def leave(code):
    os._exit(code)

def fill():
    with open("big", "wb") as file:
        for _ in range(64):
            file.write(bytes(1 << 20))
    return b""

def brood():
    subprocess.Popen(["sleep", "600"])
    time.sleep(600)

def read(path):
    return pathlib.Path(path).read_bytes()

def read_elsewhere(parts):
    return pathlib.Path(*parts).read_bytes()

def write(path):
    pathlib.Path(path).write_bytes(b"changed")
    return b""

def temporary():
    import tempfile
    with tempfile.NamedTemporaryFile() as file, tempfile.TemporaryFile() as other:
        return str(pathlib.Path(file.name).parent == pathlib.Path.cwd()).encode()

def signal_process(pid):
    os.kill(pid, 0)
    return b"reached"

def connect(port):
    with socket.socket() as connection:
        return str(connection.connect_ex(("127.0.0.1", port))).encode()

def surroundings():
    threads = len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 1
    return json.dumps([os.getcwd(), os.listdir("."), dict(os.environ), threads]).encode()

def libraries():
    import av, cv2, pyarrow
    frame = av.VideoFrame.from_ndarray(numpy.zeros((64, 64, 3), numpy.uint8), "rgb24")
    small = cv2.resize(frame.to_ndarray(), (8, 8))
    product = numpy.ones((300, 300)) @ numpy.ones((300, 300))
    arrow = pyarrow.array([1, 2]).to_pylist()
    return json.dumps([small.shape, product[0, 0], arrow, cv2.getNumThreads()]).encode()

def loaded(names):
    threads = len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 1
    return json.dumps([[name in sys.modules for name in names], threads]).encode()

def link():
    os.symlink("/etc/hostname", "../result")
    os._exit(0)
"""


@pytest.fixture(scope="module", autouse=True)
def calls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calls")
    (folder / "calls.py").write_text(CALLS)
    sys.path.insert(0, str(folder))
    yield
    sys.path.remove(str(folder))


@pytest.fixture
def sandbox():
    limits = Limits(wall_s=10.0, memory_bytes=1 << 30, output_bytes=32 << 20)
    with Sandbox(limits) as sandbox:
        yield sandbox


def is_alive(pid):
    """Whether a process runs; a zombie that nobody has reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid, depth):
    """The one child, grandchild and so on of a process, once all `depth` of them are there."""
    found = [pid]

    def complete():
        del found[1:]
        for _ in range(depth):
            listing = Path(f"/proc/{found[-1]}/task/{found[-1]}/children")
            children = listing.read_text().split() if listing.exists() else []
            if len(children) != 1:
                return False
            found.append(int(children[0]))
        return True

    assert wait_until(complete)
    return found[1:]


def wait_until(condition, timeout_s=10.0):
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_arguments_and_result_pass_unchanged(sandbox):
    outcome = sandbox.run("calls:echo", path="a \udcff\n'\"é", number=1.5, nothing=None)
    assert (
        outcome.result
        == rb'{"path": "a \udcff\n' + rb"'\"\u00e9" + rb'", "number": 1.5, "nothing": null}'
    )
    assert (outcome.reason, outcome.error) == (None, None)
    assert outcome.cpu_s > 0
    assert outcome.peak_memory_bytes > 1 << 20
    assert outcome.wall_s < 10.0


def test_results_of_many_megabytes_do_not_deadlock(sandbox):
    assert len(sandbox.run("calls:big", size_bytes=24 << 20).result) == 24 << 20


@pytest.mark.parametrize(
    ("call", "arguments", "reason", "words"),
    [
        ("refuse", {"reason": "no_video"}, "no_video", "in words"),
        ("mistake", {}, "bug", "KeyError: 'no such thing'"),
        ("text", {}, "bug", "returned str, not bytes"),
        ("missing", {}, "bug", "missing"),
        ("bomb", {}, "memory", "out of memory"),
        ("fault", {}, "crash", "SIGSEGV. last words"),
        ("leave", {"code": 7}, "crash", "exit status 7"),
        ("leave", {"code": 0}, "crash", "exit status 0"),
        ("big", {"size_bytes": 33 << 20}, "storage", "output_bytes=33554432"),
        ("fill", {}, "bug", "File too large"),
    ],
)
def test_whatever_a_call_does_becomes_its_reason_and_the_next_call_is_unharmed(
    sandbox, call, arguments, reason, words
):
    outcome = sandbox.run(f"calls:{call}", **arguments)
    assert outcome.reason == reason
    assert words in outcome.error
    assert outcome.result is None
    assert sandbox.run("calls:echo", a=1).result == b'{"a": 1}'


def test_a_call_that_hangs_is_stopped_at_the_deadline():
    with Sandbox(Limits(wall_s=1.0)) as sandbox:
        outcome = sandbox.run("calls:hang")
        assert (outcome.reason, outcome.error) == ("timeout", "stopped after 1 s")
        assert 1.0 <= outcome.wall_s < 5.0
        assert sandbox.run("calls:echo").result == b"{}"


def test_cpu_time_is_limited_apart_from_the_clock():
    with Sandbox(Limits(wall_s=30.0, cpu_s=1.0)) as sandbox:
        outcome = sandbox.run("calls:spin")
    assert (outcome.reason, outcome.error) == ("timeout", "stopped after 1 CPU-seconds")
    assert 0.5 < outcome.cpu_s < 3.0


def test_a_module_that_does_not_import_is_a_bug_of_that_call(sandbox):
    outcome = sandbox.run("no_such_module:f")
    assert outcome.reason == "bug"
    assert "no_such_module" in outcome.error


def test_a_child_sees_an_empty_folder_one_thread_and_no_secrets(sandbox, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    text = sandbox.run("calls:surroundings").result.decode()
    assert "secret" not in text
    assert "proxy" not in text
    assert ", [], {" in text
    assert text.endswith(", 1]")


def test_numpy_opencv_pyav_and_arrow_work_after_the_fork(sandbox):
    for _ in range(3):
        assert sandbox.run("calls:libraries").result == b"[[8, 8, 3], 300.0, [1, 2], 1]"


def test_modules_are_imported_before_the_fork_where_wanted_and_start_no_thread(sandbox):
    names = ["torch", "wave"]
    assert sandbox.run("calls:loaded", names=names).result == b"[[false, false], 1]"
    with Sandbox(Limits(), preload=names) as ready:
        assert ready.run("calls:loaded", names=names).result == b"[[true, true], 1]"


def test_a_link_left_in_place_of_the_result_is_not_followed(sandbox):
    assert sandbox.run("calls:link").reason == "crash"


def test_a_child_reaches_no_network(sandbox):
    if not sandbox.confinement()["no_network"]:
        pytest.skip("this kernel lets nobody leave the network")
    import socket

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with socket.socket() as own:
            assert own.connect_ex(("127.0.0.1", port)) == 0
        assert sandbox.run("calls:connect", port=port).result != b"0"


def start(sandbox, function):
    """The call in a thread of its own, with a list that will hold its outcome."""
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(sandbox.run(function)))
    thread.start()
    return thread, outcomes


def test_children_of_a_call_end_with_it_and_leave_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Sandbox(Limits(wall_s=2.0)) as sandbox:
        sandbox.run("calls:echo")
        thread, outcomes = start(sandbox, "calls:brood")
        child, grandchild = descendants(sandbox._zygote.process.pid, 2)
        thread.join()
        assert outcomes[0].reason == "timeout"
        assert wait_until(lambda: not is_alive(grandchild))
        assert not Path(f"/proc/{child}").exists()
        assert list(tmp_path.glob("moviola-sandbox-*/*")) == []


def test_a_killed_helper_costs_one_call(sandbox):
    sandbox.run("calls:echo")
    zygote = sandbox._zygote.process.pid
    thread, outcomes = start(sandbox, "calls:hang")
    (child,) = descendants(zygote, 1)
    os.kill(zygote, signal.SIGKILL)
    thread.join()
    assert outcomes[0].reason == "crash"
    assert "the sandbox itself ended" in outcomes[0].error
    assert wait_until(lambda: not is_alive(child))
    assert sandbox.run("calls:echo").result == b"{}"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_caller_that_dies_takes_helper_child_and_scratch_along(tmp_path, how):
    program = (
        "import signal\n"
        "from curation.media.sandbox import *\n"
        # A shell has what it starts in the background ignore SIGINT, and so these tests.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sandbox = Sandbox(Limits())\n"
        "sandbox.run('calls:brood')"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    caller = subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stderr=subprocess.DEVNULL
    )
    family = descendants(caller.pid, 3)
    caller.send_signal(how)
    caller.wait()
    assert wait_until(lambda: not any(map(is_alive, family)))
    assert wait_until(lambda: list(tmp_path.glob("moviola-sandbox-*")) == [])


@pytest.fixture
def landlocked(sandbox):
    if not sandbox.confinement()["no_other_files"]:
        pytest.skip("this kernel has no Landlock")
    return sandbox


def test_a_child_reads_the_files_of_its_arguments_and_writes_none(landlocked, tmp_path):
    (tmp_path / "input").write_bytes(b"input")
    (tmp_path / "neighbour").write_bytes(b"secret")
    assert landlocked.run("calls:read", path=str(tmp_path / "input")).result == b"input"
    neighbour = landlocked.run("calls:read_elsewhere", parts=[str(tmp_path), "neighbour"])
    assert "PermissionError" in neighbour.error
    written = landlocked.run("calls:write", path=str(tmp_path / "input"))
    assert "PermissionError" in written.error
    assert (tmp_path / "input").read_bytes() == b"input"


@pytest.mark.parametrize("name", ["/etc/passwd", f"/proc/{os.getpid()}/environ", str(Path.home())])
def test_a_child_reads_nothing_of_the_user_or_of_other_processes(landlocked, name):
    outcome = landlocked.run("calls:read_elsewhere", parts=[name])
    assert outcome.reason == "bug"
    assert "Error" in outcome.error


def test_a_child_has_temporary_files_in_its_own_folder(landlocked):
    assert landlocked.run("calls:temporary").result == b"True"


def test_a_child_signals_no_other_process(landlocked):
    if not landlocked.confinement()["no_other_processes"]:
        pytest.skip("this kernel's Landlock does not scope signals")
    outcome = landlocked.run("calls:signal_process", pid=os.getpid())
    assert "PermissionError" in outcome.error


def test_folders_of_the_killed_are_swept_and_those_in_use_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Sandbox(Limits()) as other:
        other.run("calls:echo")
        left = tmp_path / "moviola-sandbox-left"
        fresh = tmp_path / "moviola-sandbox-fresh"
        for folder in (left, fresh):
            (folder / "job").mkdir(parents=True)
        in_use = other._zygote.scratch
        for folder in (left, in_use):
            os.utime(folder, (1, 1))
        with Sandbox(Limits()) as sandbox:
            assert sandbox.run("calls:echo").result == b"{}"
        assert not left.exists()
        assert fresh.exists()
        assert in_use.exists()
        assert other.run("calls:echo").result == b"{}"


def test_closing_leaves_no_process_and_no_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sandbox = Sandbox(Limits())
    sandbox.run("calls:echo")
    sandbox.close()
    assert list(tmp_path.iterdir()) == []
    assert sandbox.run("calls:echo").result == b"{}"
    sandbox.close()
