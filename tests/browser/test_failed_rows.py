"""From the funnel to one failed file, its error, and the command that shows it alone."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from pipelines.queries import run_query
from pipelines.workspace import Workspace


def test_a_failure_is_reached_from_the_funnel(
    page: Page, dashboard: Callable[..., str], small: Workspace
) -> None:
    [failed] = run_query(small, "FROM sources WHERE status = 'failed'").to_pylist()
    page.goto(dashboard(small))
    page.get_by_role("link", name="not media").click()
    expect(page.locator("#rows h2")).to_have_text("sources: not media")
    expect(page.locator("#rows .example pre.error")).to_have_text(failed["error"])
    expect(page.locator("#rows .example .copyable pre").first).to_contain_text(
        "moviola stage sources"
    )
    expect(page.locator("#rows ul.rows > li")).to_have_count(1)


def test_a_search_narrows_the_rows(
    page: Page, dashboard: Callable[..., str], small: Workspace
) -> None:
    page.goto(f"{dashboard(small)}/?panel=failures&stage=sources")
    expect(page.locator("#rows ul.rows > li")).to_have_count(1)
    page.keyboard.press("/")
    page.keyboard.type("no such text")
    expect(page.locator("#rows")).to_contain_text("No row is like that.")
    expect(page.locator("#rows ul.rows")).to_have_count(0)
