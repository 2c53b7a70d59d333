"""Examples and the page of one clip, as a person goes through them."""

import re

import pytest
from playwright.sync_api import Page, expect

from pipelines.queries import run_query
from pipelines.workspace import Workspace

PLAYABLE = 4
"""`HTMLMediaElement.HAVE_ENOUGH_DATA`."""


@pytest.fixture(autouse=True)
def sources_are_gone(may_say: list[str]) -> None:
    """Made clips have no source to play, which the browser logs when a tile is pointed at."""
    may_say.append(r"status of 409 .*/video")


def counts(workspace: Workspace, condition: str) -> int:
    sql = f"SELECT count(*) FROM selection WHERE subset = '256p' AND {condition}"  # noqa: S608
    number: int = run_query(workspace, sql).column(0)[0].as_py()
    return number


def test_kept_beside_rejected_then_one_reason_then_back(page: Page, dashboard, made) -> None:
    page.goto(dashboard(made) + "/?panel=examples&subset=256p")
    kept, rejected = counts(made, "status = 'ok'"), counts(made, "status <> 'ok'")
    expect(page.locator("[data-side=kept] .line b")).to_have_text(f"{kept:,}")
    expect(page.locator("[data-side=rejected] .line b")).to_have_text(f"{rejected:,}")
    expect(page.locator("[data-side=kept] .tile")).to_have_count(24)
    page.get_by_label("Reason").select_option("motion_vmaf")
    expect(page.get_by_role("heading", name="Rejected by motion vmaf")).to_be_visible()
    by_motion = counts(made, "reason = 'motion_vmaf'")
    expect(page.locator("[data-side=all] .line b")).to_have_text(f"{by_motion:,}")
    assert "reason=motion_vmaf" in page.url
    page.get_by_role("link", name="remove: by motion vmaf").click()
    expect(page.locator("[data-side=kept] .line b")).to_have_text(f"{kept:,}")
    page.go_back()
    expect(page.locator("[data-side=all] .line b")).to_have_text(f"{by_motion:,}")


def test_more_tiles_come_and_are_there_again_after_a_clip(page: Page, dashboard, made) -> None:
    page.goto(dashboard(made) + "/?panel=examples&subset=256p&verdict=rejected")
    tiles = page.locator(".tile")
    expect(tiles).to_have_count(48)
    page.get_by_role("button", name=re.compile("more of")).click()
    expect(tiles).to_have_count(96)
    ids = tiles.evaluate_all("found => found.map((one) => one.dataset.clip)")
    assert len(set(ids)) == 96
    tiles.nth(70).click()
    expect(page.get_by_text("71 of 96 listed")).to_be_visible()
    page.keyboard.press("j")
    expect(page.get_by_text("72 of 96 listed")).to_be_visible()
    assert f"clip={ids[71]}" in page.url
    expect(page.locator(".screen [role=status]")).to_contain_text("is no longer there")
    page.get_by_role("link", name="Back to the list").click()
    expect(tiles).to_have_count(96)
    assert tiles.evaluate_all("found => found.map((one) => one.dataset.clip)") == ids


def test_by_keyboard_alone_from_the_search_to_a_clip(page: Page, dashboard, made) -> None:
    page.goto(dashboard(made) + "/?panel=examples&subset=256p&verdict=kept")
    expect(page.locator(".tile")).to_have_count(48)
    wanted = page.locator(".tile").nth(5).get_attribute("data-clip")
    assert wanted
    page.keyboard.press("/")
    page.keyboard.type(wanted[:12].upper())
    video = counts(made, f"status = 'ok' AND contains(clip_id, '{wanted[:12]}')")
    expect(page.locator(".line b")).to_have_text(str(video))
    page.locator(".tile").first.focus()
    page.keyboard.press("End")
    page.keyboard.press("Home")
    expect(page.locator(".tile").first).to_be_focused()
    page.keyboard.press("ArrowRight" if video > 1 else "Home")
    page.keyboard.press("ArrowLeft")
    opened = page.locator(".tile").first.get_attribute("data-clip")
    page.keyboard.press("Enter")
    expect(page.locator(".clip-head code")).to_have_text(str(opened))


def test_a_search_is_text_whatever_it_finds(page: Page, dashboard, made) -> None:
    page.goto(dashboard(made) + "/?panel=examples&subset=256p")
    page.get_by_role("searchbox").fill("<img src=x onerror")
    expect(page.locator(".chip").first).to_contain_text("<img src=x onerror")
    tile = page.locator(".tile", has_text="<img src=x onerror").first
    expect(tile).to_be_visible()
    tile.click()
    expect(page.locator(".clip-head h2")).to_contain_text("<img src=x onerror")
    page.go_back()
    page.get_by_role("searchbox").fill("<b>no clip has this</b>")
    expect(page.get_by_role("heading", name="No clip is left")).to_be_visible()
    expect(page.locator(".state")).to_contain_text("<b>no clip has this</b>")


def test_a_clip_plays_seeks_and_tells_its_decision(page: Page, dashboard, small) -> None:
    page.goto(dashboard(small) + "/?panel=examples&subset=256p&verdict=kept")
    page.locator(".tile").first.click()
    video = page.locator(".screen video")
    expect(video).to_be_visible()
    expect(video).to_have_js_property("readyState", PLAYABLE)
    page.locator(".frames button").nth(1).click()
    expect(video).not_to_have_js_property("currentTime", 0)
    expect(page.locator(".decision[data-subset='256p'] h3")).to_have_text("256p: kept")
    expect(page.locator(".steps tr", has_text="motion").first).to_contain_text("✓ passes")
    page.get_by_role("button", name="sample 256p").click()
    expect(page).to_have_url(re.compile("of=256p"))
    expect(video).to_have_js_property("readyState", PLAYABLE)
    expect(page.get_by_role("region", name="Lineage")).to_contain_text("shards/256p")
    page.reload()
    expect(page.get_by_role("button", name="sample 256p")).to_have_attribute("aria-pressed", "true")


def test_an_unknown_clip_is_said_in_words(page: Page, dashboard, made, may_say) -> None:
    may_say.append("404")
    page.goto(dashboard(made) + "/?panel=clip&subset=256p&clip=nothing")
    expect(page.get_by_role("alert")).to_contain_text("no clip is called 'nothing'")


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_nothing_sticks_out_at_any_width(page: Page, dashboard, made, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(dashboard(made) + "/?panel=examples&subset=256p&measure=motion_vmaf&low=1")
    expect(page.locator(".tile").first).to_be_visible()
    wide = "document.documentElement.scrollWidth > innerWidth"
    assert not page.evaluate(wide)
    page.locator(".tile").first.click()
    expect(page.get_by_role("region", name="Lineage").first).to_contain_text("sources")
    assert not page.evaluate(wide)
