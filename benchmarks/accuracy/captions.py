"""Whether what `grounded` says of the demo's footage is so, and whether a checker would notice.

`python -m benchmarks.accuracy.captions [--footage FOLDER] [--into FOLDER]`: the demo's film is
curated, or every clip of a folder of videos. Each caption is taken apart into statements, and each
of those is held against the stored frames and measures (`benchmarks.accuracy.statements`). A table
of clip, frames, facts and caption goes to a page, and as text to standard output, for a person to
read.

A checker that finds nothing may be blind. So every caption is spoiled too, one word at a time (left
for right, above for below, another colour, darker for brighter, a made-up thing), and the share of
these that the checker catches is printed. Some of them are true as well: there may be a touch of
both colours.
"""

import argparse
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.accuracy.statements import Shown, statements
from curation.inputs import read_inputs
from pipelines.assets import cache_folder, fetch
from pipelines.caption_sheet import PAGE, write_caption_sheet
from pipelines.curate import Curation
from pipelines.queries import run_query
from pipelines.recipe import load_recipe
from pipelines.run import Run
from pipelines.stored_frames import stored_frames
from pipelines.workspace import Workspace

BAR = {"num_unsupported": 0, "caught_share": 0.8}
"""The first at most, the second at least."""

ALL_CLIPS = [
    *("videos.min_side_px.min=0", "videos.duration_s.min=0"),
    *(f"subsets.256p.rules.{rule}.min=0" for rule in ("motion_vmaf", "motion_vector_px")),
    *(
        f"subsets.256p.rules.{rule}.max=1000"
        for rule in ("border_share", "frozen_share", "motion_vector_px", "shots_per_s")
    ),
    *(
        f"subsets.256p.rules.{rule}.max=1000"
        for rule in ("slideshow_share", "text_score", "text_share")
    ),
    "subsets.256p.buckets.max_repeated_share=1",
]
"""Settings that keep what a folder has, whatever it is."""

SWAPS = (
    *(("left", "right"), ("above", "below"), ("upper", "lower"), ("darker", "brighter")),
    *(("upwards", "downwards"), ("tilts up", "tilts down"), ("closer", "farther away")),
    *(("dim", "very bright"), ("vivid", "muted"), ("strong", "soft"), ("steady", "hardly any")),
    *(("green", "pink"), ("blue", "orange"), ("grey", "red"), ("brown", "purple")),
)


def spoiled(caption: str) -> Iterator[str]:
    """The caption with one thing turned into its opposite, or another, each time."""
    for one, other in SWAPS:
        pattern = re.compile(rf"\b(?:{one}|{other})\b")
        if pattern.search(caption):
            yield pattern.sub(lambda match, pair=(one, other): pair[match[0] == pair[0]], caption)
    yield f"{caption} A dog runs past."


def curated(workspace: Workspace, inputs: Sequence[str], settings: Sequence[str]) -> None:
    """The way to captions, in this process."""
    recipe = load_recipe("demo", ["engine.runner=inline", *settings]).recipe
    with Run(workspace, recipe.engine, recipe=recipe.model_dump(mode="json")) as run:
        work = Curation(recipe, workspace, run)
        work.sources(read_inputs(list(inputs)))
        work.clips()
        work.scores()
        work.select()
        work.captions()


def shown_clips(workspace: Workspace) -> list[tuple[dict[str, Any], Shown]]:
    """Every captioned clip, with what its caption is held against."""
    rows = run_query(
        workspace,
        """SELECT t.clip_id, t.video_id, t.caption, t.origin, t.facts, c.camera_path, c.motion_vmaf,
            s.concept_labels, s.text
        FROM captions AS t JOIN clips AS c ON c.clip_id = t.clip_id
        LEFT JOIN scores AS s ON s.clip_id = t.clip_id WHERE t.status = 'ok' ORDER BY t.clip_id""",
    ).to_pylist()
    frames = stored_frames(workspace, rows)
    found = []
    for row in rows:
        jpegs = [np.frombuffer(one.jpeg, np.uint8) for one in frames[row["clip_id"]]]
        pictures = [cv2.imdecode(one, cv2.IMREAD_COLOR)[..., ::-1] for one in jpegs]
        labels = [(one["label"], one["score"]) for one in row["concept_labels"] or []]
        path, text = row["camera_path"] or [], row["text"] or ""
        frames_rgb = [np.ascontiguousarray(one) for one in pictures]
        found.append((row, Shown(frames_rgb, path, labels, text, row["motion_vmaf"] or 0.0)))
    return found


def main() -> None:
    """Prints a table and a last line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--footage", type=Path, help="folder of real videos")
    parser.add_argument("--into", type=Path, help="folder for the page; else build/captions-check")
    arguments = parser.parse_args()
    weights = cache_folder() / "models"
    fetch("models", weights)
    footage = cache_folder() / "footage"
    inputs = [str(arguments.footage)] if arguments.footage else [str(footage / "manifest.csv")]
    if not arguments.footage:
        fetch("demo", footage)
    figures = {"num_captions": 0, "num_statements": 0, "num_unsupported": 0, "num_rewritten": 0}
    spoiled_count = caught = 0
    with tempfile.TemporaryDirectory() as name:
        workspace = Workspace(name)
        curated(workspace, inputs, ALL_CLIPS if arguments.footage else [])
        words = []
        for row, shown in shown_clips(workspace):
            said = statements(row["caption"], shown)
            wrong = [one.words for one in said if not one.is_supported]
            print(f"\n{row['clip_id']} ({row['origin']}, {len(shown.frames)} frames)")
            print(f"  {row['caption']}")
            for fact in row["facts"]:
                print(f"    {fact}")
            for one in wrong:
                print(f"  UNSUPPORTED: {one}")
            figures["num_captions"] += 1
            figures["num_statements"] += len(said)
            figures["num_unsupported"] += len(wrong)
            figures["num_rewritten"] += row["origin"] == "rewritten"
            words.append(len(row["caption"].split()))
            for other in spoiled(row["caption"]):
                spoiled_count += 1
                caught += any(not one.is_supported for one in statements(other, shown))
        place = arguments.into or Path("build/captions-check")
        write_caption_sheet(workspace, place, max(1, figures["num_captions"]))
        print(f"\nwith their frames: {place / PAGE}")
    shares = {
        "caught_share": caught / max(1, spoiled_count),
        "words_mean": float(np.mean(words)),
        "words_least": float(np.min(words)),
    }
    print(f"{'spoiled captions':20} {spoiled_count:6}, caught {shares['caught_share']:.1%}")
    for key, value in figures.items():
        print(f"{key:20} {value:6}")
    held = (
        figures["num_captions"] > 0
        and figures["num_unsupported"] <= BAR["num_unsupported"]
        and shares["caught_share"] >= BAR["caught_share"]
    )
    done = {"name": "accuracy/captions", "figures": figures | shares, "bar": BAR, "held": held}
    print(json.dumps(done))


if __name__ == "__main__":
    main()
