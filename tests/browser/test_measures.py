"""Thresholds: a handle that is dragged counts what brute force counts, and can be decided by."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator, Page, expect

from pipelines.dashboard.filters import changed_rules
from pipelines.queries import run_query, subset_settings
from pipelines.workspace import Workspace
from tests import verdicts
from tests.browser.footage import copied
from tests.browser.pages import open_panel, settle
from tests.browser.server import Server
from tests.workspaces import SUBSETS

Start = Callable[..., str]

TO = "\N{EN DASH}"

AFTER = "[data-figure='after'] strong"


def kept_by_brute_force(workspace: Workspace, subset: str, rule: tuple[str, ...]) -> str:
    """What the page is to say: the clips kept for sure, and at most."""
    settings = subset_settings(workspace)[subset]
    changes = changed_rules(settings, rule)
    outcomes = [
        verdicts.outcome(clip, verdicts.reason(clip, settings, changes))
        for clip in verdicts.judged_clips(workspace, subset, settings)
    ]
    known = outcomes.count("kept") + outcomes.count("gained")
    most = known + outcomes.count("unknown")
    return f"{known:,}{TO}{most:,}" if most > known else f"{known:,}"


def rules_in(page: Page) -> tuple[str, ...]:
    return tuple(parse_qs(urlsplit(page.url).query, keep_blank_values=True).get("rule", []))


def handle_of(page: Page, measure: str, side: str = "min") -> Locator:
    handle = page.locator(f"[data-measure='{measure}'] .handle.{side}")
    handle.scroll_into_view_if_needed()
    return handle


def drag(page: Page, handle: Locator, by_px: float) -> None:
    """Presses and moves; the button stays down."""
    box = handle.locator("rect").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 6):
        page.mouse.move(x + by_px * step / 5, y)


def test_a_handle_dragged_by_mouse_counts_what_brute_force_counts(
    page: Page, dashboard: Start, made: Workspace
) -> None:
    open_panel(page, dashboard(made), "measures", "&subset=256p")
    before = kept_by_brute_force(made, "256p", ())
    expect(page.locator(AFTER)).to_have_text(before)
    handle = handle_of(page, "motion_vmaf")
    for by_px in (60, -110):
        drag(page, handle, by_px)
        # While the button is down: the count of the page itself, for the bound that is shown.
        value = float(page.locator("[data-measure='motion_vmaf'] input").first.input_value())
        dragged = kept_by_brute_force(made, "256p", (f"motion_vmaf:{value}:",))
        assert dragged != before
        expect(page.locator(AFTER)).to_have_text(dragged)
        page.mouse.up()
        # After it: the count of the server, which the URL now names.
        expect(page).to_have_url(re.compile(r"rule=motion_vmaf"))
        page.wait_for_function("() => !document.querySelector('.busy')")
        assert rules_in(page) == (f"motion_vmaf:{value:g}:",)
        expect(page.locator(AFTER)).to_have_text(dragged)
    shared = page.url
    page.goto(shared)
    settle(page)
    expect(page.locator(AFTER)).to_have_text(dragged)


def test_a_handle_moved_by_keyboard_counts_what_brute_force_counts(
    page: Page, dashboard: Start, made: Workspace
) -> None:
    open_panel(page, dashboard(made), "measures", "&subset=256p")
    handle = handle_of(page, "aesthetic")
    expect(handle).to_have_attribute("role", "slider")
    start = float(handle.get_attribute("aria-valuenow") or "nan")
    handle.focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    expect(handle).to_be_focused()
    page.wait_for_function(
        "() => location.search.includes('aesthetic') && !document.querySelector('.busy')"
    )
    now = float(handle.get_attribute("aria-valuenow") or "nan")
    assert now > start
    assert rules_in(page) == (f"aesthetic:{now:g}:",)
    told = kept_by_brute_force(made, "256p", rules_in(page))
    assert told != kept_by_brute_force(made, "256p", ())
    expect(page.locator(AFTER)).to_have_text(told)
    page.keyboard.press("Delete")
    expect(page).to_have_url(re.compile(r"rule=aesthetic::"))
    expect(page.locator(AFTER)).to_have_text(kept_by_brute_force(made, "256p", ("aesthetic::",)))
    page.locator("#reset").click()
    expect(page.locator(AFTER)).to_have_text(kept_by_brute_force(made, "256p", ()))


def test_what_is_not_known_is_said_with_an_estimate(
    page: Page, dashboard: Start, made: Workspace
) -> None:
    open_panel(page, dashboard(made), "measures", "&subset=256p&rule=motion_vmaf:0.5:")
    expect(page.locator(AFTER)).to_have_text(
        kept_by_brute_force(made, "256p", ("motion_vmaf:0.5:",))
    )
    assert TO in page.locator(AFTER).inner_text()
    expect(page.locator("[data-figure='unknown']")).to_be_visible()
    expect(page.locator("[data-figure='estimate']")).to_contain_text(
        re.compile(r"with 95 %, from \d+ audited clips|no audited clip")
    )


def test_a_subset_is_decided_again_by_the_thresholds_on_the_page(
    page: Page, cache: Path, small: Workspace, tmp_path: Path
) -> None:
    workspace = copied(small, tmp_path / "work")
    values = run_query(
        workspace, "SELECT motion_vmaf AS v FROM clips JOIN selection USING (clip_id) "
        "WHERE subset = '256p' AND selection.status = 'ok' ORDER BY 1"
    )["v"].to_pylist()  # fmt: skip
    bound = round((values[0] + values[-1]) / 2, 3)
    expected = kept_by_brute_force(small, "256p", (f"motion:{bound}:",))
    assert expected not in ("0", str(len(values)))
    with Server(workspace.uri, cache=cache) as server:
        open_panel(page, server.url, "measures", f"&subset=256p&rule=motion:{bound}:")
        expect(page.locator(AFTER)).to_have_text(expected)
        page.locator("#redecide").click()
        page.locator("#new-subset").fill("stiller")
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Open its funnel").click(timeout=40_000)
        step = page.locator("li[data-step='selection/stiller'] .line")
        expect(step).to_contain_text(f"3 clips in, {expected} out")
        expect(page.locator("#subset option")).to_have_text(["256p", "stiller", "strict"])
        page.goto("about:blank")
    decided = subset_settings(workspace)
    assert decided["stiller"].rules["motion"].min == bound
    assert decided["256p"] == SUBSETS["256p"]
    kept = "SELECT count(*) AS n FROM selection WHERE subset = 'stiller' AND status = 'ok'"
    assert run_query(workspace, kept)["n"].to_pylist() == [int(expected)]
