"""Takes the pictures of the documentation: every panel at three widths.

    python -m tests.browser.screenshots build/demo build/demo-run docs/images/dashboard

Colours are reduced to 256, which such pages bear, so that the pictures stay small.
"""

import io
import json
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.browser.conftest import FLAGS, program
from tests.browser.server import Server

WIDTHS_PX = (1440, 1024, 390)
HEIGHT_PX = 900


def asked(address: str, path: str) -> Any:
    """What the dashboard answers."""
    with urllib.request.urlopen(f"{address}/api/{path}") as found:  # noqa: S310 - loopback
        return json.load(found)


def panels(address: str, subset: str) -> dict[str, str]:
    """The URL of each picture, by its name."""
    [clip] = asked(address, f"clips?subset={subset}&verdict=kept&size=1")["clips"]
    names = ("funnel", "measures", "examples", "concepts", "duplicates", "captions")
    names += ("compare", "failures", "throughput", "shards", "training")
    urls = {name: f"?panel={name}&subset={subset}" for name in names}
    urls["measures"] += "&rule=motion_vmaf:1:14&measure=motion_vmaf"
    return urls | {"clip": f"?panel=clip&subset={subset}&clip={clip['clip_id']}"}


def main(workspace: str, run: str, into: Path, subset: str = "256p") -> None:
    """Writes `<panel>-<width>.png`."""
    into.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as cache,
        Server(workspace, "--run", run, cache=Path(cache)) as server,
        sync_playwright() as playwright,
    ):
        while not asked(server.url, "state")["is_ready"]:
            time.sleep(0.1)
        browser = playwright.chromium.launch(executable_path=program(), args=[*FLAGS])
        for width in WIDTHS_PX:
            page = browser.new_page(viewport={"width": width, "height": HEIGHT_PX})
            for name, url in panels(server.url, subset).items():
                page.goto(f"{server.url}/{url}")
                page.wait_for_load_state("networkidle")
                page.wait_for_timeout(1000)
                picture = Image.open(io.BytesIO(page.screenshot()))
                picture.convert("RGB").quantize(256).save(
                    into / f"{name}-{width}.png", optimize=True
                )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
