"""Ctrl-C and SIGTERM: the first asks to stop after the step, the second stops at once."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

logger = logging.getLogger(__name__)


@dataclass
class Stop:
    """Whether somebody has asked to stop."""

    asked: bool = False


@contextmanager
def stop_asked() -> Iterator[Stop]:
    """Whether SIGINT or SIGTERM came since; a second one raises `KeyboardInterrupt` at once."""
    stop = Stop()

    def on_signal(number: int, _: FrameType | None) -> None:
        if stop.asked:
            raise KeyboardInterrupt(signal.Signals(number).name)
        stop.asked = True
        logger.info("stopping after this step, with a checkpoint (once more to stop at once)")

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, on_signal) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
