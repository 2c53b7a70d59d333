"""Who may ask, what may come in, and what a browser may do with a page: over real HTTP."""

import json

import pytest

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


def post(served, body=BODY, path="/api/redecide", **headers):
    known = {"origin": f"http://{served.host}", "content_type": "application/json"}
    return served.ask(path, "POST", body, **known | headers)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1.evil.example:{port}", "", None],
)
def test_another_host_is_refused(free, host):
    found = free.ask("/api/state", host=None if host is None else host.format(port=free.port))
    assert found.status in (400, 403)
    assert b"subsets" not in found.body


def test_the_servers_own_host_is_answered_in_any_case(free):
    assert free.ask("/api/state", host=free.host.upper()).status == 200


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
def test_another_site_may_not_ask(free, path):
    assert free.ask(path, sec_fetch_site="cross-site").status == 403
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
    for headers in ({}, {"cookie": f"{COOKIE}=wrong"}, {"authorization": "Bearer wrong"}):
        found = locked.ask(path, **headers)
        assert found.status == 401
        assert TOKEN not in found.body.decode()
    assert locked.ask(f"{path}?token=wrong").status == 401


def test_the_token_in_the_url_becomes_a_cookie_and_leaves_the_url(locked):
    found = locked.ask(f"/?token={TOKEN}")
    assert (found.status, found.headers["location"]) == (303, "/")
    cookie = found.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "domain" not in cookie
    assert locked.ask("/", cookie=f"{COOKIE}={TOKEN}").status == 200
    assert locked.ask("/api/state", cookie=f"other=1; {COOKIE}={TOKEN}").status == 200


def test_the_token_is_taken_from_a_header_too(locked):
    assert locked.ask("/api/state", authorization=f"Bearer {TOKEN}").status == 200


def test_the_token_in_the_url_opens_nothing_but_the_page(locked):
    assert locked.ask(f"/api/state?token={TOKEN}").status == 401


def test_with_the_token_the_origin_still_counts(locked):
    cookie = f"{COOKIE}={TOKEN}"
    assert post(locked, cookie=cookie).status == 400
    assert post(locked, cookie=cookie, origin="https://evil.example").status == 403
    assert post(locked).status == 401


def test_odd_cookies_are_no_token_and_no_error(locked):
    for cookie in ("", "=", ";;;", f"{COOKIE}", f'{COOKIE}="', "ü=ü".encode().decode("latin-1")):
        assert locked.ask("/api/state", cookie=cookie).status == 401
