"""The dashboard on a made workspace of a million clips: what a person waits for, and the memory.

A real server and a real Chromium. The first start makes the index of the tables, the second opens
it; both are told. Named alternative: the same histogram asked of the committed tables by the views
of `moviola sql`, which is what a notebook would do.

    python -m benchmarks.speed.dashboard [--clips 1000000] [--workspace PATH] [--rounds 5]
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.speed.made_workspace import make_workspace
from pipelines.queries import run_query
from pipelines.workspace import Workspace

SUBSET, MEASURE = "256p", "motion_vmaf"

BAR = {
    "start_s": 2.0,
    "first_paint_s": 1.0,
    "histogram_ms": 150.0,
    "drag_step_ms": 50.0,
    "clip_page_ms": 300.0,
    "memory_mb": 1500.0,
}

BY_SQL = f"""SELECT least(greatest(floor({MEASURE} * 4), 0), 71)::INT AS bin, verdict, count(*)
    FROM (SELECT c.{MEASURE}, s.status AS verdict FROM clips AS c
        JOIN selection AS s ON s.clip_id = c.clip_id AND s.subset = '{SUBSET}')
    GROUP BY ALL ORDER BY 1"""  # noqa: S608 - names of this module


class Server:
    """A dashboard at work in a process of its own."""

    def __init__(self, workspace: str, cache: Path) -> None:
        began = time.perf_counter()
        command = [sys.executable, "-m", "pipelines.cli", "dashboard", workspace, "--port", "0"]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"MOVIOLA_CACHE": str(cache)},
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().split()[1]
        self.answering_s = time.perf_counter() - began
        while not self.ask("state")["is_ready"]:
            time.sleep(0.02)
        self.start_s = time.perf_counter() - began

    def ask(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """The JSON of an answer."""
        with urllib.request.urlopen(f"{self.address}api/{path}") as answer:  # noqa: S310 - loopback
            return json.loads(answer.read())

    def memory_mb(self) -> float:
        """The most that the process has held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        match = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(match[1]) / 1000 if match else 0.0


@contextmanager
def served(workspace: str, cache: Path) -> Iterator[Server]:
    """A server while the block lasts."""
    server = Server(workspace, cache)
    try:
        yield server
    finally:
        server.process.terminate()
        server.process.wait()


def milliseconds(rounds: int, action: Callable[[], object]) -> float:
    """The median time of an action."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        action()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def asked(server: Server, rounds: int) -> dict[str, float]:
    """What the server takes for its answers."""
    [clip] = server.ask(f"clips?subset={SUBSET}&size=1&verdict=kept")["clips"]
    name = f"subset={SUBSET}&measure={MEASURE}"
    page = f"subset={SUBSET}&clip_id={clip['clip_id']}"
    return {
        "histogram_ms": milliseconds(rounds, lambda: server.ask(f"histogram?{name}")),
        "what_if_ms": milliseconds(
            rounds, lambda: server.ask(f"what-if?subset={SUBSET}&rule={MEASURE}:1:12")
        ),
        "tiles_ms": milliseconds(rounds, lambda: server.ask(f"clips?{name}&size=60")),
        "clip_page_ms": milliseconds(rounds, lambda: server.ask(f"clip?{page}")),
        "neighbours_ms": milliseconds(rounds, lambda: server.ask(f"clip/neighbours?{page}")),
    }


# Moves a handle as a pointer does, and waits until the page has drawn the count.
_DRAG = """async ({ measure, steps }) => {
  const card = document.querySelector(`[data-measure="${measure}"]`);
  const handle = card.querySelector('.handle.min');
  const box = handle.querySelector('.grip').getBoundingClientRect();
  const at = (x, type) => handle.dispatchEvent(new PointerEvent(type,
    { bubbles: true, pointerId: 1, clientX: x, clientY: box.top + 40 }));
  handle.setPointerCapture = () => {};
  const x = box.left + box.width / 2;
  at(x, 'pointerdown');
  const times = [];
  for (let step = 1; step <= steps; step += 1) {
    await new Promise(requestAnimationFrame);
    const began = performance.now();
    at(x + step, 'pointermove');
    card.getBoundingClientRect();
    times.push(performance.now() - began);
  }
  handle.dispatchEvent(new PointerEvent('lostpointercapture', { bubbles: true, pointerId: 1 }));
  return times;
}"""


def looked_at(server: Server, chromium: str, rounds: int) -> dict[str, float]:
    """What a person waits for in the browser."""
    from playwright.sync_api import sync_playwright

    paints, drags = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        browser.new_page().goto(server.address)
        for _ in range(rounds):
            page = browser.new_context().new_page()
            began = time.perf_counter()
            page.goto(f"{server.address}?panel=funnel&subset={SUBSET}", wait_until="commit")
            page.wait_for_selector(".funnel li")
            paints.append(time.perf_counter() - began)
            page.goto(f"{server.address}?panel=measures&subset={SUBSET}")
            handle = page.wait_for_selector(f'[data-measure="{MEASURE}"] .handle.min')
            assert handle is not None
            with page.expect_response(lambda answer: "/api/values" in answer.url):
                handle.focus()
            page.wait_for_timeout(300)
            drags += page.evaluate(_DRAG, {"measure": MEASURE, "steps": 60})
            page.context.close()
        browser.close()
    return {
        "first_paint_s": statistics.median(paints),
        "drag_step_ms": statistics.median(drags),
        "drag_step_worst_ms": max(drags),
    }


def main() -> None:
    """Prints a line for each figure, and a last line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=1_000_000)
    parser.add_argument("--workspace", help="one that was made before")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("no browser: apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="dashboard-") as folder:
        uri = arguments.workspace
        if uri is None:
            uri = make_workspace(Path(folder) / "made", arguments.clips, pictures=False).uri
        cache = Path(folder) / "cache"
        with served(uri, cache) as first:
            figures = {"first_index_s": first.start_s, "answering_s": first.answering_s}
            figures["first_index_memory_mb"] = first.memory_mb()
        with served(uri, cache) as server:
            figures["start_s"] = server.start_s
            figures |= asked(server, arguments.rounds)
            figures |= looked_at(server, chromium, arguments.rounds)
            figures["memory_mb"] = server.memory_mb()
        by_sql_ms = milliseconds(1, lambda: run_query(Workspace(uri), BY_SQL))
    figures["histogram_by_sql_ms"] = by_sql_ms
    figures["histogram_ratio"] = by_sql_ms / figures["histogram_ms"]
    for name, value in figures.items():
        print(f"{name:>22} {value:>12,.3f}")
    held = all(figures[name] <= most for name, most in BAR.items())
    print(json.dumps({"name": "speed/dashboard", "figures": figures, "bar": BAR, "held": held}))


if __name__ == "__main__":
    main()
