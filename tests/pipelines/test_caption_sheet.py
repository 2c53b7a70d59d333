"""Captions for people to read; what hostile ones hold stays text."""

import html
import re
import shutil
from pathlib import Path

import cv2
import pyarrow as pa
import pytest

from curation.tables import CAPTIONS
from pipelines.caption_sheet import PAGE, write_caption_sheet
from pipelines.queries import run_query
from pipelines.run import Run
from pipelines.workspace import Workspace
from tests.workspaces import small_workspace

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "${title} $cards",
    "\u202eevil\x1b[31m",
]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    shutil.copytree(small_workspace().uri, tmp_path / "w")
    return Workspace(tmp_path / "w")


def add_captions(workspace: Workspace, captioner: str, *captions: dict[str, object]) -> list[str]:
    clips = run_query(workspace, "SELECT clip_id, video_id FROM clips ORDER BY clip_id").to_pylist()
    usual = {"captioner": captioner, "model": "m:1", "prompt_version": "p-1", "origin": "model"}
    rows = [
        {**usual, "status": "ok", "flags": [], "facts": [], **clip, **caption}
        for clip, caption in zip(clips, captions, strict=False)
    ]
    with Run(workspace) as run:
        table = pa.Table.from_pylist(rows, schema=CAPTIONS)
        workspace.table(f"captions/{captioner}").replace(table, run.metadata)
    return [clip["clip_id"] for clip in clips]


def test_each_clip_has_its_strip_of_frames_and_all_its_captions(
    workspace: Workspace, tmp_path: Path
) -> None:
    one = {"caption": "One.", "camera": "pan right", "camera_confidence": 0.95, "facts": ["a: 1"]}
    ids = add_captions(workspace, "small", one, {"caption": "Two."}, {"caption": "Three."})
    add_captions(workspace, "large", {"caption": "Other.", "flags": ["repeats"]})
    shown = write_caption_sheet(workspace, tmp_path / "sheet", 10)
    assert sorted(clip.clip_id for clip in shown) == ids
    for clip in shown:
        assert clip.thumbnail is not None
        strip = cv2.imread(str(clip.thumbnail))
        assert strip.shape[0] == 144
        assert strip.shape[1] > strip.shape[0]
    page = (tmp_path / "sheet" / PAGE).read_text()
    for said in ("One.", "Other.", "repeats", "a: 1", "pan right 0.95", f"{ids[0]}.jpg"):
        assert said in page
    assert {len(clip.captions) for clip in shown} == {1, 2}


def test_some_are_chosen_and_flagged_ones_or_one_captioners_alone_if_asked(
    workspace: Workspace, tmp_path: Path
) -> None:
    ids = add_captions(workspace, "small", *({"caption": f"{n}."} for n in range(3)))
    add_captions(workspace, "large", {"caption": "Other.", "flags": ["repeats"]})
    assert len(write_caption_sheet(workspace, tmp_path / "a", 2)) == 2
    [flagged] = write_caption_sheet(workspace, tmp_path / "b", 9, flagged=True)
    [large] = write_caption_sheet(workspace, tmp_path / "c", 9, captioner="large")
    assert flagged.clip_id == large.clip_id == ids[0]
    assert write_caption_sheet(workspace, tmp_path / "d", 9, captioner="small", flagged=True) == []
    assert "No clip has such a caption" in (tmp_path / "d" / PAGE).read_text()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_captions_stay_text(workspace: Workspace, tmp_path: Path, hostile: str) -> None:
    add_captions(workspace, "small", {"caption": hostile, "facts": [hostile], "model": hostile})
    write_caption_sheet(workspace, tmp_path / "sheet", 10)
    page = (tmp_path / "sheet" / PAGE).read_text()
    assert "script-src" not in page and "default-src 'none'" in page
    body = page.partition("<main>")[2]
    assert set(re.findall(r"<(\w+)", body)) <= {"article", "h2", "p", "img", "ul", "li"}
    assert "onerror" not in re.sub(r"&quot;.*?(?=</)", "", body)
    shown = html.unescape(re.search(r"</p>\s*<img[^>]*>\s*<p>(.*?)</p>", body, re.S)[1])  # type: ignore[index]
    assert shown == hostile.replace("\u202e", "\\u202e").replace("\x1b", "\\x1b")


def test_without_captions_and_for_unknown_captioners_there_is_one_clear_error(
    workspace: Workspace, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="has no captions: no captioner was at work there"):
        write_caption_sheet(workspace, tmp_path / "sheet", 5)
    add_captions(workspace, "small", {"caption": "One."})
    with pytest.raises(ValueError, match="no captioner is called 'large'; there are small"):
        write_caption_sheet(workspace, tmp_path / "sheet", 5, captioner="large")
    with pytest.raises(ValueError, match="is no workspace"):
        write_caption_sheet(Workspace(tmp_path / "nothing"), tmp_path / "sheet", 5)
