"""The frame of the page: it opens, moves by keyboard, keeps its state in the URL, and is live."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from curation.funnel import Step
from pipelines.summary import steps_of
from pipelines.workspace import Workspace
from tests.browser.footage import copied
from tests.browser.pages import go_to, open_panel, settle
from tests.browser.server import Server
from tests.workspaces import add_scores

Start = Callable[..., str]


def line(step: Step) -> str:
    return f"{step.num_in:,} {step.unit} in, {step.num_out:,} out"


def heading(page: Page, text: str) -> None:
    expect(page.locator("#panel h1")).to_have_text(text)


def test_opens_on_the_funnel_with_the_counts_of_the_summary(
    page: Page, dashboard: Start, made: Workspace
) -> None:
    page.goto(dashboard(made))
    expect(page).to_have_title(re.compile("Moviola"))
    for subset, other in (("256p", "768p"), ("768p", "256p")):
        go_to(page, f"?panel=funnel&subset={subset}")
        shown = [step for step in steps_of(made) if not step.name.endswith(f"/{other}")]
        assert len(shown) > 6
        for step in shown:
            told = page.locator(f"li[data-step='{step.name}']")
            expect(told.locator(".line")).to_contain_text(line(step))
            expect(told.locator(".line .check")).to_have_text("✓ adds up")
            for outcome in step.outcomes:
                if outcome.status != "ok":
                    expect(told.locator(".reasons")).to_contain_text(f"{outcome.num:,}")
        expect(page.locator("#check")).to_contain_text("adds up")


def test_the_rail_is_used_by_keyboard_alone(page: Page, dashboard: Start, made: Workspace) -> None:
    page.goto(dashboard(made))
    settle(page)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    titles = page.locator("#rail a").all_inner_texts()
    assert len(titles) > 5
    for title in (titles[1], titles[0], titles[-1]):
        link = page.locator("#rail a", has_text=re.compile(f"^{re.escape(title)}$"))
        for _ in range(60):
            if link.evaluate("(link) => link === document.activeElement"):
                break
            page.keyboard.press("Tab")
        expect(link).to_be_focused()
        page.keyboard.press("Enter")
        heading(page, title)
        expect(link).to_have_attribute("aria-current", "page")
        expect(page.locator("#panel")).to_be_focused()
        page.locator(".skip").focus()


def test_the_skip_link_leads_past_the_rail(page: Page, dashboard: Start, made: Workspace) -> None:
    page.goto(dashboard(made))
    settle(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#panel")).to_be_focused()


def test_a_shared_url_shows_the_same_and_back_goes_back(
    page: Page, dashboard: Start, made: Workspace
) -> None:
    page.goto(dashboard(made))
    settle(page)
    page.locator("#subset").select_option("768p")
    page.get_by_role("link", name="hours", exact=True).click()
    expect(page.locator("[aria-current=true]")).to_have_text("hours")
    expect(page.locator("li[data-step='selection/768p']")).to_be_visible()
    shared, seen = page.url, page.locator("ol.funnel").inner_text()
    assert "768p" in shared
    page.get_by_role("navigation").get_by_role("link").nth(1).click()
    heading(page, "Thresholds")
    page.go_back()
    heading(page, "Funnel")
    assert page.url == shared
    page.go_back()
    expect(page.locator("[aria-current=true]")).to_have_text("number")
    page.go_forward()
    expect(page.locator("[aria-current=true]")).to_have_text("hours")
    other = page.context.new_page()
    other.goto(shared)
    settle(other)
    assert other.locator("ol.funnel").inner_text() == seen


def test_a_reason_in_the_funnel_leads_to_its_clips(
    page: Page, dashboard: Start, made: Workspace
) -> None:
    open_panel(page, dashboard(made), "funnel", "&subset=256p")
    (selection,) = (step for step in steps_of(made) if step.name == "selection/256p")
    (num,) = (one.num for one in selection.outcomes if one.reason == "aesthetic")
    page.locator("li[data-step='selection/256p'] .reasons a", has_text="aesthetic").first.click()
    heading(page, "Examples")
    settle(page)
    assert "reason=aesthetic" in page.url
    expect(page.locator("#panel .body")).to_contain_text(f"{num:,}")


def test_a_commit_appears_without_a_reload(
    page: Page, cache: Path, small: Workspace, tmp_path: Path
) -> None:
    workspace = copied(small, tmp_path / "work")
    with Server(workspace.uri, cache=cache) as server:
        page.goto(server.url)
        settle(page)
        page.evaluate("() => { window.stayed = true; }")
        expect(page.locator("li[data-step='scores']")).to_have_count(0)
        add_scores(workspace, aesthetic=5.0)
        told = page.locator("li[data-step='scores'] .line")
        # After a slow look the next one comes later, so that it takes a tenth of the time at most.
        expect(told).to_contain_text("3 clips in, 3 out", timeout=40_000)
        assert page.evaluate("() => window.stayed") is True
        page.goto("about:blank")


def test_a_stopped_server_is_told_and_the_page_recovers(
    page: Page, may_say: list[str], cache: Path, small: Workspace, tmp_path: Path
) -> None:
    may_say.append("ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|status of 503")
    workspace = copied(small, tmp_path / "work")
    with Server(workspace.uri, cache=cache) as server:
        page.goto(server.url)
        settle(page)
        page.wait_for_load_state("networkidle")
    told = page.locator("#top").get_by_text("does not answer")
    expect(told).to_be_visible()
    # What was shown stays, and a panel that is asked for says what is wrong.
    expect(page.locator("ol.funnel li").first).to_be_visible()
    page.locator("#rail a").nth(1).click()
    expect(page.locator("#panel .state.bad")).to_contain_text("has it been stopped?")
    expect(told).to_have_count(1)
    with Server(workspace.uri, cache=cache, port=server.port):
        expect(told).to_have_count(0)
        expect(page.locator("#panel .state.bad")).to_have_count(0)
        settle(page)
        expect(page.locator("[data-measure]").first).to_be_visible()
        page.goto("about:blank")


def test_a_workspace_that_is_not_there_is_said_and_shown_when_it_comes(
    page: Page, cache: Path, small: Workspace, tmp_path: Path
) -> None:
    with Server(str(tmp_path / "later"), cache=cache) as server:
        page.goto(server.url)
        expect(page.locator("#panel")).to_contain_text("is no workspace")
        assert not (tmp_path / "later").exists(), "looking has made a folder"
        shutil.copytree(small.uri, tmp_path / "later")
        expect(page.locator("ol.funnel li").first).to_be_visible()
        page.goto("about:blank")


@pytest.mark.parametrize(
    "query",
    ["?panel=nope", "?subset=nope", "?panel=__proto__", "?panel=measures&rule=x", "?rule=%00"],
)
def test_an_odd_url_shows_something_and_breaks_nothing(
    page: Page, may_say: list[str], dashboard: Start, made: Workspace, query: str
) -> None:
    may_say.append("status of 400")
    page.goto(f"{dashboard(made)}/{query}")
    settle(page)
    expect(page.locator("#panel h1")).not_to_be_empty()
