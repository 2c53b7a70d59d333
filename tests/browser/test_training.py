"""The panels of runs: throughput with its prices, shards, and training with its samples."""

import json
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from training.evaluation import LossRow
from training.loss_report import loss_report


def _report(step: int) -> dict[str, object]:
    return loss_report(
        [
            LossRow(f"c{one}", bucket, one, "film", time, 100 + one - step / 10, 100)
            for one, bucket in enumerate(["16:9-8", "16:9-8", "1:1-8"])
            for time in (0.2, 0.5, 0.8)
        ]
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, made) -> Path:
    """A run of one stage with losses, two evaluations and a hostile prompt."""
    folder = tmp_path_factory.mktemp("training") / "run"
    stage = folder / "t2v"
    samples = stage / "samples" / "step-00000020"
    samples.mkdir(parents=True)
    (folder / "recipe.json").write_text(json.dumps({"stages": {"t2v": {"steps": 40}}}))
    lines = [
        {"kind": "train", "step": step, "loss": 2 - step / 40, "floor_gaussian": 1.6, "mfu": 0.4}
        for step in range(1, 31)
    ]
    lines += [{"kind": "evaluation", "step": step} | _report(step) for step in (10, 20)]
    (stage / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    table = made.table("shards/256p")
    versions = {"shards/256p": table.delta().version()}
    (stage / "data.json").write_text(json.dumps({"workspace": made.uri, "versions": versions}))
    content = next(one for one in table.read(["video"])["video"].to_pylist() if one)
    (samples / "000.mp4").write_bytes(content)
    said = {"file": "000.mp4", "prompt": "<img src=x onerror=alert(1)>", "seed": 5}
    (samples / "videos.jsonl").write_text(json.dumps(said) + "\n")
    return folder


def test_the_losses_of_a_run_are_drawn_and_grow(page: Page, dashboard, made, run, tmp_path) -> None:
    own = tmp_path / "run"
    shutil.copytree(run, own)
    page.goto(f"{dashboard(made, '--run', own)}?panel=training")
    step = page.locator(".figure", has_text="step").filter(has_text="of 40").locator("strong")
    expect(step).to_have_text("30")
    expect(page.locator("svg[aria-label^='Loss over steps']")).to_be_visible()
    expect(page.locator("svg[aria-label^='Loss as a share of the floor']")).to_be_visible()
    page.get_by_role("combobox", name="at step").select_option("10")
    expect(page).to_have_url(re.compile("eval=10"))
    with (own / "t2v" / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"kind": "train", "step": 33, "loss": 1.0}) + "\n")
    expect(step).to_have_text("33", timeout=15_000)


def test_a_sample_plays_by_keyboard_and_its_prompt_stays_text(
    page: Page, dashboard, made, run
) -> None:
    page.goto(f"{dashboard(made, '--run', run)}?panel=training")
    expect(page.locator(".samples th[scope=row]")).to_contain_text("<img src=x")
    page.locator("button.sample").focus()
    video = page.locator(".sample video")
    expect(video).to_have_js_property("paused", False)
    page.keyboard.press("Enter")
    expect(video).to_have_js_property("paused", True)
    assert video.evaluate("video => video.currentTime") > 0.001


def test_shards_name_the_run_that_read_them(page: Page, dashboard, made, run) -> None:
    page.goto(f"{dashboard(made, '--run', run)}?panel=shards&subset=256p")
    row = page.get_by_role("row").filter(has_text="run / t2v")
    expect(row).to_contain_text("✓ unchanged")
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Training")).to_be_visible()


def test_a_price_that_is_typed_goes_into_the_url(page: Page, dashboard, made) -> None:
    page.goto(f"{dashboard(made)}?panel=throughput&subset=256p&price=0")
    figure = page.locator(".figure", has_text="1,000 kept clips")
    expect(figure.locator("strong")).to_have_text("0")
    page.get_by_label("price of a CPU-hour").fill("2.5")
    expect(figure).to_contain_text("at 2.5 per CPU-hour")
    expect(figure.locator("strong")).not_to_have_text("0")
    expect(page).to_have_url(re.compile(r"price=2\.5"))
