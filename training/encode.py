"""The latents stage: training samples through the autoencoder and the text encoders, once."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.media.errors import MediaError
from curation.media.samples import decode_sample, stored_videos
from curation.models.devices import Device, ready
from curation.settings import fingerprint
from curation.stage import Stage
from curation.tables import (
    LATENTS,
    OK,
    REJECTED,
    SHARD,
    content_sha256,
    failed_row,
    full_prompt,
)
from training.autoencoder.settings import Precision
from training.pixels import Frames, aspect_of, encoded_frames
from training.settings import LatentsSettings

if TYPE_CHECKING:  # what these import takes seconds
    import torch

    from training.autoencoder.coder import Autoencoder
    from training.text.encoders import TextEncoder

NO_PROMPT = "prompt"
"""The reason of a sample that has no prompt, and so cannot teach what a prompt means."""

_SAME = ("video_id", "subset", "video_sha256", "weight", "source", "licence", "captioner")
SAMPLES = [
    *("clip_id", *_SAME, "bucket", "num_frames", "fps"),
    *("fps_token", "camera_prefix", "caption"),
]
"""The columns of `shards/<subset>` that `latent_inputs` reads."""

INPUTS = pa.schema(
    [
        *(LATENTS.field(name) for name in ("clip_id", *_SAME, "prompt", "fps")),
        SHARD.field("bucket"),
        pa.field("sample_frames", pa.int32()),
        pa.field("part", pa.string()),
    ]
)
"""What the stage reads: the row without its arrays, and the part of the shards that has the
sample."""


def latent_inputs(samples: pa.Table, settings: LatentsSettings) -> pa.Table:
    """A row of `INPUTS` for each sample.

    Args:
        samples: `SAMPLES` of the rows of `shards/<subset>` that are `ok`, and the `part` of each.
        settings: how the subset is encoded.
    """
    rows = []
    for sample in samples.to_pylist():
        token, fps = sample["fps_token"], sample["fps"]
        if fps is not None and settings.frame_stride > 1:
            fps /= settings.frame_stride
            token = f"FPS-{max(1, round(fps))}"
        prompt = full_prompt(token, sample["camera_prefix"], sample["caption"])
        made = {"prompt": prompt, "fps": fps, "sample_frames": sample["num_frames"]}
        rows.append(sample | made)
    return pa.Table.from_pylist(rows, schema=INPUTS)


class LatentsStage(Stage):
    """Encodes samples one by one, so that nothing depends on its neighbours in a batch."""

    name: ClassVar[str] = "latents"
    key: ClassVar[str] = "clip_id"
    tracked: ClassVar[tuple[str, ...]] = ("video_sha256", "prompt", "source", "licence")
    version: ClassVar[int] = 1
    schema: ClassVar[pa.Schema] = LATENTS

    def __init__(
        self,
        settings: LatentsSettings,
        autoencoder: "Autoencoder",
        texts: Sequence["TextEncoder"],
        shards_uri: str,
        device: Device = "cpu",
        precision: Precision = "float32",
    ) -> None:
        """Says what to do; `setup` loads the models.

        Args:
            settings: how the subset is encoded.
            autoencoder: not yet loaded.
            texts: not yet loaded.
            shards_uri: where the table `shards/<subset>` lies.
            device: where the models compute.
            precision: what the autoencoder computes in.

        Raises:
            ValueError: the files of a model are missing.
        """
        self._settings, self._autoencoder, self._texts = settings, autoencoder, texts
        self._shards_uri, self._device, self._precision = shards_uri, device, precision
        encoders = [[text.spec.name, text.version] for text in texts]
        self._fingerprint = fingerprint(
            self.name, self.version, settings, autoencoder.version, encoders, precision
        )

    @property
    def fingerprint(self) -> str:
        """Changes with the version, the models, and what is taken of a sample: `encoder_hash`."""
        return self._fingerprint

    def setup(self) -> None:
        """Loads the models."""
        self._torch_device = ready(self._device)
        self._autoencoder.load(self._device, self._precision)
        for text in self._texts:
            text.load(self._device)

    def __call__(self, batch: pa.Table) -> pa.Table:
        """One row per sample: its latents and text, or why there are none."""
        rows = batch.to_pylist()
        videos = self._videos(rows)
        return pa.concat_tables([self._row(row, videos[row["clip_id"]]) for row in rows])

    def _videos(self, rows: Sequence[dict[str, Any]]) -> dict[str, bytes | MediaError]:
        """The bytes of each sample, or why they cannot be had."""
        found: dict[str, bytes | MediaError] = {}
        for part in dict.fromkeys(row["part"] for row in rows):
            ids = [row["clip_id"] for row in rows if row["part"] == part]
            gone = MediaError("changed", f"{self._shards_uri}/{part} no longer holds it")
            found |= dict.fromkeys(ids, gone)
            try:
                found |= stored_videos(self._shards_uri, part, ids)
            except MediaError as error:
                found |= dict.fromkeys(ids, error)
        return found

    def _row(self, row: dict[str, Any], video: bytes | MediaError) -> pa.Table:
        start_s = time.process_time()
        if row["prompt"] is None:
            state = {"status": REJECTED, "reason": NO_PROMPT}
            return pa.Table.from_pylist([row | state], schema=LATENTS)
        try:
            made = self._encoded(row, video)
        except MediaError as error:
            key = {name: row[name] for name in ("clip_id", "video_id", "subset")}
            words = str(error).encode("utf-8", "replace").decode()
            return failed_row(LATENTS, key, error.reason, words, time.process_time() - start_s)
        made |= {"status": OK, "cpu_s": time.process_time() - start_s}
        return pa.Table.from_pylist([row | made], schema=LATENTS)

    def _encoded(self, row: dict[str, Any], video: bytes | MediaError) -> dict[str, Any]:
        """The columns that the models fill.

        Raises:
            MediaError: the sample is not whole, or a model gives what is no number.
        """
        if isinstance(video, MediaError):
            raise video
        if content_sha256(video) != row["video_sha256"]:
            raise MediaError("changed", "the sample does not have the checksum in its row")
        sample = decode_sample(video)
        if len(sample) != row["sample_frames"]:
            counts = f"{len(sample)} frames, not {row['sample_frames']}"
            raise MediaError("frames", f"the sample has {counts}")
        frames = encoded_frames(sample, aspect_of(row["bucket"]), self._settings)
        num_frames, height, width, _ = frames.shape
        latent, shape = self._latent(frames)
        middle = frames[num_frames // 2][None]
        image, image_shape = self._latent(middle) if num_frames > 1 else (None, None)
        return {
            **{"num_frames": num_frames, "width": width, "height": height},
            **{"latent": latent, "latent_shape": shape},
            **{"image_latent": image, "image_shape": image_shape},
            "text": [_text(text, row["prompt"]) for text in self._texts],
            "encoder_hash": self.fingerprint,
            "latent_mean": self._autoencoder.mean,
            "latent_std": self._autoencoder.std,
        }

    def _latent(self, frames: Frames) -> tuple[bytes, list[int]]:
        import torch

        with torch.inference_mode():
            video = video_tensor(frames).to(self._torch_device)
            try:
                latent = self._autoencoder.encode(video)[0].float().cpu().numpy()
            except ValueError as error:
                raise MediaError("model", str(error)) from error
        return _stored(latent, "the autoencoder")


def video_tensor(frames: Frames) -> "torch.Tensor":
    """Frames as the autoencoder takes them: `[1, 3, T, H, W]`, float32, -1 to 1."""
    import torch

    video_THWC = torch.from_numpy(np.ascontiguousarray(frames))
    return video_THWC.permute(3, 0, 1, 2)[None].float() / 127.5 - 1.0


def _text(encoder: "TextEncoder", prompt: str) -> dict[str, Any]:
    name = encoder.spec.name
    try:
        [values] = encoder([prompt])
    except ValueError as error:
        raise MediaError("model", str(error)) from error
    if values.dtype == np.uint8:
        content, shape = values.tobytes(), [*values.shape]
    else:
        content, shape = _stored(values, f"text encoder {name}")
    dtype = "uint8" if values.dtype == np.uint8 else "float16"
    return {"name": name, "values": content, "shape": shape, "dtype": dtype}


def _stored(values: npt.NDArray[np.float32], maker: str) -> tuple[bytes, list[int]]:
    """The array as it is stored, and its shape.

    Raises:
        MediaError: a value is not finite, or not in half precision.
    """
    with np.errstate(over="ignore"):
        half = values.astype("<f2")
    if not np.isfinite(half).all():
        raise MediaError("model", f"{maker} gives a value that half precision cannot hold")
    return half.tobytes(), [*half.shape]
