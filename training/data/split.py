"""Which videos are held out: only evaluated on, never trained on."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from training.data.draws import keys_of


def units(video_ids: pa.Array, clip_ids: pa.Array) -> pa.Array:
    """What is held out as a whole: videos; the clips, where all of them are of one video."""
    return video_ids if len(video_ids.unique()) > 1 else clip_ids


def is_held_out(video_ids: pa.Array, share: float) -> npt.NDArray[np.bool_]:
    """Whether each sample is held out, by the hash of its video's id alone, `[N]`.

    A video is held out in every stage and run with the same share, and with any larger share, and
    no clip of it is trained on: stages of different subsets do not train on what others evaluate
    on. Small subsets are the exception. Of two videos or more, at least one is held out where the
    share is above 0, and one is not; so where the hashes alone would hold out none or all of a
    subset, one video is on another side than they say, and may be on theirs in another subset.
    Where `units` are clips, other stages may have the clip's video on either side.

    Args:
        video_ids: of each sample.
        share: of all videos, about.
    """
    encoded = video_ids.dictionary_encode()
    keys = keys_of(encoded.dictionary.to_pylist())
    if share == 0 or len(keys) < 2:
        return np.zeros(len(video_ids), np.bool_)
    held = keys < np.uint64(int(share * 2**64))
    if not held.any():
        held[keys.argmin()] = True
    if held.all():
        held[keys.argmax()] = False
    return np.asarray(held[np.asarray(pc.fill_null(encoded.indices, 0))])
