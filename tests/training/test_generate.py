"""From noise to pixels: the flow is followed, guidance is itself, shapes are what is asked."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.training import toy
from tests.training.closed_forms import gaussian_field
from training.generate import (
    VideoShape,
    generate,
    generate_latents,
    latent_shape,
    noise_of,
    rgb_frames,
)
from training.settings import GenerationSettings, MachineSettings
from training.text.conditioning import TextBatch

CPU = MachineSettings()


class GaussianFlow(nn.Module):
    """The exact field of data around a mean: with a prompt around 2, without around 1."""

    def __init__(self) -> None:
        super().__init__()
        self.anything = nn.Parameter(torch.zeros(1))
        self.asked: list[int] = []

    def forward(self, x: Tensor, times: Tensor, text: TextBatch) -> Tensor:
        self.asked.append(len(x))
        means = torch.where(text.dropped, 1.0, 2.0).view(-1, 1, 1, 1, 1)
        return gaussian_field(x, times, means, 0.25, sigma_min=0.0)


def settings(**values: object) -> GenerationSettings:
    return GenerationSettings.model_validate(
        {"steps": 200, "schedule": "uniform", "guidance": 1.0} | values
    )


def noise(count: int = 2) -> Tensor:
    return noise_of((3, 4, 6, 8), range(count))


def test_noise_becomes_data_along_the_flow() -> None:
    # The exact map of N(0, 1) to N(m, s^2) is x1 = m + s x0.
    made = generate_latents(GaussianFlow(), toy.text(["a", "b"], [False] * 2), noise(),
                            settings(solver="heun"), CPU)  # fmt: skip
    torch.testing.assert_close(made, 2.0 + 0.5 * noise(), atol=2e-3, rtol=0)


def test_a_guidance_of_one_asks_only_with_the_prompt_and_another_asks_both() -> None:
    for guidance, per_step in ((1.0, 2), (3.0, 4)):
        model = GaussianFlow()
        generate_latents(model, toy.text(["a", "b"], [False] * 2), noise(),
                         settings(guidance=guidance, steps=5), CPU)  # fmt: skip
        assert model.asked == [per_step] * 5


def test_guidance_goes_on_from_no_prompt_through_the_prompt() -> None:
    one = generate_latents(GaussianFlow(), toy.text(["a"], [False]), noise(1), settings(), CPU)
    zero = generate_latents(GaussianFlow(), toy.text(["a"], [False]), noise(1),
                            settings(guidance=0.0), CPU)  # fmt: skip
    three = generate_latents(GaussianFlow(), toy.text(["a"], [False]), noise(1),
                             settings(guidance=3.0), CPU)  # fmt: skip
    # This field is linear in its mean, so the results are too.
    torch.testing.assert_close(three, zero + 3 * (one - zero), atol=1e-3, rtol=1e-3)


def test_noise_depends_on_the_seed_alone() -> None:
    assert torch.equal(noise_of((2, 3), [5, 6])[1], noise_of((2, 3), [6])[0])
    assert not torch.equal(noise_of((2, 3), [5])[0], noise_of((2, 3), [6])[0])


def test_the_model_is_left_in_the_mode_it_was_in() -> None:
    model = GaussianFlow().train()
    generate_latents(model, toy.text(["a"], [False]), noise(1), settings(steps=1), CPU)
    assert model.training


def test_pixels_are_of_the_whole_range_and_no_more() -> None:
    video = torch.tensor([-2.0, -1.0, 0.0, 1.0, 3.0]).view(1, 5, 1, 1).expand(3, 5, 2, 4)
    assert rgb_frames(video)[:, 0, 0, 0].tolist() == [0, 0, 128, 255, 255]
    assert rgb_frames(video).shape == (5, 2, 4, 3)


class Mirror:
    """Stands for an autoencoder: eight pixels for a latent, the first channels for colours."""

    latent_channels, space_factor = toy.CHANNELS, 8

    def latent_frames(self, num_frames: int) -> int:
        return -(-num_frames // 8)

    def decode(self, latents: Tensor, num_frames: int) -> Tensor:
        large = latents[:, :3].repeat_interleave(8, 2).repeat_interleave(8, 3)
        return large.repeat_interleave(8, 4)[:, :, :num_frames]


@pytest.mark.parametrize("shape", [VideoShape(16, 32, 32), VideoShape(1, 25, 47)])
def test_videos_have_the_shape_that_was_asked_for(shape: VideoShape) -> None:
    model = toy.card().build()
    model.reset(0)
    said = [{"words": np.ones((2, 6), np.float32), "letters": np.zeros(0, np.uint8)}] * 2
    videos = generate(model, Mirror(), said, toy.SPECS, shape, [1, 2], settings(steps=2), CPU)  # type: ignore[arg-type]
    assert [video.shape for video in videos] == [
        (shape.num_frames, shape.height, shape.width, 3)
    ] * 2
    assert videos[0].dtype == np.uint8
    assert not np.array_equal(videos[0], videos[1])


def test_latents_of_odd_sizes_are_rounded_up() -> None:
    assert latent_shape(VideoShape(17, 25, 47), Mirror()) == (toy.CHANNELS, 3, 4, 6)  # type: ignore[arg-type]
