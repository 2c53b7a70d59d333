"""Cuts the kept clips out of their sources: one training sample per row, video bytes included."""

import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from curation import tables
from curation.buckets import SHAPE, Bucket, BucketSettings, clip_bucket
from curation.ingest import content_hash
from curation.media.cut import Framing
from curation.media.errors import MediaError
from curation.media.sandbox import Limits, Sandbox
from curation.settings import Settings, fingerprint
from curation.stage import Stage
from curation.storage import StorageError, local_copy
from curation.views import Rows, connect

Preset = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"
]


class ShardsSettings(Settings):
    """How the samples are encoded."""

    crf: int = Field(default=18, ge=1, le=51)
    """Constant rate factor of x264: 18 looks like the source, +6 halves the size."""

    preset: Preset = "veryfast"
    """Speed of x264 against size; at 256 px `medium` takes twice the time for the same size."""

    jpeg_quality: int = Field(default=95, ge=1, le=100)
    """Quality of images."""


_MADE = ("video", "video_sha256", "uri", *(field.name for field in tables.STATE))
_NEEDED = [
    pa.field("uris", pa.list_(pa.string())),
    pa.field("stream_index", pa.int16()),
    pa.field("rotation_deg", pa.int16()),
    pa.field("is_image", pa.bool_()),
    pa.field("caption_refused", pa.bool_()),
]
INPUTS = pa.schema([*(field for field in tables.SHARD if field.name not in _MADE), *_NEEDED])
"""What the stage reads: all of a sample but its bytes, and how to get at those."""

_BUCKET = ("bucket", "num_frames", "width", "height", "fps", "fps_token", "start_s", "end_s")
TAKEN = pa.schema(
    [
        tables.SHARD.field("clip_id"),
        *(tables.SHARD.field(name) for name in ("camera_prefix", "caption", "captioner")),
        *(tables.SHARD.field(name) for name in ("prompt_version", "caption_flags")),
        pa.field("caption_refused", pa.bool_()),
        pa.field("caption_judged", pa.bool_()),
    ]
)
"""What is known of the caption of a clip: the one that the subset takes, and whether a person
accepted or wrote it; or that the subset takes none of those that there are."""

REFUSED = "caption"
"""The reason of a kept clip that gives no sample, because the subset takes none of its captions."""


def shard_inputs(
    subset: str,
    buckets: BucketSettings,
    selection: Rows,
    clips: Rows,
    videos: Rows,
    captions: Rows | None = None,
) -> pa.Table:
    """A row of `INPUTS` for each clip that the subset keeps, sorted by `clip_id`.

    So the clips of one video are neighbours, and its file is fetched and checked once for them all.

    Args:
        subset: its name.
        buckets: its shapes.
        selection: table `selection`.
        clips: table `clips`.
        videos: table `videos`.
        captions: at most one row per clip, with columns `TAKEN`. None where nothing captions.
    """
    own = {
        "weight": "s.weight",
        "subset": "s.subset",
        "source_sha256": "v.sha256",
        "stream_index": "v.stream_index",
        "source_width": "v.width",
        "source_height": "v.height",
        "source_fps": "v.fps",
        **{name: f"v.{name}" for name in ("uris", *(field.name for field in tables.CARRIED))},
        **{name: f"t.{name}" for name in TAKEN.names[1:]},
        "caption_refused": "coalesce(t.caption_refused, false)",
    }
    columns = [
        f"{own.get(name, 'c.' + name)} AS {name}"
        for name in INPUTS.names
        if name not in (*_BUCKET, "prompt")
    ]
    rows = {"selection": selection, "clips": clips, "videos": videos}
    with connect(rows) as connection:
        connection.register("taken", TAKEN.empty_table() if captions is None else captions)
        found = connection.sql(
            f"""SELECT {", ".join(columns)}, c.start_s AS clip_start_s,
                [{", ".join(f"c.{name}::DOUBLE" for name in SHAPE)}] AS shape
            FROM selection AS s JOIN clips AS c ON c.clip_id = s.clip_id
            JOIN videos AS v ON v.video_id = s.video_id
            LEFT JOIN taken AS t ON t.clip_id = s.clip_id
            WHERE s.subset = $subset AND s.status = '{tables.OK}' ORDER BY s.clip_id""",  # noqa: S608
            params={"subset": subset},
        ).to_arrow_table()
    ranges = zip(found["clip_start_s"].to_pylist(), found["shape"].to_pylist(), strict=True)
    taken = [_bucket_columns(start_s, clip_bucket(shape, buckets)) for start_s, shape in ranges]
    made = pa.Table.from_pylist(taken, schema=pa.schema([INPUTS.field(name) for name in _BUCKET]))
    merged = {name: made[name] for name in _BUCKET}
    merged |= {name: found[name] for name in INPUTS.names if name in found.column_names}
    texts = (merged[name].to_pylist() for name in ("fps_token", "camera_prefix", "caption"))
    merged["prompt"] = pa.array(map(tables.full_prompt, *texts), pa.string())
    return pa.table({name: merged[name] for name in INPUTS.names}).cast(INPUTS)


def _bucket_columns(clip_start_s: float, bucket: Bucket | str) -> dict[str, Any]:
    assert isinstance(bucket, Bucket), "the selection keeps only what has a bucket"
    start_s = clip_start_s + bucket.offset_s
    return {
        "bucket": bucket.name,
        "num_frames": bucket.num_frames,
        "width": bucket.width,
        "height": bucket.height,
        "fps": bucket.fps,
        "fps_token": bucket.fps_token,
        "start_s": start_s,
        "end_s": start_s + bucket.taken_s,
    }


class ShardsStage(Stage):
    """Cuts and encodes each kept clip, in a confined child process.

    A sample carries the caption that is current when it is written; another caption later does not
    cut it again.
    """

    name: ClassVar[str] = "shards"
    key: ClassVar[str] = "clip_id"
    tracked: ClassVar[tuple[str, ...]] = tuple(field.name for field in tables.CARRIED)
    version: ClassVar[int] = 2
    schema: ClassVar[pa.Schema] = tables.SHARD

    def __init__(
        self, settings: ShardsSettings, buckets: BucketSettings, limits: Limits, upstream: str
    ) -> None:
        """Says what to do; `setup` prepares the worker.

        Args:
            settings: how samples are encoded.
            buckets: the shapes of the subset, as given to `shard_inputs`.
            limits: what one sample may use.
            upstream: names the settings that the clips' ranges and measures depend on.
        """
        self._settings, self._buckets, self._limits = settings, buckets, limits
        self._upstream = upstream

    @property
    def fingerprint(self) -> str:
        """Changes with the version, the encoding, the buckets, and what made the clips."""
        return fingerprint(self.name, self.version, self._settings, self._buckets, self._upstream)

    def setup(self) -> None:
        """Starts the confined helper process, which imports the media libraries once."""
        self._sandbox = Sandbox(self._limits)
        self._checked: tuple[object, ...] = ()

    def __call__(self, batch: pa.Table) -> pa.Table:
        """One sample per clip; neighbours of one video share the fetch and check of its file."""
        given = batch.to_pylist()
        rows = [_refused(row) for row in given if row["caption_refused"]]
        taken = (row for row in given if not row["caption_refused"])
        for _, clips in groupby(taken, key=itemgetter("video_id")):
            rows += self._of_one_video([*clips])
        return pa.concat_tables(rows)

    def _of_one_video(self, clips: list[dict[str, Any]]) -> Iterator[pa.Table]:
        problem = MediaError("unreadable", "the video has no file")
        for uri in clips[0]["uris"]:
            try:
                with local_copy(uri, Path(tempfile.gettempdir())) as path:
                    self._check(path, uri, clips[0]["source_sha256"])
                    samples = [self._sample(clip | {"uri": uri}, path) for clip in clips]
                    self._check(path, uri, clips[0]["source_sha256"])
                    return iter(samples)
            except MediaError as error:
                problem = error
            except StorageError as error:
                problem = MediaError("unreadable", f"{uri}: {error}")
        return (_failed(clip, problem.reason, str(problem)) for clip in clips)

    def _check(self, path: Path, uri: str, sha256: str) -> None:
        """Refuses a file that is not what was analysed; hashes it only where it was touched since.

        Raises:
            MediaError: `changed`, or what reading the file raises.
        """
        found = path.stat()
        seen = (path, found.st_ino, found.st_size, found.st_mtime_ns, sha256)
        if seen != self._checked:
            if content_hash(path) != sha256:
                raise MediaError("changed", f"{uri} no longer has the content that was analysed")
            self._checked = seen

    def _sample(self, clip: dict[str, Any], path: Path) -> pa.Table:
        common = {
            "path": str(path),
            "stream_index": clip["stream_index"],
            "rotation_deg": clip["rotation_deg"],
            "framing": asdict(self._framing(clip)),
        }
        if clip["is_image"]:
            outcome = self._sandbox.run(
                "curation.media.cut:cut_image", **common, quality=self._settings.jpeg_quality
            )
        else:
            outcome = self._sandbox.run(
                "curation.media.cut:cut_clip",
                **common,
                **{name: clip[name] for name in ("start_s", "end_s", "num_frames")},
                crf=self._settings.crf,
                preset=self._settings.preset,
            )
        if outcome.result is None:
            assert outcome.reason is not None
            return _failed(clip, outcome.reason, outcome.error or "", outcome.cpu_s)
        sample = clip | {
            "video": outcome.result,
            "video_sha256": tables.content_sha256(outcome.result),
            "status": tables.OK,
            "cpu_s": outcome.cpu_s,
        }
        return pa.Table.from_pylist([sample], schema=tables.SHARD)

    def _framing(self, clip: dict[str, Any]) -> Framing:
        width, height = clip["source_width"], clip["source_height"]
        part = (0, 0, width, height)
        if self._buckets.crop_borders and clip["content_width"] and clip["content_height"]:
            sides = ("content_x", "content_y", "content_width", "content_height")
            x, y, part_width, part_height = (clip[side] or 0 for side in sides)
            part = (x, y, part_width, part_height)
        return Framing(width, height, *part, clip["width"], clip["height"])


def _refused(clip: dict[str, Any]) -> pa.Table:
    row = clip | {"status": tables.REJECTED, "reason": REFUSED, "cpu_s": 0.0}
    return pa.Table.from_pylist([row], schema=tables.SHARD)


def _failed(clip: dict[str, Any], reason: str, error: str, cpu_s: float = 0.0) -> pa.Table:
    key = {name: clip[name] for name in ("clip_id", "video_id", "subset")}
    # Names in messages may hold bytes that are no UTF-8, which Arrow refuses.
    words = error.encode("utf-8", "replace").decode()
    return tables.failed_row(tables.SHARD, key, reason, words, cpu_s)
