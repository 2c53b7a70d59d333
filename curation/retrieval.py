"""Clips retrieved by phrases, and around clips that people picked: concepts of a fine-tuning set.

The second step of Movie Gen's fine-tuning set: for each phrase of a taxonomy the clips nearest to
it (text to video), of which people pick a few striking ones, then the clips nearest to those (video
to video). Both are exact searches for the k nearest by cosine. They do not depend on the order of
the clips; equal cosines are told apart by the smaller id.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from curation.review import unescaped
from curation.settings import Settings

RETRIEVED = pa.schema(
    [
        pa.field(name, kind, metadata={"doc": doc})
        for name, kind, doc in (
            ("clip_id", pa.string(), "the clip"),
            ("phrase", pa.string(), "what it was retrieved for"),
            ("source", pa.string(), "`text`: near the phrase; `seed`: near a clip picked for it"),
            ("rank", pa.int32(), "its place among the clips so retrieved for the phrase, from 1"),
            ("cosine", pa.float32(), "to the phrase, or to the nearest of the picked clips"),
        )
    ]
)
"""One row per clip, phrase and source, by phrase (in the order given), source, rank."""

BLOCK_COSINES = 1 << 26
"""Cosines held at a time: 256 MB."""

SLACK = 1e-5
"""More than sums of single precision differ by: below the k-th best, nothing nearer is missed."""

Vectors = npt.NDArray[np.floating]


class RetrievalSettings(Settings):
    """Which clips are retrieved for the phrases of a taxonomy."""

    k_text: int = Field(default=100, ge=0)
    """Clips nearest to each phrase; without meaning once there are seeds."""

    k_video: int = Field(default=50, ge=0)
    """Clips nearest to each seed, itself included."""

    seeds: Path | None = None
    """Clips that people picked: a CSV file with columns `phrase` and `clip_id`, such as a review
    file, of which those with the verdict `keep` count. Only clips around these are then taken. null
    takes clips near the phrases, which is how seeds are found."""


class Seed(NamedTuple):
    """A clip that people picked for a phrase."""

    phrase: str
    clip_id: str


class _Near(NamedTuple):
    """Clips near one query: rows of the embeddings, the nearest first."""

    rows: npt.NDArray[np.int64]
    cosines: npt.NDArray[np.float64]


def read_seeds(path: Path) -> list[Seed]:
    """The seeds in a CSV file, in its order.

    Raises:
        ValueError: there is no such file, it is no CSV in UTF-8 with the columns `phrase` and
            `clip_id`, a line lacks one, or repeats another, the message names the line; or there
            is no seed in it.
    """
    found: dict[Seed, None] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            if not {"clip_id", "phrase"} <= set(header):
                raise ValueError(f"{path} should have the columns phrase,clip_id and has {header}")
            for cells in filter(any, reader):
                texts = dict(zip(header, map(str.strip, cells), strict=False))
                if texts.get("verdict", "keep").lower() != "keep":
                    continue
                seed = Seed(unescaped(texts.get("phrase", "")), texts.get("clip_id", ""))
                if len(cells) != len(header) or not all(seed):
                    raise ValueError(f"{path}, line {reader.line_num}: one phrase and one clip_id")
                if seed in found:
                    raise ValueError(f"{path}, line {reader.line_num}: repeats an earlier line")
                found[seed] = None
    except OSError as error:
        raise ValueError(f"the seeds {path} cannot be read: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no CSV in UTF-8: {error}") from error
    if not found:
        raise ValueError(f"{path} holds no seed: no line, or none with the verdict `keep`")
    return list(found)


def retrieve(
    clip_ids: Sequence[str],
    embeddings: Vectors,
    phrases: Sequence[str],
    phrase_embeddings: Vectors,
    seeds: Sequence[Seed],
    settings: RetrievalSettings,
    eligible: npt.NDArray[np.bool_] | None = None,
) -> pa.Table:
    """The clips near the phrases and around the seeds: a table `RETRIEVED`.

    Args:
        clip_ids: `[N]`, each once; possibly none.
        embeddings: `[N, D]` of unit length.
        phrases: `[P]`, each once.
        phrase_embeddings: `[P, D]` of unit length, in the same space.
        seeds: for these phrases, from among the clips.
        settings: how many. Where k is more than there are, all are retrieved.
        eligible: `[N]`, which clips may be retrieved; the others may still be seeds. None for all.

    Raises:
        ValueError: shapes that do not fit, an id or phrase given twice, a seed of an unknown phrase
            or clip.
    """
    ids = np.asarray(clip_ids, dtype=np.str_)
    _check(ids, embeddings, phrases, phrase_embeddings)
    chosen = np.arange(len(ids)) if eligible is None else np.flatnonzero(eligible)
    chosen = chosen[np.argsort(ids[chosen], kind="stable")]  # so a smaller row is a smaller id
    pool, pool_ids = np.ascontiguousarray(embeddings[chosen], np.float32), ids[chosen]
    around = _seed_rows(clip_ids, phrases, seeds)
    picked = [row for rows in around.values() for row in rows]
    near_text = _nearest(pool, np.asarray(phrase_embeddings, np.float32), settings.k_text)
    near_seeds = _nearest(pool, np.asarray(embeddings[picked], np.float32), settings.k_video)
    tables = [RETRIEVED.empty_table()]
    for phrase, near in zip(phrases, near_text, strict=True):
        tables.append(_rows(phrase, "text", pool_ids, near))
        together = [next(near_seeds) for _ in around.get(phrase, ())]
        if together:
            tables.append(_rows(phrase, "seed", pool_ids, _united(together)))
    return pa.concat_tables(tables)


def _check(
    ids: npt.NDArray[np.str_], embeddings: Vectors, phrases: Sequence[str], of_phrases: Vectors
) -> None:
    if embeddings.shape[:1] != ids.shape or of_phrases.shape[:1] != (len(phrases),):
        raise ValueError("there is one embedding per clip and one per phrase")
    if len(ids) and len(phrases) and embeddings.shape[1:] != of_phrases.shape[1:]:
        sizes = f"{embeddings.shape[1]} numbers, those of phrases {of_phrases.shape[1]}"
        raise ValueError(f"embeddings of clips have {sizes}: two models")
    if len(np.unique(ids)) != len(ids) or len(set(phrases)) != len(phrases):
        raise ValueError("a clip or a phrase is given twice")


def _seed_rows(
    clip_ids: Sequence[str], phrases: Sequence[str], seeds: Sequence[Seed]
) -> dict[str, list[int]]:
    """The rows of each phrase's seeds, in the order of the phrases."""
    place = {clip: row for row, clip in enumerate(clip_ids)} if seeds else {}
    around: dict[str, list[int]] = {phrase: [] for phrase in phrases}
    for seed in seeds:
        if seed.phrase not in around:
            raise ValueError(f"seed {seed.clip_id}: {seed.phrase!r} is no phrase of the taxonomy")
        if seed.clip_id not in place:
            raise ValueError(f"the seed of {seed.phrase!r}, {seed.clip_id}, is no clip that has an "
                             "embedding")  # fmt: skip
        around[seed.phrase].append(place[seed.clip_id])
    return around


def _nearest(pool: Vectors, queries: Vectors, k: int) -> Iterator[_Near]:
    """The k nearest of the pool to each query, a block of queries at a time."""
    k = min(k, len(pool))
    portion = max(1, BLOCK_COSINES // max(1, len(pool)))
    for start in range(0, len(queries), portion):
        block = queries[start : start + portion]
        roughly = block @ pool.T if k else np.empty((len(block), 0), np.float32)
        for query, cosines in zip(block, roughly, strict=True):
            if not k:
                yield _Near(np.empty(0, np.int64), np.empty(0))
                continue
            least = np.partition(cosines, len(cosines) - k)[len(cosines) - k]
            rows = np.flatnonzero(cosines >= least - SLACK)
            # A matrix product rounds by place; this does not, so equal clips have equal cosines.
            exact = (pool[rows].astype(np.float64) * query).sum(axis=1)
            best = np.lexsort((rows, -exact))[:k]
            yield _Near(rows[best], exact[best])


def _united(near: Sequence[_Near]) -> _Near:
    """What is near any of several queries, each with its largest cosine."""
    rows = np.concatenate([one.rows for one in near])
    cosines = np.concatenate([one.cosines for one in near])
    order = np.lexsort((rows, -cosines))
    _, first = np.unique(rows[order], return_index=True)
    kept = order[np.sort(first)]
    return _Near(rows[kept], cosines[kept])


def _rows(phrase: str, source: str, ids: npt.NDArray[np.str_], near: _Near) -> pa.Table:
    count = len(near.rows)
    columns = [
        pa.array(ids[near.rows], pa.string()),
        pa.repeat(phrase, count),
        pa.repeat(source, count),
        pa.array(np.arange(1, count + 1, dtype=np.int32)),
        pa.array(np.clip(near.cosines, -1, 1).astype(np.float32)),
    ]
    return pa.table(columns, schema=RETRIEVED)
