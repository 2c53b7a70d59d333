"""Time, memory and recall of near-duplicate removal, by the number of embeddings.

`python -m benchmarks.speed.duplicates [--million]`: 10,000 and 100,000 embeddings, and a million on
demand, by the shipped settings. Made embeddings, 512-d, four frames a clip that have a cosine of
0.75 with each other, each clip of another video: half of them unlike any other, four in ten loosely
like one of those (cosine of their frames 0.5), as shots of one scene are, and one in ten a planted
copy, the cosine of whose frames is spread evenly over what altered copies have
(`benchmarks/accuracy/duplicates`).

Each size runs in a process of its own, whose peak of memory is told with and without that of the
embeddings. Recall is the share of the copies alike enough by the shipped threshold that are
dropped; `recall_low` is of those below 0.8. The exact search finds all. The growth exponent is that
of the search as shipped: exact below the default of `exact_below`, approximate above. It is fitted
to CPU-seconds, which other work on the machine disturbs less than the clock.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
from numpy.typing import NDArray

from curation.clip_frames import ClipFrames
from curation.duplicates import DuplicateSettings, find_duplicates
from curation.embedded_clips import EmbeddedClips

BAR = {"growth_exponent": 1.3, "recall": 0.95}
"""Growth at most; recall of the approximate search, at the size where it is least, at least."""

SIZES = (10_000, 100_000)
MILLION = 1_000_000
DIMENSION = 512
FRAMES = 4
WITHIN_CLIP = 0.75
COPIES = 0.1
COPY_COSINE = (0.65, 0.99)
LOW_COSINE = 0.8
COLUMNS = {
    "seconds": 1, "cpu_s": 1, "peak_mb": 0, "added_mb": 0,
    "recall": 4, "recall_low": 4, "false": 0,
}  # fmt: skip
"""What is told of each size, and with how many decimals."""


def planted(num_clips: int) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    """Rows of unit length, `[num_clips * FRAMES, D]`, and the original of each copy; else -1."""
    random = np.random.default_rng(0)
    rows = np.empty((num_clips * FRAMES, DIMENSION), np.float16)
    original = np.full(num_clips, -1)
    block = 2_500
    for start in range(0, num_clips, block):
        stop = min(num_clips, start + block)
        clips = random.normal(size=(stop - start, 1, DIMENSION))
        frames = random.normal(size=(stop - start, FRAMES, DIMENSION))
        fresh = _unit(WITHIN_CLIP**0.5 * _unit(clips) + (1 - WITHIN_CLIP) ** 0.5 * _unit(frames))
        half = (stop - start) // 2
        cosine = np.full(stop - start - half, 0.5)
        copied = random.random(len(cosine)) < 2 * COPIES
        cosine[copied] = random.uniform(*COPY_COSINE, copied.sum())
        source = np.where(copied, random.permutation(half)[: len(cosine)], 0)
        source[~copied] = random.integers(0, half, (~copied).sum())
        original[start + half : stop] = np.where(copied, start + source, -1)
        near = fresh[source]
        noise = _unit(random.normal(size=near.shape))
        noise = _unit(noise - np.einsum("cfd,cfd->cf", near, noise)[..., None] * near)
        cosine = cosine[:, None, None]
        fresh[half:] = cosine * near + np.sqrt(1 - cosine**2) * noise
        rows[start * FRAMES : stop * FRAMES] = fresh.reshape(-1, DIMENSION)
    return rows, original


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def measure(num: int, exact_below: int, threads: int) -> dict[str, float]:
    """Seconds, peak memory and what was dropped, in this process."""
    num_clips = num // FRAMES
    rows, original = planted(num_clips)
    clip_of = np.repeat(np.arange(num_clips), FRAMES)
    ids = [f"{name:08}" for name in range(num_clips)]
    clips = EmbeddedClips(ids, ids, rows, clip_of)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    settings = DuplicateSettings(exact_below=exact_below, device="cpu")
    start, cpu = time.monotonic(), time.process_time()
    found = find_duplicates(clips, np.zeros(num_clips), settings, threads=threads)
    seconds, cpu_s = time.monotonic() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    dropped = np.array([one.duplicate_of is not None for one in found])
    copies = np.flatnonzero(original >= 0)
    alike = ClipFrames(rows, clip_of, num_clips).similarity(copies, original[copies])
    copies, alike = (array[alike >= settings.threshold] for array in (copies, alike))
    return {
        "seconds": seconds,
        "cpu_s": cpu_s,
        "peak_mb": peak / 1024,
        "added_mb": (peak - before) / 1024,
        "recall": float(dropped[copies].mean()),
        "recall_low": float(dropped[copies[alike < LOW_COSINE]].mean()),
        "false": float(dropped[original < 0].sum()),
    }


def apart(num: int, exact_below: int, threads: int) -> dict[str, float]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.speed.duplicates", "--one", str(num)]
    command += ["--exact-below", str(exact_below), "--threads", str(threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Prints a table and a last line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--million", action="store_true", help="a million too: minutes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--exact-below", type=int, default=1, help="of --one")
    parser.add_argument("--one", type=int, help="measure only this size")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.exact_below, arguments.threads)))
        return
    figures: dict[str, float] = {}
    print(f"{'frames':>9} {'search':>12}", *(f"{name:>9}" for name in COLUMNS))
    sizes = [*SIZES, MILLION] if arguments.million else [*SIZES]
    for size in sizes:
        for search, exact_below in (("exact", size + 1), ("approximate", 1)):
            if (search, size) == ("exact", MILLION):
                continue
            found = apart(size, exact_below, arguments.threads)
            figures |= {f"{key}_{search}_{size}": value for key, value in found.items()}
            values = (f"{found[name]:>9.{digits}f}" for name, digits in COLUMNS.items())
            print(f"{size:>9} {search:>12}", *values, flush=True)
    few = DuplicateSettings().exact_below
    shipped = ["exact" if size < few else "approximate" for size in sizes]
    cpu_s = [figures[f"cpu_s_{how}_{size}"] for how, size in zip(shipped, sizes, strict=True)]
    figures["growth_exponent"] = float(np.polyfit(np.log(sizes), np.log(cpu_s), 1)[0])
    figures["recall"] = min(figures[f"recall_approximate_{size}"] for size in sizes)
    grows_well = figures["growth_exponent"] <= BAR["growth_exponent"]
    held = grows_well and figures["recall"] >= BAR["recall"]
    print(
        f"growth exponent {figures['growth_exponent']:.2f} of {sizes}, bar {BAR['growth_exponent']}"
    )
    print(json.dumps({"name": "speed/duplicates", "figures": figures, "bar": BAR, "held": held}))


if __name__ == "__main__":
    main()
