"""What the autoencoder is taught by, put together: the terms of a step and their sum."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from training.autoencoder.discriminator import PatchDiscriminator
from training.autoencoder.losses import (
    adaptive_weight,
    discriminator_hinge,
    kl_divergence,
    outlier_penalty,
)
from training.autoencoder.perceptual import PerceptualDistance, perceptual_distance
from training.autoencoder.settings import TaeLosses
from training.autoencoder.tae import Posterior
from training.randomness import generator


@dataclass
class Terms:
    """The loss of a step."""

    total: Tensor
    """What is made small."""

    parts: dict[str, Tensor]
    """The terms, without their weights."""


class Objective:
    """Makes the loss of what the autoencoder did with a batch.

    Attributes:
        discriminator: None where its weight is 0.
    """

    def __init__(
        self, settings: TaeLosses, seed: int, device: torch.device, weights: Path | None
    ) -> None:
        """Loads the networks that the terms need.

        Args:
            settings: the weights of the terms.
            seed: of the discriminator, and of the frames that are looked at.
            device: where it computes.
            weights: the folder of the packaged models, for the stand-in for LPIPS.

        Raises:
            ValueError: a file is missing or damaged.
        """
        self._settings, self._seed = settings, seed
        self._perceptual: PerceptualDistance | None = None
        if settings.perceptual:
            assert weights is not None or settings.perceptual_weights is not None
            folder = weights or Path()
            self._perceptual = perceptual_distance(settings.perceptual_weights, folder, device)
        self.discriminator: PatchDiscriminator | None = None
        if settings.adversarial:
            self.discriminator = PatchDiscriminator()
            self.discriminator.reset(seed)
            self.discriminator.to(device)

    def is_adversarial(self, step: int) -> bool:
        """Whether the discriminator has a say in the step."""
        return self.discriminator is not None and step >= self._settings.adversarial_start

    def __call__(
        self,
        posterior: Posterior,
        decoded_bcthw: Tensor,
        original_bcthw: Tensor,
        step: int,
        last_layer: nn.Parameter,
    ) -> Terms:
        """The loss of the autoencoder.

        Args:
            posterior: what it encoded.
            decoded_bcthw: what it decoded.
            original_bcthw: what it should be.
            step: the steps that are done.
            last_layer: weights at which the pull of the discriminator is measured.
        """
        settings = self._settings
        difference = decoded_bcthw - original_bcthw
        parts = {"l1": difference.abs().mean()}
        reconstruction = settings.l1 * parts["l1"]
        if settings.l2:
            parts["l2"] = difference.square().mean()
            reconstruction = reconstruction + settings.l2 * parts["l2"]
        if self._perceptual is not None:
            pictures = self._pictures(decoded_bcthw, original_bcthw, step)
            parts["perceptual"] = self._perceptual(*pictures).mean()
            reconstruction = reconstruction + settings.perceptual * parts["perceptual"]
        total = reconstruction
        if settings.kl:
            parts["kl"] = kl_divergence(posterior.mean, posterior.log_variance)
            total = total + settings.kl * parts["kl"]
        if settings.outlier:
            parts["outlier"] = outlier_penalty(posterior.mean, settings.outlier_stds)
            total = total + settings.outlier * parts["outlier"]
        if self.is_adversarial(step):
            assert self.discriminator is not None
            self.discriminator.requires_grad_(False)
            parts["adversarial"] = -self.discriminator(decoded_bcthw).mean()
            balance = adaptive_weight(reconstruction, parts["adversarial"], last_layer)
            total = total + settings.adversarial * balance * parts["adversarial"]
        return Terms(total, parts)

    def discriminator_loss(self, decoded_bcthw: Tensor, original_bcthw: Tensor) -> Tensor:
        """The loss of the discriminator."""
        assert self.discriminator is not None
        self.discriminator.requires_grad_(True)
        answers = self.discriminator(original_bcthw), self.discriminator(decoded_bcthw.detach())
        return discriminator_hinge(*answers)

    def _pictures(self, decoded: Tensor, original: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Frames of both to look at, `[N, 3, H, W]`."""
        frames, count = decoded.shape[2], self._settings.perceptual_frames
        order = torch.randperm(frames, generator=generator(self._seed, "frames", step))
        chosen = order[:count].to(decoded.device)
        one, other = (
            video.index_select(2, chosen).transpose(1, 2).flatten(0, 1)
            for video in (decoded, original)
        )
        return one, other
