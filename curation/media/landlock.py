"""Takes a process's own access to files, sockets and other processes away, by Linux's Landlock.

Kernel documentation: https://docs.kernel.org/userspace-api/landlock.html. Nothing here needs root.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""System call numbers, the same on every architecture that Python runs on."""

_ABI_VERSION = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_FILE_ACCESS_BITS = {1: 13, 2: 14, 3: 15, 4: 15}
"""How many kinds of access a version of the interface knows; 16 from version 5 on."""

_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | 1 << 14 | 1 << 15
"""What a rule on a file, not a folder, may speak of: the fourth is truncation, the last ioctl."""

_TCP = 0b11
_SIGNALS_AND_ABSTRACT_SOCKETS = 0b11

_LIBC = ctypes.CDLL(None, use_errno=True)


def landlock_version() -> int:
    """The version of the kernel's interface, 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_LIBC.syscall(_CREATE_RULESET, None, 0, _ABI_VERSION)))


def restrict(readable: Iterable[str | Path], writable: Iterable[str | Path]) -> None:
    """Denies this process, for good, every file but these and what lies below them.

    From version 4 of the interface TCP is denied too, from version 6 signals to processes outside.
    The process must have given up gaining privileges (`PR_SET_NO_NEW_PRIVS`). Paths that do not
    exist are left out. Files that are open stay usable.

    Args:
        readable: may be read and executed.
        writable: may also be written, and changed in every other way.

    Raises:
        OSError: the kernel has no Landlock, or refuses.
    """
    version = landlock_version()
    everything = (1 << _FILE_ACCESS_BITS.get(version, 16)) - 1
    attributes = struct.pack(
        "=QQQ",
        everything,
        _TCP if version >= 4 else 0,
        _SIGNALS_AND_ABSTRACT_SOCKETS if version >= 6 else 0,
    )
    size = 8 * (1 + (version >= 4) + (version >= 6))
    ruleset = _call(_CREATE_RULESET, attributes, size, 0)
    try:
        for path in readable:
            _allow(ruleset, path, _EXECUTE | _READ_FILE | _READ_DIR)
        for path in writable:
            _allow(ruleset, path, everything)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str | Path, access: int) -> None:
    try:
        target = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not Path(path).is_dir():
            access &= _ON_FILES
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", access, target), 0)
    finally:
        os.close(target)


def _call(number: int, *arguments: int | bytes) -> int:
    result = int(_LIBC.syscall(number, *arguments))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"Landlock: {os.strerror(error)}")
    return result
