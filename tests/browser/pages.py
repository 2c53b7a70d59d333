"""What tests ask of a page."""

import re
from pathlib import Path

from playwright.sync_api import Page

STATIC = Path(__file__).parents[2] / "pipelines" / "dashboard" / "static"

WIDTHS_PX = (1440, 1024, 390)


def panels() -> list[str]:
    """The ids of all panels, as the page itself names them."""
    ids = re.findall(r"^    id: '([\w-]+)',$", (STATIC / "panels" / "index.js").read_text(), re.M)
    assert len(ids) == len(set(ids)) > 5
    assert all((STATIC / "panels" / name / "panel.js").is_file() for name in ids)
    return ids


def settle(page: Page) -> None:
    """Waits until the panel is drawn and asks for nothing more."""
    page.wait_for_function(
        """() => document.querySelector('#panel h1') && !document.querySelector('#panel .waiting')
            && !document.querySelector('#panel [aria-busy=true]')
            && document.querySelector('#panel .body')?.childElementCount > 0"""
    )


def open_panel(page: Page, address: str, panel: str, query: str = "") -> None:
    """Goes to a panel and waits for it."""
    page.goto(f"{address}/?panel={panel}{query}")
    settle(page)


def go_to(page: Page, query: str) -> None:
    """Goes on to another state in the same page, as a link in it does."""
    page.evaluate(
        """(query) => {
            const link = document.createElement('a');
            link.setAttribute('href', query);
            document.body.append(link);
            link.click();
            link.remove();
        }""",
        query,
    )
    settle(page)


def sideways_px(page: Page) -> int:
    """By how much the page is wider than its window."""
    found = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return int(found)
