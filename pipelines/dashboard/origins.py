"""How browsers reach a server: the origins of its pages, and the `Host` of requests to them."""

import ipaddress
import re
from typing import NamedTuple

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Names that lead from a browser to its own machine, whatever a name server says."""

DEFAULT_PORTS = {"http": 80, "https": 443}

_FORM = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)"
    r"(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)


class Origin(NamedTuple):
    """A scheme, a host and a port; as text, what a browser says in `Origin`."""

    scheme: str
    host: str
    """In lower case; an IPv6 address in brackets."""
    port: int

    def __str__(self) -> str:
        has_default = self.port == DEFAULT_PORTS[self.scheme]
        return f"{self.scheme}://{self.host}" + ("" if has_default else f":{self.port}")

    @property
    def hosts(self) -> frozenset[str]:
        """The values of `Host` that requests to it may have."""
        _, _, shown = str(self).partition("://")
        return frozenset({shown, f"{self.host}:{self.port}"})

    @property
    def is_loopback(self) -> bool:
        """Whether it leads to the browser's own machine only."""
        return is_loopback(self.host.strip("[]"))


def origin_of(text: str) -> Origin:
    """The origin that is written as `scheme://host[:port]`, as a browser would write it.

    Raises:
        ValueError: the text is anything else.
    """
    found = _FORM.fullmatch(text.lower())
    if found is not None:
        scheme, host = found["scheme"], _as_browsers_write(found["host"])
        port = int(found["port"] or DEFAULT_PORTS[scheme])
        if host is not None and 0 < port < 1 << 16:
            return Origin(scheme, host, port)
    raise ValueError(
        "--origin takes scheme://host or scheme://host:port and no more, such as "
        f"https://moviola.example.com or http://localhost:9000, not {text[:200]!r}"
    )


def is_loopback(host: str) -> bool:
    """Whether an address or name reaches this machine only."""
    address = address_of(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that a text is; None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def in_url(host: str) -> str:
    """A host as it stands in a URL: IPv6 in brackets, all in lower case."""
    return f"[{host}]".lower() if ":" in host else host.lower()


def _as_browsers_write(host: str) -> str | None:
    """None where a browser takes the host for an address that it is not."""
    address = address_of(host.strip("[]"))
    if address is not None:
        return in_url(str(address))
    # A browser reads names that end in a number as IPv4.
    is_name = not host.startswith("[") and not host.rpartition(".")[2].isdigit()
    return host if is_name else None
