"""What a decoder may do on a bad file, done for sure; runs in a sandbox."""

import ctypes
import time

import numpy as np


def hang(**_: object) -> bytes:
    """Never comes back."""
    time.sleep(600)
    return b""


def bomb(**_: object) -> bytes:
    """Asks for a terabyte of memory."""
    return np.ones(1 << 40, np.uint8).tobytes()


def fault(**_: object) -> bytes:
    """Reads address zero."""
    return ctypes.string_at(0)
