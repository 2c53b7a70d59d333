"""Concepts and resampling by number of clips: seconds, memory, and how fast the time grows.

Embeddings are 384-d with a planted long tail, as in `benchmarks.accuracy.resampling`. A size runs
in a process of its own, on one thread. Memory is what is added to the embeddings themselves.

    python -m benchmarks.speed.concepts [--largest 1000000]
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from curation.concepts import ConceptSettings, group
from curation.resampling import ResamplingSettings, resample

SIZES = (10_000, 100_000, 1_000_000)
DIMENSIONS, NUM_CONCEPTS, COSINE = 384, 1000, 0.7
BAR = {"growth_exponent_max": 1.3}


def embeddings(num_clips: int) -> npt.NDArray[np.float32]:
    """`[N, 384]`, made block by block, so that making them does not decide the peak."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((NUM_CONCEPTS, DIMENSIONS), np.float32)
    shares = 1 / np.arange(1, NUM_CONCEPTS + 1)
    made = np.empty((num_clips, DIMENSIONS), np.float32)
    for block in np.array_split(made, max(1, num_clips // 10_000)):
        truth = random.choice(NUM_CONCEPTS, len(block), p=shares / shares.sum())
        block[:] = COSINE * centres[truth]
        block += math.sqrt(1 - COSINE**2) * random.standard_normal(block.shape, np.float32)
    return made


def measure(num_clips: int) -> dict[str, float]:
    """Seconds of each step and the peak of memory of one size, in this process."""
    import faiss  # noqa: F401 - so that loading it is in no figure

    made = embeddings(num_clips)
    ids = [f"{number:016x}" for number in range(num_clips)]
    sides = np.arange(num_clips) % 10 < 4
    people = np.arange(num_clips) % 7 < 2
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    found = group(ids, made, [], np.zeros((0, DIMENSIONS)), ConceptSettings())
    grouped = time.perf_counter()
    group(ids, made, [], np.zeros((0, DIMENSIONS)), ConceptSettings(), found.table)
    placed = time.perf_counter()
    quotas = ResamplingSettings.model_validate({"landscape": {"min": 0.6}, "people": {"min": 0.6}})
    resample(ids, found.ids, sides, people, quotas)
    resampled = time.perf_counter()
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "concepts": found.table.num_rows,
        "found_s": round(grouped - began, 2),
        "placed_s": round(placed - grouped, 2),
        "resampled_s": round(resampled - placed, 2),
        "embeddings_mib": round(made.nbytes / 2**20),
        "added_mib": round((peak_kib - before_kib) / 1024),
    }


def measured(num_clips: int) -> dict[str, float]:
    """`measure` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.speed.concepts", "--only", str(num_clips)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def growth(first: tuple[int, float], second: tuple[int, float]) -> float:
    """The exponent p by which time grows as size to the power of p."""
    return math.log(second[1] / first[1]) / math.log(second[0] / first[0])


def main() -> None:
    """Prints a table and a last line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", type=int, default=100_000)
    parser.add_argument("--only", type=int, help="one size, in this process")
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options.only)))
        return
    runs = {size: measured(size) for size in SIZES if size <= options.largest}
    names = list(next(iter(runs.values())))
    print(f"{'clips':>10}" + "".join(f"{name:>16}" for name in names))
    for size, run in runs.items():
        print(f"{size:>10,}" + "".join(f"{run[name]:>16,}" for name in names))
    total = {size: run["found_s"] + run["resampled_s"] for size, run in runs.items()}
    exponents = [growth(*pair) for pair in pairwise(total.items())]
    figures = {"runs": runs, "growth_exponent_max": round(max(exponents), 2)}
    held = max(exponents) <= BAR["growth_exponent_max"]
    print(json.dumps({"name": "speed/concepts", "figures": figures, "bar": BAR, "held": held}))


if __name__ == "__main__":
    main()
