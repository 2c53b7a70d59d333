"""The way from source files to shards: which stage reads what, in which order."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from captioning.captioners import captioners
from curation.ingest import IngestStage
from curation.inputs import Inputs
from curation.stage import Stage
from curation.tables import CLIPS, SCORES, SELECTION, SOURCES
from curation.videos import videos_from_sources
from curation.views import CAPTIONS, SHARDS, Rows
from pipelines.assets import cache_folder
from pipelines.engine import plan_stage, run_stage
from pipelines.model_checks import check_detector, check_models
from pipelines.plan import NOBODY, Plan
from pipelines.progress import StageSummary
from pipelines.recipe import Recipe
from pipelines.run import Run, StageResources
from pipelines.selecting import select_all
from pipelines.stages import (
    captions_inputs,
    captions_stage,
    clip_inputs,
    clips_stage,
    committed,
    scores_inputs,
    scores_stage,
    shards_stage,
    shards_work,
)
from pipelines.workspace import Workspace

STAGES = ("sources", "clips", "scores", "captions", "shards")
"""The stages that do work of their own; `videos` and `selection` are derived by queries."""


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
        self.captions()
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

    def select(self, only: Collection[str] = ()) -> None:
        """Decides on every clip for the subsets of the recipe, or for some; nothing is decoded."""
        table = self.workspace.table("selection")
        if not table.exists():
            table.replace(SELECTION.empty_table(), self.run.metadata)
        clips, videos = self._dataset("clips"), self._dataset("videos")
        scores = committed(self.workspace, "scores", SCORES)
        selected = select_all(self.recipe, self.workspace, clips, videos, scores, only)
        for name, verdicts in selected.verdicts.items():
            table.replace(verdicts, self.run.metadata, {"subset": name})
        if self.recipe.selection.concepts is not None:
            self.workspace.table("concepts").replace(selected.concepts, self.run.metadata)

    def captions(self) -> None:
        """Has the clips that any subset keeps captioned, each by its captioner or captioners.

        Raises:
            ValueError: a captioner cannot be had.
        """
        recipe, workspace = self.recipe, self.workspace
        rows = [self._dataset(name) for name in ("selection", "clips", "videos")]
        wanted = captions_inputs(recipe, workspace, *rows)
        for name, captioner in captioners(recipe.captioning, cache_folder() / "models").items():
            stage = captions_stage(recipe, workspace, name, captioner)
            table = workspace.table(CAPTIONS + name)
            if plan_stage(stage, wanted[name], table, retry_failed=self.retry_failed).todo.num_rows:
                captioner.check()
            stages = self.run.settings.stages
            self._run(stage, wanted[name], table.name, stages.captioners.get(name, stages.captions))

    def shards(self) -> None:
        """Cuts and encodes the kept clips of every subset of the recipe."""
        selection, clips, videos = map(self._dataset, ("selection", "clips", "videos"))
        for name in self.recipe.subsets:
            work = shards_work(self.recipe, self.workspace, name, selection, clips, videos)
            stage = shards_stage(self.recipe, name)
            self._run(stage, work.inputs, SHARDS + name, again=work.again)

    def _run(
        self,
        stage: Stage,
        inputs: pa.Table,
        table: str,
        resources: StageResources | None = None,
        again: pa.Array = NOBODY,
    ) -> None:
        resources = resources or getattr(self.run.settings.stages, stage.name)
        summary = run_stage(
            stage,
            inputs,
            self.workspace.table(table),
            self.run,
            resources,
            self.on_progress,
            limit=self.limit,
            retry_failed=self.retry_failed,
            again=again,
        )
        self.summaries.append(summary)

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

    def planned(stage: Stage, rows: pa.Table, name: str, again: pa.Array = NOBODY) -> Plan:
        table = workspace.table(name)
        return plan_stage(stage, rows, table, limit=limit, retry_failed=retry_failed, again=again)

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
    selected = select_all(recipe, workspace, clips, videos, scores).verdicts
    wanted = captions_inputs(recipe, workspace, pa.concat_tables(selected.values()), clips, videos)
    for name, captioner in captioners(recipe.captioning, cache_folder() / "models").items():
        stage = captions_stage(recipe, workspace, name, captioner)
        yield planned(stage, wanted[name], CAPTIONS + name)
    for name, verdicts in selected.items():
        work = shards_work(recipe, workspace, name, verdicts, clips, videos)
        yield planned(shards_stage(recipe, name), work.inputs, SHARDS + name, work.again)


def passed_over(inputs: Inputs) -> str:
    """One sentence on files that were skipped or named twice; empty where there are none."""
    parts = [f"{count:,} {kind}" for kind, count in inputs.skipped.most_common()]
    said = f"passed over {', '.join(parts)}" if parts else ""
    if inputs.duplicates:
        said += f"{'; ' if said else ''}{inputs.duplicates:,} files were named twice"
    return said
