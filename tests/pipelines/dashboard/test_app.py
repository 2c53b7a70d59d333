"""The application over real HTTP: its files, its errors, and that looking changes nothing."""

import base64
import hashlib
import inspect
import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from starlette.routing import Route

from pipelines.dashboard.answers import get
from pipelines.dashboard.app import STATIC
from pipelines.dashboard.board import QueryTimeout
from pipelines.dashboard.guards import HEADERS
from pipelines.dashboard.overview import Nothing
from pipelines.dashboard.routes import ROUTES
from pipelines.queries import run_query
from pipelines.workspace import StorageError
from tests.boards import ready, site
from tests.workspaces import small_workspace


def broken(board, query):
    raise KeyError("a secret of the stack")


def raising(error):
    def function(board, query):
        raise error

    return function


ERRORS = {
    "no-value": (400, ValueError("a wrong value")),
    "no-file": (404, FileNotFoundError("no such clip")),
    "no-storage": (502, StorageError("the bucket does not answer")),
    "no-time": (504, QueryTimeout("it took too long")),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    board = ready(small_workspace(), tmp_path_factory.mktemp("cache"))
    more = [get("broken", broken, Nothing)]
    more += [get(f"test/{name}", raising(error), Nothing) for name, (_, error) in ERRORS.items()]
    with site(board, routes=more) as found:
        yield found


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts = [], []
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._in_script = tag == "script"

    def handle_data(self, data):
        if self._in_script and data.strip():
            self.scripts.append(data)


def index():
    return Page((STATIC / "index.html").read_text())


def test_the_page_holds_no_script_style_or_handler_of_its_own():
    page = index()
    assert page.scripts == []
    assert not [
        tag for tag, _ in page.tags if tag in ("style", "iframe", "object", "embed", "base")
    ]
    named = [name for _, attributes in page.tags for name in attributes]
    assert not [name for name in named if name.startswith("on") or name == "style"]


def test_everything_the_page_loads_is_of_this_server(served):
    loaded = [
        attributes.get("src") or attributes["href"]
        for tag, attributes in index().tags
        if tag in ("script", "link")
    ]
    assert loaded
    for address in loaded:
        assert address.startswith("/static/")
        found = served.ask(address)
        assert found.status == 200, address


def test_every_module_that_a_module_imports_is_there():
    for path in [STATIC / "main.js", *STATIC.glob("core/*.js"), *STATIC.glob("panels/**/*.js")]:
        for name in re.findall(r"""from\s+['"]([^'"]+)['"]""", path.read_text()):
            assert name.startswith("."), f"{path.name} imports {name}, which is not ours"
            assert (path.parent / name).resolve().is_file(), f"{path.name}: {name}"


def test_no_module_writes_markup():
    written = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    )
    for path in [STATIC / "main.js", *STATIC.glob("core/*.js"), *STATIC.glob("panels/**/*.js")]:
        assert not written.search(path.read_text()), path


def test_vendored_files_are_those_of_their_checksums_and_of_the_page():
    folder = STATIC / "vendor"
    listed = dict(
        reversed(line.split())
        for line in (folder / "checksums.txt").read_text().splitlines()
        if line
    )
    assert set(listed) == {path.name for path in folder.glob("*.js")}
    stated = {
        attributes["src"].rpartition("/")[2]: attributes["integrity"]
        for tag, attributes in index().tags
        if tag == "script" and "/vendor/" in attributes["src"]
    }
    assert set(stated) == set(listed)
    for name, digest in listed.items():
        content = (folder / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest, name
        sha384 = base64.b64encode(hashlib.sha384(content).digest()).decode()
        assert stated[name] == f"sha384-{sha384}"
        assert list(folder.glob(f"{name.partition('.')[0]}.LICENSE*")), f"{name} has no licence"


def parameters_of(route, known):
    """What a route needs, and the subset where it takes one."""
    kind = inspect.getclosurevars(route.endpoint).nonlocals.get("kind")
    fields = kind.model_fields if kind else {}
    needed = [name for name, field in fields.items() if field.is_required()]
    wanted = {*needed, *({"subset"} & {*fields})}
    return {name: known[name] for name in wanted if f"{{{name}}}" not in route.path}


def files_of(workspace):
    return {
        path: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).digest())
        for path in sorted(workspace.rglob("*"))
        if path.is_file()
    }


def known_values():
    workspace = small_workspace()
    (clip,) = run_query(workspace, "SELECT clip_id FROM shards_256p LIMIT 1")["clip_id"].to_pylist()
    known = {"subset": "256p", "measure": "motion_vmaf", "stage": "sources", "clip_id": clip}
    return known | {"run": 0, "against": 0, "step": 1, "job": "none", "file": "none"}


def gets():
    return [one for one in ROUTES if isinstance(one, Route) and "GET" in one.methods]


def test_asking_everything_changes_nothing(served):
    workspace, known = small_workspace(), known_values()
    before = files_of(Path(workspace.uri))
    answered = {}
    for route in gets():
        query = "&".join(f"{name}={value}" for name, value in parameters_of(route, known).items())
        found = served.ask(f"{route.path.format(**known)}?{query}")
        answered[route.path] = found.status
        assert found.status < 500, f"{route.path}?{query}: {found.body.decode()}"
        assert "Traceback" not in found.body.decode("latin-1")
    missing = {path for path, status in answered.items() if status != 200}
    # This dashboard shows no training runs, no jobs; all else has an answer.
    assert {path for path in missing if not path.startswith(("/api/run", "/api/jobs"))} == set()
    assert files_of(Path(workspace.uri)) == before


@pytest.mark.parametrize("route", gets(), ids=lambda route: route.path)
def test_no_value_of_any_parameter_is_a_crash(served, route):
    kind = inspect.getclosurevars(route.endpoint).nonlocals.get("kind")
    known = known_values()
    plain = {name: str(value) for name, value in parameters_of(route, known).items()}
    for name in kind.model_fields if kind else ():
        for value in ("9" * 60, "-1e300", "nan", "';\x00--", "x" * 3000, "%", "None"):
            told = {**known, name: quote(value, safe="")} if f"{{{name}}}" in route.path else known
            query = urlencode(plain if told is not known else {**plain, name: value})
            found = served.ask(f"{route.path.format(**told)}?{query}")
            assert found.status < 500, f"{name}={value[:20]}: {found.body.decode()}"


def test_posts_are_not_answered_to_gets(served):
    for route in ROUTES:
        if "GET" not in route.methods:
            assert served.ask(route.path).status == 405


@pytest.mark.logs_errors
def test_a_bug_shows_no_stack_but_logs_it(served, caplog):
    found = served.ask("/api/broken")
    ends = time.monotonic() + 10
    # The server logs it once more after it has answered.
    while "Exception in ASGI application" not in caplog.text:
        assert time.monotonic() < ends
        time.sleep(0.01)
    assert "a secret of the stack" in caplog.text
    assert found.status == 500
    text = found.body.decode()
    assert "secret" not in text
    assert "Traceback" not in text
    assert set(json.loads(text)) == {"error"}
    assert {name: found.headers.get(name) for name in HEADERS} == dict(HEADERS)


@pytest.mark.parametrize("name", ERRORS)
def test_what_is_wrong_is_said_with_its_status(served, name):
    status, error = ERRORS[name]
    found = served.ask(f"/api/test/{name}")
    assert (found.status, json.loads(found.body)) == (status, {"error": str(error)})


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/static/../app.py",
            "/static/..%2fapp.py",
            "/static/%2e%2e/app.py",
            "/static//etc/passwd",
        ),
        *("/static/%00", "/static/", "/static/vendor", "/api/", "/api/nope", "/etc/passwd"),
        *("/api/clips/..%2f..%2fetc%2fpasswd/poster", "/api/clips/%00/poster"),
        *("/api/clips/x/video?of=sample&subset=..%2f..", "/api/clips/x/video"),
    ],
)
def test_no_path_leads_to_another_file(served, path):
    found = served.ask(path)
    assert found.status in (400, 404), found.body
    assert b"root:" not in found.body
    assert b"import" not in found.body


ODD_QUERIES = [
    "measures?subset=nope",
    "measures",
    "measures?subset=256p&sql=SELECT+1",
    "histogram?subset=256p&measure=clip_id",
    "histogram?subset=256p&measure=x%3B+DROP+TABLE+clips",
    "what-if?subset=256p&rule=motion",
    "what-if?subset=256p&rule=motion%3Anan%3A",
    "what-if?subset=256p&rule=motion%3Ainf%3A",
    "what-if?subset=256p&rule=motion%3A5%3A2",
    "what-if?subset=256p&rule=motion%3A1%3A2%3A3",
    "what-if?subset=256p&rule=x')%3B--%3A1%3A",
    "what-if?subset=256p&rule=codec%3A1%3A",
    "what-if?subset=256p" + 65 * "&rule=motion%3A1%3A",
    "clips?subset=256p&page=-1",
    "clips?subset=256p&page=999999999999999999999",
    "clips?subset=256p&size=100000",
    "clips?subset=256p&order=clip_id%3B--",
    "clips?subset=256p&measure=motion_vmaf&low=nan",
    "clips?subset=256p&concept=x",
    "clips/export?subset=256p&format=xlsx",
]


@pytest.mark.parametrize("query", ODD_QUERIES)
def test_an_odd_question_is_refused_in_words(served, query):
    found = served.ask(f"/api/{query}")
    assert found.status == 400, found.body
    assert json.loads(found.body)["error"]


@pytest.mark.parametrize(
    "query",
    [
        "what-if?subset=256p&rule=motion%3A1e300%3A",
        "what-if?subset=256p&rule=width%3A-1e300%3A1e300",
        "values?subset=256p&measure=motion_vmaf&rule=luma_mean%3A%3A1e39",
        "clips?subset=256p&measure=motion_vmaf&low=-1e300&high=1e300",
        "clips?subset=256p&measure=width&low=-1e300&high=1e300",
        "clips?subset=256p&concept=9223372036854775808",
        "clips?subset=256p&concept=" + "9" * 60,
        "clips?subset=256p&text=%00",
        "clips?subset=256p&text=%ff%fe",
        "clips?subset=256p&reason=%27%22%3B--",
        "clips?subset=256p&flag=%25",
    ],
)
def test_extreme_values_are_answered_or_refused(served, query):
    found = served.ask(f"/api/{query}")
    assert found.status in (200, 400), found.body
