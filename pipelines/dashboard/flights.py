"""What several threads ask for at once, made by one of them."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Key = TypeVar("Key")
Made = TypeVar("Made")


class Flights(Generic[Key, Made]):
    """The things that are being made, by key. It remembers none of them once it is made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[Key, Future[Made]] = {}

    def take(self, key: Key, make: Callable[[], Made]) -> Made:
        """What `make` returns or raises, here or in the thread that is already at it."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                own = self._flights[key] = Future()
        if flight is not None:
            return flight.result()
        try:
            made = make()
        except BaseException as error:
            own.set_exception(error)
            raise
        else:
            own.set_result(made)
            return made
        finally:
            with self._lock:
                del self._flights[key]
