"""Every panel: at three widths, in every state of a workspace, and with texts of strangers."""

from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from pipelines.queries import run_query
from pipelines.workspace import Workspace
from tests.browser import footage
from tests.browser.pages import WIDTHS_PX, go_to, open_panel, panels, settle, sideways_px

Start = Callable[..., str]

PANELS = panels()

NO_SOURCE = r"status of 409 \(Conflict\) \(\S+/video\)"
"""What the page of a clip logs when its source is gone, which is so for all made clips."""


def query_of(workspace: Workspace, panel: str, subset: str = "256p") -> str:
    """The URL of a panel; that of a clip names one."""
    found = f"?panel={panel}&subset={subset}"
    if panel == "clip":
        ids = run_query(workspace, "SELECT clip_id FROM clips ORDER BY 1 LIMIT 1")["clip_id"]
        found += f"&clip={ids[0].as_py()}"
    return found


@pytest.mark.parametrize("width", WIDTHS_PX)
def test_no_panel_scrolls_sideways(
    page: Page, may_say: list[str], dashboard: Start, made: Workspace, width: int
) -> None:
    may_say.append(NO_SOURCE)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(dashboard(made))
    settle(page)
    too_wide = {}
    for panel in PANELS:
        go_to(page, query_of(made, panel))
        expect(page.locator("#panel .state.bad")).to_have_count(0)
        if (extra := sideways_px(page)) > 0:
            too_wide[panel] = extra
    assert too_wide == {}


STATES = {
    "empty": footage.empty,
    "half done": footage.half_done,
    "failed": footage.failed,
    "nothing kept": footage.nothing_kept,
}


@pytest.mark.parametrize("state", STATES)
def test_every_state_of_a_workspace_is_shown_as_such(
    page: Page, dashboard: Start, state: str
) -> None:
    workspace = STATES[state]()
    page.goto(dashboard(workspace))
    settle(page)
    problems = {}
    for panel in PANELS:
        if panel == "clip":
            continue
        go_to(page, f"?panel={panel}")
        body = page.locator("#panel > .body")
        if page.locator("#panel .state.bad").count():
            problems[panel] = body.inner_text()
        elif len(body.inner_text().strip()) < 10:
            problems[panel] = "(nothing is said)"
    assert problems == {}


def test_what_each_state_says_on_the_first_page(page: Page, dashboard: Start) -> None:
    said = {
        "empty": "Nothing has gone in yet",
        "half done": "2 videos in, 3 out",
        "failed": "not media",
        "nothing kept": "Nothing is kept",
    }
    for state, text in said.items():
        open_panel(page, dashboard(STATES[state]()), "funnel")
        expect(page.locator("#panel > .body")).to_contain_text(text)


INJECTED = """() => window.__hacked !== undefined
    || document.querySelectorAll(`#panel img[src="x"], #panel script, #panel iframe,
        #panel [onload], #panel [onerror], #panel [onfocus], #panel [ontoggle],
        #panel a[href^="javascript:"], #panel style[src], #panel meta, #panel base,
        #panel object`).length > 0"""


def test_texts_of_strangers_stay_text_on_every_panel(
    page: Page, may_say: list[str], dashboard: Start
) -> None:
    may_say.append(NO_SOURCE)
    workspace = footage.hostile()
    page.goto(dashboard(workspace))
    settle(page)
    seen = ""
    for panel in PANELS:
        go_to(page, query_of(workspace, panel))
        page.wait_for_timeout(100)
        assert not page.evaluate(INJECTED), panel
        expect(page.locator("#panel .state.bad")).to_have_count(0)
        seen += page.locator("#panel").inner_text()
    # The texts were shown, as they are.
    shown = [text for text in footage.PAYLOADS if text.strip()[:40] in seen]
    assert len(shown) > 10, shown


def test_the_pages_of_hostile_clips_at_phone_width(
    page: Page, may_say: list[str], dashboard: Start
) -> None:
    may_say.append(NO_SOURCE)
    workspace = footage.hostile()
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(dashboard(workspace))
    settle(page)
    too_wide = {}
    for panel in PANELS:
        go_to(page, query_of(workspace, panel))
        if (extra := sideways_px(page)) > 0:
            too_wide[panel] = extra
    assert too_wide == {}


@pytest.mark.parametrize("text", footage.PAYLOADS[1:3])
def test_texts_in_the_url_stay_text(
    page: Page, may_say: list[str], dashboard: Start, made: Workspace, text: str
) -> None:
    may_say.append("status of (400|404)")
    page.goto(f"{dashboard(made)}/")
    settle(page)
    names = ("subset", "clip", "reason", "text", "stage", "why", "flag")
    asked = "&".join(f"{name}={quote(text, safe='')}" for name in names)
    for panel in PANELS:
        go_to(page, f"?panel={panel}&{asked}")
        assert not page.evaluate(INJECTED), panel
