"""Exchanges with one HTTP server, each within a time and a size.

`http.client` follows no redirect and asks no proxy, and all its limits are per read: a server that
sends a byte now and then would hold it for ever. So a timer shuts the socket.
"""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple
from urllib.parse import urlsplit

CONNECT_S = 10.0
"""A host that takes longer to open a connection is not there."""

MAX_BYTES = 1 << 20
"""Of an answer; a caption takes a few thousand."""


class NoAnswer(Exception):
    """None came, or not all of it, or too much."""


class Stopped(Exception):
    """The exchange was ended from this side, or not begun."""


class Reply(NamedTuple):
    """What a server answers."""

    status: int

    body: bytes
    """At most `MAX_BYTES`."""

    retry_after: str | None
    """The header of this name."""

    location: str | None
    """Where a redirect would lead."""


class _Line:
    """A connection that another thread may cut."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self.connection = connection
        self.expired = threading.Event()
        # `http.client` forgets the socket once only the answer is left to read.
        self._socket: socket.socket | None = None

    def connect(self, timeout_s: float) -> None:
        self.connection.connect()
        self._socket = self.connection.sock
        self._socket.settimeout(timeout_s)

    def expire(self) -> None:
        self.expired.set()
        self.cut()

    def cut(self) -> None:
        """Ends what another thread reads or writes; closing would leave it waiting."""
        if self._socket is not None:
            # Of an encrypted socket its own `shutdown` would drop the keys that thread is using.
            with suppress(OSError):  # it is closed already
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class Server:
    """A server by its URL; threads may share one."""

    def __init__(self, url: str, key: str | None) -> None:
        """Connects to nothing yet.

        Args:
            url: `http://` or `https://`, a host, perhaps a port and a path; no slash at its end.
            key: sent as bearer token with each exchange.
        """
        self._place = urlsplit(url)
        self._key = key
        self._stop = threading.Event()
        self._open: set[_Line] = set()
        self._lock = threading.Lock()

    def exchange(self, path: str, body: bytes | None, timeout_s: float) -> Reply:
        """Sends JSON, or asks if there is none, and reads the answer, on a connection of its own.

        Args:
            path: under that of the URL.
            body: what to send by POST; None asks by GET.
            timeout_s: for all of it, from connecting to the last byte. A name that stands for
                several addresses gets it, or `CONNECT_S`, for each.

        Raises:
            NoAnswer: says why in one line.
            Stopped: by `stop`.
        """
        with self._timed(timeout_s) as line:
            try:
                line.connect(timeout_s)
                # Until now there was no socket that the timer, or `stop`, could have cut.
                if line.expired.is_set() or self._stop.is_set():
                    raise TimeoutError
                reply = self._exchanged(line.connection, path, body)
            except (OSError, http.client.HTTPException, UnicodeError) as error:
                if self._stop.is_set():
                    raise Stopped from error
                late = line.expired.is_set() or isinstance(error, TimeoutError)
                said = f"no answer within {timeout_s:g} s" if late else _described(error)
                raise NoAnswer(said) from error
        # An answer without a stated length ends where its socket is cut.
        if line.expired.is_set():
            raise NoAnswer(f"no answer within {timeout_s:g} s")
        return reply

    def wait(self, pause_s: float) -> None:
        """Waits.

        Raises:
            Stopped: by `stop`.
        """
        if self._stop.wait(pause_s):
            raise Stopped

    def stop(self) -> None:
        """Ends every exchange under way, and lets no other begin."""
        self._stop.set()
        with self._lock:
            for line in self._open:
                line.cut()

    @contextmanager
    def _timed(self, timeout_s: float) -> Iterator[_Line]:
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        assert self._place.hostname is not None
        connect_s = min(timeout_s, CONNECT_S)
        kind = kinds[self._place.scheme]
        line = _Line(kind(self._place.hostname, self._place.port, timeout=connect_s))
        timer = threading.Timer(timeout_s, line.expire)
        timer.daemon = True
        with self._lock:
            self._open.add(line)
        timer.start()
        try:
            self.wait(0)
            yield line
        finally:
            timer.cancel()
            with self._lock:
                self._open.discard(line)
            line.connection.close()

    def _exchanged(
        self, connection: http.client.HTTPConnection, path: str, body: bytes | None
    ) -> Reply:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        verb = "GET" if body is None else "POST"
        connection.request(verb, self._place.path + path, body, headers)
        answer = connection.getresponse()
        content = answer.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise http.client.HTTPException(f"an answer of more than {MAX_BYTES:,} bytes")
        # What it promised and did not send; a read that is given a size does not say so.
        if answer.length:
            raise http.client.HTTPException("an answer that broke off")
        waits, leads = answer.getheader("Retry-After"), answer.getheader("Location")
        return Reply(answer.status, content, waits, leads)


def _described(error: Exception) -> str:
    said = str(error).strip().splitlines()
    return said[0] if said else type(error).__name__
