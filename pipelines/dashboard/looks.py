"""Which clips look alike, by their concept embeddings, of which the index keeps two short forms.

- Bits that say on which sides of random planes an embedding lies. The share of planes that part two
  embeddings is the angle between them, over pi (Charikar, "Similarity estimation techniques from
  rounding algorithms", STOC 2002, section 3). A million clips are compared by them in a fraction
  of a second, which finds those that may be the nearest.
- A code of a byte a number, which tells their cosines to within 0.01.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

WORDS = 8
"""Each of 64 bits."""

NUM_PLANES = 64 * WORDS

SHORTLIST = 256
"""Clips whose cosines are computed; so many that the nearest are hardly ever missed."""

LOOKS = pa.schema(
    [
        pa.field("clip_id", pa.string()),
        pa.field("video_id", pa.string()),
        pa.field("models", pa.string()),
        *(pa.field(f"look_{word}", pa.uint64()) for word in range(WORDS)),
        pa.field("code", pa.binary()),
    ]
)
"""A row per clip that has an embedding. Only looks of the same models can be compared."""

_DIFFERING = " + ".join(f"bit_count(xor(l.look_{w}, own.look_{w}))::INT" for w in range(WORDS))

NEAREST = f"""SELECT l.clip_id, l.code, own.code AS own_code
FROM looks AS l, (FROM looks WHERE clip_id = $clip) AS own
WHERE l.models = own.models AND l.video_id <> own.video_id
ORDER BY {_DIFFERING}, l.clip_id LIMIT {SHORTLIST}"""  # noqa: S608 - names are ours
"""The clips of other videos that may look the most alike; `$clip` is asked for."""


def looks(scores: pa.RecordBatch) -> pa.Table:
    """The looks, `LOOKS`, of the clips that have an embedding.

    Args:
        scores: `clip_id`, `video_id`, `models` and `concept_embedding`.
    """
    lengths = pc.fill_null(pc.list_value_length(scores["concept_embedding"]), 0)
    parts = [LOOKS.empty_table()]
    for length in sorted(pc.unique(lengths).to_pylist()):
        if length:
            rows = scores.filter(pc.equal(lengths, length))
            numbers = rows["concept_embedding"].flatten().to_numpy(zero_copy_only=False)
            parts.append(_looks(rows, numbers.astype(np.float32).reshape(-1, length)))
    return pa.concat_tables(parts)


def signs(embeddings: npt.NDArray[np.float32]) -> npt.NDArray[np.uint64]:
    """`[N, WORDS]` on which side of each plane the embeddings, `[N, D]` of any length, lie."""
    sides = embeddings @ _planes(embeddings.shape[1]) > 0
    return np.packbits(sides, axis=1).view(np.uint64)


def codes(embeddings: npt.NDArray[np.float32]) -> npt.NDArray[np.int8]:
    """`[N, D]` the embeddings, `[N, D]`, each scaled so that its largest number is 127 or -127."""
    largest = np.abs(embeddings).max(axis=1, keepdims=True, initial=0)
    scaled: npt.NDArray[np.float32] = np.rint(127 * embeddings / np.maximum(largest, 1e-30))
    return scaled.astype(np.int8)


def cosines(one: bytes, others: Sequence[bytes]) -> npt.NDArray[np.float32]:
    """`[N]` the cosines of an embedding and of others by their codes; 0 where one is all 0."""
    own = np.frombuffer(one, np.int8).astype(np.float32)
    rows = np.frombuffer(b"".join(others), np.int8).astype(np.float32).reshape(-1, len(own))
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(own)
    found: npt.NDArray[np.float32] = (rows @ own) / np.maximum(lengths, 1)
    return found


def _looks(rows: pa.RecordBatch, embeddings: npt.NDArray[np.float32]) -> pa.Table:
    embeddings = np.nan_to_num(embeddings)
    words = signs(embeddings)
    columns: dict[str, Any] = {
        "clip_id": rows["clip_id"],
        "video_id": rows["video_id"],
        "models": pc.binary_join(rows["models"], ", "),
    }
    columns |= {f"look_{word}": words[:, word] for word in range(WORDS)}
    columns["code"] = [code.tobytes() for code in codes(embeddings)]
    return pa.table(columns, schema=LOOKS)


@lru_cache(maxsize=4)
def _planes(dimensions: int) -> npt.NDArray[np.float32]:
    random = np.random.default_rng(dimensions)
    return random.standard_normal((dimensions, NUM_PLANES), dtype=np.float32)
