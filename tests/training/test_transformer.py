import pytest
import torch
from torch.nn import functional

from tests.training.small_transformers import (
    CHANNELS,
    SHAPE,
    SPECS,
    latents,
    stirred,
    texts,
    times,
    transformer,
)
from training.settings import PositionSettings, TransformerSettings
from training.text.conditioning import TextBatch
from training.transformer import SHAPES, Transformer, patchify, shape_of, unpatchify


@pytest.fixture
def model():
    return stirred(transformer()).eval()


def test_at_first_it_says_zero_and_each_block_adds_the_positions_only():
    model = transformer()
    model.reset(0)
    seen = []
    for block in model.blocks.values():
        block.register_forward_hook(lambda _, arguments, found: seen.append((arguments, found)))
    assert torch.equal(model(latents(2, 3, 8, 10), times(2), texts(2)), torch.zeros(2, 3, 3, 8, 10))
    for (before, positions, *_), after in seen:
        assert positions.abs().max() > 0
        assert torch.equal(after, before + positions)
    assert len(seen) == SHAPE.num_layers


def test_initial_weights_depend_on_seed_and_name_alone():
    first, again, other = transformer(), transformer(), transformer()
    again.load_state_dict(stirred(transformer()).state_dict())
    for model, seed in ((first, 0), (again, 0), (other, 1)):
        torch.manual_seed(seed + 5)
        model.reset(seed)
    for name, value in first.state_dict().items():
        if "norm" not in name:  # those keep their ones and zeros
            assert torch.equal(value, again.state_dict()[name]), name
            assert value.abs().max() == 0 or not torch.equal(value, other.state_dict()[name]), name


def test_from_its_zeros_training_reaches_every_parameter():
    model = transformer()
    model.reset(0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0)
    for _ in range(4):
        found = model(latents(3, 3, 8, 10), times(3), texts(3, dropped=[1]))
        (found - latents(3, 3, 8, 10, seed=1)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    still = {name for name, value in model.state_dict().items() if torch.equal(value, before[name])}
    assert still == set()


def test_patchify_is_the_convolution_of_its_kernel_and_stride():
    linear = torch.nn.Linear(CHANNELS * 4, 10)
    convolution = torch.nn.Conv3d(CHANNELS, 10, (1, 2, 2), (1, 2, 2))
    with torch.no_grad():
        convolution.weight.copy_(linear.weight.view(10, CHANNELS, 1, 2, 2))
        convolution.bias.copy_(linear.bias)
    given = latents(2, 3, 6, 8)
    wanted = convolution(given).flatten(2).transpose(1, 2)
    torch.testing.assert_close(linear(patchify(given)), wanted)


def test_unpatchify_undoes_patchify():
    given = latents(2, 3, 6, 8)
    assert torch.equal(unpatchify(patchify(given), 3, 3, 4), given)


def test_every_frame_of_the_result_depends_on_every_frame_given(model):
    given = latents(1, 3, 4, 4).requires_grad_()
    found = model(given, times(1), texts(1))
    for frame in range(3):
        (gradient,) = torch.autograd.grad(found[:, :, frame].sum(), given, retain_graph=True)
        assert (gradient.abs().amax(dim=(0, 1, 3, 4)) > 0).all()


def test_samples_do_not_see_each_other(model):
    order = torch.tensor([2, 0, 1])
    text = texts(3, dropped=[1])
    swapped = TextBatch(
        {name: values[order] for name, values in text.values.items()},
        {name: mask[order] for name, mask in text.masks.items()},
        text.dropped[order],
    )
    found = model(latents(3, 2, 4, 6), times(3), text)
    again = model(latents(3, 2, 4, 6)[order], times(3)[order], swapped)
    torch.testing.assert_close(again, found[order], rtol=1e-5, atol=1e-5)


def test_padding_of_texts_has_no_effect_and_their_tokens_have(model):
    text = texts(2)
    padded = TextBatch(
        {
            "words": functional.pad(text.values["words"], (0, 0, 0, 2), value=9.0),
            "letters": functional.pad(text.values["letters"], (0, 3), value=7),
        },
        {
            "words": functional.pad(text.masks["words"], (0, 2)),
            "letters": functional.pad(text.masks["letters"], (0, 3)),
        },
        text.dropped,
    )
    arguments = latents(2, 2, 4, 6), times(2)
    found = model(*arguments, text)
    torch.testing.assert_close(model(*arguments, padded), found, rtol=1e-5, atol=1e-5)
    for other in (texts(2, seed=1), text.nulled()):
        assert (model(*arguments, other) - found).abs().max() > 1e-3


def test_the_time_changes_the_result(model):
    early, late = (model(latents(1, 1, 4, 4), torch.tensor([t]), texts(1)) for t in (0.5, 0.501))
    assert (early - late).abs().max() > 1e-4


def test_odd_sizes_are_continued_by_their_last_row_and_column_and_cropped(model):
    given = latents(2, 2, 5, 7)
    continued = torch.cat([given, given[..., -1:, :]], dim=-2)
    continued = torch.cat([continued, continued[..., -1:]], dim=-1)
    found = model(given, times(2), texts(2))
    assert found.shape == given.shape
    wanted = model(continued, times(2), texts(2))[..., :5, :7]
    assert torch.equal(found, wanted)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((4, 4, 4), r"4 patches on the side `frames` .* has 3: .* `positions.frames` of 4 or"),
        ((1, 9, 4), r"5 patches on the side `height` .* has 4"),
        ((1, 4, 11), r"6 patches on the side `width` .* has 5"),
    ],
)
def test_latents_that_are_too_large_say_which_side(model, shape, said):
    with pytest.raises(ValueError, match=said):
        model(latents(1, *shape), times(1), texts(1))


def test_it_answers_in_float32_where_blocks_compute_in_bfloat16(model):
    arguments = latents(2, 2, 4, 6), times(2), texts(2)
    wanted = model(*arguments)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = model(*arguments)
    assert found.dtype == torch.float32
    assert not torch.equal(found, wanted)
    assert (found - wanted).norm() < 0.05 * wanted.norm()


@pytest.mark.parametrize(
    ("size", "backbone", "total"), [("30b", 28.99e9, 29.7e9), ("5b", 4.83e9, 5.0e9)]
)
def test_the_sizes_of_the_paper_have_its_numbers_of_parameters(size, backbone, total):
    shape = SHAPES[size]
    with torch.device("meta"):
        model = Transformer(shape, 16, PositionSettings(), SPECS)
    matrices = sum(one.numel() for one in model.blocks.parameters() if one.numel() > 6 * shape.dim)
    per_layer = 4 * shape.dim**2 + 4 * shape.dim**2 + 3 * shape.dim * shape.ffn_dim
    assert matrices == shape.num_layers * per_layer
    assert matrices == pytest.approx(backbone, rel=1e-3)
    # The rest: one network of the time, tables of seven vectors a block, positions, text, ends.
    assert matrices < sum(one.numel() for one in model.parameters()) < total


def test_settings_override_a_size_and_heads_divide_the_width():
    settings = TransformerSettings(size="1b", num_layers=3)
    assert (shape_of(settings).num_layers, shape_of(settings).dim) == (3, 1536)
    with pytest.raises(ValueError, match="dim 192 is no multiple of num_heads 5"):
        shape_of(TransformerSettings(num_heads=5))
