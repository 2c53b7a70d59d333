"""Who may talk to the dashboard, and what a browser may do with its pages.

- A page of another site must not read or change anything through a person's browser: the `Host`
  header has to name this server (DNS rebinding), and a request that changes something has to come
  from one of its pages (`Origin`), as JSON, which no form of another site can send.
- `Host` may also be what no page of another site can bring about: loopback at any port, where a
  tunnel ends, and the very address that the request was sent to, as numbers.
- Where it is reached otherwise than by loopback, every request needs the token that was printed.
- No script runs but the files of this package, nothing is loaded from elsewhere, and nobody may put
  a page into a frame.
"""

import secrets
from collections.abc import Collection, Mapping
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.dashboard.origins import LOOPBACK, Origin, address_of, in_url, origin_of

MAX_BODY_BYTES = 64 << 10
MAX_QUERY_BYTES = 16 << 10
COOKIE = "moviola-token-{port}"
"""Cookies know no ports: without it two dashboards of one host would take each other's away."""

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

HOW_TO = "if it is, start it with --origin and the address in the browser"


class TooLarge(ValueError):
    """The body of a request is larger than any that a page sends."""


class Guards:
    """ASGI middleware that refuses what must not come in, and adds headers to what goes out."""

    def __init__(self, app: ASGIApp, origins: Collection[Origin], token: str | None) -> None:
        """Guards `app`.

        Args:
            app: what answers.
            origins: of the pages of this server.
            token: that requests have to bring; None asks for none.
        """
        self.app = app
        self.origins = {str(origin) for origin in origins}
        self.by_host: dict[str, list[Origin]] = {}
        for origin in sorted(origins):
            for host in origin.hosts:
                self.by_host.setdefault(host, []).append(origin)
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
        reached = self.by_host.get(host) or _unlisted(scope, host)
        if not reached:
            return _error(403, f"this is not the server {host[:100]!r}; {HOW_TO}")
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return _error(405, "only GET, HEAD and POST are answered")
        if len(scope["query_string"]) > MAX_QUERY_BYTES:
            return _error(414, "the query is too long")
        is_of_others = headers.get("sec-fetch-site", "") in ("cross-site", "same-site")
        if is_of_others and scope["path"] != "/":
            return _error(403, "another site may not ask")
        if scope["method"] == "POST":
            # A proxy may have put the address that it asks into `Host`; `Origin` is the browser's.
            known = self.origins if host in self.by_host else {str(one) for one in reached}
            if headers.get("origin", "") not in known:
                return _error(403, f"only a page of this dashboard may change something; {HOW_TO}")
            if headers.get("content-type", "").partition(";")[0] != "application/json":
                return _error(415, "send JSON")
            if int(headers.get("content-length") or 0) > MAX_BODY_BYTES:
                return _error(413, f"the body is over {MAX_BODY_BYTES:,} bytes")
        if self.token is None:
            return None
        return _without_token(scope, headers, self.token, reached)


def _unlisted(scope: Scope, host: str) -> list[Origin]:
    """The origin of a `Host` that no site of another can have; none for any other `Host`."""
    try:
        origin = origin_of(f"http://{host}")
    except ValueError:
        return []
    address, port = scope.get("server") or ("", None)
    sent_to = address_of(address)
    # Where one socket listens for both, IPv4 is written as IPv6.
    sent_to = getattr(sent_to, "ipv4_mapped", None) or sent_to
    is_sent_to = sent_to is not None and (origin.host, origin.port) == (in_url(str(sent_to)), port)
    return [origin] if origin.host in LOOPBACK or is_sent_to else []


def _without_token(
    scope: Scope, headers: Headers, token: str, reached: list[Origin]
) -> Response | None:
    """What a request without the token gets; one that brings it in the URL gets a cookie."""
    cookie = COOKIE.format(port=reached[0].port)
    query = scope["query_string"].decode("latin-1")
    given = parse_qs(query).get("token", [""])[0]
    if scope["path"] == "/" and _same(given, token):
        rest = "&".join(part for part in query.split("&") if "token" not in parse_qs(part, True))
        answer = RedirectResponse(f"/?{rest}" if rest else "/", status_code=303)
        is_secure = all(origin.scheme == "https" for origin in reached)
        # With "strict", an address that is clicked on in a chat or a terminal in the browser would
        # come without it. With "lax" it comes along to the page, and with nothing that changes any.
        answer.set_cookie(cookie, token, httponly=True, samesite="lax", secure=is_secure)
        return answer
    bearer = headers.get("authorization", "").removeprefix("Bearer ")
    if any(_same(one, token) for one in (bearer, *_cookies(headers, cookie))):
        return None
    return _error(401, "open the address with ?token=… that was printed at the start")


def _cookies(headers: Headers, wanted: str) -> list[str]:
    """The values of the cookies of a name, whatever else other servers of the host have set."""
    pairs = [pair.partition("=") for pair in ";".join(headers.getlist("cookie")).split(";")]
    return [value.strip() for name, _, value in pairs if name.strip() == wanted]


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
