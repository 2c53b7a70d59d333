"""The review of a subset: out to people, back, and into the next selection."""

import csv
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest

from curation import tables
from pipelines import contact_sheet, review
from pipelines.contact_sheet import Frame, sheet_page
from pipelines.queries import run_query
from pipelines.review import export_review, import_reviews
from pipelines.run import Run
from pipelines.workspace import Workspace
from tests.workspaces import small_workspace


@pytest.fixture
def workspace(tmp_path):
    shutil.copytree(small_workspace().uri, tmp_path / "work")
    return Workspace(tmp_path / "work")


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def answer(path, **verdicts):
    """Fills the file in, as a person would; the clips by their place."""
    found = rows(path)
    for place, verdict in verdicts.items():
        found[int(place[1:])]["verdict"] = verdict
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, found[0])
        writer.writeheader()
        writer.writerows(found)
    return path


def stored(workspace):
    return run_query(workspace, "FROM reviews ORDER BY ALL").to_pylist()


class Page(HTMLParser):
    """Tags and texts as a browser sees them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def test_what_the_subset_keeps_is_exported_with_facts_and_frames(workspace, tmp_path):
    done = export_review(workspace, "256p", tmp_path / "out")
    assert done == {"folder": str(tmp_path / "out"), "num_clips": 2, "num_pages": 1}
    kept = run_query(workspace, "SELECT * FROM clips SEMI JOIN shards_256p USING (clip_id)")
    found = rows(tmp_path / "out" / "review.csv")
    assert sorted(row["clip_id"] for row in found) == sorted(kept["clip_id"].to_pylist())
    assert {(row["subset"], row["verdict"], row["note"]) for row in found} == {("256p", "", "")}
    assert all(row["uri"].endswith(".mp4") for row in found)
    assert sorted(float(row["motion_vmaf"]) for row in found) == pytest.approx(
        sorted(kept["motion_vmaf"].to_pylist()), rel=1e-5
    )
    page = Page((tmp_path / "out" / "review.html").read_text())
    (num,) = run_query(workspace, "SELECT count(*) FROM clip_frames SEMI JOIN shards_256p "
                       "USING (clip_id)").to_pydict().values()  # fmt: skip
    assert [len(page.all("article")), len(page.all("img"))] == [2, num[0]]
    assert all(image["src"].startswith("data:image/jpeg;base64,/9j/") for image in page.all("img"))


def test_verdicts_come_back_and_later_ones_replace_earlier_ones(workspace, tmp_path):
    export_review(workspace, "256p", tmp_path / "out")
    path = answer(tmp_path / "out" / "review.csv", _0="keep")
    assert import_reviews(workspace, [path], "Ada") == (1, 0, 1)
    assert [(row["verdict"], row["reviewer"]) for row in stored(workspace)] == [("keep", "Ada")]
    answer(path, _0="drop", _1="keep")
    assert import_reviews(workspace, [path], None) == (1, 1, 0)
    assert {row["verdict"] for row in stored(workspace)} == {"keep", "drop"}
    assert {row["reviewer"] for row in stored(workspace)} == {None}


def test_only_what_nobody_has_judged_is_exported_unless_asked_again(workspace, tmp_path):
    export_review(workspace, "256p", tmp_path / "one")
    import_reviews(workspace, [answer(tmp_path / "one" / "review.csv", _0="drop")], None)
    export_review(workspace, "256p", tmp_path / "two")
    assert len(rows(tmp_path / "two" / "review.csv")) == 1
    export_review(workspace, "256p", tmp_path / "three", again=True)
    assert [row["verdict"] for row in rows(tmp_path / "three" / "review.csv")] == ["drop", ""]
    assert "checked" in (tmp_path / "three" / "review.html").read_text()


def test_clips_that_only_the_review_keeps_out_are_exported(workspace, tmp_path):
    table = workspace.table("selection")
    verdicts = table.read().to_pylist()
    for row in verdicts:
        if row["subset"] == "256p" and row["status"] == "ok":
            row |= {"status": "rejected", "reason": "review:missing"}
    with Run(workspace) as run:
        table.replace(pa.Table.from_pylist(verdicts, schema=tables.SELECTION), run.metadata)
    assert export_review(workspace, "256p", tmp_path / "out")["num_clips"] == 2


def test_nothing_is_stored_when_a_line_is_wrong(workspace, tmp_path):
    export_review(workspace, "256p", tmp_path / "out")
    path = answer(tmp_path / "out" / "review.csv", _0="keep", _1="perhaps")
    with pytest.raises(ValueError, match=r"review\.csv, line 3: verdict 'perhaps'"):
        import_reviews(workspace, [path], None)
    assert stored(workspace) == []


def test_a_clip_of_another_subset_is_unknown(workspace, tmp_path):
    export_review(workspace, "256p", tmp_path / "out")
    path = answer(tmp_path / "out" / "review.csv", _0="keep")
    path.write_text(path.read_text().replace(",256p,", ",sft,"))
    with pytest.raises(ValueError, match="line 2: subset 'sft' has no clip"):
        import_reviews(workspace, [path], None)


def test_a_subset_without_clips_has_an_empty_sheet(workspace, tmp_path):
    done = export_review(workspace, "strict", tmp_path / "out")
    assert (done["num_clips"], done["num_pages"]) == (0, 1)
    assert "No clip is to be judged" in (tmp_path / "out" / "review.html").read_text()
    assert import_reviews(workspace, [tmp_path / "out" / "review.csv"], None) == (0, 0, 0)


def test_an_unknown_subset_and_a_folder_in_use_are_refused(workspace, tmp_path):
    with pytest.raises(ValueError, match="subset 'sft'; subsets: 256p, strict"):
        export_review(workspace, "sft", tmp_path / "out")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "review.csv").write_text("clip_id,subset,verdict\n")
    with pytest.raises(ValueError, match="not empty"):
        export_review(workspace, "256p", tmp_path / "used")


def test_many_clips_take_several_pages(workspace, tmp_path, monkeypatch):
    monkeypatch.setattr(review, "PAGE_CLIPS", 1)
    assert export_review(workspace, "256p", tmp_path / "out")["num_pages"] == 2
    pages = [Page((tmp_path / "out" / name).read_text()) for name in
             ("review.html", "review-002.html")]  # fmt: skip
    assert all(len(page.all("article")) == 1 for page in pages)
    links = [link["href"] for link in pages[1].all("a")]
    assert links == ["review.html", "review-002.html"]


def a_clip(**columns):
    empty = dict.fromkeys(("verdict", "note", *contact_sheet.FACTS))
    return {"clip_id": "a-0-10", "subset": "sft", "uri": "/x.mp4", **empty, **columns}


HOSTILE = '/<script>alert(1)</script>"><img src=x onerror=alert(2)>\n\x1b[2J\u202e$title ${x}.mp4'


def test_names_from_outside_are_text(workspace, tmp_path):
    clip = a_clip(uri=HOSTILE, note='"><script>')
    text = sheet_page("sft", [clip], {}, 0, 1)
    page = Page(text)
    assert len(page.all("script")) == 1
    assert page.all("img") == []
    assert any(
        "<script>alert(1)" in shown and r"\u202e$title ${x}" in shown for shown in page.texts
    )
    assert not set(text) & set("\x1b\u202e")
    [cells] = [list(review._cells(a_clip(uri="=HYPERLINK(1)", note="+1")))]
    assert "'=HYPERLINK(1)" in cells
    assert "'+1" in cells


def test_a_page_runs_its_own_script_and_loads_nothing():
    page = Page(sheet_page("sft", [a_clip()], {"a-0-10": [Frame(1.5, b"\xff\xd8")]}, 0, 1))
    [policy] = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'; img-src data:")
    assert re.search(r"script-src 'sha256-[\w+/]{43}='$", policy)
    assert all("src" not in script for script in page.all("script"))
    assert page.all("img")[0]["alt"] == "at 1.50 s"


FAKE = """
const listeners = {}, saved = [];
function card(clip) {
  const inputs = { keep: { value: "keep" }, drop: { value: "drop" } };
  return {
    dataset: { clip, subset: "sft" }, note: { value: 'so "so",\\n=1' }, focus() {},
    querySelector(what) {
      if (what === "input:checked") return Object.values(inputs).find((i) => i.checked) || null;
      return what === "[type=text]" ? this.note : inputs[what.slice(12, -1)];
    },
  };
}
const cards_ = [card("a-0-10"), card("b-0-10")];
const button_ = { dataset: { file: "review-001.csv" }, addEventListener(_, f) { this.press = f; } };
globalThis.window = { addEventListener() {} };
globalThis.document = {
  querySelectorAll: () => cards_,
  getElementById: (id) => (id === "save" ? button_ : {}),
  createElement: () => ({ click() {} }),
  addEventListener: (name, f) => { listeners[name] = f; },
};
globalThis.Blob = function (parts) { saved.push(parts.join("")); };
URL.createObjectURL = () => "blob:x"; URL.revokeObjectURL = () => {};
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_what_the_page_saves_can_be_imported(tmp_path):
    text = sheet_page("sft", [], {}, 0, 1)
    script = text.partition("<script>")[2].partition("</script>")[0]
    use = """
    const target = { closest: () => cards_[1] };
    listeners.keydown({ key: "d", target });
    listeners.keydown({ key: "k", target: { type: "text", closest: () => cards_[0] } });
    button_.press();
    console.log(JSON.stringify(saved));
    """
    (tmp_path / "page.js").write_text(f"{FAKE}\n{{{script}\n{use}}}")
    said = subprocess.run(
        ["node", tmp_path / "page.js"], capture_output=True, text=True, check=True
    )
    (tmp_path / "saved.csv").write_text(json.loads(said.stdout)[0], newline="")
    lines = list(review.review.read_lines(tmp_path / "saved.csv"))
    assert [(line.clip_id, line.verdict, line.note) for line in lines] == [
        ("a-0-10", "", 'so "so", =1'),
        ("b-0-10", "drop", 'so "so", =1'),
    ]


def test_the_template_is_part_of_the_package():
    assert contact_sheet.TEMPLATE.is_file()
    assert '"*.html"' in (Path(__file__).parents[2] / "pyproject.toml").read_text()
