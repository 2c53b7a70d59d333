"""The stages of a recipe, and the rows that each takes of what the stages before it have made."""

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from captioning.captioner import Captioner
from captioning.choice import assigned, chosen_captions, overruled
from captioning.inputs import INPUTS as CAPTION_INPUTS
from captioning.inputs import SEEN as READ_SCORES
from captioning.inputs import caption_inputs
from captioning.stage import CaptionsStage
from curation.clips import ClipsStage
from curation.scores import INPUTS as SCORE_INPUTS
from curation.scores import ScoresStage, models, score_inputs
from curation.selection import candidates
from curation.settings import fingerprint
from curation.shards import ShardsStage, shard_inputs
from curation.tables import CAPTION_REVIEWS, OK, REJECTED, SCORES, SHARD
from curation.views import CAPTIONS, SHARDS, Rows, connect
from pipelines.assets import cache_folder
from pipelines.plan import NOBODY, committed_rows
from pipelines.recipe import Recipe
from pipelines.workspace import Workspace


def clips_stage(recipe: Recipe) -> ClipsStage:
    """The decode pass as the recipe wants it."""
    return ClipsStage(recipe.clips, recipe.limits, cache_folder() / "models")


def clip_inputs(videos: pa.Table) -> pa.Table:
    """The rows of `videos` that the decode pass takes: all that are `ok`."""
    return videos.filter(pc.equal(videos["status"], OK)).select(ClipsStage.reads)


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


def captions_stage(
    recipe: Recipe, workspace: Workspace, name: str, captioner: Captioner
) -> CaptionsStage:
    """The captions stage of one captioner as the recipe wants it."""
    chosen = models(recipe.scores, cache_folder() / "models")
    read = [model for model in chosen if set(model.columns.names) & set(READ_SCORES)]
    seen = [f"{model.name}:{model.version}" for model in read]
    return CaptionsStage(
        name,
        captioner,
        workspace.table("clips").uri,
        fingerprint(ClipsStage.version, recipe.clips, seen),
        max_retries=recipe.captioning.max_retries,
        max_words=recipe.captioning.max_words,
    )


def captions_inputs(
    recipe: Recipe, workspace: Workspace, selection: Rows, clips: Rows, videos: Rows
) -> dict[str, pa.Table]:
    """The rows that the captions stage of each captioner takes, as far as clips are known."""
    settings, table = recipe.captioning, workspace.table("clips")
    if not settings.is_on or not table.exists():
        return dict.fromkeys(settings.names, CAPTION_INPUTS.empty_table())
    columns = ["subset", "status", "clip_id"]
    stored = not isinstance(selection, pa.Table)
    known = selection.to_table(columns) if stored else selection.select(columns)
    known = known.filter(pc.is_in(known["subset"], value_set=pa.array(list(recipe.subsets))))
    kept = known.filter(pc.equal(known["status"], OK))["clip_id"].combine_chunks().unique()
    parts = committed_rows(table, clips_stage(recipe))
    scores = committed(workspace, "scores", SCORES)
    rows = caption_inputs(kept, parts, clips, videos, scores)
    shared = assigned(kept, settings.clip_shares, settings.per_clip)
    return {
        name: rows.filter(pc.is_in(rows["clip_id"], value_set=shared.get(name, NOBODY)))
        for name in settings.names
    }


class ShardsWork(NamedTuple):
    """What the shards stage of a subset has to do."""

    inputs: pa.Table

    again: pa.Array
    """Clips whose sample has no caption, or one that the subset does not take, and now can have
    one; whose sample does not carry what a person accepted, or wrote; or that have no sample for
    want of a caption, and now have one."""


def shards_work(
    recipe: Recipe, workspace: Workspace, subset: str, selection: Rows, clips: Rows, videos: Rows
) -> ShardsWork:
    """The rows that the shards stage of a subset takes, and which of its samples are made again.

    Where there are captioners, a clip waits until it has a caption, or has been refused all of its
    captions. A sample that is there does not wait, and stays until there is a caption for it.
    """
    settings, rules = recipe.captioning, recipe.subsets[subset]
    if not settings.is_on:
        kept = shard_inputs(subset, rules.buckets, selection, clips, videos)
        return ShardsWork(kept, NOBODY)
    names = [CAPTIONS + name for name in settings.names]
    tables = {name: workspace.table(name) for name in names}
    captions = {name: table.dataset() for name, table in tables.items() if table.exists()}
    said = committed(workspace, "caption_reviews", CAPTION_REVIEWS)
    taken = chosen_captions(
        captions | {"caption_reviews": said},
        settings.training_weights,
        rules.refused_flags,
        settings.camera_confidence,
        rules.caption_reviews,
    )
    kept = shard_inputs(subset, rules.buckets, selection, clips, videos, taken)
    there = committed(workspace, SHARDS + subset, SHARD)
    wrong = pa.table({"clip_id": overruled(there, said, rules.caption_reviews)})
    with connect({}) as connection:
        for name, rows in (("kept", kept), ("taken", taken), ("there", there), ("wrong", wrong)):
            connection.register(name, rows)
        found = connection.sql(
            f"""SELECT k.clip_id, t.clip_id IS NOT NULL OR h.status = '{OK}' AS is_input,
                CASE h.status WHEN '{OK}' THEN t.clip_id IS NOT NULL AND (h.caption IS NULL
                    OR list_has_any(h.caption_flags, $refused::VARCHAR[])
                    OR ((t.caption_judged OR k.clip_id IN (FROM wrong))
                        AND (t.caption IS DISTINCT FROM h.caption
                            OR t.captioner IS DISTINCT FROM h.captioner)))
                WHEN '{REJECTED}' THEN t.caption IS NOT NULL END AS is_again
            FROM kept AS k LEFT JOIN taken AS t ON t.clip_id = k.clip_id
            LEFT JOIN (SELECT clip_id, status, caption, captioner, caption_flags FROM there) AS h
                ON h.clip_id = k.clip_id ORDER BY k.clip_id""",  # noqa: S608 - constants
            params={"refused": list(rules.refused_flags)},
        ).to_arrow_table()
    # Both are in the order of their ids.
    again = found.filter(found["is_again"])["clip_id"].combine_chunks()
    return ShardsWork(kept.filter(found["is_input"]), again)


def committed(workspace: Workspace, name: str, schema: pa.Schema) -> Rows:
    """The rows of a table; none where it does not exist yet, or lacks a column of this version.

    Such rows are work still to do: whatever adds a column makes them again.
    """
    table = workspace.table(name)
    if not table.exists():
        return schema.empty_table()
    rows = table.dataset()
    return rows if set(schema.names) <= set(rows.schema.names) else schema.empty_table()


def shards_stage(recipe: Recipe, subset: str) -> ShardsStage:
    """The shards stage of one subset; the stored pictures of clips do not matter to it."""
    clips = recipe.clips
    upstream = fingerprint(ClipsStage.version, clips.shots, clips.windows, clips.measures)
    return ShardsStage(recipe.shards, recipe.subsets[subset].buckets, recipe.limits, upstream)
