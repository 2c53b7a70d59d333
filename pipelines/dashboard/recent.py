"""What was made lately and is asked for again: a few things, the oldest forgotten first."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from pipelines.dashboard.flights import Flights

Made = TypeVar("Made")


class Recent(Generic[Made]):
    """The things made last, by key; what several threads ask for at once is made once."""

    def __init__(self, most: int) -> None:
        """Remembers `most` things."""
        self._most = most
        self._lock = threading.Lock()
        self._made: OrderedDict[Hashable, Made] = OrderedDict()
        self._flights: Flights[Hashable, Made] = Flights()

    def take(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What `make` gave for this key, or gives or raises now."""
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]
        made = self._flights.take(key, make)
        with self._lock:
            self._made[key] = made
            self._made.move_to_end(key)
            while len(self._made) > self._most:
                self._made.popitem(last=False)
        return made
