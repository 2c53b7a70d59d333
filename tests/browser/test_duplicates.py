"""Duplicates: the threshold counts what is stored, groups show why one was kept."""

import re

import pytest
from playwright.sync_api import Page, expect

from pipelines.queries import run_query

# Videos of made clips are not there to be played.
NOT_THERE = r"status of 4\d\d"


@pytest.fixture
def may_say() -> list[str]:
    return [NOT_THERE]


def test_a_stricter_threshold_frees_what_is_less_alike(page: Page, dashboard, made) -> None:
    sql = """SELECT cosine::DOUBLE AS cosine FROM selection
        WHERE subset = '256p' AND reason = 'duplicate'
            AND video_id <> split_part(duplicate_of, '-', 1)"""
    cosines = [row["cosine"] for row in run_query(made, sql).to_pylist()]
    page.goto(f"{dashboard(made)}/?panel=duplicates")
    slider = page.get_by_role("slider", name="threshold for clips of different videos")
    slider.focus()
    at = float(slider.input_value())
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    wanted = sum(cosine < round(at + 0.02, 3) for cosine in cosines)
    expect(page).to_have_url(re.compile(f"threshold={at + 0.02:.3f}"))
    expect(page.locator("section").filter(has=slider).locator("output")).to_contain_text(
        f"{at + 0.02:.3f}: {wanted} of {len(cosines)} no longer near"
    )
    page.reload()
    expect(slider).to_have_value(f"{at + 0.02:g}")


def test_a_group_shows_the_kept_clip_and_links_to_its_members(page: Page, dashboard, made) -> None:
    page.goto(f"{dashboard(made)}/?panel=duplicates")
    group = page.locator(".dup-group").first
    expect(group.locator(".dup-clip.kept .fate")).to_have_text("✓ kept")
    expect(group.locator(".dup-clip.rejected .decides").first).to_be_visible()
    link = group.get_by_role("link", name=re.compile("^1 duplicate$"))
    link.click()
    expect(page).to_have_url(re.compile("panel=examples.*duplicate_of="))
    expect(page.locator(".tile")).to_have_count(1)
