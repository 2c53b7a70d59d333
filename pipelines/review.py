"""Clips to people and verdicts back: the folder that a reviewer gets, and its import."""

import csv
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from curation import review, tables
from pipelines.contact_sheet import sheet_name, sheet_page
from pipelines.escaping import printable
from pipelines.queries import open_views
from pipelines.run import Run
from pipelines.stored_frames import stored_frames
from pipelines.workspace import Workspace, storage_errors

FILE = "review.csv"

PAGE_CLIPS = 60
"""Clips on one page of the contact sheet: about 15 MB with four stored frames each."""


class Imported(NamedTuple):
    """What an import did."""

    num_keep: int
    num_drop: int
    num_empty: int
    """Rows without a verdict: what was said of these clips before still holds."""


def export_review(
    workspace: Workspace, subset: str, folder: Path, again: bool = False
) -> dict[str, Any]:
    """Writes `review.csv` and the contact sheet of the clips that a person is to judge.

    Those are the clips that the subset keeps but for the review, and that nobody has judged yet.

    Args:
        workspace: where the clips are.
        subset: which has been selected.
        folder: made if it does not exist; it has to be empty.
        again: takes the judged clips too, with the verdicts that they have.

    Returns:
        `folder`, `num_clips` and `num_pages`.

    Raises:
        ValueError: this is no workspace, the subset is unknown, or the folder holds something.
        StorageError: the workspace cannot be read, or the folder not be written.
    """
    clips = _clips(workspace, subset, again)
    with storage_errors(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ValueError(f"{folder} is not empty, and may hold verdicts: name a new folder")
    num_pages = max(1, math.ceil(len(clips) / PAGE_CLIPS))
    for page in range(num_pages):
        shown = clips[page * PAGE_CLIPS : (page + 1) * PAGE_CLIPS]
        text = sheet_page(subset, shown, stored_frames(workspace, shown), page, num_pages)
        with storage_errors(str(folder), need_bytes=len(text)):
            (folder / sheet_name(page)).write_text(text, encoding="utf-8")
    # Last, so that a folder with a review file is whole.
    with storage_errors(str(folder)), (folder / FILE).open("w", encoding="utf-8", newline="") as f:
        writer = csv.writer(f)
        writer.writerow((*review.FILLED, *review.FACTS))
        writer.writerows(_cells(clip) for clip in clips)
    return {"folder": str(folder), "num_clips": len(clips), "num_pages": num_pages}


def import_reviews(
    workspace: Workspace, paths: Sequence[Path], reviewer: str | None, command: str = ""
) -> Imported:
    """Stores the verdicts of review files; a later import replaces what was said of its clips.

    Args:
        workspace: where the clips are.
        paths: review files.
        reviewer: who looked.
        command: what the user typed, for the commit.

    Raises:
        ValueError: this is no workspace, or something is wrong with a file; nothing is stored.
        FencedError: a run is at work in the workspace.
        StorageError: the workspace cannot be read or written.
    """
    lines = [line for path in paths for line in review.read_lines(path)]
    table = workspace.table("reviews")
    with open_views(workspace) as connection:
        asked = pa.table({name: [getattr(line, name) for line in lines] for name in review.KEY})
        asked = asked.cast(pa.schema([(name, pa.string()) for name in review.KEY]))
        connection.register("asked", asked)
        known = connection.sql(
            "SELECT DISTINCT subset, clip_id FROM asked SEMI JOIN selection USING (subset, clip_id)"
        ).fetchall()
    found = review.checked(lines, set(known), reviewer, datetime.now(UTC))
    with Run(workspace, command=command) as run:
        earlier = table.read() if table.exists() else tables.REVIEWS.empty_table()
        table.replace(review.merged(earlier, found), run.metadata)
    num_keep = pc.sum(pc.equal(found["verdict"], "keep")).as_py() or 0
    return Imported(num_keep, found.num_rows - num_keep, len(lines) - found.num_rows)


def _clips(workspace: Workspace, subset: str, again: bool) -> list[dict[str, Any]]:
    """A dict per clip with its video, and the columns of a review file; by concept, then id."""
    owners = {name: f"s.{name}" for name in ("duplicate_of", "phrase", "concept_id")}
    owners["uri"] = "v.uris[1]"
    facts = ", ".join(f"{owners.get(name, 'c.' + name)} AS {name}" for name in review.FACTS)
    with open_views(workspace) as connection:
        subsets = connection.sql("SELECT DISTINCT subset FROM selection ORDER BY 1").fetchall()
        if (subset,) not in subsets:
            there = ", ".join(name for (name,) in subsets) or "none"
            raise ValueError(f"no clip was selected for subset {subset!r}; subsets: {there}")
        rows: list[dict[str, Any]] = (
            connection.sql(
                f"""SELECT s.clip_id, s.subset, r.verdict, r.note, {facts}, c.video_id
                FROM selection AS s JOIN clips AS c ON c.clip_id = s.clip_id
                JOIN videos AS v ON v.video_id = s.video_id
                LEFT JOIN reviews AS r ON r.subset = s.subset AND r.clip_id = s.clip_id
                WHERE s.subset = $subset
                    AND (s.status = '{tables.OK}' OR s.reason IN ($missing, $dropped))
                    AND ($again OR r.verdict IS NULL)
                ORDER BY s.concept_id NULLS LAST, s.clip_id""",  # noqa: S608 - columns are ours
                params={
                    "subset": subset,
                    "again": again,
                    "missing": review.MISSING,
                    "dropped": review.DROPPED,
                },
            )
            .to_arrow_table()
            .to_pylist()
        )
    return rows


def _cells(clip: dict[str, Any]) -> Iterator[str]:
    for name in (*review.FILLED, *review.FACTS):
        value = clip[name]
        if value is None:
            yield ""
        elif isinstance(value, float):
            yield f"{value:.6g}"
        else:
            # A file name or note may be made to look like a formula.
            yield review.escaped(printable(value)) if isinstance(value, str) else str(value)
