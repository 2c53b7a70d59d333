"""Makes a workspace of any size without footage: for benchmarks, and for tests of what shows one.

Measures, scores and captions are drawn at random; verdicts, buckets and prompts are made of them by
the real rules, so that the funnel adds up and a rule that is tried counts what it would reject.
About 1 in 50 files failed and 1 in 20 videos is rejected. What it lacks: embeddings of copies,
latents, and pictures of all but the first videos. Files hold many more rows than those of a real
run.

    python -m benchmarks.speed.made_workspace --clips 1000000 --into PATH
"""

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, write_deltalake

from benchmarks.speed.made_clips import (
    CLIPS_PER_VIDEO,
    Footage,
    Ints,
    Random,
    accepted_footage,
    draw_clips,
    draw_footage,
    draw_paths,
    draw_sources,
    pass_rows,
    with_bulk,
)
from benchmarks.speed.made_columns import Bools, column, flags, made_table, picked
from benchmarks.speed.made_pictures import Media, draw_frames, draw_media, draw_samples
from benchmarks.speed.made_scores import (
    CAPTIONER,
    CONCEPTS,
    WEIGHTS,
    concept_table,
    draw_captions,
    draw_concepts,
    draw_scores,
)
from captioning.choice import chosen_captions
from curation import tables
from curation.selection import AUDIT_SQL, SelectionSettings, candidates, select
from curation.settings import fingerprint
from curation.shards import REFUSED, shard_inputs
from curation.subsets import DUPLICATE
from curation.videos import VideoRules, videos_from_sources
from curation.views import CAPTIONS, SHARDS
from pipelines.parts import indexed_columns, write_parts
from pipelines.recipe import Recipe, load_recipe
from pipelines.run import Run
from pipelines.workspace import Workspace
from pipelines.writer import TableWriter

CLIPS_PER_PART = 50_000
"""Clips that are made, judged and committed at a time."""

DUPLICATE_SHARE, SHARD_FAILED_SHARE = 0.05, 0.001
_EXTENDED = "movie-gen-full"
_RULES = {
    "border_share": {"max": 0.02},
    "frozen_share": {"max": 0.5},
    "motion_vmaf": {"min": 2.0},
    "motion_vector_px": {"min": 0.5, "max": 7.0},
    "shots_per_s": {"max": 0.85},
    "text_score": {"max": 0.6},
    "aesthetic": {"min": 4.0},
    "nsfw": {"max": 0.5},
}
_SHARP = {"min_side_px": {"min": 768}, "duration_s": {"min": 12, "max": 16}}


def made_recipe() -> Recipe:
    """The recipe that a made workspace says it was made by; its subsets are what judges it."""
    values = load_recipe(_EXTENDED).recipe.model_dump(mode="json")
    scores = {**values["scores"], "quality": "brisque"}
    buckets = {"base_px": 768, "durations": ["16s", "12-16s"]}
    subsets = {
        "256p": {"rules": _RULES, "buckets": {"base_px": 256}, "resampling": {}},
        "768p": {"rules": {**_SHARP, **_RULES}, "buckets": buckets, "resampling": {}},
    }
    return Recipe.model_validate(
        {
            "videos": {"min_side_px": {"min": 720}, "duration_s": {"min": 4}},
            "clips": values["clips"],
            "scores": scores,
            "selection": {"duplicates": {}, "concepts": {}},
            "captioning": {"grounded": {CAPTIONER: {}}},
            "subsets": subsets,
        }
    )


def make_workspace(
    folder: Path,
    num_clips: int,
    seed: int = 0,
    pictures: bool = True,
    *,
    num_pictured_videos: int = 2_000,
    camera_hz: float = 4.0,
    videos_per_file: int = 1_000,
) -> Workspace:
    """Writes a workspace of about 10 clips per video into an empty or new folder.

    Args:
        folder: where.
        num_clips: clips of accepted videos, all of them together.
        seed: the same gives the same rows.
        pictures: whether the first videos have pictures, and their samples play.
        num_pictured_videos: how many do.
        camera_hz: steps of a camera path per second, as `clips.measures.camera_hz`; 0 leaves the
            paths empty, which makes the table of clips a tenth as large.
        videos_per_file: rows of a file of table `clips`; a real run has one or a few.

    Raises:
        ValueError: the folder holds something, or a number is not positive.
    """
    if num_clips < 1 or videos_per_file < 1:
        raise ValueError("num_clips and videos_per_file must be at least 1")
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty: name a folder that is new")
    folder.mkdir(parents=True, exist_ok=True)
    workspace, recipe = Workspace(folder), made_recipe()
    values = recipe.model_dump(mode="json")
    with Run(workspace, command="made", recipe=values, recipe_hash=recipe.hash) as run:
        bulk = _Bulk(num_pictured_videos if pictures else 0, camera_hz, videos_per_file)
        maker = _Maker(run, recipe, draw_media(pictures), bulk)
        for number, done in enumerate(range(0, num_clips, CLIPS_PER_PART)):
            random = np.random.default_rng([seed, number])
            maker.make(random, number, min(CLIPS_PER_PART, num_clips - done))
        maker.finish(np.random.default_rng([seed, 1 << 20]))
    return workspace


class _Bulk(NamedTuple):
    """How much of what is large there is."""

    num_pictured_videos: int
    camera_hz: float
    videos_per_file: int


class _Maker:
    """Makes and commits one part after the other, whatever the size of the whole."""

    def __init__(self, run: Run, recipe: Recipe, media: Media, bulk: _Bulk) -> None:
        self._run, self._recipe, self._media, self._bulk = run, recipe, media, bulk
        self._pictured = bulk.num_pictured_videos
        self._writers: dict[str, TableWriter] = {}
        self._sizes = {name: np.zeros(len(CONCEPTS), np.int64) for name in ("", *recipe.subsets)}

    def make(self, random: Random, number: int, most: int) -> None:
        """Draws, judges and commits up to `most` clips."""
        recipe = self._recipe
        footage, sources, videos = _drawn(random, number, most, recipe.videos)
        drawn = draw_clips(random, footage)
        # Judged without paths and pictures, which would be copied for every rule.
        clips = pass_rows(random, footage, drawn)
        concepts = draw_concepts(random, footage.counts)
        looked_at = candidates(recipe.subsets, recipe.selection, clips, videos)
        some = np.asarray(pc.is_in(drawn["clip_id"], looked_at["clip_id"].combine_chunks()))
        scores = draw_scores(random, *_clips(drawn, some), concepts[some])
        selection = self._selection(random, drawn["clip_id"], concepts, clips, videos, scores)
        ids = selection.filter(pc.equal(selection["status"], tables.OK))["clip_id"]
        kept = np.asarray(pc.is_in(drawn["clip_id"], ids.combine_chunks()))
        self._sizes[""] += np.bincount(concepts[kept], minlength=len(CONCEPTS))
        captions = draw_captions(random, *_clips(drawn, kept), concepts[kept], number == 0)
        samples = self._samples(random, footage, selection, clips, videos, captions)
        self._commit("sources", "uri", sources)
        self._append("videos", videos)
        self._commit("clips", "video_id", self._with_bulk(random, footage, drawn, clips))
        self._commit("scores", "clip_id", scores)
        self._append("selection", selection)
        self._commit(CAPTIONS + CAPTIONER, "clip_id", captions)
        for name, rows in samples.items():
            self._commit(SHARDS + name, "clip_id", rows)
        self._pictured = max(0, self._pictured - len(footage.ids))

    def finish(self, random: Random) -> None:
        """Commits the concepts, whose sizes are known now."""
        sizes = dict(self._sizes)
        every = sizes.pop("")
        stamp = fingerprint("made", "concepts")
        self._append("concepts", concept_table(random, every, sizes, int(every.sum()), stamp))

    def _selection(
        self,
        random: Random,
        clip_ids: pa.Array,
        concepts: Ints,
        clips: pa.Table,
        videos: pa.Table,
        scores: pa.Table,
    ) -> pa.Table:
        """The verdicts of all subsets, by the real rules; duplicates are drawn."""
        settings, found = self._recipe.selection, []
        for name, subset in self._recipe.subsets.items():
            verdicts = select(name, subset, settings, clips, videos, scores, "made")
            verdicts = _with_duplicates(random, verdicts, settings)
            kept = np.asarray(pc.equal(verdicts["status"], tables.OK))
            own = concepts[np.asarray(pc.index_in(verdicts["clip_id"], clip_ids))]
            self._sizes[name] += np.bincount(own[kept], minlength=len(CONCEPTS))
            weights = np.where(kept, WEIGHTS[own], 1)
            copies = np.floor(weights + random.random(len(own)) * kept)
            values = {"concept_id": column(own, ~kept), "weight": weights, "copies": copies}
            found.append(made_table(tables.SELECTION, _columns(verdicts) | values))
        return pa.concat_tables(found)

    def _samples(
        self,
        random: Random,
        footage: Footage,
        selection: pa.Table,
        clips: pa.Table,
        videos: pa.Table,
        captions: pa.Table,
    ) -> dict[str, pa.Table]:
        """The rows of `tables.SHARD` by subset: the real bucket and prompt of every kept clip."""
        settings, found = self._recipe.captioning, {}
        for name, subset in self._recipe.subsets.items():
            taken = chosen_captions(
                {CAPTIONS + CAPTIONER: captions},
                settings.training_weights,
                subset.refused_flags,
                settings.camera_confidence,
            )
            wanted = shard_inputs(name, subset.buckets, selection, clips, videos, taken)
            last = footage.ids[: self._pictured][-1:] or [""]
            playable = np.asarray(pc.less_equal(wanted["video_id"], tables.video_id(last[0])))
            found[name] = _sample_rows(random, wanted, self._media, int(playable.sum()))
        return found

    def _with_bulk(
        self, random: Random, footage: Footage, drawn: dict[str, pa.Array], clips: pa.Table
    ) -> pa.Table:
        start_s, duration_s = (np.asarray(drawn[name]) for name in ("start_s", "duration_s"))
        pictured = int(footage.counts[: self._pictured].sum())
        frames = draw_frames(random, self._media, start_s, pictured)
        paths = draw_paths(random, duration_s, self._bulk.camera_hz)
        return with_bulk(clips, footage.counts, drawn, paths, frames)

    def _commit(self, name: str, key: str, rows: pa.Table) -> None:
        """Adds rows to the table of a stage, as the engine does."""
        stamp = fingerprint("made", name)
        rows = rows.append_column(tables.FINGERPRINT, pa.repeat(stamp, rows.num_rows))
        tracked = [one.name for one in tables.CARRIED] if name.startswith(SHARDS) else []
        if name not in self._writers:
            metadata = {**self._run.metadata, "stage": name.partition("/")[0], "fingerprint": stamp}
            indexed = indexed_columns(key, tracked)
            table = self._run.workspace.table(name)
            self._writers[name] = TableWriter(table, rows.schema, indexed, metadata)
        size = self._bulk.videos_per_file * (1 if key == "video_id" else CLIPS_PER_VIDEO)
        slices = (rows.slice(at, size) for at in range(0, rows.num_rows, size))
        uri = self._writers[name].table.uri
        parts = [part for some in slices for part in write_parts(uri, some, key, tracked)]
        self._writers[name].commit(parts)

    def _append(self, name: str, rows: pa.Table) -> None:
        """Adds rows to a derived table."""
        metadata = CommitProperties(custom_metadata=dict(self._run.metadata))
        uri = self._run.workspace.table(name).uri
        write_deltalake(uri, rows, mode="append", commit_properties=metadata)


def _drawn(
    random: Random, number: int, most: int, rules: VideoRules
) -> tuple[Footage, pa.Table, pa.Table]:
    """Accepted videos with `most` clips, and the rows of tables `sources` and `videos` to them."""
    num_videos = 8 + round(1.1 * most / CLIPS_PER_VIDEO)
    while True:
        footage = draw_footage(random, num_videos)
        sources = draw_sources(random, footage, number)
        videos = videos_from_sources(sources, rules)
        accepted = np.asarray(pc.equal(videos["status"], tables.OK))
        num_clips = np.cumsum(footage.counts * accepted)
        if num_clips[-1] >= most:
            break
        num_videos *= 2
    needed = int(np.searchsorted(num_clips, most)) + 1
    accepted[needed:] = False
    videos = videos.slice(0, needed)
    own = pc.is_in(sources["video_id"], videos["video_id"].combine_chunks())
    failed = pc.equal(sources["status"], tables.FAILED)
    return accepted_footage(footage, accepted, most), sources.filter(pc.or_(own, failed)), videos


def _clips(drawn: dict[str, pa.Array], some: Bools) -> tuple[pa.Array, pa.Array]:
    """Ids of some clips and of their videos."""
    ids = drawn["clip_id"].filter(pa.array(some))
    return ids, pc.utf8_slice_codeunits(ids, 0, 16)


def _columns(rows: pa.Table) -> dict[str, pa.ChunkedArray]:
    return dict(zip(rows.schema.names, rows.columns, strict=True))


def _with_duplicates(random: Random, verdicts: pa.Table, settings: SelectionSettings) -> pa.Table:
    """The verdicts with some of the kept clips rejected for others that stay."""
    kept = np.flatnonzero(np.asarray(pc.equal(verdicts["status"], tables.OK)))
    chosen = flags(random, len(kept), DUPLICATE_SHARE)
    if chosen.all() or not chosen.any():
        return verdicts
    is_twice = np.zeros(verdicts.num_rows, bool)
    is_twice[kept[chosen]] = True
    better = np.full(verdicts.num_rows, -1)
    better[is_twice] = random.choice(kept[~chosen], int(chosen.sum()))
    ids = verdicts["clip_id"]
    with duckdb.connect() as connection:
        connection.register("ids", pa.table({"clip_id": ids}))
        audit = connection.sql(
            f"SELECT {AUDIT_SQL} AS audit FROM ids",  # noqa: S608 - SQL of the selection
            params={"seed": str(settings.seed), "audit_share": settings.audit_share},
        ).to_arrow_table()["audit"]
    values = {
        "status": pc.if_else(pa.array(is_twice), tables.REJECTED, verdicts["status"]),
        "reason": pc.if_else(pa.array(is_twice), DUPLICATE, verdicts["reason"]),
        "audit": pc.if_else(pa.array(is_twice), audit, verdicts["audit"]),
        "duplicate_of": ids.take(pa.array(better, mask=~is_twice)),
        "cosine": column(random.uniform(0.7, 1, verdicts.num_rows), ~is_twice),
    }
    return made_table(tables.SELECTION, _columns(verdicts) | values)


def _sample_rows(random: Random, wanted: pa.Table, media: Media, num_playable: int) -> pa.Table:
    """The rows of `tables.SHARD` for these rows of `curation.shards.INPUTS`."""
    num = wanted.num_rows
    made = draw_samples(random, media, num, num_playable)
    refused = np.asarray(wanted["caption_refused"])
    failed = flags(random, num, SHARD_FAILED_SHARE) & ~refused
    state = np.where(refused, 1, np.where(failed, 2, 0))
    nothing = pa.array(state != 0)
    values = {
        name: pc.if_else(nothing, pa.scalar(None, made[name].type), made[name])
        for name in made.schema.names
    }
    values |= {
        "uri": pc.list_element(wanted["uris"], 0),
        "status": picked([tables.OK, tables.REJECTED, tables.FAILED], state),
        "reason": picked([None, REFUSED, "timeout"], state),
        "error": picked([None, None, "made: encoding passed its time limit"], state),
        "cpu_s": random.gamma(4.0, 0.2, num),
    }
    return made_table(tables.SHARD, _columns(wanted) | values)


def main() -> None:
    """Makes one and prints what that took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=1_000_000)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pictures", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--camera-hz", type=float, default=4.0)
    parser.add_argument("--videos-per-file", type=int, default=1_000)
    given = parser.parse_args()
    began = time.perf_counter()
    make_workspace(
        given.into,
        given.clips,
        given.seed,
        given.pictures,
        camera_hz=given.camera_hz,
        videos_per_file=given.videos_per_file,
    )
    took_s = time.perf_counter() - began
    size = sum(path.stat().st_size for path in given.into.rglob("*") if path.is_file())
    print(f"{given.clips:,} clips in {took_s:.1f} s, {size:,} bytes")


if __name__ == "__main__":
    main()
