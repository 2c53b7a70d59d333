"""What the captions stage reads of a clip: of tables on the driver, of their files in a worker."""

from typing import Any

import pyarrow as pa

from captioning import camera
from captioning.captioner import CaptionClip, NoDraft, TimedFrame
from curation.stored_clips import StoredClip, picture
from curation.tables import MEASURES, OK, SCORES
from curation.views import Rows, connect

NUMBERS = tuple(
    field.name
    for field in MEASURES
    if pa.types.is_floating(field.type) or pa.types.is_integer(field.type)
)
"""The measures that are numbers."""

FROM_SCORES = ("people",)
"""Scores that captioners see beside the measures."""

SEEN = ("models", "concept_labels", "attributes", "text", "text_lines", *FROM_SCORES)
"""The columns of `scores` that are read."""

CLIP_FIELDS = ("clip_id", "start_s", "duration_s", *NUMBERS, "camera_path")
"""What is read of a clip in table `clips`, beside its frames."""

INPUTS = pa.schema(
    [
        ("clip_id", pa.string()),
        ("video_id", pa.string()),
        ("part", pa.string()),
        ("is_image", pa.bool_()),
        ("aspect", pa.float64()),
        *(SCORES.field(name) for name in SEEN),
    ]
)
"""What the stage reads: the clip, the part of table `clips` that holds it, and its scores."""


def caption_inputs(
    clip_ids: pa.Array, parts: pa.Table, clips: Rows, videos: Rows, scores: Rows
) -> pa.Table:
    """A row of `INPUTS` for each of the clips that table `clips` has, sorted by `clip_id`.

    Args:
        clip_ids: which.
        parts: `video_id` and the `path` of the part of table `clips` that holds its row.
        clips: table `clips`.
        videos: table `videos`.
        scores: table `scores`; what is missing there is not known.
    """
    with connect({"clips": clips, "videos": videos, "scores": scores}) as connection:
        connection.register("wanted", pa.table({"clip_id": clip_ids.cast(pa.string())}))
        connection.register("parts", parts.select(["video_id", "path"]))
        own = {"part": "p.path", "is_image": "c.is_image", "aspect": "c.aspect"}
        own |= {name: f"s.{name}" for name in SEEN}
        columns = ", ".join(f"{own.get(name, 'c.' + name)} AS {name}" for name in INPUTS.names)
        found = connection.sql(
            f"""SELECT {columns} FROM wanted JOIN clips AS c ON c.clip_id = wanted.clip_id
            JOIN parts AS p ON p.video_id = c.video_id
            LEFT JOIN (FROM scores WHERE status = '{OK}') AS s ON s.clip_id = c.clip_id
            ORDER BY c.clip_id"""  # noqa: S608 - names of this module
        )
        return found.to_arrow_table().cast(INPUTS)


def caption_clip(row: dict[str, Any], stored: StoredClip | None) -> CaptionClip | NoDraft:
    """The clip as captioners see it, or why it cannot be had.

    Args:
        row: of `INPUTS`.
        stored: of table `clips`, with `CLIP_FIELDS`; None where its part no longer holds it.
    """
    if stored is None:
        return NoDraft("changed", f"{row['part']} no longer holds its frames")
    signals = stored.signals
    frames = []
    for one in stored.frames:
        shown = picture(one["jpeg"])
        if shown is None:
            return NoDraft("frames", "one of its stored frames is no JPEG that can be decoded")
        frames.append(TimedFrame(one["time_s"] - signals["start_s"], shown))
    if not frames:
        return NoDraft("frames", "it has no stored frame")
    path = camera.camera_path(signals)
    aspect, shake = row["aspect"], signals["camera_shake"] or 0.0
    is_image = bool(row["is_image"])
    # Only ConSE's labels name things; those of a CLIP are phrases of any form.
    names_things = any(model.startswith("conse:") for model in row["models"] or [])
    labels = (row["concept_labels"] or []) if names_things else []
    return CaptionClip(
        clip_id=row["clip_id"],
        is_image=is_image,
        duration_s=signals["duration_s"],
        frames=tuple(frames),
        camera=None if is_image else camera.camera_label(path, aspect, shake),
        camera_segments=() if is_image else tuple(camera.camera_segments(path, aspect)),
        measures={name: signals[name] for name in NUMBERS} | {one: row[one] for one in FROM_SCORES},
        path=tuple(path),
        labels=tuple((one["label"], one["score"]) for one in labels),
        attributes=tuple(
            (one["kind"], one["value"], one["score"]) for one in row["attributes"] or []
        ),
        text=row["text"],
        text_lines=tuple((one["text"], one["score"]) for one in row["text_lines"] or []),
    )
