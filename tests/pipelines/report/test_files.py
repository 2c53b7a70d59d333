"""`moviola report`: the page, and what lies beside the shards."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import obstore
import pyarrow as pa
import pytest

from curation import tables
from curation.funnel import Outcome, Step, funnel
from pipelines.queries import open_views
from pipelines.report import page as report_page
from pipelines.report.charts import kept_text
from pipelines.report.files import write_report
from pipelines.report.html import length, size
from pipelines.report.sections import funnel_section, reasons_table
from pipelines.report.states import key_figures, states
from pipelines.report.what_if import Kept
from pipelines.run import Run
from pipelines.workspace import Workspace
from tests.pipelines.test_workspace import bucket  # noqa: F401 - a fixture
from tests.workspaces import SUBSETS, add_scores, curate, decide_again, small_workspace

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>\x1b[2J\u202e $title ${x}'


class Page(HTMLParser):
    """Tags, and texts by the tags that they are in, as a browser sees them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag, **wanted):
        return [
            found
            for name, found in self.tags
            if name == tag and all(found.get(key) == value for key, value in wanted.items())
        ]


@pytest.fixture
def workspace(tmp_path):
    shutil.copytree(small_workspace().uri, tmp_path / "work")
    return Workspace(tmp_path / "work")


@pytest.fixture(scope="module")
def text():
    return report_page.report_page(small_workspace())


def test_three_files_are_written_and_named(workspace):
    lines = write_report(workspace)
    names = ["report.html", "shards/README.md", "shards/croissant.json"]
    assert lines == [f"wrote {workspace.uri}/{name}" for name in names]
    assert all((Path(workspace.uri) / name).stat().st_size for name in names)


def test_the_page_goes_where_it_is_wanted(workspace, tmp_path):
    (tmp_path / "out").mkdir()
    assert write_report(workspace, tmp_path / "out")[0] == f"wrote {tmp_path}/out/report.html"
    write_report(workspace, tmp_path / "out" / "mine.html")
    assert (tmp_path / "out" / "mine.html").read_text().startswith("<!doctype html>")
    assert not (Path(workspace.uri) / "report.html").exists()
    with pytest.raises(ValueError, match=r"cannot be written to .*nowhere"):
        write_report(workspace, tmp_path / "nowhere" / "a.html")


def test_the_page_loads_nothing_and_runs_its_own_script_only(text):
    page = Page(text)
    (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none';")
    assert re.search(r"style-src 'sha256-[\w+/]{43}='; script-src 'sha256-[\w+/]{43}='$", policy)
    assert len(page.all("script")) == len(page.all("style")) == 1
    assert all("src" not in script for script in page.all("script"))
    assert not page.all("link") + page.all("iframe") + page.all("object")
    assert all(link["href"].startswith("#") for link in page.all("a"))
    assert not [attributes for _, attributes in page.tags if "style" in attributes]
    assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on")]
    assert "http" not in re.sub("http-equiv", "", text)
    images = page.all("img")
    assert len(images) == 2 * 3
    assert all(image["src"].startswith("data:image/jpeg;base64,/9j/") for image in images)


def test_the_funnel_is_that_of_the_tables(text):
    page = Page(text)
    rows = dict(re.findall(r'<tr data-step="([^"]+)"><td class="text step">(.*?)</tr>', text))
    with open_views(small_workspace()) as connection:
        steps = funnel(connection, sized=True)
    assert list(rows) == [step.name for step in steps]
    for step in steps:
        cells = dict(re.findall(r'data-status="(\w+)">([\d,]+)', rows[step.name]))
        assert int(cells.pop("in")) == step.num_in
        assert {status: int(num) for status, num in cells.items()} == {
            status: step.num(status)
            for status in ("ok", "rejected", "failed", "waiting")
            if step.num(status)
        }
        assert length(3600 * step.hours_out) in rows[step.name]
        told = re.findall(r'<td class="num wide">([^<]+)</td>', rows[step.name])[-1]
        assert told == (size(step.size_bytes_out) if step.size_bytes_out else "·"), step.name
        assert "adds up" in rows[step.name]
    assert {row["data-reason"] for row in page.all("tr", **{"data-step": "selection/256p"})
            if "data-reason" in row} == {"motion"}  # fmt: skip


def test_histograms_start_at_the_recipe_and_can_be_moved_without_a_mouse(text):
    page = Page(text)
    figures = {figure["id"]: figure for figure in page.all("figure")}
    assert figures["histogram-256p-rule-motion"]["data-measure"] == "motion_vmaf"
    assert "histogram-strict-rule-width" in figures
    assert "histogram-256p-measure-sharpness" in figures
    sliders = page.all("span", role="slider")
    assert len(sliders) == 2 * len(figures)
    names = {slider["aria-label"] for slider in sliders}
    assert len(names) == len(sliders)
    assert "256p: motion, at least" in names
    for slider in sliders:
        assert slider["tabindex"] == "0"
        low, now, high = (float(slider[f"aria-value{key}"]) for key in ("min", "now", "max"))
        assert low <= now <= high
    outputs = {figure: out for figure, out in zip(figures, page.all("output"), strict=True)}
    for figure, out in outputs.items():
        expected = "2" if "-256p-" in figure else "0"
        assert (out["data-low"], out["data-high"]) == (expected, expected)


FAKE = """
const answers = [];
globalThis.window = { addEventListener() {} };
globalThis.document = {
  documentElement: { classList: { add() {} } }, querySelectorAll: () => [],
};
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_script_counts_as_python_does(workspace, tmp_path):
    add_scores(workspace, nsfw=0.5)
    asked, expected = [], []
    with open_views(workspace) as connection:
        for one in report_page.histograms(workspace, connection, "256p"):
            last = len(one.axis.edges) - 1
            for low, high in ((0, last), one.bounds, (last // 3, last // 2)):
                kept = one.kept(low, high)
                asked.append([one.data(), low, high])
                expected.append([kept.low, kept.high, kept.low_s, kept.high_s])
    assert len(expected) > 20
    script = report_page.SCRIPT.read_text()
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    use = """
    for (const [counts, low, high] of JSON.parse(require("fs").readFileSync("asked.json"))) {
      const kept = keptWithin(counts, low, high);
      answers.push([kept.low, kept.high, kept.lowS, kept.highS]);
    }
    console.log(JSON.stringify([answers, length(5.3), length(90), length(7290), number(1234567)]));
    """
    (tmp_path / "page.js").write_text(FAKE + script + use)
    said = subprocess.run(
        ["node", "page.js"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    answers, *texts = json.loads(said.stdout)
    assert [answer[:2] for answer in answers] == [row[:2] for row in expected]
    for answer, row in zip(answers, expected, strict=True):
        assert answer[2:] == pytest.approx(row[2:])
    assert texts == [length(5.3), length(90), length(7290), "1,234,567"]


def test_names_and_captions_from_outside_stay_text(workspace):
    with Run(workspace) as run:
        sources = workspace.table("sources").read().to_pylist()
        videos = workspace.table("videos").read().to_pylist()
        for row in sources:
            row["error"] = HOSTILE if row["status"] == "failed" else None
            row["uri"] = row["uri"] + HOSTILE if row["status"] == "failed" else row["uri"]
        for row in videos:
            row["uris"] = [f"/in/{HOSTILE}.mp4"]
        caption = {
            "clip_id": HOSTILE, "captioner": "facts", "model": HOSTILE, "caption": HOSTILE,
            "flags": ["markup", HOSTILE], "status": "ok",
        }  # fmt: skip
        concept = {"concept_id": 0, "name": HOSTILE,
                   "subsets": [{"subset": "256p", "size": 2, "resampled_size": 1.5}]}  # fmt: skip
        for name, rows in (("sources", sources), ("videos", videos), ("concepts", [concept]),
                           ("captions/facts", [caption])):  # fmt: skip
            schema = tables.TABLES[name.partition("/")[0]]
            workspace.table(name).replace(pa.Table.from_pylist(rows, schema=schema), run.metadata)
    text = report_page.report_page(workspace)
    page = Page(text)
    assert len(page.all("script")) == 1
    assert all(image["src"].startswith("data:") for image in page.all("img"))
    assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on")]
    assert sum("<script>alert(1)</script>" in said for said in page.texts) >= 6
    assert any("$title ${x}" in said for said in page.texts)
    assert not set(text) & set("\x1b\u202e")


def told(workspace):
    """The titles of the states that the page begins with."""
    text = report_page.report_page(workspace)
    return re.findall(r'<p class="state[ bad]*"><strong>([^<]+)</strong>', text)


def test_a_subset_that_keeps_nothing_says_what_rejects(text):
    assert "<strong>Subset strict keeps nothing.</strong>" in text
    assert "What rejects most of its 3 clips: width (3)." in text


def test_inputs_that_all_failed_are_told_first(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").write_text("not a video")
    titles = told(curate(Workspace(tmp_path / "work"), tmp_path / "in"))
    assert titles == ["All of sources failed.", "There are no clips yet."]


def test_without_its_recipe_a_subset_has_no_thresholds_to_try(workspace):
    shutil.rmtree(Path(workspace.uri) / "_recipes")
    text = report_page.report_page(workspace)
    assert 'class="what-if"' not in text
    assert "its thresholds cannot be tried" in text
    assert "Keeps 2 of 3 clips" in text


def test_samples_that_wait_for_a_subset_decided_again_are_of_no_run(workspace):
    table = workspace.table("selection")
    rows = table.read().to_pylist()
    with Run(workspace, command="moviola select") as run:
        again = [row | {"status": "ok", "reason": None, "bucket": "x"} for row in rows]
        table.replace(pa.Table.from_pylist(again, schema=tables.SELECTION), run.metadata)
    text = report_page.report_page(workspace)
    assert "Waiting: shards/256p: 1 clip; shards/strict: 3 clips. If no run is at work, go" in text
    assert "was interrupted" not in text


def test_what_comes_after_the_rules_is_told_of_each_subset_by_its_own_recipe(workspace):
    decide_again(workspace, "256p", duplicates={})
    decide_again(workspace, "strict")
    text = report_page.report_page(workspace)
    of_subset = {name: text.partition(f'<section id="subset-{name}">')[2] for name in SUBSETS}
    told = {name: "review come after the rules" in section.partition("</section>")[0]
            for name, section in of_subset.items()}  # fmt: skip
    assert told == {"256p": True, "strict": False}


@pytest.mark.parametrize("status", ["ok", "rejected", "failed", "waiting"])
def test_what_there_is_one_of_is_not_told_in_the_plural(status):
    names = {"sources": "files", "videos": "files", "clips": "videos", "scores": "clips",
             "selection/a": "clips", "shards/a": "clips", "latents/a": "clips"}  # fmt: skip
    num_out = int(status == "ok")
    steps = [
        Step(name, unit, 1, 0.0, (Outcome(status, "why", 1, 0.0),), num_out, 0.0, 0.0)
        for name, unit in names.items()
    ]
    for shown in (steps, steps[:1], steps[:2], steps[:3], [replace(steps[0], outcomes=())]):
        told = [key_figures(shown), funnel_section(shown, reasons_table(shown))]
        told += [f"{state.title} {state.advice}" for state in states(shown)]
        told.append(kept_text(Kept(0, 1, 0.0, 1.0), 1))
        seen = " ".join(Page(" ".join(told)).texts)
        assert re.search(r"\b1\s+(?:clip|file|video)\b", seen)
        assert not re.search(r"\b1\s+(?:accepted )?(?:clip|file|video)s\b", seen)


def test_before_there_are_shards_there_is_a_page_and_no_card(tmp_path):
    for name in ("sources", "videos"):
        shutil.copytree(f"{small_workspace().uri}/{name}", tmp_path / "work" / name)
    workspace = Workspace(tmp_path / "work")
    written, said = write_report(workspace)
    assert written.endswith("report.html")
    assert said.startswith("no dataset card")
    assert not (tmp_path / "work" / "shards").exists()
    assert "Not everything is done yet." in told(workspace)
    assert "There are no clips yet." in told(workspace)


def test_a_workspace_in_which_no_run_has_committed_has_a_page(tmp_path):
    (tmp_path / "work" / "_recipes").mkdir(parents=True)
    (tmp_path / "work" / "_recipes" / "0.json").write_text("{}")
    assert told(Workspace(tmp_path / "work")) == ["Nothing has come in yet."]


@pytest.mark.parametrize("name", ["", "nowhere"])
def test_what_is_no_workspace_is_refused_and_left_alone(tmp_path, name):
    with pytest.raises(ValueError, match="is no workspace"):
        write_report(Workspace(tmp_path / name))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_workspace_in_a_bucket_is_reported_in_the_bucket(bucket):  # noqa: F811 - the fixture
    moving = next(Path(small_workspace().uri).parent.glob("moving.mp4"))
    workspace = curate(Workspace(bucket), moving)
    assert write_report(workspace)[0] == f"wrote {bucket}/report.html"
    page = bytes(obstore.get(workspace.store(), "report.html").bytes()).decode()
    assert page.count("data:image/jpeg") > 0
    metadata = json.loads(bytes(obstore.get(workspace.store("shards"), "croissant.json").bytes()))
    (part,) = [one for one in metadata["distribution"] if one["@type"] == "cr:FileObject"]
    content = bytes(obstore.get(workspace.store("shards"), part["contentUrl"]).bytes())
    assert part["sha256"] == sha256(content).hexdigest()
    assert len(write_report(workspace)) == 3


def test_a_step_that_does_not_add_up_is_red(workspace):
    table = workspace.table("videos")
    rows = table.read().to_pylist()
    with Run(workspace) as run:
        doubled = pa.Table.from_pylist([*rows, rows[0]], schema=tables.VIDEOS)
        table.replace(doubled, run.metadata)
    text = report_page.report_page(workspace)
    assert re.search(r'<span class="bad">✗ [\d,]+ of [\d,]+</span>', text)
    assert "does not add up" in text
