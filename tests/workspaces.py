"""A small curated workspace, made with the real stages in this process."""

import functools
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curation import tables
from curation.buckets import BucketSettings
from curation.clips import ClipsSettings, ClipsStage
from curation.ingest import IngestSettings, IngestStage
from curation.inputs import read_inputs
from curation.media.sandbox import Limits
from curation.selection import SelectionSettings, SubsetSettings, select
from curation.shards import ShardsSettings, ShardsStage, shard_inputs
from curation.videos import VideoRules, videos_from_sources
from curation.windows import WindowSettings
from pipelines.engine import EngineSettings, Run, run_stage
from pipelines.queries import run_query
from pipelines.workspace import Workspace
from tests import media

SMALL = BucketSettings(base_px=128)
SUBSETS = {
    "256p": SubsetSettings(
        rules={"motion": {"measure": "motion_vmaf", "min": 0.1}, "bright_share": {"max": 0.9}},
        buckets=SMALL,
    ),
    "strict": SubsetSettings(rules={"width": {"min": 10_000}}, buckets=SMALL),
}
WINDOWS = WindowSettings(skip_head_s=0.0, max_s=6.0)


def curate(workspace: Workspace, *inputs: str | Path) -> Workspace:
    """Brings the workspace up to its inputs, with the subsets above."""
    recipe = {"subsets": {name: rules.model_dump(mode="json") for name, rules in SUBSETS.items()}}
    engine, limits = EngineSettings(runner="inline"), Limits(wall_s=60)
    with Run(workspace, engine, command="test", recipe=recipe, recipe_hash="0123456789ab") as run:
        stage = IngestStage(IngestSettings(), limits)
        rows = read_inputs([str(name) for name in inputs]).rows
        run_stage(stage, rows, workspace.table("sources"), run)
        videos = videos_from_sources(workspace.table("sources").read(), VideoRules())
        workspace.table("videos").replace(videos, run.metadata)
        accepted = videos.filter(pc.equal(videos["status"], "ok"))
        clips = workspace.table("clips")
        run_stage(ClipsStage(ClipsSettings(windows=WINDOWS), limits), accepted, clips, run)
        for name, subset in SUBSETS.items():
            chosen = select(
                name,
                subset,
                SelectionSettings(audit_share=1),
                clips.dataset(),
                videos,
                tables.SCORES.empty_table(),
            )
            workspace.table("selection").replace(chosen, run.metadata, predicate={"subset": name})
            kept = shard_inputs(name, subset.buckets, chosen, clips.dataset(), videos)
            shards = ShardsStage(ShardsSettings(), subset.buckets, limits, "clips")
            run_stage(shards, kept, workspace.table(f"shards/{name}"), run)
    return workspace


@functools.cache
def small_workspace() -> Workspace:
    """Two videos, one of them twice, and a text: 4 sources, 2 videos, 3 clips, of which 2 are kept.

    Shared by all tests of the session: copy it before you change it.
    """
    folder = media.folder() / "footage"
    folder.mkdir()
    moving = media.ffmpeg("moving.mp4", *media.source(seconds=12.0), *media.H264)
    still = media.ffmpeg("still.mp4", *media.source("smptebars", seconds=6.0), *media.H264)
    shutil.copy(moving, folder / "moving [1] `x` |y|.mp4")
    shutil.copy(moving, folder / "the same again.mp4")
    shutil.copy(still, folder / "still.mp4")
    (folder / "notes.mp4").write_text("not a video")
    return curate(Workspace(media.folder() / "workspace"), folder)


def decide_again(workspace: Workspace, subset: str, **selection: Any) -> None:
    """Commits the verdicts on one subset as if a recipe of it alone, with this, had made them."""
    table = workspace.table("selection")
    rows = [row for row in table.read().to_pylist() if row["subset"] == subset]
    # What is the same as before would not be committed.
    made = [row | {"weight": (row["weight"] or 0.0) + 1.0} for row in rows]
    recipe = {"subsets": {subset: SUBSETS[subset].model_dump(mode="json")}, "selection": selection}
    with Run(workspace, command="test", recipe=recipe, recipe_hash=f"of-{subset}") as run:
        again = pa.Table.from_pylist(made, schema=tables.SELECTION)
        assert table.replace(again, run.metadata, {"subset": subset})


def add_scores(workspace: Workspace, **scores: Any) -> None:
    """Gives every clip of the workspace these scores, as if a model had made them."""
    clips = run_query(workspace, "SELECT clip_id, video_id FROM clips ORDER BY clip_id").to_pylist()
    state = {"status": "ok", "models": ["made:1"]}
    rows = pa.Table.from_pylist([clip | state | scores for clip in clips], schema=tables.SCORES)
    with Run(workspace) as run:
        workspace.table("scores").replace(rows, run.metadata)
