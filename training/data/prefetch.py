"""Reading ahead in a thread of its own."""

import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_POLL_S = 0.1
"""How long a full queue is waited for before looking whether to stop."""


class Prefetcher(Generic[T]):
    """The items of an iterator, in its order, so many of them read ahead.

    What the iterator raises is raised by `next`, after the items before it. The thread ends when
    the iterator does, on `close`, when nobody holds the prefetcher any more, and with the process.
    """

    def __init__(self, source: Iterator[T], depth: int) -> None:
        """Starts reading, unless `depth` is 0, where items are read when they are asked for."""
        self._source = source
        self.waited_s = 0.0
        """How long the last `next` took."""

        self._queue: queue.Queue[tuple[T | None, BaseException | None]] | None = None
        if depth:
            self._queue = queue.Queue(depth)
            stop = threading.Event()
            # The thread must not hold the prefetcher, or nothing would ever let go of it.
            arguments = (source, self._queue, stop)
            self._thread = threading.Thread(
                target=_fill, args=arguments, name="prefetch", daemon=True
            )
            self._close = weakref.finalize(self, _stop, stop, self._thread)
            self._thread.start()

    def __iter__(self) -> "Prefetcher[T]":
        return self

    def __next__(self) -> T:
        began = time.monotonic()
        try:
            return next(self._source) if self._queue is None else self._taken(self._queue)
        finally:
            self.waited_s = time.monotonic() - began

    def _taken(self, items: "queue.Queue[tuple[T | None, BaseException | None]]") -> T:
        if not self._close.alive:
            raise StopIteration
        item, error = items.get()
        if error is not None:
            self.close()
            raise error
        assert item is not None
        return item

    def close(self) -> None:
        """Ends the thread, which finishes what it is reading; items read ahead are forgotten."""
        if self._queue is not None:
            self._close()


def _fill(
    source: Iterator[T],
    items: "queue.Queue[tuple[T | None, BaseException | None]]",
    stop: threading.Event,
) -> None:
    entry: tuple[T | None, BaseException | None]
    while not stop.is_set():
        try:
            entry = (next(source), None)
        except BaseException as error:  # noqa: BLE001 - raised again where the items are taken
            entry = (None, error)
        while not stop.is_set():
            try:
                items.put(entry, timeout=_POLL_S)
                break
            except queue.Full:
                continue
        if entry[1] is not None:
            return


def _stop(stop: threading.Event, thread: threading.Thread) -> None:
    stop.set()
    if thread is not threading.current_thread():
        thread.join()


class Closing(Protocol[T_co]):
    """An iterator that ends what it does in the background when it is closed."""

    def __next__(self) -> T_co:
        """The next item."""

    def close(self) -> None:
        """Ends it."""


class Feed(Generic[T]):
    """What is read ahead while steps are taken, and not meanwhile.

    Evaluations use the same readers and models as what reads ahead, and those are not for two
    threads at once.
    """

    def __init__(self, opened: Callable[[], Closing[T]]) -> None:
        """Opens nothing yet.

        Args:
            opened: what comes from where training is, whenever it is asked.
        """
        self._opened = opened
        self._items: Closing[T] | None = None

    def next(self) -> T:
        """The item that comes after the steps so far."""
        if self._items is None:
            self._items = self._opened()
        return self._items.__next__()

    def pause(self) -> None:
        """Ends the reading ahead; what was read and not used is read again."""
        if self._items is not None:
            self._items.close()
            self._items = None
