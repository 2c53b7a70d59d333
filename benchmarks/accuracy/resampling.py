"""Concepts and resampling on a made corpus whose concepts and long tail are known.

Directions are planted at random in 384-d, one per concept, the sizes of concepts by Zipf's law, and
each clip is its concept's direction with noise, so that its cosine to it is as stated (0.7: two
clips of one concept have 0.49, as far apart as clips of one scene in image models).

The optimum is what the same budget gives when the planted concepts are known: of all whole numbers
of copies per concept that add up to it, the nearest in least squares to shares by sqrt(size).

    python -m benchmarks.accuracy.resampling [--clips 20000]
"""

import argparse
import json

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.concepts import Concepts, ConceptSettings, group
from curation.resampling import Resampled, ResamplingSettings, largest_remainder, resample

COSINES = (0.6, 0.7, 0.9)
NUM_CONCEPTS = 100

BAR = {
    "entropy_gain_share_min": 0.95,
    "entropy_error_nats_max": 0.05,
    "purity_min": 0.95,
    "adjusted_rand_index_min": 0.9,
    "not_deterministic": 0,
    "moved_share_max": 0.0,
    "new_misplaced_share_max": 0.05,
    "other_copies_share_max": 0.05,
}
"""`_min` figures are to be at least, the others at most that."""

Embeddings = npt.NDArray[np.float32]
Truth = npt.NDArray[np.int64]


def corpus(num_clips: int, num_concepts: int, cosine: float, seed: int) -> tuple[Embeddings, Truth]:
    """Embeddings `[N, 384]` and the planted concept of each; concept i has a share of 1 / (i + 1).

    Raises:
        ValueError: too few clips for every concept to have one.
    """
    random = np.random.default_rng(seed)
    centres = _unit(random.normal(size=(num_concepts, 384)))
    sizes = largest_remainder(1 / np.arange(1, num_concepts + 1), num_clips)
    if sizes.min() == 0:
        raise ValueError(f"{num_clips} clips are too few for {num_concepts} concepts")
    truth = random.permutation(np.repeat(np.arange(num_concepts), sizes))
    noise = _unit(random.normal(size=(num_clips, 384)))
    clips = cosine * centres[truth] + np.sqrt(1 - cosine**2) * noise
    return clips.astype(np.float32), truth


def figures_of(num_clips: int, num_concepts: int, cosine: float, seed: int = 0) -> dict[str, float]:
    """All figures of one corpus; the last 1 % of its clips come later."""
    embeddings, truth = corpus(num_clips, num_concepts, cosine, seed)
    ids = [f"{number:016x}" for number in range(num_clips)]
    old = num_clips - num_clips // 100
    first, dealt = curated(ids[:old], embeddings[:old])
    table = first.table
    before = entropy(np.bincount(truth[:old]))
    after = entropy(np.bincount(truth[:old], dealt.copies))
    best = entropy(largest_remainder(np.sqrt(np.bincount(truth[:old])), old))
    counts = together(first.ids, truth[:old])

    shuffled = np.random.default_rng(1).permutation(old)
    again, dealt_again = curated([ids[row] for row in shuffled], embeddings[shuffled])
    same = np.array_equal(again.ids, first.ids[shuffled]) and again.table.equals(table)
    same &= np.array_equal(dealt_again.copies, dealt.copies[shuffled])
    more, dealt_more = curated(ids, embeddings, table)
    anew, _ = curated(ids, embeddings)
    return {
        "num_concepts": table.num_rows,
        "entropy_before_nats": before,
        "entropy_after_nats": after,
        "entropy_optimum_nats": best,
        "entropy_uniform_nats": float(np.log(num_concepts)),
        "entropy_gain_share": (after - before) / (best - before),
        "entropy_error_nats": abs(best - after),
        "purity": _purity(counts),
        "adjusted_rand_index": adjusted_rand_index(counts),
        "not_deterministic": int(not same),
        "moved_share": float(np.mean(more.ids[:old] != first.ids)),
        "moved_share_if_found_anew": 1 - _purity(together(anew.ids[:old], first.ids)),
        "new_misplaced_share": float(np.mean(counts.argmax(axis=1)[more.ids[old:]] != truth[old:])),
        "other_copies_share": float(np.mean(dealt_more.copies[:old] != dealt.copies)),
    }


def curated(
    ids: list[str], embeddings: Embeddings, earlier: pa.Table | None = None
) -> tuple[Concepts, Resampled]:
    """Concepts and copies by the shipped settings, without quotas."""
    found = group(ids, embeddings, [], np.zeros((0, 384)), ConceptSettings(), earlier)
    nowhere = np.zeros(len(ids), bool)
    return found, resample(ids, found.ids, nowhere, nowhere, ResamplingSettings())


def entropy(counts: npt.NDArray[np.number]) -> float:
    """Shannon entropy of the shares, nats."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def together(found: npt.NDArray[np.integer], truth: npt.NDArray[np.integer]) -> Truth:
    """Clips of each found (rows) and planted (columns) concept."""
    counts = np.zeros((found.max() + 1, truth.max() + 1), np.int64)
    np.add.at(counts, (found, truth), 1)
    return counts


def adjusted_rand_index(counts: Truth) -> float:
    """Agreement of two groupings: 0 as by chance, 1 the same (Hubert and Arabie 1985)."""

    def pairs(sizes: Truth) -> float:
        return float((sizes * (sizes - 1)).sum() / 2)

    both, found, truth = pairs(counts), pairs(counts.sum(axis=1)), pairs(counts.sum(axis=0))
    chance = found * truth / pairs(counts.sum(keepdims=True))
    return (both - chance) / ((found + truth) / 2 - chance)


def worst(runs: list[dict[str, float]]) -> dict[str, float]:
    """The figures of `BAR` over all corpora."""
    figures = {}
    for key in BAR:
        name, _, end = key.rpartition("_")
        values = [run[key] if key in run else run[name] for run in runs]
        figures[key] = min(values) if end == "min" else max(values)
    return figures


def held(figures: dict[str, float]) -> bool:
    """Whether every figure is on its side of the bar."""
    return all(
        figures[key] >= bar if key.endswith("_min") else figures[key] <= bar
        for key, bar in BAR.items()
    )


def _purity(counts: Truth) -> float:
    """Share of clips that are of the commonest kind of their group."""
    return float(counts.max(axis=1).sum() / counts.sum())


def _unit(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def main() -> None:
    """Prints a table and a last line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=20_000)
    clips = parser.parse_args().clips
    runs = [figures_of(clips, NUM_CONCEPTS, cosine) for cosine in COSINES]
    print(f"{'cosine to the planted concept':32}" + "".join(f"{cosine:9}" for cosine in COSINES))
    for key in runs[0]:
        print(f"{key:32}" + "".join(f"{run[key]:9.4f}" for run in runs))
    figures = worst(runs)
    answer = {"name": "accuracy/resampling", "figures": figures, "bar": BAR, "held": held(figures)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
