"""Small tables `latents/<subset>` and indexes without a table, for tests of the loader."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from curation.tables import LATENTS
from training.data.buckets import Bucket
from training.data.draws import keys_of
from training.data.index import SampleIndex, read_index
from training.data.latent_reader import LatentReader
from training.data.loader import Loader
from training.data.rows import Places
from training.data.split import is_held_out
from training.settings import DataSettings, PositionSettings, TimeSettings
from training.text.spec import TextSpec

CHANNELS = 2
TEXT = (TextSpec("prompt", 3, 8, "embedding"), TextSpec("spelling", 4, 8, "bytes", 1))
POSITIONS = PositionSettings(frames=4, height=4, width=4)
HASH = "encoders-1"
SHAPES = ((2, 4, 6), (4, 4, 4), (2, 6, 4))


def content(shape: Sequence[int], seed: int) -> bytes:
    """Half-precision numbers of this shape, as they are stored."""
    return np.random.default_rng(seed).normal(size=shape).astype("<f2").tobytes()


def latent_row(number: int, image: bool = False, video: int | None = None) -> dict[str, Any]:
    """The stored row of a clip or an image; which shape it has goes by its number."""
    frames, height, width = (1, 4, 6) if image else SHAPES[number % len(SHAPES)]
    tokens = number % 4
    shape, image_shape = [CHANNELS, frames, height, width], [CHANNELS, 1, height, width]
    spelling = f"word {number}".encode()[:8]
    embedding = {"name": "prompt", "values": content([tokens, 3], number), "dtype": "float16"}
    return {
        "clip_id": f"{number * 2654435761 % 2**32:08x}-{number}-16",
        "video_id": f"video-{number if video is None else video}",
        "subset": "256p",
        "prompt": f"Clip {number}.",
        "num_frames": 1 if image else 8 * frames,
        "width": 8 * width,
        "height": 8 * height,
        "latent": content(shape, number),
        "latent_shape": shape,
        "image_latent": None if image else content(image_shape, number + 10**6),
        "image_shape": None if image else image_shape,
        "text": [
            embedding | {"shape": [tokens, 3]},
            {"name": "spelling", "values": spelling, "shape": [len(spelling)], "dtype": "uint8"},
        ],
        "encoder_hash": HASH,
        "weight": 1.0,
        "source": f"source-{number % 2}",
        "captioner": "facts",
        "status": "ok",
    }


def write(folder: Path, rows: Sequence[Mapping[str, Any]], per_file: int = 7) -> ds.Dataset:
    """The rows as Parquet files of a few row groups each."""
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(rows), per_file):
        part = pa.Table.from_pylist([dict(row) for row in rows[start : start + per_file]], LATENTS)
        pq.write_table(
            part, folder / f"part-{start:06}.parquet", row_group_size=3, write_page_checksum=True
        )
    return ds.dataset(folder, schema=LATENTS)


def overwrite(path: Path, *columns: str) -> None:
    """Puts zeros where a Parquet file has these columns."""
    metadata = pq.read_metadata(path)
    with path.open("r+b") as file:
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            for one in map(group.column, range(group.num_columns)):
                if one.path_in_schema in columns:
                    first = one.dictionary_page_offset or one.data_page_offset
                    file.seek(first)
                    file.write(bytes(one.total_compressed_size))


def settings(**values: Any) -> DataSettings:
    """Settings of a small stage without held-out videos."""
    return DataSettings(**{"subset": "256p", "tokens_per_step": 48, "held_out_share": 0.0} | values)


def index_of(
    dataset: ds.Dataset, data: DataSettings, selection: pa.Table | None = None
) -> SampleIndex:
    """The index of a table that `write` made."""
    return read_index(dataset, selection, data, POSITIONS, HASH)


def loader_of(dataset: ds.Dataset, data: DataSettings, prefetch: int = 0, seed: int = 0) -> Loader:
    """A loader of a table that `write` made."""
    reader = LatentReader(index_of(dataset, data), TEXT)
    return Loader(reader, data, TimeSettings(), TEXT, seed, prefetch)


def bare_index(
    num_clips: int,
    weights: Sequence[float] | None = None,
    num_images: int = 0,
    held_out_share: float = 0.0,
    buckets: Callable[[int], int] = lambda number: number % 3,
) -> SampleIndex:
    """An index with no table behind it: clips in three buckets, then images."""
    num = num_clips + num_images
    ids = pa.array([f"{number:06}" for number in range(num)])
    shapes = (Bucket(1, 4, 4), *(Bucket(*shape) for shape in sorted(SHAPES)))
    is_image = np.arange(num) >= num_clips
    number = np.array([0 if at >= num_clips else 1 + buckets(at) for at in range(num)])
    nothing = np.zeros(num, np.int32)
    return SampleIndex(
        subset="256p",
        ids=ids,
        keys=keys_of(ids.to_pylist()),
        channels=CHANNELS,
        buckets=shapes,
        bucket=number,
        image_bucket=np.zeros(num, np.int64),
        is_image=is_image,
        weights=np.ones(num) if weights is None else np.array(weights, np.float64),
        concepts=nothing,
        sources=ids,
        held_out=is_held_out(ids, held_out_share),
        places=Places(LATENTS, (), nothing, nothing, nothing),
        num_unselected=0,
    )
