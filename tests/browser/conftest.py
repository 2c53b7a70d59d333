"""A real server, a real browser, and a page that must not complain or ask anyone else.

A test takes `page` and `dashboard`; what a page may say on its console is added to `may_say`.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from pipelines.workspace import Workspace
from tests.browser import footage
from tests.browser.server import RUNNING, Server

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO = "apt-get install chromium (or put google-chrome on the PATH)"
NO_BROWSER = f"there is no Chromium: {HOW_TO}"
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"),
    *("--disable-component-update", "--disable-sync"),
)
WAIT_MS = 15_000
expect.set_options(timeout=WAIT_MS)

_FOLDER = Path(__file__).parent


def program() -> str | None:
    """The browser of this machine."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test of this folder; without a browser they are skipped, and say so."""
    has_none = program() is None
    for item in items:
        if _FOLDER in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if has_none and "page" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.skip(reason=NO_BROWSER))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Says in plain sight that the dashboard was not tried in a browser."""
    reports = terminalreporter.stats.get("skipped", [])
    skipped = [report for report in reports if NO_BROWSER in str(report.longrepr)]
    if skipped:
        terminalreporter.section("the dashboard was NOT tested in a browser", red=True, bold=True)
        terminalreporter.line(f"{len(skipped)} tests did not run: {NO_BROWSER}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Adds to a failure what the servers said."""
    report = yield
    if report.failed:
        for server in RUNNING:
            report.sections.append((f"dashboard {server.url}", server.said()[-4000:]))
    return report


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache folder of all servers of the session."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def dashboard(cache: Path) -> Iterator[Callable[..., str]]:
    """`dashboard(workspace, *arguments)`: the address of a server, one for all who ask alike."""
    started: dict[tuple[str, ...], Server] = {}

    def start(workspace: Workspace | Path, *arguments: str) -> str:
        uri = workspace.uri if isinstance(workspace, Workspace) else str(workspace)
        key = (uri, *map(str, arguments))
        if key not in started:
            started[key] = Server(uri, *arguments, cache=cache)
        return started[key].url

    yield start
    for server in started.values():
        server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, one for each file of tests: Playwright keeps an event loop in this thread."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program(), args=[*FLAGS])
        yield opened
        opened.close()


@pytest.fixture
def may_say() -> list[str]:
    """Regular expressions of what the page of this test may log as an error."""
    return []


@pytest.fixture
def page(browser: Browser, may_say: list[str]) -> Iterator[Page]:
    """A page of 1440 x 900, which fails its test if it logs an error or asks another host."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    context.set_default_timeout(WAIT_MS)
    opened = context.new_page()
    errors: list[str] = []
    asked: set[str] = set()

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(f"{message.text} ({message.location.get('url')})")

    def on_request(request: Request) -> None:
        asked.add(request.url)

    context.on("console", on_console)
    context.on("weberror", lambda error: errors.append(str(error.error)))
    context.on("request", on_request)
    yield opened
    context.close()
    complaints = [one for one in errors if not any(re.search(known, one) for known in may_say)]
    assert not complaints, f"the page logged errors: {complaints}"
    assert not outside(asked), f"the page asked another host: {outside(asked)}"


def outside(urls: set[str]) -> set[str]:
    """Those of the addresses that are no server of ours."""
    ours = {urlsplit(server.url).netloc for server in RUNNING}
    return {
        url
        for url in urls
        if urlsplit(url).scheme not in ("data", "blob", "about")
        and urlsplit(url).netloc not in ours
    }


@pytest.fixture(scope="session")
def made() -> Workspace:
    """2,000 made clips with scores, captions and pictures; never changed."""
    return footage.made()


@pytest.fixture(scope="session")
def small() -> Workspace:
    """Three real clips of two videos whose files are there; never changed."""
    return footage.small()
