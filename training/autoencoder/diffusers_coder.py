"""Video autoencoders of diffusers, by the folder or the repository that they were saved in.

They are causal: the first frame becomes a latent frame of its own, then every 4, 6 or 8 one more.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from curation.models.devices import Device, required
from training.autoencoder.coder import Autoencoder
from training.autoencoder.settings import Precision
from training.autoencoder.sources import CONFIG, WEIGHTS, diffusers_files

CLASS = re.compile(r"Autoencoder\w+", re.ASCII)


LATENTS_AT_ONCE = {"AutoencoderKLCogVideoX": 2}
"""Latent frames after the first that a model takes together: of 2, CogVideoX decodes 8 frames."""


class DiffusersCoder(Autoencoder):
    """Any of diffusers' causal video autoencoders, with its own statistics of latents."""

    def __init__(self, place: str, revision: str | None) -> None:
        """Reads the configuration.

        Args:
            place: the folder of `config.json`; with a revision `organisation/repository`, or
                `organisation/repository/vae` where it lies in a folder of it.
            revision: the commit of the repository.

        Raises:
            ValueError: files are not on this machine, or describe no video autoencoder.
        """
        files, inner = diffusers_files(place, revision)
        self._folder = files.folder() / inner
        self.version = f"diffusers-{files.version}"
        config = _config(self._folder)
        try:
            self._class = _class_of(config)
            self.space_factor, self._time_factor = _factors(config)
            self.mean, self.std = _statistics(config, self._folder)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{self._folder / CONFIG} is not of a causal video autoencoder of diffusers, such "
                f"as those of Wan, CogVideoX and LTX-Video: {error!r}"
            ) from error
        self.latent_channels = len(self.mean)
        self._model: Any = None

    def load(self, device: Device, precision: Precision = "float32") -> None:
        """Reads the weights."""
        diffusers = required("diffusers")
        found = getattr(diffusers, self._class, None)
        if found is None:
            raise ValueError(
                f"{self._folder} wants {self._class}, which diffusers {diffusers.__version__} lacks"
            )
        self._dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        try:
            model = found.from_pretrained(
                self._folder,
                local_files_only=True,
                use_safetensors=True,
                low_cpu_mem_usage=False,
                torch_dtype=self._dtype,
            )
        except (OSError, RuntimeError, required("safetensors").SafetensorError) as error:
            raise ValueError(f"{self._folder} holds no whole {self._class}: {error}") from error
        self._model = model.to(device).eval().requires_grad_(False)
        self._device = torch.device(device)
        shape = (1, -1, 1, 1, 1)
        self._mean = torch.tensor(self.mean, device=device).view(shape)
        self._std = torch.tensor(self.std, device=device).view(shape)

    def latent_frames(self, num_frames: int) -> int:
        """One, and one for each `time factor` of frames begun after the first."""
        together = LATENTS_AT_ONCE.get(self._class, 1)
        return 1 + together * -(-(num_frames - 1) // (together * self._time_factor))

    @torch.no_grad()
    def encode(self, video_bcthw: Tensor) -> Tensor:
        """The last frame is repeated up to a length that has a whole number of latent frames."""
        frames, height, width = video_bcthw.shape[2:]
        whole = 1 + (self.latent_frames(frames) - 1) * self._time_factor
        margins = (0, -width % self.space_factor, 0, -height % self.space_factor, 0, whole - frames)
        video = functional.pad(
            video_bcthw.to(self._device, torch.float32), margins, mode="replicate"
        )
        latents = self._model.encode(video.to(self._dtype)).latent_dist.mode().float()
        expected = (
            self.latent_frames(frames),
            *(side // self.space_factor for side in video.shape[3:]),
        )
        if latents.shape[1:] != (self.latent_channels, *expected):
            raise ValueError(
                f"{self._class} in {self._folder} made latents {tuple(latents.shape[1:])} where "
                f"{(self.latent_channels, *expected)} was expected of its configuration"
            )
        return cast(Tensor, (latents - self._mean) / self._std)

    @torch.no_grad()
    def decode(self, latents_bcthw: Tensor, num_frames: int) -> Tensor:
        """As the model tiles it, if at all."""
        latents = latents_bcthw.to(self._device, torch.float32) * self._std + self._mean
        arguments: dict[str, Tensor] = {}
        if self._model.config.get("timestep_conditioning"):
            # LTX-Video's later decoders also take away noise; there is none in these.
            arguments["temb"] = torch.zeros(len(latents), device=self._device, dtype=self._dtype)
        video = self._model.decode(latents.to(self._dtype), **arguments).sample.float()
        expected = 1 + (latents.shape[2] - 1) * self._time_factor
        if video.shape[2] != expected:
            raise ValueError(
                f"{self._class} in {self._folder} made {video.shape[2]} frames of "
                f"{latents.shape[2]} latent frames where {expected} were expected"
            )
        return cast(Tensor, video[:, :, :num_frames].clamp(-1, 1))


def _config(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / CONFIG).read_bytes())
    except ValueError as error:
        raise ValueError(f"{folder / CONFIG} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{folder / CONFIG} is no configuration")
    return found


def _class_of(config: Mapping[str, Any]) -> str:
    name = config["_class_name"]
    if not CLASS.fullmatch(name):
        raise ValueError(f"{name} is no autoencoder")
    return str(name)


def _factors(config: Mapping[str, Any]) -> tuple[int, int]:
    """By how much sides and time shrink, by the names that the models have for it."""
    space = config.get("spatial_compression_ratio") or config.get("scale_factor_spatial")
    time = config.get("temporal_compression_ratio") or config.get("scale_factor_temporal")
    if "spatio_temporal_scaling" in config:
        halvings = 2 ** sum(config["spatio_temporal_scaling"])
        space = space or config["patch_size"] * halvings
        time = time or config["patch_size_t"] * halvings
    if "temporal_expansions" in config:  # Mochi
        space = space or _product(config["spatial_expansions"])
        time = time or _product(config["temporal_expansions"])
    space = space or 2 ** (len(config["block_out_channels"]) - 1)
    if not time:
        raise ValueError("it does not say by how much time shrinks")
    return int(space), int(time)


def _product(factors: list[int]) -> int:
    total = 1
    for factor in factors:
        total *= factor
    return total


def _statistics(config: Mapping[str, Any], folder: Path) -> tuple[list[float], list[float]]:
    """Mean and standard deviation by channel, of which standardised latents are made.

    `(z - latents_mean) / latents_std * scaling_factor`, and where there are no such lists,
    `(z - shift_factor) * scaling_factor`, as the pipelines of these models do.
    """
    channels = int(config.get("latent_channels") or config["z_dim"])
    scale = float(config.get("scaling_factor") or 1.0)
    mean, std = config.get("latents_mean"), config.get("latents_std")
    if mean is None or std is None:
        mean, std = _stored(folder) or (
            [config.get("shift_factor") or 0.0] * channels,
            [1.0] * channels,
        )
    if len(mean) != channels or len(std) != channels:
        raise ValueError(f"{channels} channels have statistics of {len(mean)}")
    return [float(value) for value in mean], [float(value) / scale for value in std]


def _stored(folder: Path) -> tuple[list[float], list[float]] | None:
    """LTX-Video keeps them among its weights."""
    path = folder / WEIGHTS
    if not path.is_file():
        return None
    safetensors = required("safetensors")
    try:
        with safetensors.safe_open(path, framework="pt") as held:
            if not {"latents_mean", "latents_std"} <= set(held.keys()):
                return None
            found = [held.get_tensor(name).tolist() for name in ("latents_mean", "latents_std")]
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is no whole file of weights: {error}") from error
    return found[0], found[1]
