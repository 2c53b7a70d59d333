"""The clips of a table `shards/<subset>`, as the autoencoder is trained on them."""

import numpy as np
import pyarrow.compute as pc
import pyarrow.dataset as ds

from curation.media.errors import MediaError
from curation.media.samples import decode_sample
from curation.tables import OK
from training.data.rows import RowReader, scan
from training.pixels import Frames

COLUMNS = ("clip_id", "video_id", "num_frames", "status")


class ShardClips:
    """Decodes a clip whenever it is asked for, by one thread at a time.

    Attributes:
        clip_ids: sorted, so that the order does not depend on files.
        video_ids: of each, the video that it was cut from.
        num_frames: of each; 1 is an image.
    """

    def __init__(self, dataset: ds.Dataset) -> None:
        """Reads the small columns.

        Args:
            dataset: the committed rows of the table.

        Raises:
            ValueError: a file of the table cannot be read, or no row is `ok`.
        """
        rows, places = scan(dataset, {name: pc.field(name) for name in COLUMNS})
        usable = np.flatnonzero(pc.fill_null(pc.equal(rows["status"], OK), False).to_numpy())
        order = usable[pc.sort_indices(rows["clip_id"].take(usable)).to_numpy()]
        if not len(order):
            raise ValueError("the shards hold no sample that is ok: there is nothing to train on")
        rows = rows.take(order)
        self.clip_ids: list[str] = rows["clip_id"].to_pylist()
        self.video_ids: list[str] = rows["video_id"].to_pylist()
        self.num_frames: list[int] = rows["num_frames"].to_pylist()
        self._reader = RowReader(places.take(order))

    def read(self, number: int) -> Frames:
        """The frames of one, RGB, `[T, H, W, 3]`.

        Raises:
            MediaError: they cannot be read.
        """
        [stored] = self._reader.read([number], ("clip_id", "video"))
        if isinstance(stored, str):
            raise MediaError("unreadable", stored)
        content = stored["video"][0].as_py()
        if not content:
            raise MediaError("unreadable", f"{self.clip_ids[number]} has no video")
        return decode_sample(content)
