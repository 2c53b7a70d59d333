"""Captions to review against loops over the tables; verdicts through the real application."""

import datetime
import json
import random
import shutil
from collections import Counter

import pyarrow as pa
import pytest

from captioning.caption_reviews import CaptionVerdict
from curation import tables
from pipelines.caption_reviews import add_caption_reviews
from pipelines.dashboard.caption_review import CaptionsQuery, captions
from pipelines.run import Run
from pipelines.workspace import Workspace
from tests import media
from tests.boards import made_workspace, ready, site
from tests.workspaces import small_workspace

SUBSET = "256p"
FIRST, SECOND = "captions/facts", "captions/second"
ODD = "50% of_it is <b>GRÜN</b>"
PATH = "/api/captions/review"
AGAIN = "It was written again since."


def with_reviews(workspace):
    """Adds flags, a second captioner, a failure, and verdicts of every kind, one on older words."""
    drawn = random.Random(3)
    rows = workspace.table(FIRST).read(tables.CAPTIONS.names).sort_by("clip_id").to_pylist()
    for row in rows:
        row["flags"] = drawn.choice([[], [], ["too_short"], ["repeats", "markup"]])
    rows[0] |= {"status": "failed", "caption": None}
    rows[1]["caption"], rows[2]["caption"] = "", ODD
    others = [
        row | {"captioner": "second", "caption": f"{row['clip_id']} is seen."} for row in rows
    ]
    write(workspace, FIRST, rows)
    write(workspace, SECOND, [row for row in others[:60] if row["status"] == "ok"])
    kinds = {3: ["accept"], 4: ["reject"], 5: ["edit"], 6: ["accept", "reject"], 7: ["accept"]}
    for number, said in kinds.items():
        one = rows[number]
        seen = (one["clip_id"], one["captioner"])
        for kind in said:
            text = "A person wrote this." if kind == "edit" else None
            verdict = CaptionVerdict(*seen, kind, one["caption"], text, f"note {number}", "Ada")
            add_caption_reviews(workspace, [verdict])
    rows[7]["caption"] = AGAIN
    write(workspace, FIRST, rows)
    return workspace


def write(workspace, name, rows):
    with Run(workspace) as run:
        table = pa.Table.from_pylist(rows, schema=tables.CAPTIONS)
        workspace.table(name).replace(table, run.metadata)


@pytest.fixture(scope="module")
def board():
    folder = shutil.copytree(made_workspace().uri, media.folder() / "with captions")
    return ready(with_reviews(Workspace(folder)), media.folder() / "cache")


@pytest.fixture(scope="module")
def rows(board):
    """All captions that were made, with the verdict on each, found row by row."""
    said = board.workspace.table("caption_reviews").read().sort_by("reviewed_at").to_pylist()
    found = []
    for name in (FIRST, SECOND):
        found += [
            row for row in board.workspace.table(name).read().to_pylist() if row["status"] == "ok"
        ]
    for row in found:
        row["review"], row["last"] = "none", None
        for one in said:
            if (one["clip_id"], one["captioner"]) == (row["clip_id"], row["captioner"]):
                row["last"] = one
                row["review"] = one["verdict"] if one["reviewed"] == row["caption"] else "outdated"
    assert Counter(row["review"] for row in found) == Counter(
        {"accept": 1, "reject": 2, "edit": 1, "outdated": 1, "none": len(found) - 5}
    )
    return found


@pytest.fixture(scope="module")
def kept(board):
    """The clips that the subset keeps."""
    chosen = board.workspace.table("selection").read().to_pylist()
    return {row["clip_id"] for row in chosen if row["subset"] == SUBSET and row["status"] == "ok"}


def asked(**filters):
    return CaptionsQuery(**({"subset": SUBSET, "size": 100} | filters))


def key(row):
    return row["clip_id"], row["captioner"]


def every_page(board, **filters):
    first = captions(board, asked(**filters))
    pages = range(1, -(-first["num"] // 100))
    others = [captions(board, asked(page=page, **filters))["captions"] for page in pages]
    return [one for page in (first["captions"], *others) for one in page]


FILTERS = {
    "none": ({}, lambda row: True),
    "captioner": ({"captioner": "second"}, lambda row: row["captioner"] == "second"),
    "flag": ({"flag": "markup"}, lambda row: "markup" in row["flags"]),
    "any flag": ({"flag": "any"}, lambda row: bool(row["flags"])),
    "unreviewed": ({"reviewed": "no"}, lambda row: row["review"] in ("none", "outdated")),
    "reviewed": ({"reviewed": "yes"}, lambda row: row["review"] in ("accept", "reject", "edit")),
    "rejected": ({"reviewed": "reject"}, lambda row: row["review"] == "reject"),
    "outdated": ({"reviewed": "outdated"}, lambda row: row["review"] == "outdated"),
    "text": ({"text": "grün</B>"}, lambda row: "grün</b>" in row["caption"].lower()),
    "no pattern": ({"text": "0% OF_"}, lambda row: "0% of_" in row["caption"].lower()),
    "words": ({"words": 3}, lambda row: len(row["caption"].split()) == 3),
    "no words": ({"words": 0}, lambda row: not row["caption"].strip()),
    "two": (
        {"captioner": "facts", "flag": "too_short"},
        lambda row: row["captioner"] == "facts" and "too_short" in row["flags"],
    ),
}


@pytest.mark.parametrize(("filters", "fits"), FILTERS.values(), ids=FILTERS)
@pytest.mark.parametrize("of", ["kept", "all"])
def test_filters_find_what_a_loop_finds(board, rows, kept, filters, fits, of):
    wanted = {key(row) for row in rows if fits(row) and (of == "all" or row["clip_id"] in kept)}
    found = captions(board, asked(of=of, **filters))
    assert wanted
    assert found["num"] == len(wanted)
    assert found["num_clips"] == len({clip_id for clip_id, _ in wanted})
    shown = every_page(board, of=of, **filters)
    assert len(shown) == len(wanted)
    assert {key(row) for row in shown} == wanted


def test_an_edit_is_found_by_its_own_words(board, rows):
    found = captions(board, asked(of="all", text="person wrote"))
    assert [key(row) for row in found["captions"]] == [
        key(row) for row in rows if row["review"] == "edit"
    ]


def test_each_count_leaves_out_its_own_filter(board, rows):
    both = captions(board, asked(of="all", captioner="facts", flag="markup", reviewed="no"))
    of_facts = [row for row in rows if row["captioner"] == "facts"]
    unreviewed = [row for row in rows if row["review"] in ("none", "outdated")]
    flags = Counter(flag for row in of_facts if row in unreviewed for flag in row["flags"])
    assert {row["flag"]: row["num"] for row in both["flags"]} == dict(flags)
    assert all(row["meaning"] == tables.CAPTION_FLAGS[row["flag"]] for row in both["flags"])
    by = Counter(row["captioner"] for row in unreviewed if "markup" in row["flags"])
    assert {row["captioner"]: row["num"] for row in both["captioners"]} == dict(by)
    states = Counter(row["review"] for row in of_facts if "markup" in row["flags"])
    assert both["reviewed"] == dict(states)


def test_lengths_are_words(board, rows):
    found = captions(board, asked(of="all"))
    wanted = Counter(len(row["caption"].split()) for row in rows)
    assert {row["words"]: row["num"] for row in found["lengths"]} == dict(wanted)
    assert found["num_failed"] == 1


def test_a_caption_comes_with_its_verdict_and_those_of_others(board, rows):
    found = {key(row): row for row in every_page(board, of="all")}
    for row in rows:
        shown = found[key(row)]
        same = ("caption", "flags", "facts", "camera", "model", "prompt_version", "review")
        assert [shown[name] for name in same] == [row[name] for name in same]
        last = row["last"] or dict.fromkeys(("caption", "note", "reviewer", "reviewed"))
        told = [shown[name] for name in ("edited", "note", "reviewer", "judged")]
        assert told == [last[name] for name in ("caption", "note", "reviewer", "reviewed")]
        others = [one for one in rows if one["clip_id"] == row["clip_id"] and one != row]
        assert [(one["captioner"], one["caption"], one["review"]) for one in shown["others"]] == [
            (one["captioner"], one["caption"], one["review"]) for one in others
        ]


@pytest.mark.parametrize(
    ("order", "value", "down"),
    [
        ("flagged", lambda row: len(row["flags"]), True),
        ("shortest", lambda row: row["num_words"], False),
        ("longest", lambda row: row["num_words"], True),
        ("camera", lambda row: row["camera_confidence"], False),
        ("clip", lambda row: row["clip_id"], False),
    ],
)
def test_orders(board, order, value, down):
    shown = [value(row) for row in every_page(board, of="all", order=order)]
    assert shown == sorted(shown, reverse=down)


def test_unknown_names_are_refused(board):
    with pytest.raises(ValueError, match="no flag is called 'ugly'"):
        captions(board, asked(flag="ugly"))
    with pytest.raises(ValueError, match="no subset is called 'x'"):
        captions(board, asked(subset="x"))


def test_a_workspace_without_captions_has_none(tmp_path):
    found = captions(ready(small_workspace(), tmp_path), asked())
    assert (found["num"], found["captions"], found["flags"]) == (0, [], [])


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A workspace of two captions behind a real dashboard."""
    folder = tmp_path_factory.mktemp("served")
    workspace = Workspace(shutil.copytree(small_workspace().uri, folder / "ws"))
    clips = workspace.table("selection").read().to_pylist()
    clip_ids = sorted({row["clip_id"] for row in clips if row["status"] == "ok"})
    write(
        workspace,
        FIRST,
        [
            {
                "clip_id": name,
                "captioner": "facts",
                "caption": f"Seen {n}.",
                "flags": [],
                "status": "ok",
            }
            for n, name in enumerate(clip_ids)
        ],
    )
    with site(ready(workspace, folder / "cache")) as found:
        yield found, workspace, clip_ids


def say(served, headers=None, **changes):
    found, _, clip_ids = served
    body = {
        "clip_id": clip_ids[0],
        "captioner": "facts",
        "verdict": "accept",
        "reviewed": "Seen 0.",
    }
    sent = {"origin": f"http://{found.host}", "content-type": "application/json"} | (headers or {})
    answer = found.ask(PATH, "POST", json.dumps(body | changes).encode(), **sent)
    return answer.status, json.loads(answer.body)


def stored(served):
    table = served[1].table("caption_reviews")
    return table.read().to_pylist() if table.exists() else []


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"clip_id": "nobody"}, 400, "there is no such caption"),
        ({"captioner": "nobody"}, 400, "there is no such caption"),
        ({"reviewed": "Seen otherwise."}, 400, "written again"),
        ({"verdict": "perhaps"}, 400, "verdict"),
        ({"verdict": "edit", "caption": " "}, 400, "empty"),
        ({"verdict": "edit", "caption": "x" * 2001}, 400, "2,000 characters"),
        ({"verdict": "edit", "caption": "x" * 4001}, 400, "4000"),
        ({"verdict": "edit", "caption": "a\u202eb"}, 400, "control"),
        ({"note": "x" * 1001}, 400, "note"),
        ({"reviewer": "x" * 101}, 400, "reviewer"),
        ({"sql": "DROP TABLE captions"}, 400, "sql"),
        ({"note": "x" * 70_000}, 413, "bytes"),
    ],
)
def test_what_cannot_be_a_verdict_is_refused(served, changes, status, said):
    found = say(served, **changes)
    assert found[0] == status
    assert said in found[1]["error"]
    assert stored(served) == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://elsewhere.example"}, 403),
        ({"origin": None}, 403),
        ({"origin": "null"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"host": "elsewhere.example"}, 403),
    ],
)
def test_another_site_cannot_review(served, headers, status):
    assert say(served, headers)[0] == status
    assert stored(served) == []


def test_a_verdict_is_stored_and_shown(served):
    told = {
        "verdict": "edit",
        "caption": "  <script>two\n lines</script> ",
        "note": "é",
        "reviewer": "Ada",
    }
    status, answer = say(served, **told)
    assert status == 200
    [row] = stored(served)
    assert (row["verdict"], row["caption"]) == ("edit", "<script>two lines</script>")
    assert (row["note"], row["reviewer"], row["reviewed"]) == ("é", "Ada", "Seen 0.")
    shown = [answer[name] for name in ("review", "edited", "note", "reviewer")]
    assert shown == ["edit", "<script>two lines</script>", "é", "Ada"]
    when = datetime.datetime.fromisoformat(answer["reviewed_at"])
    assert abs((when - row["reviewed_at"]).total_seconds()) < 5
    found = captions(ready(served[1], media.folder() / "cache"), asked())
    assert found["reviewed"] == {"edit": 1, "none": 1}
