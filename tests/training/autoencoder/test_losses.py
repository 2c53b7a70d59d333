import math

import pytest
import torch
from torch.distributions import Normal
from torch.distributions import kl_divergence as torch_kl

from training.autoencoder.discriminator import PatchDiscriminator
from training.autoencoder.losses import (
    adaptive_weight,
    discriminator_hinge,
    kl_divergence,
    outlier_penalty,
)


def test_kl_is_that_of_torch_distributions():
    mean, log_variance = torch.randn(2, 4, 2, 3, 3), torch.randn(2, 4, 2, 3, 3)
    theirs = torch_kl(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).mean()
    torch.testing.assert_close(kl_divergence(mean, log_variance), theirs)


def test_the_outlier_penalty_is_the_formula():
    latents = torch.randn(2, 3, 2, 4, 5, generator=torch.Generator().manual_seed(0))
    latents[0, :, 1, 2, 2] = 9.0
    total, count = 0.0, 0
    for batch in range(2):
        for frame in range(2):
            x = latents[batch, :, frame].reshape(3, -1).double()
            mean, std = x.mean(dim=1), x.std(dim=1, correction=0)
            for position in range(x.shape[1]):
                distance = math.sqrt(sum((x[:, position] - mean) ** 2))
                total += max(distance - 1.5 * math.sqrt(sum(std**2)), 0.0)
                count += 1
    assert float(outlier_penalty(latents, 1.5)) == pytest.approx(total / count, rel=1e-5)


def test_the_outlier_penalty_is_0_inside_of_the_band_and_pulls_only_what_is_outside():
    latents = torch.rand(1, 2, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    assert outlier_penalty(latents, 3.0) == 0
    latents[0, :, 1, 3, 4] = 20.0
    latents.requires_grad_()
    penalty = outlier_penalty(latents, 3.0)
    penalty.backward()
    assert penalty > 0
    pull = latents.grad[0].norm(dim=0)
    assert (pull[0] == 0).all()  # the frame without an outlier
    others = pull[1].clone()
    others[3, 4] = 0
    assert pull[1, 3, 4] > 20 * others.max()  # these only move the mean and the band
    assert (latents.grad[0, :, 1, 3, 4] > 0).all()


def test_a_frame_that_is_all_the_same_has_a_penalty_of_0_and_a_finite_gradient():
    latents = torch.ones(1, 2, 1, 3, 3, requires_grad=True)
    penalty = outlier_penalty(latents, 3.0)
    penalty.backward()
    assert penalty == 0
    assert latents.grad.isfinite().all()


def test_the_hinge_is_0_beyond_1_and_rises_with_what_is_wrong():
    right, wrong = torch.full((3,), 1.5), torch.full((3,), -2.0)
    assert discriminator_hinge(right, -right) == 0
    assert discriminator_hinge(wrong, -wrong) == pytest.approx(3.0)
    assert discriminator_hinge(torch.zeros(3), torch.zeros(3)) == pytest.approx(1.0)


def test_the_adaptive_weight_makes_both_pulls_alike():
    layer = torch.tensor([1.0, 2.0], requires_grad=True)
    reconstruction, adversarial = 6 * layer.sum(), -0.5 * layer.sum()
    weight = adaptive_weight(reconstruction, adversarial, layer)
    assert float(weight) == pytest.approx(12.0, rel=1e-3)
    assert not weight.requires_grad


def test_the_discriminators_weights_depend_on_the_seed_alone():
    judges = []
    for number, seed in enumerate((0, 0, 1)):
        torch.manual_seed(number)
        judge = PatchDiscriminator()
        judge.reset(seed)
        judges.append(torch.cat([one.detach().flatten() for one in judge.parameters()]))
    assert torch.equal(judges[0], judges[1])
    assert not torch.equal(judges[0], judges[2])


def test_the_discriminator_learns_to_tell_noise_from_ramps():
    judge = PatchDiscriminator()
    judge.reset(0)
    draw = torch.Generator().manual_seed(0)
    real = torch.linspace(-1, 1, 32).expand(1, 3, 2, 32, 32)
    optimizer = torch.optim.Adam(judge.parameters(), 2e-4)
    for _ in range(12):
        fake = torch.rand(real.shape, generator=draw) * 2 - 1
        loss = discriminator_hinge(judge(real), judge(fake))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert judge(real).shape == (2, 1, 2, 2)
    assert judge(real).mean() > 0.3
    assert judge(fake).mean() < -0.3
