"""What `moviola doctor` says of the machine and what it reaches: disks, Ray, storage."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from curation.media.sandbox import confinement
from curation.storage import is_remote, probe_storage
from pipelines.check import Check

MIN_FREE_BYTES = 10 << 30
MIN_SHARED_MEMORY_BYTES = 1 << 30
CONNECT_TIMEOUT_S = 3.0
COMMAND_TIMEOUT_S = 20.0


def machine(workspace: str | None) -> Iterator[Check]:
    """Cores, GPU, disks, Ray's address, what confines decoding, and the workspace's storage."""
    yield _size()
    yield _gpu()
    yield from _disks(workspace)
    yield ray_address(os.environ)
    yield from confined(confinement)
    if workspace is not None:
        yield _storage(workspace)


def _size() -> Check:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0))
    return Check("machine", "good", f"{cores} cores, {memory / 2**30:.0f} GiB of memory")


def _gpu() -> Check:
    command = shutil.which("nvidia-smi")
    if command is None:
        return Check("GPU", "good", "none; nothing in curation needs one yet")
    query = [command, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, check=True,
                              timeout=COMMAND_TIMEOUT_S).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return Check("GPU", "warning", f"nvidia-smi fails: {error}", "check the driver")
    return Check("GPU", "good", "; ".join(said.strip().splitlines()))


def _disks(workspace: str | None) -> Iterator[Check]:
    folders = {"scratch disk": Path(tempfile.gettempdir())}
    if workspace is not None and not is_remote(workspace):
        folder = Path(workspace).absolute()
        folders["workspace disk"] = next(
            part for part in (folder, *folder.parents) if part.exists()
        )
    for name, folder in folders.items():
        free = shutil.disk_usage(folder).free
        found = f"{free / 2**30:.0f} GiB free at {folder}"
        if free < MIN_FREE_BYTES:
            remedy = "free some, or name another (TMPDIR for scratch)"
            yield Check(name, "warning", found, remedy)
        else:
            yield Check(name, "good", found)
    shared = Path("/dev/shm")  # noqa: S108 - where Ray keeps its objects; nothing is written here
    if shared.is_dir() and shutil.disk_usage(shared).total < MIN_SHARED_MEMORY_BYTES:
        found = f"{shutil.disk_usage(shared).total / 2**20:.0f} MiB at {shared}"
        yield Check("shared memory", "warning", found, "start the container with --shm-size=2g")


def ray_address(environment: Mapping[str, str]) -> Check:
    """Whether the cluster that `RAY_ADDRESS` names answers, and asks who calls."""
    address = environment.get("RAY_ADDRESS", "")
    if address in ("", "local"):
        return Check("Ray address", "good", "RAY_ADDRESS is not set: Ray starts on this machine")
    if address == "auto":
        return Check("Ray address", "good", "auto: the Ray that runs on this machine")
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        port = parts.port or (10001 if parts.scheme == "ray" else 6379)
        socket.create_connection((parts.hostname or "", port), CONNECT_TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        remedy = "start the cluster, or unset RAY_ADDRESS to work on this machine"
        return Check("Ray address", "bad", f"{address}: {error}", remedy)
    if not _has_token(environment):
        remedy = "whoever reaches it can run code there: start it with RAY_AUTH_MODE=token"
        return Check("Ray address", "warning", f"{address} answers, without a token", remedy)
    return Check("Ray address", "good", f"{address} answers, with a token")


def _has_token(environment: Mapping[str, str]) -> bool:
    """As Ray decides it: by the mode, and where none is set by whether there is a token."""
    if mode := environment.get("RAY_AUTH_MODE"):
        return mode.lower() == "token"
    named = environment.get("RAY_AUTH_TOKEN") or environment.get("RAY_AUTH_TOKEN_PATH")
    return bool(named) or (Path.home() / ".ray" / "auth_token").is_file()


def confined(confinement: Callable[[], dict[str, bool | str]]) -> Iterator[Check]:
    """What the kernel lets the sandbox enforce, as `confinement` reports it."""
    try:
        flags = confinement()
    except OSError as error:
        yield Check("confinement", "bad", f"the sandbox does not start: {error}", "report this")
        return
    off = [name for name, value in flags.items() if value is False]
    on = [name for name, value in flags.items() if value is True]
    if off:
        remedy = "decode footage that you do not trust in a container without network"
        found = f"{', '.join(on)}; not {', '.join(off)}"
        yield Check("confinement", "warning", found, remedy)
    else:
        yield Check("confinement", "good", ", ".join(on))


def _storage(workspace: str) -> Check:
    problems = probe_storage(workspace)
    if problems:
        remedy = "commits need create-if-absent; take another folder, or another object store"
        return Check("storage", "bad", "; ".join(problems), remedy)
    return Check("storage", "good", f"{workspace}: create-if-absent, overwrite, list, delete")
