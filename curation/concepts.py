"""Concepts: clusters of clips that show the same kind of thing, named and placed on a map.

- Spherical k-means over concept embeddings (Dhillon and Modha 2001), on a sample that is drawn by
  the clips' ids: neither their order nor a clip more or less decides who is in it.
- Centroids that nearly coincide are one concept: k-means splits what is large.
- A clip's concept is the nearest centroid. While the centroids stay, every clip keeps its concept.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from curation.settings import Settings
from curation.tables import CONCEPTS

VERSION = 1
"""Raised when the same embeddings and settings give other concepts."""

_BLOCK = 1 << 16
_NAMING_LABELS = 3

Vectors = npt.NDArray[np.floating]
Ids = npt.NDArray[np.int32]


class ConceptSettings(Settings):
    """How clips are grouped into concepts."""

    num_concepts: int | None = Field(default=None, ge=1)
    """Clusters before merging, at most one per clip. null: 10 times the cube root of the number of
    clips, at most one per 4 clips: 21 for 86 clips, 215 for 10,000, 1,000 for a million."""

    merge_cosine: float = Field(default=0.9, gt=0, le=1)
    """Centroids at least this near to a larger concept's are part of it."""

    sample_per_concept: int = Field(default=128, ge=1)
    """Clips per cluster that k-means learns from; the others only join their nearest."""

    iterations: int = Field(default=20, ge=1)
    """Rounds of k-means."""

    regroup_growth: float = Field(default=0.5, ge=0)
    """Find concepts anew once the number of clips is more than this part above or below what it
    was when they were found. Until then new clips join the nearest, and old ones stay."""

    seed: int = 0
    """Draws the sample and the first centroids."""


@dataclass(frozen=True)
class Concepts:
    """The concept of each clip, and the concepts."""

    ids: Ids
    """`[N]`, rows of `table`."""

    table: pa.Table
    """`tables.CONCEPTS`, in the order of `concept_id`, with no word on subsets and settings."""


def group(
    clip_ids: Sequence[str],
    embeddings: Vectors,
    labels: Sequence[str],
    label_embeddings: Vectors,
    settings: ConceptSettings,
    earlier: pa.Table | None = None,
    num_threads: int = 1,
) -> Concepts:
    """The concepts of clips, by earlier centroids where `still_hold` says so, else found anew.

    Args:
        clip_ids: `[N]`, each once; their order changes nothing but the order of what comes out.
        embeddings: `[N, D]` of any length but 0; only their direction counts.
        labels: `[L]` what concepts may be called; with none they are called by number.
        label_embeddings: `[L, D]` of the same model.
        settings: how.
        earlier: concepts of the same model and settings, found when there were fewer clips.
        num_threads: threads of faiss; the numbers are the same on every run with the same number.

    Raises:
        ValueError: naming the clip or label whose embedding is not finite or is all zeros, or the
            shapes that do not fit.
    """
    _check("clip", clip_ids, embeddings, embeddings.shape[-1])
    _check("label", labels, label_embeddings, embeddings.shape[-1] if labels else None)
    if earlier is not None and still_hold(earlier, len(clip_ids), settings):
        centroids = np.array(earlier["centroid"].to_pylist(), np.float32)
        if centroids.shape[1] != embeddings.shape[1]:
            raise ValueError(
                f"the embeddings have {embeddings.shape[1]} numbers, those of the earlier "
                f"concepts {centroids.shape[1]}: they are of another model"
            )
        ids = nearest(embeddings, centroids, num_threads)
        sizes = np.bincount(ids, minlength=len(centroids))
        column = CONCEPTS.get_field_index("size")
        return Concepts(ids, earlier.set_column(column, CONCEPTS.field(column), pa.array(sizes)))
    if not clip_ids:
        return Concepts(np.zeros(0, np.int32), CONCEPTS.empty_table())

    centroids = _centroids(clip_ids, embeddings, settings, num_threads)
    ids, centroids = _by_size(nearest(embeddings, centroids, num_threads), centroids)
    sizes = np.bincount(ids, minlength=len(centroids))
    place = positions(centroids)
    columns = {
        "concept_id": np.arange(len(centroids)),
        "name": names(centroids, labels, label_embeddings),
        "size": sizes,
        "found_size": sizes,
        "centroid": list(centroids),
        "x": place[:, 0],
        "y": place[:, 1],
        "subsets": pa.nulls(len(centroids)),
        "fingerprint": pa.nulls(len(centroids)),
    }
    return Concepts(ids, pa.table(columns, schema=CONCEPTS))


def still_hold(earlier: pa.Table, num_clips: int, settings: ConceptSettings) -> bool:
    """Whether the number of clips is within `regroup_growth` of what the concepts were found in."""
    found: int = sum(earlier["found_size"].to_pylist())
    most = 1 + settings.regroup_growth
    return found > 0 and found / most <= num_clips <= found * most


def default_num_concepts(num_clips: int) -> int:
    """The rule of `ConceptSettings.num_concepts`."""
    return max(1, min(round(10 * math.cbrt(num_clips)), num_clips // 4))


def draws(clip_ids: Sequence[str], seed: int) -> npt.NDArray[np.uint64]:
    """A number per clip, evenly spread over 64 bits, that depends on its id and the seed alone."""
    digests = (hashlib.sha256(f"{seed}:{clip_id}".encode()).digest()[:8] for clip_id in clip_ids)
    return np.frombuffer(b"".join(digests), "<u8")


def nearest(embeddings: Vectors, centroids: Vectors, num_threads: int = 1) -> Ids:
    """The row of the centroid with the highest cosine to each embedding, `[N]`."""
    import faiss

    faiss.omp_set_num_threads(num_threads)
    index = faiss.IndexFlatIP(centroids.shape[1])
    index.add(_unit(centroids))
    found = [index.search(block, 1)[1][:, 0] for block in _unit_blocks(embeddings)]
    return np.concatenate(found, dtype=np.int32) if found else np.zeros(0, np.int32)


def merged(centroids: Vectors, sizes: npt.NDArray[np.integer], min_cosine: float) -> Vectors:
    """The centroids with those that nearly coincide made one, the largest first.

    From the largest to the smallest, each joins the nearest of those that stay if its cosine is
    `min_cosine` or more, and stays otherwise. Nothing is chained: what is made one is near to the
    largest of it.

    Returns:
        `[K, D]` of length 1: means of what was joined, weighted by size.
    """
    order = np.lexsort((np.arange(len(sizes)), -sizes))
    units = _unit(centroids)[order]
    weighted = units * sizes[order, None]
    staying: list[int] = []
    sums: list[Vectors] = []
    for row, unit in enumerate(units):
        cosines = units[staying] @ unit
        if staying and cosines.max() >= min_cosine:
            sums[int(cosines.argmax())] += weighted[row]
        else:
            staying.append(row)
            sums.append(weighted[row].copy())
    return _unit(np.array(sums))


def names(centroids: Vectors, labels: Sequence[str], label_embeddings: Vectors) -> list[str]:
    """A name per concept, no two the same.

    The nearest label by cosine; if a concept before it has that name, its two nearest, then its
    three nearest, joined by a comma, then those with a number. Without labels `concept 0` and on.
    """
    if not labels:
        return [f"concept {row}" for row in range(len(centroids))]
    cosines = _unit(centroids) @ _unit(label_embeddings).T
    given: dict[str, None] = {}
    for row in np.argsort(-cosines, axis=1, kind="stable")[:, :_NAMING_LABELS]:
        words = list(dict.fromkeys(labels[column] for column in row))
        name = next(_candidates(words, given))
        given[name] = None
    return list(given)


def positions(centroids: Vectors) -> npt.NDArray[np.float32]:
    """A place on a map for each concept, `[K, 2]` in -1 to 1.

    The two main axes of the centroids (principal components, which are also classical scaling of
    their distances), both on one scale; the longest entry of an axis is positive.
    """
    centred = centroids.astype(np.float64) - centroids.mean(axis=0, dtype=np.float64)
    left, lengths, _ = np.linalg.svd(centred, full_matrices=False)
    place = np.zeros((len(centroids), 2))
    axes = min(2, len(lengths))
    place[:, :axes] = left[:, :axes] * lengths[:axes]
    place *= np.sign(place[np.abs(place).argmax(axis=0), [0, 1]])
    longest = np.abs(place).max()
    return (place / longest if longest > 1e-6 else place * 0).astype(np.float32)


def _candidates(words: list[str], given: dict[str, None]) -> Iterator[str]:
    for number in range(1, len(words) + 1):
        if (name := ", ".join(words[:number])) not in given:
            yield name
    whole = ", ".join(words)
    yield next(name for n in range(2, len(given) + 3) if (name := f"{whole} {n}") not in given)


def _centroids(
    clip_ids: Sequence[str], embeddings: Vectors, settings: ConceptSettings, num_threads: int
) -> Vectors:
    import faiss

    count = min(settings.num_concepts or default_num_concepts(len(clip_ids)), len(clip_ids))
    order = np.argsort(draws(clip_ids, settings.seed))
    sample = _unit(embeddings[order[: count * settings.sample_per_concept]])
    faiss.omp_set_num_threads(num_threads)
    means = faiss.Kmeans(
        sample.shape[1],
        count,
        niter=settings.iterations,
        seed=settings.seed,
        spherical=True,
        init_method=faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS,
        min_points_per_centroid=1,
        max_points_per_centroid=len(sample),
    )
    means.train(sample)
    centroids = np.array(means.centroids)
    joined = np.bincount(nearest(sample, centroids, num_threads), minlength=count)
    used = joined > 0
    return merged(centroids[used], joined[used], settings.merge_cosine)


def _by_size(ids: Ids, centroids: Vectors) -> tuple[Ids, Vectors]:
    """Concepts numbered from the largest; those without clips are left out."""
    sizes = np.bincount(ids, minlength=len(centroids))
    order = np.lexsort((np.arange(len(sizes)), -sizes))[: np.count_nonzero(sizes)]
    number = np.zeros(len(sizes), np.int32)
    number[order] = np.arange(len(order))
    return number[ids], centroids[order]


def _unit(vectors: Vectors) -> npt.NDArray[np.float32]:
    exact = np.asarray(vectors, np.float32)
    return np.ascontiguousarray(exact / np.linalg.norm(exact, axis=1, keepdims=True))


def _unit_blocks(vectors: Vectors) -> Iterator[npt.NDArray[np.float32]]:
    for start in range(0, len(vectors), _BLOCK):
        yield _unit(vectors[start : start + _BLOCK])


def _check(what: str, ids: Sequence[str], vectors: Vectors, width: int | None) -> None:
    if width is None:
        return
    if vectors.shape != (len(ids), width):
        raise ValueError(f"{len(ids)} {what}s of {width} numbers, but embeddings {vectors.shape}")
    for start in range(0, len(ids), _BLOCK):
        lengths = np.linalg.norm(vectors[start : start + _BLOCK].astype(np.float32), axis=1)
        wrong = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
        if wrong.size:
            raise ValueError(
                f"the embedding of {what} {ids[start + wrong[0]]!r} "
                f"{'is all zeros' if lengths[wrong[0]] == 0 else 'is not finite'}"
            )
