"""The way from source files to shards: which stage reads what, in which order."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from curation.clips import ClipsStage
from curation.ingest import IngestStage
from curation.inputs import Inputs
from curation.models.transnet import check_transnet
from curation.scores import INPUTS as SCORE_INPUTS
from curation.scores import ScoresStage, models, score_inputs
from curation.selection import candidates
from curation.settings import fingerprint
from curation.shards import ShardsStage, shard_inputs
from curation.stage import Stage
from curation.tables import CLIPS, OK, SCORES, SELECTION, SOURCES
from curation.videos import videos_from_sources
from curation.views import SHARDS, Rows
from pipelines.assets import cache_folder
from pipelines.engine import plan_stage, run_stage
from pipelines.plan import Plan, committed_rows
from pipelines.progress import StageSummary
from pipelines.recipe import Recipe
from pipelines.run import Run, StageResources
from pipelines.selecting import select_all
from pipelines.workspace import Workspace

STAGES = ("sources", "clips", "scores", "shards")
"""The stages that do work of their own; `videos` and `selection` are derived by queries."""

logger = logging.getLogger(__name__)


@dataclass
class Curation:
    """One recipe at work in one workspace.

    Attributes:
        summaries: what each stage did so far, in order.
    """

    recipe: Recipe
    workspace: Workspace
    run: Run
    on_progress: Callable[[StageSummary], None] = lambda summary: None
    limit: int | None = None
    retry_failed: bool = False
    summaries: list[StageSummary] = field(default_factory=list)

    def all(self, inputs: Inputs) -> None:
        """The whole way to shards.

        Raises:
            ValueError: a model of the recipe cannot be had; nothing was done.
            ValueError, StageError, StorageError, Interrupted: as `run_stage`.
        """
        check_models(self.recipe)
        self.sources(inputs)
        self.clips()
        self.scores()
        self.select()
        self.shards()

    def sources(self, inputs: Inputs) -> None:
        """Fetches, hashes and probes the inputs, then derives the table of videos."""
        self._run(IngestStage(self.recipe.ingest, self.recipe.limits), inputs.rows, "sources")
        self.videos()

    def videos(self) -> None:
        """Judges the probed files by the recipe's rules; nothing is opened."""
        videos = videos_from_sources(self._rows("sources"), self.recipe.videos)
        self.workspace.table("videos").replace(videos, self.run.metadata)

    def clips(self) -> None:
        """The decode pass over every accepted video."""
        check_detector(self.recipe)
        self._run(clips_stage(self.recipe), clip_inputs(self._rows("videos")), "clips")

    def scores(self) -> None:
        """The models of the recipe over the stored frames of the clips that the measures leave."""
        if self.recipe.scores.is_on:
            check_models(self.recipe)
            inputs = scores_inputs(self.recipe, self.workspace, self._dataset("videos"))
            self._run(scores_stage(self.recipe, self.workspace), inputs, "scores")

    def select(self) -> None:
        """Decides on every clip for every subset of the recipe; nothing is decoded."""
        table = self.workspace.table("selection")
        if not table.exists():
            table.replace(SELECTION.empty_table(), self.run.metadata)
        clips, videos = self._dataset("clips"), self._dataset("videos")
        scores = committed(self.workspace, "scores", SCORES)
        selected = select_all(self.recipe, self.workspace, clips, videos, scores)
        for name, verdicts in selected.verdicts.items():
            table.replace(verdicts, self.run.metadata, {"subset": name})
        if self.recipe.selection.concepts is not None:
            self.workspace.table("concepts").replace(selected.concepts, self.run.metadata)

    def shards(self) -> None:
        """Cuts and encodes the kept clips of every subset of the recipe."""
        for name in self.recipe.subsets:
            self._run(shards_stage(self.recipe, name), self._shard_inputs(name), SHARDS + name)

    def _run(self, stage: Stage, inputs: pa.Table, table: str) -> None:
        resources: StageResources = getattr(self.run.settings.stages, stage.name)
        summary = run_stage(
            stage,
            inputs,
            self.workspace.table(table),
            self.run,
            resources,
            self.on_progress,
            limit=self.limit,
            retry_failed=self.retry_failed,
        )
        self.summaries.append(summary)

    def _shard_inputs(self, subset: str) -> pa.Table:
        rows = [self._dataset(name) for name in ("selection", "clips", "videos")]
        return shard_inputs(subset, self.recipe.subsets[subset].buckets, *rows)

    def _rows(self, name: str) -> pa.Table:
        return self.workspace.table(name).read()

    def _dataset(self, name: str) -> Rows:
        return self.workspace.table(name).dataset()


def plans(
    recipe: Recipe,
    workspace: Workspace,
    inputs: Inputs,
    limit: int | None = None,
    retry_failed: bool = False,
) -> Iterator[Plan]:
    """What `Curation.all` would do, stage by stage, as far as the workspace tells today.

    Nothing is changed. The videos of files that are still to be probed are not known yet, nor are
    the clips of videos that are still to be decoded.
    """

    def planned(stage: Stage, rows: pa.Table, name: str) -> Plan:
        table = workspace.table(name)
        return plan_stage(stage, rows, table, limit=limit, retry_failed=retry_failed)

    yield planned(IngestStage(recipe.ingest, recipe.limits), inputs.rows, "sources")
    sources = workspace.table("sources")
    known = sources.read() if sources.exists() else SOURCES.empty_table()
    videos = videos_from_sources(known, recipe.videos)
    yield planned(clips_stage(recipe), clip_inputs(videos), "clips")
    clips = committed(workspace, "clips", CLIPS)
    if recipe.scores.is_on:
        inputs_of_scores = scores_inputs(recipe, workspace, videos)
        yield planned(scores_stage(recipe, workspace), inputs_of_scores, "scores")
    scores = committed(workspace, "scores", SCORES)
    for name, verdicts in select_all(recipe, workspace, clips, videos, scores).verdicts.items():
        kept = shard_inputs(name, recipe.subsets[name].buckets, verdicts, clips, videos)
        yield planned(shards_stage(recipe, name), kept, SHARDS + name)


def clips_stage(recipe: Recipe) -> ClipsStage:
    """The decode pass as the recipe wants it."""
    return ClipsStage(recipe.clips, recipe.limits, cache_folder() / "models")


def clip_inputs(videos: pa.Table) -> pa.Table:
    """The rows of `videos` that the decode pass takes: all that are `ok`."""
    return videos.filter(pc.equal(videos["status"], OK)).select(ClipsStage.reads)


def check_detector(recipe: Recipe) -> None:
    """Refuses a recipe whose shots need a network that is not here.

    Raises:
        ValueError: its weights or the package torch are missing.
    """
    if recipe.clips.shots.transnet is not None:
        check_transnet(cache_folder() / "models")


def check_models(recipe: Recipe) -> None:
    """Refuses a recipe whose models this machine cannot run, before anything is decoded.

    Raises:
        ValueError: a file or a package is missing, or a model wants a GPU and its workers get none.
    """
    check_detector(recipe)
    for model in models(recipe.scores, cache_folder() / "models"):
        model.check()
    is_ray = recipe.engine.runner == "ray"
    if recipe.scores.is_on_gpu and is_ray and not recipe.engine.stages.scores.num_gpus:
        raise ValueError(
            "a model of `scores` has `device: cuda`, and its workers get no GPU: set "
            "engine.stages.scores.num_gpus, such as 0.5 for two workers on each GPU"
        )


def scores_stage(recipe: Recipe, workspace: Workspace) -> ScoresStage:
    """The scores stage as the recipe wants it."""
    upstream = fingerprint(ClipsStage.version, recipe.clips)
    chosen = models(recipe.scores, cache_folder() / "models")
    return ScoresStage(chosen, workspace.table("clips").uri, upstream)


def scores_inputs(recipe: Recipe, workspace: Workspace, videos: Rows) -> pa.Table:
    """The rows that the scores stage takes, as far as clips are known."""
    table = workspace.table("clips")
    if not table.exists():
        return SCORE_INPUTS.empty_table()
    found = candidates(recipe.subsets, recipe.selection, table.dataset(), videos)
    return score_inputs(found, committed_rows(table, clips_stage(recipe)))


def committed(workspace: Workspace, name: str, schema: pa.Schema) -> Rows:
    """The rows of a table, none where it does not exist yet."""
    table = workspace.table(name)
    return table.dataset() if table.exists() else schema.empty_table()


def shards_stage(recipe: Recipe, subset: str) -> ShardsStage:
    """The shards stage of one subset; the stored pictures of clips do not matter to it."""
    clips = recipe.clips
    upstream = fingerprint(ClipsStage.version, clips.shots, clips.windows, clips.measures)
    return ShardsStage(recipe.shards, recipe.subsets[subset].buckets, recipe.limits, upstream)


def passed_over(inputs: Inputs) -> str:
    """One sentence on files that were skipped or named twice; empty where there are none."""
    parts = [f"{count:,} {kind}" for kind, count in inputs.skipped.most_common()]
    said = f"passed over {', '.join(parts)}" if parts else ""
    if inputs.duplicates:
        said += f"{'; ' if said else ''}{inputs.duplicates:,} files were named twice"
    return said
