"""Two runs side by side: what was lost is counted, opens its clips, and can be saved."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from playwright.sync_api import Page, expect

from curation import tables
from pipelines.dashboard.decisions import KEPT
from pipelines.workspace import Workspace


@pytest.fixture(scope="module")
def decided_again(small: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The small workspace, of which a second run keeps one clip less."""
    folder = tmp_path_factory.mktemp("compare") / "workspace"
    shutil.copytree(small.uri, folder)
    workspace = Workspace(folder)
    table = workspace.table("selection")
    rows = [row for row in table.read().to_pylist() if row["subset"] == "256p"]
    lost = next(row for row in rows if row["status"] == tables.OK)
    lost |= {"status": tables.REJECTED, "reason": "sharpness"}
    content = pa.Table.from_pylist(rows, schema=table.read().schema)
    table.replace(content, {"run": "second", "command": "moviola select"}, {"subset": "256p"})
    return workspace


def test_a_lost_clip_is_found_through_the_matrix(
    page: Page, dashboard: Callable[..., str], decided_again: Workspace
) -> None:
    page.goto(f"{dashboard(decided_again)}/?panel=compare&subset=256p")
    lost = page.locator(".figure", has_text="lost")
    expect(lost.locator("strong")).to_have_text("1")
    page.locator(".matrix td.lost a").click()
    expect(page).to_have_url(re.compile(f"was={KEPT}&now=sharpness"))
    expect(page.locator("#cell h2")).to_have_text("kept → sharpness")
    expect(page.locator("#cell .tile")).to_have_count(1)
    expect(page.locator("#cell .moved")).to_contain_text("was kept")
    with page.expect_download() as download:
        page.get_by_role("link", name="ids as CSV").click()
    clip = page.locator("#cell .tile").get_attribute("data-clip")
    assert clip is not None
    assert clip in Path(download.value.path()).read_text()
    page.go_back()
    expect(page.locator("#cell")).to_be_hidden()


def test_decisions_are_chosen_and_swapped_by_the_keyboard(
    page: Page, dashboard: Callable[..., str], decided_again: Workspace
) -> None:
    page.goto(f"{dashboard(decided_again)}/?panel=compare&subset=256p")
    first = page.get_by_label("decision A")
    chosen = [first.input_value(), page.get_by_label("decision B").input_value()]
    page.get_by_label("swap A and B").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("decision A")).to_have_value(chosen[1])
    expect(page.get_by_label("decision B")).to_have_value(chosen[0])
    expect(page.locator(".figure", has_text="gained").locator("strong")).to_have_text("1")
