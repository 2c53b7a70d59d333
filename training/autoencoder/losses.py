"""The terms of the autoencoder's loss that need no other network."""

import torch
from torch import Tensor

EPSILON = 1e-12
"""Under a root, so that its slope at 0 is finite."""


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Divergence from the standard normal distribution, mean over all numbers of the latents, nats.

    Kingma and Welling 2013 (https://arxiv.org/abs/1312.6114), appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()


def outlier_penalty(latents_bcthw: Tensor, stds: float) -> Tensor:
    """How far latents lie outside the band around their frame's mean, mean over positions.

    Movie Gen (https://arxiv.org/abs/2410.13720), section 3.1.1: with the frame's latents X_ij as
    vectors over channels, and mean and std over the frame,
    `1/HW sum_ij max(|X_ij - mean(X)| - r |std(X)|, 0)`. It is there against single positions that
    an autoencoder puts the frame's secrets in, which decode to bright dots.

    Args:
        latents_bcthw: the means of the posterior; time counts as part of the batch.
        stds: r, how many standard deviations are free.
    """
    centred = latents_bcthw - latents_bcthw.mean(dim=(3, 4), keepdim=True)
    distance = _length(centred.square().sum(dim=1))
    # |std(X)|, the root of the sum over channels of the variances.
    band = stds * _length(centred.square().mean(dim=(3, 4)).sum(dim=1))
    return (distance - band[..., None, None]).clamp(min=0).mean()


def _length(squares: Tensor) -> Tensor:
    return (squares + EPSILON).sqrt()


def discriminator_hinge(real: Tensor, fake: Tensor) -> Tensor:
    """What a discriminator is to make small, of its answers to real and decoded videos.

    Lim and Ye 2017 (https://arxiv.org/abs/1705.02894).
    """
    return 0.5 * ((1 - real).clamp(min=0).mean() + (1 + fake).clamp(min=0).mean())


def adaptive_weight(reconstruction: Tensor, adversarial: Tensor, last_layer: Tensor) -> Tensor:
    """What to multiply the adversarial loss by, so that both pull alike at the last layer.

    The ratio of the lengths of the two gradients, as in VQGAN (Esser et al. 2021,
    https://arxiv.org/abs/2012.09841, equation 7), at most 1e4 and without a gradient of its own.
    """
    pulls = [
        torch.autograd.grad(loss, last_layer, retain_graph=True)[0].norm()
        for loss in (reconstruction, adversarial)
    ]
    return torch.clamp(pulls[0] / (pulls[1] + 1e-4), 0, 1e4).detach()
