import gc
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from training.data.prefetch import Prefetcher


def threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "prefetch"]


def gone() -> bool:
    deadline = time.monotonic() + 5
    while threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    return not threads()


@pytest.mark.parametrize("depth", [0, 1, 4])
def test_items_come_in_their_order_and_it_ends_when_they_do(depth: int) -> None:
    assert list(Prefetcher(iter(range(20)), depth)) == [*range(20)]
    assert gone()


def test_no_more_is_read_ahead_than_asked_for() -> None:
    read: list[int] = []

    def source() -> Iterator[int]:
        for number in itertools.count():
            read.append(number)
            yield number

    items = Prefetcher(source(), 3)
    assert next(items) == 0
    time.sleep(0.3)
    # One that was taken, three in the queue, and one in hand.
    assert len(read) == 5
    items.close()
    assert gone()


@pytest.mark.parametrize("depth", [0, 2])
def test_an_error_comes_after_the_items_before_it(depth: int) -> None:
    def source() -> Iterator[int]:
        yield from range(3)
        raise ValueError("the fourth is broken")

    items = Prefetcher(source(), depth)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="the fourth is broken"):
        next(items)
    with pytest.raises(StopIteration):
        next(items)
    assert gone()


def test_closing_ends_the_thread_even_while_the_queue_is_full() -> None:
    items = Prefetcher(itertools.count(), 1)
    next(items)
    time.sleep(0.05)
    began = time.monotonic()
    items.close()
    assert time.monotonic() - began < 2
    assert gone()
    with pytest.raises(StopIteration):
        next(items)
    items.close()


def test_letting_go_of_it_ends_the_thread() -> None:
    items = Prefetcher(itertools.count(), 1)
    next(items)
    del items
    gc.collect()
    assert gone()


def test_a_process_that_ends_early_does_not_hang() -> None:
    program = (
        "import itertools, sys\n"
        "from training.data.prefetch import Prefetcher\n"
        "items = Prefetcher(itertools.count(), 2)\n"
        "print(next(items), next(items))\n"
        "sys.exit(3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "0 1\n", "")


def test_it_tells_how_long_was_waited() -> None:
    def source() -> Iterator[int]:
        for number in itertools.count():
            time.sleep(0.05)
            yield number

    for depth, expected in ((0, True), (2, False)):
        items = Prefetcher(source(), depth)
        next(items)
        time.sleep(0.2)
        next(items)
        assert (items.waited_s >= 0.04) == expected
        items.close()
