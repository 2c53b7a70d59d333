"""Who may ask, what may come in, and what a browser may do with a page: over real HTTP."""

import json

import pytest
from starlette.testclient import TestClient

from pipelines.dashboard.app import dashboard_app
from pipelines.dashboard.guards import COOKIE, HEADERS, MAX_BODY_BYTES, MAX_QUERY_BYTES
from tests.boards import made_workspace, ready, site

TOKEN = "a-token-for-tests"  # noqa: S105 - of this test only
BODY = json.dumps({"subset": "256p", "name": "256p"}).encode()


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    return ready(made_workspace(), tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def free(board):
    with site(board) as served:
        yield served


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    board = ready(made_workspace(), tmp_path_factory.mktemp("cache"))
    with site(board, TOKEN) as served:
        yield served


@pytest.fixture(scope="module")
def reached(tmp_path_factory):
    """One behind a proxy, which browsers reach by TLS."""
    board = ready(made_workspace(), tmp_path_factory.mktemp("cache"))
    with site(board, TOKEN, origins=("https://moviola.example.com", "http://plain:81")) as served:
        yield served


def cookie_of(served):
    return COOKIE.format(port=served.port)


def post(served, body=BODY, path="/api/redecide", **headers):
    known = {"origin": f"http://{served.host}", "content_type": "application/json"}
    return served.ask(path, "POST", body, **known | headers)


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:80", "evil.example:{port}", "", None),
        *("127.0.0.1.evil.example:{port}", "localhost.evil.example", "evil.localhost:{port}"),
        *("localhost:", "localhost:x", "localhost:0", "localhost:99999", "localhost:80:80"),
        *("x@localhost", "localhost/", "localhost?", "localhost#", "localhost:9000, evil.example"),
        *("[::1", "[::1].evil.example", "::1", "10.0.0.1:{port}", "127.0.0.2:{port}"),
        *("2130706433:{port}", "127.1:{port}", "moviola.example.com"),
    ],
)
def test_another_host_is_refused(free, host):
    found = free.ask("/api/state", host=None if host is None else host.format(port=free.port))
    assert found.status in (400, 403)
    assert b"subsets" not in found.body


def test_the_servers_own_host_is_answered_in_any_case(free):
    assert free.ask("/api/state", host=free.host.upper()).status == 200


@pytest.mark.parametrize(
    "host", ["localhost:9000", "127.0.0.1:9000", "[::1]:9000", "localhost", "LOCALHOST:80"]
)
def test_a_tunnel_may_end_at_any_port_of_loopback(free, host):
    assert free.ask("/api/state", host=host).status == 200
    assert post(free, host=host, origin=f"http://{host.lower().removesuffix(':80')}").status == 400


@pytest.mark.parametrize(
    "origin",
    [
        *(None, "null", "https://localhost:9000", "http://localhost:9001", "http://localhost"),
        *("http://127.0.0.1:9000", "http://{host}", "http://localhost:9000.evil.example"),
    ],
)
def test_through_a_tunnel_no_other_port_may_change_anything(free, origin):
    given = origin and origin.format(host=free.host)
    assert post(free, host="localhost:9000", origin=given).status == 403


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("192.168.1.5", "192.168.1.5:8765"),
        ("[fd00::2]", "[FD00:0::2]:8765"),
        ("[::ffff:192.168.1.5]", "192.168.1.5:8765"),
    ],
)
def test_the_address_that_was_asked_is_this_server(board, address, host):
    client = TestClient(dashboard_app(board, ()), f"http://{address}:8765")  # never entered
    assert client.get("/", headers={"host": host}).status_code == 200
    for other in ("192.168.1.6:8765", host.replace("8765", "8766"), "evil.example:8765"):
        assert client.get("/", headers={"host": other}).status_code == 403


@pytest.mark.parametrize(
    "host", ["moviola.example.com", "Moviola.Example.com:443", "plain:81", "localhost:9000"]
)
def test_a_named_origin_is_this_server(reached, host):
    told = reached.ask("/api/state", host=host, authorization=f"Bearer {TOKEN}")
    assert told.status == 200
    assert reached.ask("/api/state", host=host).status == 401


@pytest.mark.parametrize(
    "host", ["moviola.example.com:80", "plain", "plain:80", "example.com", "x.moviola.example.com"]
)
def test_what_is_like_a_named_origin_is_another(reached, host):
    assert reached.ask("/api/state", host=host, authorization=f"Bearer {TOKEN}").status == 403


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("moviola.example.com", "https://moviola.example.com", 400),
        ("plain:81", "http://plain:81", 400),
        # A proxy may leave its own name for us in Host.
        (None, "https://moviola.example.com", 400),
        ("moviola.example.com", "http://moviola.example.com", 403),
        ("moviola.example.com", "https://moviola.example.com:444", 403),
        ("moviola.example.com", "https://evil.example", 403),
        ("localhost:9000", "https://moviola.example.com", 403),
        ("plain:81", "https://plain:81", 403),
    ],
)
def test_a_named_origin_may_change_something_by_its_scheme(reached, host, origin, status):
    bearer = f"Bearer {TOKEN}"
    found = post(reached, host=host or reached.host, origin=origin, authorization=bearer)
    assert found.status == status


@pytest.mark.parametrize(
    ("host", "cookie", "is_secure"),
    [
        ("moviola.example.com", "moviola-token-443", True),
        ("plain:81", "moviola-token-81", False),
        ("localhost:9000", "moviola-token-9000", False),
    ],
)
def test_a_cookie_is_of_the_port_and_of_tls_where_there_is_tls(reached, host, cookie, is_secure):
    given = reached.ask(f"/?token={TOKEN}", host=host).headers["set-cookie"]
    assert given.startswith(f"{cookie}={TOKEN};")
    assert ("secure" in given.lower().split("; ")) is is_secure
    assert reached.ask("/", host=host, cookie=f"{cookie}={TOKEN}").status == 200
    assert reached.ask("/", host=host, cookie=f"moviola-token-1={TOKEN}").status == 401


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_other_methods_are_refused(free, method):
    assert free.ask("/api/state", method).status in (400, 405)


def test_a_page_of_this_server_may_change_something(free):
    found = post(free)
    # It got as far as the function, which refuses a name that is taken.
    assert found.status == 400
    assert b"there is a subset '256p' already" in found.body


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "https://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "https://{host}",
        "http://{host}.evil.example",
        "http://{host}/",
    ],
)
def test_another_origin_may_not_change_anything(free, origin):
    given = origin and origin.format(host=free.host)
    assert post(free, origin=given).status == 403


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_what_a_form_can_send_is_refused(free, kind):
    assert post(free, content_type=kind).status == 415


def test_a_body_over_the_limit_is_refused_by_its_header(free):
    assert post(free, body=b" " * (MAX_BODY_BYTES + 1)).status == 413


def test_a_body_over_the_limit_is_refused_without_its_length(free):
    chunk = b"%x\r\n%b\r\n" % (30_000, b" " * 30_000)
    chunked = chunk * 4 + b"0\r\n\r\n"
    found = post(free, chunked, content_length=None, transfer_encoding="chunked")
    assert found.status == 413


def test_a_body_at_the_limit_is_read(free):
    assert post(free, BODY + b" " * (MAX_BODY_BYTES - len(BODY))).status == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"3", b"null", b'"x"', b"\xff\xfe", b"{}"])
def test_a_wrong_body_is_said(free, body):
    found = post(free, body)
    assert found.status == 400
    assert json.loads(found.body)["error"]


def test_deep_json_is_refused_not_crashed_on(free):
    assert post(free, b"[" * 60_000).status == 400


def test_a_query_over_the_limit_is_refused(free):
    assert free.ask(f"/api/state?x={'a' * MAX_QUERY_BYTES}").status == 414


@pytest.mark.parametrize("path", ["/api/state", "/static/main.js", "/api/clips?subset=256p"])
def test_another_site_or_port_may_not_ask(free, path):
    assert free.ask(path, sec_fetch_site="cross-site").status == 403
    assert free.ask(path, sec_fetch_site="same-site").status == 403
    assert free.ask(path, sec_fetch_site="same-origin").status == 200


def test_a_link_from_another_site_opens_the_page(free):
    assert free.ask("/?panel=measures", sec_fetch_site="cross-site").status == 200


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/api/state", "/api/nope", "/nope"])
def test_every_answer_says_what_a_browser_may_do(free, path):
    found = free.ask(path)
    assert {name: found.headers[name] for name in HEADERS} == dict(HEADERS)
    assert "cache-control" in found.headers
    assert "access-control-allow-origin" not in found.headers
    assert "server" not in found.headers


def test_no_script_may_run_but_files_of_this_server():
    policy = dict(
        part.strip().split(" ", 1) for part in HEADERS["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert not any("http" in value or "*" in value for value in policy.values())


@pytest.mark.parametrize("path", ["/", "/api/state", "/static/main.js", "/nope"])
def test_without_the_token_nothing_is_answered(locked, path):
    for headers in (
        {},
        {"cookie": f"{cookie_of(locked)}=wrong"},
        {"authorization": "Bearer wrong"},
    ):
        found = locked.ask(path, **headers)
        assert found.status == 401
        assert TOKEN not in found.body.decode()
    assert locked.ask(f"{path}?token=wrong").status == 401


def test_the_token_in_the_url_becomes_a_cookie_and_leaves_the_url(locked):
    found = locked.ask(f"/?token={TOKEN}")
    assert (found.status, found.headers["location"]) == (303, "/")
    cookie = found.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "domain" not in cookie
    assert locked.ask("/", cookie=f"{cookie_of(locked)}={TOKEN}").status == 200
    assert locked.ask("/api/state", cookie=f"other=1; {cookie_of(locked)}={TOKEN}").status == 200


@pytest.mark.parametrize(
    ("query", "rest"),
    [
        ("token={}&panel=measures&rule=a:1:2&rule=b::3", "/?panel=measures&rule=a:1:2&rule=b::3"),
        ("panel=x&token={}", "/?panel=x"),
        ("text=%C3%A9%26+%2F&tok%65n={}&token=2", "/?text=%C3%A9%26+%2F"),
        ("token={}&", "/"),
    ],
)
def test_what_else_the_url_says_stays_in_it(locked, query, rest):
    assert locked.ask(f"/?{query.format(TOKEN)}").headers["location"] == rest


def test_the_token_is_taken_from_a_header_too(locked):
    assert locked.ask("/api/state", authorization=f"Bearer {TOKEN}").status == 200


def test_the_token_in_the_url_opens_nothing_but_the_page(locked):
    assert locked.ask(f"/api/state?token={TOKEN}").status == 401


def test_with_the_token_the_origin_still_counts(locked):
    cookie = f"{cookie_of(locked)}={TOKEN}"
    assert post(locked, cookie=cookie).status == 400
    assert post(locked, cookie=cookie, origin="https://evil.example").status == 403
    assert post(locked).status == 401


def test_odd_cookies_are_no_token_and_no_error(locked):
    name = cookie_of(locked)
    for cookie in ("", "=", ";;;", name, f'{name}="', "ü=ü".encode().decode("latin-1")):
        assert locked.ask("/api/state", cookie=cookie).status == 401


@pytest.mark.parametrize("others", ['theme={"a": [1, 2]}', "a b=c d", "x", "{name}=of-another"])
def test_odd_cookies_of_other_servers_of_the_host_hide_no_token(locked, others):
    name = cookie_of(locked)
    given = f"{others.replace('{name}', name)}; {name}={TOKEN}"
    assert locked.ask("/api/state", cookie=given).status == 200
