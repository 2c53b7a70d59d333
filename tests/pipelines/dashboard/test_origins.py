"""Origins as a browser writes them."""

import pytest

from pipelines.dashboard.origins import origin_of


@pytest.mark.parametrize(
    ("text", "origin", "hosts"),
    [
        ("https://a.example", "https://a.example", {"a.example", "a.example:443"}),
        ("HTTPS://A.Example:443", "https://a.example", {"a.example", "a.example:443"}),
        ("http://a_b-c:80", "http://a_b-c", {"a_b-c", "a_b-c:80"}),
        ("https://a.example:80", "https://a.example:80", {"a.example:80"}),
        ("http://10.0.0.1:9000", "http://10.0.0.1:9000", {"10.0.0.1:9000"}),
        ("http://[FD00:0::1]:9", "http://[fd00::1]:9", {"[fd00::1]:9"}),
    ],
)
def test_an_origin_is_what_a_browser_makes_of_it(text, origin, hosts):
    found = origin_of(text)
    assert (str(found), found.hosts) == (origin, hosts)


@pytest.mark.parametrize(
    "text",
    [
        *("", "a.example", "a.example:443", "//a.example", "https://", "https:a.example"),
        *("ftp://a.example", "null", "*", "https://*", "https://*.example", "https://a.example."),
        *("https://a.example/", "https://a.example/x", "https://a.example?x", "https://a#x"),
        *("https://u@a.example", "https://u:p@a", "https://a:", "https://a:0", "https://a:65536"),
        *("https://a:1:2", "https://a b", " https://a", "https://a\n", "https://é.example"),
        *(
            "http://127.1",
            "http://1",
            "http://256.0.0.1",
            "http://[::1",
            "http://[1]",
            "http://::1",
        ),
        *("https://a,https://b", "https://.a", "https://a..b", "https://a:٣"),
    ],
)
def test_anything_else_is_refused_in_words(text):
    with pytest.raises(ValueError, match="--origin takes scheme://host"):
        origin_of(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((f"http://{host}:9", True) for host in ("localhost", "127.0.0.1", "127.1.2.3", "[::1]")),
        *((f"https://{host}", False) for host in ("a.example", "10.0.0.1", "[::2]", "x.localhost")),
    ],
)
def test_loopback_is_told_from_others(text, expected):
    assert origin_of(text).is_loopback is expected
