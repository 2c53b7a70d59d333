"""The map of concepts: before and after, a lasso, and the table that says the same."""

import re

from playwright.sync_api import Page, expect

from pipelines.queries import run_query


def kept_by_concept(workspace) -> dict[str, int]:
    sql = """SELECT name, count(*) AS num FROM selection JOIN concepts USING (concept_id)
        WHERE subset = '256p' AND status = 'ok' GROUP BY 1"""
    return {row["name"]: row["num"] for row in run_query(workspace, sql).to_pylist()}


def test_the_table_and_its_links_count_the_clips_of_a_concept(page: Page, dashboard, made) -> None:
    counts = kept_by_concept(made)
    name = max(counts, key=lambda one: (counts[one], one))
    page.goto(f"{dashboard(made)}/?panel=concepts")
    expect(page.get_by_role("searchbox", name="Find a concept")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type(name)
    row = page.locator("#concept-table tbody tr").filter(
        has=page.get_by_role("link", name=name, exact=True)
    )
    expect(row.locator("td").nth(2)).to_have_text(str(counts[name]))
    expect(page).to_have_url(re.compile("find="))
    row.get_by_role("checkbox").check()
    expect(page.locator("[data-picked]")).to_have_text(f"see {counts[name]} clips")
    page.reload()
    expect(page.locator("[data-picked]")).to_have_text(f"see {counts[name]} clips")
    page.locator("[data-picked]").click()
    expect(page).to_have_url(re.compile(r"panel=examples.*concept=\d+"))
    expect(page.locator(".tile").first).to_be_visible()


def test_a_lasso_picks_what_lies_within_it(page: Page, dashboard, made) -> None:
    page.goto(f"{dashboard(made)}/?panel=concepts")
    box = page.locator(".concept-map").bounding_box()
    assert box
    left, top, right, bottom = (
        box["x"] + 2,
        box["y"] + 2,
        box["x"] + box["width"] - 2,
        box["y"] + box["height"] - 2,
    )
    page.locator("[data-tool=lasso]").click()
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom)):
        page.mouse.move(x, y, steps=3)
    page.mouse.up()
    every = sum(kept_by_concept(made).values())
    expect(page.locator("[data-picked]")).to_have_text(f"see {every} clips")
    page.locator("[data-tool=before]").click()
    expect(page.locator("[data-tool=before]")).to_have_attribute("aria-pressed", "true")
    expect(page).to_have_url(re.compile("weights=before"))
    page.locator(".concept-map").focus()
    page.keyboard.press("Escape")
    expect(page.locator("[data-picked]")).to_have_count(0)
    page.keyboard.press("+")
    expect(page).to_have_url(re.compile(r"at=1\.30"))
