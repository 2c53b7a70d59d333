"""What reading costs: our loader beside WebDataset and MosaicML Streaming, and in training.

`python -m benchmarks.speed.loader [WORKSPACE] [--clips N] [--latents N] [--rounds N]`: the samples
of `shards/256p` of a workspace (that of `make demo`), those of the commonest bucket, are copied
under new ids until there are enough, and latents of their shape are made of random numbers. Both
are written as curation writes them, as tar files and as MDS. Then all three read them shuffled, in
one process and thread, in batches of 4: the same bytes, decoded by the same function, to the same
tensors. They take turns; of each the fastest epoch counts, after one that warms the page cache. Of
ours the row groups in memory are kept below an eighth of the table, as those of a large one are.

Nearly all of what a clip costs is decoding, so the bar leaves a twentieth to chance. Latents have
none, and ours cost more: any of them comes next, where the others read files from end to end, and
mix what is near; a row group is read for one of its rows; and its checksum is compared, which takes
a fifth of a millisecond a megabyte.

Then the whole loader, noise and all, reads ahead in its thread while the smallest transformer takes
steps: how much of the time is waiting. The autoencoder there is the mean of each 8x8x8 block, so
that the figure is of reading and decoding.

The other two are not dependencies of this project. `pip install webdataset` is one; the other wants
old versions of what this project needs, so it goes beside: `pip install --no-deps --target FOLDER
mosaicml-streaming brotli python-snappy cramjam zstd xxhash catalogue`, with FOLDER on PYTHONPATH.
What cannot be imported is left out, and said so.
"""

import argparse
import importlib.util
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import torch
from torch import Tensor

from curation.media.samples import decode_sample
from curation.models.devices import required
from curation.tables import LATENTS, SHARD
from pipelines.parts import parquet_bytes
from pipelines.workspace import Workspace
from training.data.index import read_index
from training.data.latent_reader import LatentReader, array
from training.data.loader import Loader, State
from training.data.order import plan_epoch
from training.data.readers import Example, Reader
from training.data.shard_reader import LatentsOfShards, ShardReader
from training.encode import video_tensor
from training.flow import interpolate, squared_errors, velocity
from training.pixels import encoded_frames
from training.settings import DataSettings, LatentsSettings, PositionSettings, TimeSettings
from training.text.conditioning import collate
from training.text.spec import TextSpec
from training.transformer import SHAPES, Transformer

BAR = {"clips_ratio": 0.95, "wait_share": 0.05}
"""CPU-time of the faster of the others by that of ours, at least; share of waiting, at most."""

BATCH = 4
PER_FILE = 16
CHANNELS = 16
WORDS = TextSpec("prompt", 1, 256, "embedding")
STATES = TextSpec("prompt", 384, 256, "embedding")
TOKENS = 64
OTHERS = {"webdataset": "webdataset", "streaming": "streaming"}

Batches = Callable[[int], Iterable[Any]]
"""The batches of an epoch of this number."""


class Means:
    """An autoencoder that costs next to nothing: the mean of each block."""

    latent_channels, space_factor = 3, 8

    def latent_frames(self, num_frames: int) -> int:
        """One for each 8 begun."""
        return math.ceil(num_frames / 8)

    def encode(self, video_bcthw: Tensor) -> Tensor:
        """The means, `[1, 3, T', H', W']`."""
        small = torch.nn.functional.avg_pool3d(video_bcthw, (1, 8, 8))
        return torch.cat([part.mean(2, keepdim=True) for part in small.split(8, dim=2)], 2)


class Lengths:
    """A text encoder that costs nothing: the length of each word."""

    spec = WORDS

    def __call__(self, prompts: Sequence[str]) -> list[Any]:
        """Of each prompt, `[L, 1]`."""
        words = ([[float(len(word))] for word in one.split()] for one in prompts)
        return [np.array(one, np.float32).reshape(-1, 1) for one in words]


@dataclass(frozen=True)
class Kind:
    """Something to read, in our table and as parts of a record of the others."""

    name: str
    schema: pa.Schema
    rows: list[dict[str, Any]]
    spec: TextSpec
    record: Callable[[dict[str, Any]], dict[str, bytes]]
    example: Callable[[dict[str, bytes]], Example]


def clips_of(workspace: str, num: int) -> list[dict[str, Any]]:
    """Rows of shards, all of the commonest bucket, each under several ids if need be."""
    rows = Workspace(workspace).table("shards/256p").read().to_pylist()
    good = [row for row in rows if row["status"] == "ok" and row["prompt"]]
    if not good:
        raise ValueError(f"{workspace} has no samples in shards/256p: run `make demo` first")
    buckets = [row["bucket"] for row in good]
    common = max(sorted({*buckets}), key=buckets.count)
    chosen = [row for row in good if row["bucket"] == common]
    return [chosen[at % len(chosen)] | {"clip_id": f"{at:06}"} for at in range(num)]


def latents_of(clip: dict[str, Any], num: int) -> list[dict[str, Any]]:
    """Rows of latents of the clip's shape, of random numbers."""
    random = np.random.default_rng(0)

    def numbers(*shape: int) -> dict[str, Any]:
        values = random.standard_normal(shape, np.float32).astype("<f2")
        return {"values": values.tobytes(), "shape": [*shape]}

    frames = Means().latent_frames(clip["num_frames"])
    height, width = clip["height"] // 8, clip["width"] // 8
    rows = []
    for at in range(num):
        latent = numbers(CHANNELS, frames, height, width)
        image = numbers(CHANNELS, 1, height, width)
        text = numbers(TOKENS, STATES.dim) | {"name": STATES.name, "dtype": "float16"}
        row = {name: clip[name] for name in ("num_frames", "width", "height", "fps", "prompt")}
        row |= {"clip_id": f"{at:06}", "video_id": f"{at}", "subset": "256p", "weight": 1.0}
        row |= {"latent": latent["values"], "latent_shape": latent["shape"]}
        row |= {"image_latent": image["values"], "image_shape": image["shape"]}
        rows.append(row | {"text": [text], "encoder_hash": "made", "status": "ok"})
    return rows


def clip_example(record: dict[str, bytes]) -> Example:
    """The example of an MP4 and its prompt."""
    frames = encoded_frames(decode_sample(record["mp4"]), "16:9", LatentsSettings())
    latent = Means().encode(video_tensor(frames))[0]
    return Example(latent, {WORDS.name: Lengths()([record["txt"].decode()])[0]})


def latent_example(shape: list[int]) -> Callable[[dict[str, bytes]], Example]:
    """What makes examples of stored latents of this shape and their text."""

    def made(record: dict[str, bytes]) -> Example:
        latent = array(pa.scalar(record["latent"]), shape, "float16", "latent")
        text = array(pa.scalar(record["text"]), [TOKENS, STATES.dim], "float16", "text")
        return Example(torch.from_numpy(latent), {STATES.name: text})

    return made


def batch_of(examples: Sequence[Any], spec: TextSpec) -> tuple[Tensor, Any]:
    """The tensors of a batch."""
    latents = torch.stack([one.latent for one in examples])
    return latents, collate([one.text for one in examples], [spec], [False] * len(examples))


def ours(kind: Kind, folder: Path) -> tuple[Reader, DataSettings, int]:
    """A reader of the rows as curation stores them, and settings of batches of `BATCH`."""
    folder.mkdir()
    size = 0
    for start in range(0, len(kind.rows), PER_FILE):
        rows = pa.Table.from_pylist(kind.rows[start : start + PER_FILE], kind.schema)
        content = parquet_bytes(rows)
        size += len(content)
        (folder / f"part-{start:06}.parquet").write_bytes(content)
    dataset = ds.dataset(folder, schema=kind.schema)
    coder: Any = Means()
    texts: list[Any] = [Lengths()]
    latents = LatentsSettings()
    is_latents = kind.schema is LATENTS
    data = DataSettings(
        subset="256p", source="latents" if is_latents else "shards", held_out_share=0
    )
    sizes = None if is_latents else LatentsOfShards(latents, coder)
    index = read_index(dataset, None, data, PositionSettings(), None, sizes)
    tokens = BATCH * max(index.buckets[one].tokens for one in index.bucket)
    data = data.model_copy(update={"tokens_per_step": tokens})
    if is_latents:
        return LatentReader(index, [STATES], size // 8), data, size
    return ShardReader(index, latents, coder, texts, size // 8), data, size


def our_batches(reader: Reader, data: DataSettings, spec: TextSpec) -> Batches:
    """Batches in our order."""

    def epoch(number: int) -> Iterator[Any]:
        for step in plan_epoch(reader.index, data, 0, number):
            yield batch_of(reader.read(step.rows, step.is_image), spec)

    return epoch


def webdataset_batches(kind: Kind, folder: Path) -> Batches:
    """Batches of WebDataset, of as many tar files."""
    wds = required("webdataset")
    folder.mkdir()
    files = []
    for start in range(0, len(kind.rows), PER_FILE):
        files.append(str(folder / f"{start:06}.tar"))
        with wds.TarWriter(files[-1]) as out:
            for row in kind.rows[start : start + PER_FILE]:
                out.write({"__key__": row["clip_id"], **kind.record(row)})

    def epoch(number: int) -> Iterable[Any]:
        read = wds.WebDataset(files, shardshuffle=len(files), seed=number, empty_check=False)
        shuffled = read.shuffle(4 * PER_FILE).map(kind.example)
        return shuffled.batched(BATCH, collation_fn=lambda found: batch_of(found, kind.spec))

    return epoch


def streaming_batches(kind: Kind, folder: Path) -> Batches:
    """Batches of MosaicML Streaming, of files of about the same size."""
    streaming = required("streaming")
    columns = dict.fromkeys(kind.record(kind.rows[0]), "bytes")
    size = sum(map(len, kind.record(kind.rows[0]).values())) * PER_FILE
    with streaming.MDSWriter(out=str(folder), columns=columns, size_limit=size) as out:
        for row in kind.rows:
            out.write(kind.record(row))
    streaming.base.util.clean_stale_shared_memory()
    read = streaming.StreamingDataset(local=str(folder), shuffle=True, batch_size=BATCH)

    def epoch(number: int) -> Iterator[Any]:
        found = []
        for record in read:
            found.append(kind.example(record))
            if len(found) == BATCH:
                yield batch_of(found, kind.spec)
                found = []
        if found:
            yield batch_of(found, kind.spec)

    return epoch


def samples_and_seconds(batches: Iterable[Any]) -> tuple[int, float, float]:
    """Samples of an epoch, its seconds by the clock and of CPU."""
    began, cpu = time.perf_counter(), time.process_time()
    count = sum(len(latents) for latents, _ in batches)
    return count, time.perf_counter() - began, time.process_time() - cpu


def compared(kind: Kind, folder: Path, rounds: int) -> dict[str, float]:
    """Samples a second and CPU-milliseconds a sample of each, in turns."""
    reader, data, _ = ours(kind, folder / "parquet")
    arms = {"moviola": our_batches(reader, data, kind.spec)}
    makers = {"webdataset": webdataset_batches, "streaming": streaming_batches}
    for name, module in OTHERS.items():
        if importlib.util.find_spec(module) is None:
            print(f"{name} is not installed; see the head of this file")
        else:
            arms[name] = makers[name](kind, folder / name)
    best: dict[str, tuple[float, float]] = {}
    for number in range(rounds + 1):
        for name, batches in arms.items():
            count, wall_s, cpu_s = samples_and_seconds(batches(number))
            assert count == len(kind.rows), f"{name} gave {count} of {len(kind.rows)}"
            if number:
                last = best.get(name, (math.inf, math.inf))
                best[name] = (min(last[0], wall_s / count), min(last[1], cpu_s / count))
    figures: dict[str, float] = {}
    for name, (wall_s, cpu_s) in best.items():
        figures[f"{kind.name}_per_s_{name}"] = 1 / wall_s
        figures[f"{kind.name}_cpu_ms_{name}"] = 1000 * cpu_s
        print(f"{kind.name:>8} {name:>11} {1 / wall_s:>9.1f}/s {1000 * cpu_s:>8.2f} ms of CPU")
    others = [cpu_s for name, (_, cpu_s) in best.items() if name != "moviola"]
    if others:
        figures[f"{kind.name}_ratio"] = min(others) / best["moviola"][1]
    return figures


def trained(kind: Kind, folder: Path, steps: int) -> dict[str, float]:
    """The whole loader alone, and how much a small model in training waits for it."""
    reader, data, _ = ours(kind, folder / "trained")
    figures = {}
    for prefetch in (0, 4):
        loader = Loader(reader, data, TimeSettings(), [kind.spec], 0, prefetch)
        batches = loader.batches(State())
        next(batches)
        began, count = time.perf_counter(), 0
        for _ in range(steps):
            count += len(next(batches).ids)
        rate = count / (time.perf_counter() - began)
        batches.close()
        figures[f"{kind.name}_per_s_loader_{prefetch}"] = rate
        print(f"{kind.name:>8} loader, {prefetch} ahead {rate:>9.1f}/s")
    channels = kind.example(kind.record(kind.rows[0])).latent.shape[0]
    model = Transformer(SHAPES["tiny"], channels, PositionSettings(), [kind.spec])
    model.reset(0)
    optimizer = torch.optim.AdamW(model.parameters())
    batches = Loader(reader, data, TimeSettings(), [kind.spec], 0, 4).batches(State())
    next(batches)
    began, waited_s = time.perf_counter(), 0.0
    for _ in range(max(4, steps // 4)):
        batch = next(batches)
        waited_s += batch.wait_s
        predicted = model(
            interpolate(batch.noise, batch.data, batch.times), batch.times, batch.text
        )
        target = velocity(batch.noise, batch.data)
        (squared_errors(predicted, target).sum() / batch.data.numel()).backward()
        optimizer.step()
        optimizer.zero_grad()
    share = waited_s / (time.perf_counter() - began)
    batches.close()
    figures[f"{kind.name}_wait_share"] = share
    print(f"{kind.name:>8} waiting {share:>9.2%} of the time of training steps")
    return figures


def main() -> None:
    """Prints a line for each, and a last line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", nargs="?", default="build/demo")
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--latents", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=16)
    arguments = parser.parse_args()
    clips = clips_of(arguments.workspace, arguments.clips)
    latents = latents_of(clips[0], arguments.latents)
    kinds = [
        Kind(
            "latents",
            LATENTS,
            latents,
            STATES,
            lambda row: {"latent": row["latent"], "text": row["text"][0]["values"]},
            latent_example(latents[0]["latent_shape"]),
        ),
        Kind(
            "clips",
            SHARD,
            clips,
            WORDS,
            lambda row: {"mp4": row["video"], "txt": row["prompt"].encode()},
            clip_example,
        ),
    ]
    figures: dict[str, float] = {}
    for kind in kinds:
        with tempfile.TemporaryDirectory(prefix="loader-") as folder:
            figures |= compared(kind, Path(folder), arguments.rounds)
            figures |= trained(kind, Path(folder), arguments.steps)
    figures["wait_share"] = max(figures[f"{kind.name}_wait_share"] for kind in kinds)
    is_fast = figures.get("clips_ratio", 0.0) >= BAR["clips_ratio"]
    held = is_fast and figures["wait_share"] < BAR["wait_share"]
    print(json.dumps({"name": "speed/loader", "figures": figures, "bar": BAR, "held": held}))


if __name__ == "__main__":
    main()
