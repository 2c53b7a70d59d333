"""What confines the helper process and its children; absent where the system has no such thing."""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from curation.media.landlock import landlock_version, restrict

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_LINUX = sys.platform == "linux"
_LIBC = ctypes.CDLL(None, use_errno=True)

_SYSTEM = (
    *("/usr", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/localtime"),
    *("/dev/null", "/dev/zero", "/dev/urandom", "/proc/self", "/proc/cpuinfo", "/proc/meminfo"),
)
"""What libraries read beside themselves; nothing of a user, and no other process."""


def confine_zygote() -> dict[str, bool | str]:
    """Confines this process and all it will fork; returns by name what is in force.

    Must run before the process has a second thread.
    """
    no_new_privileges = _LINUX and _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    landlock = landlock_version() if no_new_privileges else 0
    no_network = _LINUX and _leave_network()
    return {
        "platform": sys.platform,
        "clock_limit": True,
        "cpu_limit": True,
        "memory_limit": _LINUX,
        "ends_with_parent": True,
        "no_new_privileges": no_new_privileges,
        "no_network": no_network,
        "no_tcp": no_network or landlock >= 4,
        "no_other_files": landlock >= 1,
        "no_other_processes": landlock >= 6,
    }


def _leave_network() -> bool:
    """Moves into an empty network namespace: as root, or else through an own user namespace."""
    flags = (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET)
    return any(_LIBC.unshare(flag) == 0 for flag in flags)


def confine_child(
    inputs: Iterable[str],
    folder: Path,
    cpu_s: float,
    memory_bytes: int,
    output_bytes: int,
    open_files: int,
) -> None:
    """Puts this process into its own session with hard limits, to die with its parent.

    Args:
        inputs: files that it may read, beside the libraries.
        folder: the one folder that it may write in.
        cpu_s: CPU-seconds before SIGXCPU.
        memory_bytes: address space that it may add.
        output_bytes: largest file that it may write.
        open_files: files that it may hold open.
    """
    os.setsid()
    if _LINUX:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + memory_bytes)
    _limit(resource.RLIMIT_FSIZE, output_bytes)
    _limit(resource.RLIMIT_NOFILE, open_files)
    _limit(resource.RLIMIT_CORE, 0)
    # The soft limit sends SIGXCPU, which tells a deadline from other deaths; the hard one follows.
    seconds = max(1, round(cpu_s))
    _limit(resource.RLIMIT_CPU, seconds, seconds + 5)
    if landlock_version():
        libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
        python = [sys.prefix, sys.base_prefix, *sys.path, *filter(None, libraries)]
        restrict([*_SYSTEM, *python, *inputs], [folder])


def _limit(which: int, soft: int, hard: int | None = None) -> None:
    """Lowers a limit; one that is already lower stays."""
    ceiling = resource.getrlimit(which)[1]
    wanted = soft if hard is None else hard
    if ceiling != resource.RLIM_INFINITY:
        soft, wanted = min(soft, ceiling), min(wanted, ceiling)
    resource.setrlimit(which, (soft, wanted))
