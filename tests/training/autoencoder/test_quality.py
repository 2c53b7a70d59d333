import math

import numpy as np
import pytest
import torch

from training.autoencoder.quality import by_motion, motion, psnr, ssim


def videos(seed=0, shape=(2, 3, 2, 16, 20)):
    draw = torch.Generator().manual_seed(seed)
    return [torch.rand(shape, generator=draw) * 2 - 1 for _ in range(2)]


def test_psnr_is_10_log_of_peak_squared_by_mean_squared_error_frame_by_frame():
    original = torch.zeros(1, 3, 2, 4, 4)
    decoded = original.clone()
    decoded[:, :, 0] = 0.2
    decoded[:, 0, 1] = 0.5
    expected = [20 * math.log10(2 / 0.2), 10 * math.log10(4 / (0.25 / 3))]
    assert psnr(decoded, original)[0].tolist() == pytest.approx(expected, rel=1e-6)
    assert psnr(original, original).tolist() == [[100.0, 100.0]]


def test_psnr_of_8_bit_pictures_is_the_usual_one():
    draw = np.random.default_rng(0)
    one, other = draw.integers(0, 256, (2, 3, 1, 8, 8))
    usual = 10 * math.log10(255**2 / ((one - other) ** 2).mean())
    as_values = [torch.tensor(one / 127.5 - 1)[None], torch.tensor(other / 127.5 - 1)[None]]
    assert float(psnr(*as_values)) == pytest.approx(usual, abs=1e-4)


def ssim_of_paper(x, y):
    """Wang et al. 2004 in plain loops, with a window that is not separated."""
    at = np.arange(11) - 5
    window = np.exp(-(at[:, None] ** 2 + at[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    values = []
    for row in range(x.shape[0] - 10):
        for column in range(x.shape[1] - 10):
            a, b = (one[row : row + 11, column : column + 11] for one in (x, y))
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            variance_a, variance_b = (
                (window * (one - mean) ** 2).sum() for one, mean in ((a, mean_a), (b, mean_b))
            )
            covariance = (window * (a - mean_a) * (b - mean_b)).sum()
            c1, c2 = 0.02**2, 0.06**2
            values.append(
                (2 * mean_a * mean_b + c1)
                * (2 * covariance + c2)
                / ((mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2))
            )
    return float(np.mean(values))


def test_ssim_is_that_of_the_paper_computed_without_shortcuts():
    one, other = videos()
    other = 0.7 * one + 0.3 * other
    ours = ssim(other, one)
    assert ours.shape == (2, 2)
    for batch in range(2):
        for frame in range(2):
            channels = [
                ssim_of_paper(*(v[batch, c, frame].double().numpy() for v in (other, one)))
                for c in range(3)
            ]
            assert float(ours[batch, frame]) == pytest.approx(np.mean(channels), abs=1e-6)


def test_ssim_is_1_for_the_same_and_less_the_more_noise_there_is():
    one, other = videos()
    assert torch.allclose(ssim(one, one), torch.ones(2, 2))
    values = [float(ssim(one + share * other, one).mean()) for share in (0.0, 0.1, 0.3, 1.0)]
    assert values == sorted(values, reverse=True)


def test_motion_is_the_mean_difference_of_neighbours_and_0_for_images():
    ramp = torch.arange(5.0).view(1, 1, 5, 1, 1).expand(1, 3, 5, 4, 4) * 0.1
    assert float(motion(ramp)) == pytest.approx(0.1)
    assert motion(ramp[:, :, :1]).tolist() == [0.0]


def test_thirds_by_motion_hold_what_moves_least_and_most():
    motions = torch.tensor([5.0, 1.0, 3.0, 2.0, 6.0, 4.0])
    assert by_motion(motions, 10 * motions) == {"low": 15.0, "medium": 35.0, "high": 55.0}
    assert by_motion(motions[:1], motions[:1]) == {"low": 5.0}
