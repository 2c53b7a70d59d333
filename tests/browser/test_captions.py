"""Captions judged by the keyboard: stored, shown at once, and text all the while."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pipelines.queries import run_query
from pipelines.workspace import Workspace

HOSTILE = "<img src=x onerror=alert(1)> A dog."


@pytest.fixture
def may_say() -> list[str]:
    # Most made clips have no pictures.
    return [r"status of 4\d\d"]


def test_captions_are_judged_by_the_keyboard(page: Page, dashboard, made, tmp_path: Path) -> None:
    workspace = Workspace(shutil.copytree(made.uri, tmp_path / "ws"))
    page.goto(f"{dashboard(workspace)}/?panel=captions&order=clip")
    cards = page.locator(".caption-card")
    expect(cards).to_have_count(10)
    page.locator("#reviewer").fill("Ada")
    cards.first.focus()
    page.keyboard.press("a")
    expect(cards.nth(0)).to_have_attribute("data-review", "accept")
    expect(cards.nth(0).locator(".verdict")).to_contain_text("accepted by Ada")
    expect(cards.nth(1)).to_be_focused()
    page.keyboard.press("r")
    expect(cards.nth(1)).to_have_attribute("data-review", "reject")
    page.keyboard.press("e")
    page.locator("textarea").fill(HOSTILE)
    page.keyboard.press("Control+Enter")
    expect(cards.nth(2)).to_have_attribute("data-review", "edit")
    expect(cards.nth(2).locator(".said")).to_have_text(HOSTILE)
    expect(page.locator(".caption-text img")).to_have_count(0)
    expect(page.locator("#reviewed-count strong")).to_have_text("3")
    rows = run_query(
        workspace, "SELECT verdict, reviewer, caption FROM caption_reviews ORDER BY reviewed_at"
    )
    assert rows.to_pylist() == [
        {"verdict": "accept", "reviewer": "Ada", "caption": None},
        {"verdict": "reject", "reviewer": "Ada", "caption": None},
        {"verdict": "edit", "reviewer": "Ada", "caption": HOSTILE},
    ]
    page.goto(f"{dashboard(workspace)}/?panel=captions&reviewed=edit")
    expect(page.locator(".caption-card .said")).to_have_text(HOSTILE)


def test_a_flag_links_to_its_captions(page: Page, dashboard, made) -> None:
    page.goto(f"{dashboard(made)}/?panel=captions")
    flag = page.locator("[data-flag]").first
    num, name = page.locator(".caption-flags b").first.inner_text(), flag.inner_text()
    flag.click()
    expect(page.locator("#caption-count strong")).to_have_text(num)
    for card in page.locator(".caption-card").all():
        expect(card.locator(".flag", has_text=name)).to_be_visible()
