"""Examples made of the samples of shards, whenever they are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import torch

from curation.media.samples import decode_sample
from training.data.buckets import Bucket
from training.data.index import SampleIndex
from training.data.readers import BrokenSample, Example, Reader
from training.data.rows import CACHE_BYTES
from training.encode import latent_inputs, video_tensor
from training.pixels import aspect_of, bucket_size, encoded_frames, taken_frames
from training.settings import LatentsSettings

if TYPE_CHECKING:
    from training.autoencoder.coder import Autoencoder
    from training.text.encoders import TextEncoder


class ShardReader(Reader):
    """Reads `shards/<subset>`: every sample is decoded and encoded anew."""

    def __init__(
        self,
        index: SampleIndex,
        settings: LatentsSettings,
        autoencoder: "Autoencoder",
        texts: Sequence["TextEncoder"],
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """Takes models that are loaded, and that nobody else calls at the same time.

        Args:
            index: of a table `shards/<subset>`.
            settings: which frames are taken, and at which size.
            autoencoder: makes the latents.
            texts: read the prompts.
            cache_bytes: row groups that are kept in memory.
        """
        super().__init__(index, cache_bytes)
        self._settings, self._autoencoder, self._texts = settings, autoencoder, texts

    def _columns(self, of_middle: bool) -> Sequence[str]:
        prompt = ("fps", "fps_token", "camera_prefix", "caption")
        return ("video", "bucket", "num_frames", *prompt)

    @torch.no_grad()
    def _made(self, stored: pa.Table, bucket: Bucket, of_middle: bool) -> Example:
        [row] = stored.to_pylist()
        [prompt] = latent_inputs(stored, self._settings)["prompt"].to_pylist()
        if not row["video"] or prompt is None:
            raise BrokenSample("it has no " + ("prompt" if row["video"] else "video"))
        sample = decode_sample(row["video"])
        if len(sample) != row["num_frames"]:
            raise BrokenSample(f"it has {len(sample)} frames, not {row['num_frames']}")
        frames = encoded_frames(sample, aspect_of(row["bucket"]), self._settings)
        if of_middle:
            frames = frames[len(frames) // 2][None]
        # One at a time: what comes out of a batch can differ in its last bits.
        latent = self._autoencoder.encode(video_tensor(frames))[0]
        said = {one.spec.name: one([prompt])[0] for one in self._texts}
        return Example(latent.float().cpu(), said)


@dataclass(frozen=True)
class LatentsOfShards:
    """Says which latents samples of shards become, before there are any."""

    settings: LatentsSettings
    autoencoder: "Autoencoder"

    def __call__(self, bucket: str, num_frames: int, width: int, height: int) -> Bucket:
        """The bucket of latents of a sample.

        Args:
            bucket: name of the sample's own.
            num_frames: of the sample; 1 for an image.
            width: px.
            height: px.
        """
        taken = len(taken_frames(num_frames, self.settings))
        size = bucket_size(aspect_of(bucket), width, height, self.settings.base_px)
        factor = self.autoencoder.space_factor
        columns, rows = (-(-side // factor) for side in size)
        return Bucket(self.autoencoder.latent_frames(taken), rows, columns)
