"""The small columns of a table of samples, checked and turned into those of an index."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.tables import OK
from training.data.buckets import Bucket
from training.data.rows import Columns

_BOTH = ("clip_id", "video_id", "num_frames", "weight", "source", "status")

LATENT_COLUMNS: Columns = {
    name: pc.field(name) for name in (*_BOTH, "latent_shape", "image_shape", "encoder_hash")
} | {"has_arrays": pc.is_valid(pc.field("latent_shape"))}
"""What an index reads of `latents/<subset>`."""

SHARD_COLUMNS: Columns = {
    name: pc.field(name) for name in (*_BOTH, "bucket", "width", "height")
} | {"has_arrays": pc.is_valid(pc.field("prompt"))}
"""What an index reads of `shards/<subset>`. A sample without a prompt is not used, as `moviola
encode` does not."""

_ARRAYS = {"latent_shape": ("latent", "image_latent", "text"), "bucket": ("video", "prompt")}
"""What is read later, by a column of the table that has them."""

ShardBucket = Callable[[str, int, int, int], Bucket]
"""The latents of a sample of a shard, by its bucket, frames, width and height in px."""

Numbers = npt.NDArray[np.int64]
Buckets = tuple[tuple[Bucket, ...], Numbers, Numbers]
"""All buckets, then which of them each row has, and which its image; -1 for none."""


def check_columns(schema: pa.Schema, columns: Columns, table: str) -> None:
    """Checks that the table has all columns that are read of it.

    Raises:
        ValueError: it lacks some, which the message names.
    """
    needed = [name for name in columns if name != "has_arrays"]
    needed += [name for key, names in _ARRAYS.items() if key in columns for name in names]
    if missing := [name for name in needed if name not in schema.names]:
        command = "encode" if "latent_shape" in columns else "curate"
        raise ValueError(
            f"{table} has no column {', '.join(missing)}: it is of another version of Moviola. Run "
            f"`moviola {command}` again to make it anew"
        )


def usable(rows: pa.Table, table: str) -> pa.Table:
    """The rows that are `ok` and have arrays, in the order of their ids.

    Raises:
        ValueError: there is none, or an id is there twice.
    """
    is_ok = pc.fill_null(pc.equal(rows["status"], OK), False)
    if not rows.num_rows:
        raise ValueError(f"{table} has no rows: run the command that makes it first")
    found = rows.filter(pc.and_(is_ok, rows["has_arrays"])).sort_by("clip_id")
    if not found.num_rows:
        raise ValueError(
            f"none of the {rows.num_rows} rows of {table} is ok and has a prompt: "
            f"`moviola sql` tells their status and reason"
        )
    ids = found["clip_id"].combine_chunks()
    twice = pc.index(pc.equal(ids[1:], ids[:-1]), True).as_py()
    if twice >= 0:
        raise ValueError(f"{table} has {ids[twice]} more than once: make it anew")
    return found


def selected(rows: pa.Table, selection: pa.Table, subset: str) -> pa.Table:
    """The rows that the selection keeps, with its `weight` and `concept_id`.

    Raises:
        ValueError: it keeps none of them.
    """
    of_subset = pc.equal(selection["subset"], subset)
    kept = selection.filter(pc.and_(of_subset, pc.equal(selection["status"], OK)))
    at = pc.index_in(rows["clip_id"], value_set=kept["clip_id"].combine_chunks())
    found = rows.filter(pc.is_valid(at))
    if not found.num_rows:
        raise ValueError(
            f"the selection of subset {subset} keeps none of the {rows.num_rows} samples of "
            "the table: make them anew with `moviola curate`, and `moviola encode` after it"
        )
    said = kept.take(pc.drop_null(at))
    place = found.column_names.index("weight")
    found = found.set_column(place, "weight", said["weight"])
    return found.append_column("concept_id", said["concept_id"])


def check_hash(hashes: pa.ChunkedArray, expected: str | None, table: str) -> None:
    """Checks that the latents are of the same encoders, those that are expected.

    Raises:
        ValueError: they are not; the message has both hashes.
    """
    found = [f"{one}" for one in pc.unique(hashes).to_pylist()]
    again = "run `moviola encode` again with the recipe of this training: it encodes what is stale"
    if len(found) > 1:
        raise ValueError(f"{table} mixes encoders of hashes {' and '.join(sorted(found))}: {again}")
    if expected is not None and found != [expected]:
        raise ValueError(
            f"{table} is stale: its encoders and settings have the hash {found[0]}, and those of "
            f"the recipe have {expected}: {again}"
        )


def weights(rows: pa.Table, table: str) -> npt.NDArray[np.float64]:
    """The sampling weight of each row; 1 where none is stored.

    Raises:
        ValueError: one is below 0 or no number, or all are 0.
    """
    found = np.asarray(pc.fill_null(rows["weight"], 1.0), np.float64)
    wrong = np.flatnonzero(~(np.isfinite(found) & (found >= 0)))
    if len(wrong):
        raise ValueError(
            f"the weight of {rows['clip_id'][int(wrong[0])]} in {table} is {found[wrong[0]]}: it "
            "should be 0 or more; run `moviola select` again"
        )
    if not found.any():
        raise ValueError(f"all weights of {table} are 0: run `moviola select` again")
    return found


def latent_buckets(rows: pa.Table, table: str) -> tuple[int, Buckets]:
    """The channels of latents, and their buckets by their shapes.

    Raises:
        ValueError: a shape is none, or they do not all have the same channels.
    """
    shapes, images = (_shapes(rows, name, table) for name in ("latent_shape", "image_shape"))
    channels = np.unique(np.concatenate([shapes[:, 0], images[images[:, 0] > 0, 0]]))
    if len(channels) > 1:
        raise ValueError(
            f"{table} has latents of {' and '.join(map(str, channels))} channels: run `moviola "
            "encode` again"
        )
    is_image = rows["num_frames"].to_numpy() == 1
    images[is_image] = shapes[is_image]
    return int(channels[0]), _numbered(shapes[:, 1:], images[:, 1:])


def _shapes(rows: pa.Table, column: str, table: str) -> Numbers:
    """Channels, frames, rows and columns of each row, `[N, 4]`; 0 where there is no array."""
    lists = rows[column].combine_chunks()
    has = np.asarray(lists.is_valid())
    lengths = np.asarray(pc.fill_null(pc.list_value_length(lists), 4))
    flat = np.asarray(pc.fill_null(lists.flatten(), 0), np.int64)
    bad = np.flatnonzero(lengths != 4)
    if not len(bad):
        shapes = np.zeros((len(lists), 4), np.int64)
        shapes[has] = flat.reshape(-1, 4)
        bad = np.flatnonzero(has & (shapes < 1).any(axis=1))
    if len(bad):
        one = int(bad[0])
        raise ValueError(
            f"{column} of {rows['clip_id'][one]} in {table} is {lists[one]}, which is no shape of "
            "channels, frames, rows and columns: run `moviola encode` again"
        )
    return shapes


def sample_buckets(rows: pa.Table, shard_bucket: ShardBucket) -> Buckets:
    """The buckets of samples of shards, by their sizes, and of their middle frames."""
    columns = (rows[name].to_pylist() for name in ("bucket", "num_frames", "width", "height"))
    sizes = list(zip(*columns, strict=True))
    of_clip = {size: shard_bucket(*size) for size in set(sizes)}
    of_image = {size: shard_bucket(size[0], 1, *size[2:]) for size in of_clip}
    buckets = tuple(sorted({*of_clip.values(), *of_image.values()}))
    number = {bucket: place for place, bucket in enumerate(buckets)}
    found, images = (
        np.array([number[of[size]] for size in sizes], np.int64) for of in (of_clip, of_image)
    )
    return buckets, found, images


def _numbered(shapes: Numbers, images: Numbers) -> Buckets:
    """The distinct shapes as buckets in their order, and which each row has; 0 is no shape."""
    both = np.concatenate([shapes, images])
    unique, number = np.unique(both, axis=0, return_inverse=True)
    number = number.reshape(-1)
    none = int((unique == 0).all(axis=1).any())
    buckets = tuple(Bucket(*one) for one in unique[none:].tolist())
    return buckets, number[: len(shapes)] - none, number[len(shapes) :] - none
