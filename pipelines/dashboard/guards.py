"""Who may talk to the dashboard, and what a browser may do with its pages.

- A page of another site must not read or change anything through a person's browser: the `Host`
  header has to name this server (DNS rebinding), and a request that changes something has to come
  from one of its pages (`Origin`), as JSON, which no form of another site can send.
- On another address than loopback every request needs the token that was printed at the start.
- No script runs but the files of this package, nothing is loaded from elsewhere, and nobody may put
  a page into a frame.
"""

import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 64 << 10
MAX_QUERY_BYTES = 16 << 10
COOKIE = "moviola-token"

HEADERS: Mapping[str, str] = {
    "content-security-policy": "default-src 'none'; script-src 'self'; "
    # Observable Plot writes a style element into its charts.
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class TooLarge(ValueError):
    """The body of a request is larger than any that a page sends."""


class Guards:
    """ASGI middleware that refuses what must not come in, and adds headers to what goes out."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str], token: str | None) -> None:
        """Guards `app`.

        Args:
            app: what answers.
            hosts: the values of `Host` that are this server.
            token: that requests have to bring; None asks for none.
        """
        self.app = app
        self.hosts = hosts
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send_guarded)
            return
        await self.app(scope, _bounded(receive), send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if host not in self.hosts:
            return _error(403, f"this is not the server {host[:100]!r}")
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return _error(405, "only GET, HEAD and POST are answered")
        if len(scope["query_string"]) > MAX_QUERY_BYTES:
            return _error(414, "the query is too long")
        if headers.get("sec-fetch-site") == "cross-site" and scope["path"] != "/":
            return _error(403, "another site may not ask")
        if scope["method"] == "POST":
            if headers.get("origin", "") not in {f"http://{name}" for name in self.hosts}:
                return _error(403, "only a page of this dashboard may change something")
            if headers.get("content-type", "").partition(";")[0] != "application/json":
                return _error(415, "send JSON")
            if int(headers.get("content-length") or 0) > MAX_BODY_BYTES:
                return _error(413, f"the body is over {MAX_BODY_BYTES:,} bytes")
        return None if self.token is None else self._without_token(scope, headers, self.token)

    def _without_token(self, scope: Scope, headers: Headers, token: str) -> Response | None:
        """What a request without the token gets; one that brings it in the URL gets a cookie."""
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and _same(given, token):
            answer = RedirectResponse("/", status_code=303)
            answer.set_cookie(COOKIE, token, httponly=True, samesite="strict")
            return answer
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if _same(bearer, token) or _same(_cookie(headers), token):
            return None
        return _error(401, "open the address with ?token=… that was printed at the start")


def _cookie(headers: Headers) -> str:
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(headers.get("cookie", ""))
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""


def _same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode(), token.encode())


def _bounded(receive: Receive) -> Receive:
    """`receive` that stops a body which is longer than its header said."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MAX_BODY_BYTES:
            raise TooLarge(f"the body is over {MAX_BODY_BYTES:,} bytes")
        return message

    return bounded


def _error(status: int, text: str) -> Response:
    return JSONResponse({"error": text}, status_code=status)
