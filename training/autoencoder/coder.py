"""The autoencoder as the rest of training sees it: videos to latents and back."""

from abc import ABC, abstractmethod
from pathlib import Path

import torch
from torch import Tensor

from curation.models.devices import Device
from curation.models.hub import ModelFiles
from training.acceleration import autocast
from training.autoencoder.files import (
    DESCRIPTION,
    WEIGHTS,
    check_weights,
    read_description,
    read_weights,
)
from training.autoencoder.settings import (
    AutoencoderSettings,
    Precision,
    TaeArchitecture,
    TilingSettings,
)
from training.autoencoder.tae import Tae, latent_frames
from training.autoencoder.tiling import decode_tiled, encode_tiled


class Autoencoder(ABC):
    """Videos to latents of mean 0 and standard deviation 1 per channel, and back.

    Making one is cheap, and it can be pickled until `load`.
    """

    latent_channels: int
    """C, the channels of latents."""

    space_factor: int
    """Pixels along a side for each position of latents."""

    mean: list[float]
    """Of each channel, before latents are standardised."""

    std: list[float]
    """Of each channel, above 0."""

    version: str
    """Names the content of the weights, and what else the latents depend on."""

    @abstractmethod
    def load(self, device: Device, precision: Precision = "float32") -> None:
        """Reads the weights, once per process.

        Args:
            device: where it computes.
            precision: what it computes in; latents and videos are float32.

        Raises:
            ValueError: files are missing, cut off, or belong to something else.
        """

    @abstractmethod
    def latent_frames(self, num_frames: int) -> int:
        """Latent frames of a video of so many frames."""

    @abstractmethod
    def encode(self, video_bcthw: Tensor) -> Tensor:
        """The mean of the posterior, standardised: `[B, C, T', H', W']`, float32.

        Sides that are no multiple of `space_factor` are filled up with copies of their last pixels.

        Args:
            video_bcthw: RGB in [-1, 1], of any length; an image has T = 1.
        """

    @abstractmethod
    def decode(self, latents_bcthw: Tensor, num_frames: int) -> Tensor:
        """The video in [-1, 1]: `[B, 3, num_frames, space_factor H, space_factor W]`, float32.

        Args:
            latents_bcthw: standardised.
            num_frames: as many as `latent_frames` gives that many latent frames for.
        """


def autoencoder(settings: AutoencoderSettings) -> Autoencoder:
    """The autoencoder that a recipe names, not loaded yet.

    Raises:
        ValueError: a `tae` has no description where it should be, or a broken one; a model of
            diffusers is not on this machine, or no autoencoder of videos.
    """
    if settings.kind == "tae":
        return TaeCoder(Path(settings.folder), settings.tiling)
    from training.autoencoder.diffusers_coder import DiffusersCoder

    return DiffusersCoder(settings.folder, settings.revision)


class TaeCoder(Autoencoder):
    """A temporal autoencoder that was trained here."""

    space_factor = 8

    def __init__(self, folder: Path, tiling: TilingSettings) -> None:
        """Reads the description.

        Args:
            folder: of `autoencoder.safetensors` and `autoencoder.json`.
            tiling: how long videos are coded.

        Raises:
            ValueError: a file is missing, or they are not of one autoencoder.
        """
        self._tiling = tiling
        files = ModelFiles(str(folder.expanduser()), None, (DESCRIPTION, WEIGHTS))
        try:
            self._folder = files.folder()
        except ValueError as error:
            raise ValueError(f"{error}; `moviola train-tae` writes it") from error
        self.description = read_description(self._folder)
        # Here, not only where they are loaded: another version would have all latents made again.
        check_weights(self._folder, self.description)
        self._architecture = TaeArchitecture.model_validate(self.description["architecture"])
        self.latent_channels = self._architecture.latent_channels
        self.mean, self.std = self.description["mean"], self.description["std"]
        # Pieces of another length see other neighbours. What the decoder does changes no latent.
        self.version = f"tae-{files.version}-t{tiling.frames}"
        self._model: Tae | None = None

    def load(self, device: Device, precision: Precision = "float32") -> None:
        """Reads and checks the weights."""
        model = read_weights(self._folder, self.description, self._architecture)
        self._model = model.to(device).requires_grad_(False)
        self._device, self._precision = device, precision
        shape = (1, -1, 1, 1, 1)
        self._mean = torch.tensor(self.mean, device=device).view(shape)
        self._std = torch.tensor(self.std, device=device).view(shape)

    def latent_frames(self, num_frames: int) -> int:
        """One for each 8 begun."""
        return latent_frames(num_frames)

    @torch.no_grad()
    def encode(self, video_bcthw: Tensor) -> Tensor:
        """In pieces of time where it is longer than one."""
        model = self._loaded()
        with autocast(self._device, self._precision):
            video = video_bcthw.to(self._mean.device, torch.float32)
            latents = encode_tiled(
                lambda piece: model.encode(piece).mean, video, self._tiling.frames
            )
        return (latents - self._mean) / self._std

    @torch.no_grad()
    def decode(self, latents_bcthw: Tensor, num_frames: int) -> Tensor:
        """In pieces of time that overlap, where it is longer than one."""
        model, tiling = self._loaded(), self._tiling
        latents = latents_bcthw.to(self._mean.device, torch.float32) * self._std + self._mean
        with autocast(self._device, self._precision):
            video = decode_tiled(
                model.decode, latents, num_frames, tiling.frames, tiling.decoder_overlap
            )
        return video.clamp(-1, 1)

    def _loaded(self) -> Tae:
        assert self._model is not None, "load comes first"
        return self._model
