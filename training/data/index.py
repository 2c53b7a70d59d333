"""What there is to train on: a row for each sample of a subset, without its arrays."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from training.data.buckets import Bucket, check_positions
from training.data.columns import (
    LATENT_COLUMNS,
    SHARD_COLUMNS,
    ShardBucket,
    check_columns,
    check_hash,
    latent_buckets,
    sample_buckets,
    selected,
    usable,
    weights,
)
from training.data.draws import Keys, keys_of
from training.data.rows import Places, scan
from training.data.split import is_held_out, units
from training.settings import DataSettings, PositionSettings

NO_CONCEPT = -1
"""The concept of a sample that has none."""

Rows = npt.NDArray[np.int64]
"""Rows of an index, `[n]`."""


@dataclass(frozen=True)
class SampleIndex:
    """The samples of a subset in the order of their ids; every column has a row for each."""

    subset: str
    ids: pa.Array
    keys: Keys
    """Of the ids, for `draws`."""

    channels: int
    """Of stored latents; 0 for shards."""

    buckets: tuple[Bucket, ...]
    bucket: Rows
    """Of `buckets`."""

    image_bucket: Rows
    """Of `buckets`: of its middle frame, or of the image that it is; -1 where there is none."""

    is_image: npt.NDArray[np.bool_]
    """Whether the sample is a single frame."""

    weights: npt.NDArray[np.float64]
    concepts: npt.NDArray[np.int32]
    """`concept_id`, or `NO_CONCEPT`."""

    sources: pa.Array
    held_out: npt.NDArray[np.bool_]
    """Whether it is only evaluated on."""

    places: Places
    num_unselected: int
    """Samples of the table that are left out because the selection no longer keeps them."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def training_rows(self) -> Rows:
        """Those that are trained on."""
        return np.flatnonzero(~self.held_out)

    @property
    def held_out_rows(self) -> Rows:
        """Those that are only evaluated on."""
        return np.flatnonzero(self.held_out)

    def clips(self, rows: Rows) -> Rows:
        """Those of the rows that are clips."""
        return rows[~self.is_image[rows]]

    def images(self, rows: Rows) -> Rows:
        """Those of the rows that give images: samples of one frame, or else clips by their middle.

        Clips do so only where the whole index has no sample of one frame.
        """
        if self.is_image.any():
            return rows[self.is_image[rows]]
        return rows[self.image_bucket[rows] >= 0]


def read_index(
    dataset: ds.Dataset,
    selection: pa.Table | None,
    settings: DataSettings,
    positions: PositionSettings,
    expected_hash: str | None = None,
    shard_bucket: ShardBucket | None = None,
) -> SampleIndex:
    """The samples of `latents/<subset>` or `shards/<subset>` that are `ok`.

    Args:
        dataset: the committed rows of the table that `settings.source` names; small columns only
            are read of it.
        selection: the table `selection`, which says weight and concept of each clip, and whether
            the subset keeps it; without it the weights are those of the dataset.
        settings: the subset, and what is held out of it.
        positions: the tables of positions that the buckets must fit in.
        expected_hash: the `encoder_hash` that the recipe's encoders have; None takes any.
        shard_bucket: for shards, the latents that a sample becomes.

    Raises:
        ValueError: there is no sample, or none of the kind that is asked for; columns are missing;
            latents are of other encoders than expected, or of several; a bucket is larger than the
            tables of positions; a weight is no number of 0 or more. The message says what to do.
    """
    table = f"{settings.source}/{settings.subset}"
    of_latents = settings.source == "latents"
    columns = LATENT_COLUMNS if of_latents else SHARD_COLUMNS
    check_columns(dataset.schema, columns, table)
    rows, places = scan(dataset, columns)
    rows = usable(rows.append_column("place", pa.array(np.arange(rows.num_rows))), table)
    num_usable = rows.num_rows
    if selection is not None:
        rows = selected(rows, selection, settings.subset)
    if of_latents:
        check_hash(rows["encoder_hash"], expected_hash, table)
        channels, (buckets, bucket, image_bucket) = latent_buckets(rows, table)
    else:
        assert shard_bucket is not None
        channels = 0
        buckets, bucket, image_bucket = sample_buckets(rows, shard_bucket)
    video_ids, clip_ids = (rows[name].combine_chunks() for name in ("video_id", "clip_id"))
    index = SampleIndex(
        subset=settings.subset,
        ids=clip_ids,
        keys=keys_of(rows["clip_id"].to_pylist()),
        channels=channels,
        buckets=buckets,
        bucket=bucket,
        image_bucket=image_bucket,
        is_image=rows["num_frames"].to_numpy() == 1,
        weights=weights(rows, table),
        concepts=_concepts(rows),
        sources=rows["source"].combine_chunks(),
        held_out=is_held_out(units(video_ids, clip_ids), settings.held_out_share),
        places=places.take(rows["place"].to_numpy()),
        num_unselected=num_usable - rows.num_rows,
    )
    _check_use(index, settings, positions, table)
    return index


def _concepts(rows: pa.Table) -> npt.NDArray[np.int32]:
    if "concept_id" not in rows.column_names:
        return np.full(rows.num_rows, NO_CONCEPT, np.int32)
    return np.asarray(pc.fill_null(rows["concept_id"], NO_CONCEPT), np.int32)


def _check_use(
    index: SampleIndex, settings: DataSettings, positions: PositionSettings, table: str
) -> None:
    """Checks that there is what the stage asks for, and that it fits in the tables of positions."""
    share, rows = settings.image_share, index.training_rows
    clips, images = index.clips(rows), index.images(rows)
    if share < 1 and not len(clips):
        raise ValueError(
            f"{table} has only images to train on: set data.image_share of the stage to 1"
        )
    if share > 0 and not len(images):
        raise ValueError(
            f"{table} has neither images nor middle frames of clips to train on: set "
            "data.image_share of the stage to 0, or run `moviola encode` again"
        )
    every = np.arange(len(index))
    used = {*index.bucket[index.clips(every)].tolist()} if share < 1 else set()
    used |= {*index.image_bucket[index.images(every)].tolist()} if share > 0 else set()
    for bucket in sorted(index.buckets[one] for one in used):
        check_positions(bucket, positions, settings.subset)
