import numpy as np
import pytest
import torch

from tests.training.small_transformers import latents, stirred, texts, times, transformer
from training.positions import Positions, grown
from training.settings import PositionSettings

EXTEND, STRETCH = PositionSettings(growth="extend"), PositionSettings(growth="stretch")


def numbered(frames=3, height=4, width=5):
    """Tables in which frame t, row h and column w are at (t, h, w)."""
    positions = Positions(PositionSettings(frames=frames, height=height, width=width), 3)
    with torch.no_grad():
        for axis, side in enumerate(("frames", "height", "width")):
            table = positions.get_parameter(side)
            table[:, axis] = torch.arange(len(table))
    return positions


def places(frames, height, width):
    """(t, h, w) of every patch."""
    return [[t, h, w] for t in range(frames) for h in range(height) for w in range(width)]


@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 3, 4), (1, 2, 5), (1, 1, 1)])
def test_a_patch_has_the_sum_of_its_frame_row_and_column(shape):
    assert numbered()(*shape).tolist() == places(*shape)


def grown_to(old, frames, height, width, growth=EXTEND):
    """A model of these sizes with what it gets of another."""
    model = transformer(frames, height, width)
    model.reset(7)
    model.load_state_dict(grown(old.state_dict(), model, growth))
    return model.eval()


def test_after_extending_every_patch_is_where_it_was():
    small, large = numbered(), numbered(6, 8, 9)
    model, old = transformer(6, 8, 9, growth="extend"), transformer()
    model.positions, old.positions = large, small
    new = grown(old.state_dict(), model, EXTEND)
    large.load_state_dict({name: new[f"positions.{name}"] for name in large.state_dict()})
    for shape in ((3, 4, 5), (1, 2, 3), (6, 8, 9)):
        assert large(*shape).tolist() == places(*shape)


def test_after_extending_shapes_from_before_give_the_same_to_the_bit():
    old = stirred(transformer()).eval()
    new = grown_to(old, 6, 8, 9)
    for shape in ((2, 3, 8, 10), (1, 1, 5, 3)):
        batch = shape[0]
        arguments = latents(*shape), times(batch), texts(batch)
        assert torch.equal(new(*arguments), old(*arguments))


def test_a_model_of_images_gives_the_same_images_as_one_of_videos():
    old = stirred(transformer(frames=1)).eval()
    new = grown_to(old, 32, 4, 5)
    arguments = latents(2, 1, 8, 10), times(2), texts(2)
    assert torch.equal(new(*arguments), old(*arguments))
    assert new(latents(2, 32, 8, 10), *arguments[1:]).isfinite().all()


def test_new_entries_are_the_new_models_own_and_all_else_is_copied():
    old, new = stirred(transformer()), transformer(6, 8, 9)
    new.reset(7)
    state = grown(old.state_dict(), new, EXTEND)
    assert state.keys() == old.state_dict().keys()
    for name, value in state.items():
        before, own = old.state_dict()[name], new.state_dict()[name]
        assert torch.equal(value[: len(before)], before), name
        assert torch.equal(value[len(before) :], own[len(before) :]), name
    assert not torch.equal(state["positions.frames"][3], state["positions.frames"][4])


def test_stretching_interpolates_between_centres_of_patches_and_extends_frames():
    old, new = stirred(transformer()), transformer(6, 12, 8)
    new.reset(7)
    state = grown(old.state_dict(), new, STRETCH)
    for side, size in (("height", 12), ("width", 8)):
        table = old.state_dict()[f"positions.{side}"].numpy()
        centres = (np.arange(size) + 0.5) * len(table) / size - 0.5
        wanted = [np.interp(centres, np.arange(len(table)), column) for column in table.T]
        np.testing.assert_allclose(state[f"positions.{side}"], np.transpose(wanted), atol=1e-6)
    frames = state["positions.frames"]
    assert torch.equal(frames[:3], old.state_dict()["positions.frames"])
    assert torch.equal(frames[3:], new.state_dict()["positions.frames"][3:])


def test_stretching_to_the_same_size_changes_nothing():
    old = stirred(transformer())
    for name, value in grown(old.state_dict(), transformer(), STRETCH).items():
        torch.testing.assert_close(value, old.state_dict()[name], rtol=1e-6, atol=1e-6)


def test_what_was_taken_over_shares_no_memory_with_where_it_comes_from():
    old = stirred(transformer())
    for name, value in grown(old.state_dict(), transformer(), EXTEND).items():
        assert value.data_ptr() != old.state_dict()[name].data_ptr(), name


@pytest.mark.parametrize("growth", [EXTEND, STRETCH])
def test_a_table_cannot_become_shorter(growth):
    said = r"positions.height has the shape \[4, 24\] in the weights .* to 4 at least"
    with pytest.raises(ValueError, match=said):
        grown(transformer().state_dict(), transformer(height=3), growth)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda state: state.pop("out.bias"), "the weights lack out.bias, which the model has:"),
        (
            lambda state: state.update(more=torch.zeros(1)),
            "the weights have more, .* has not",
        ),
        (
            lambda state: state.update({"out.bias": torch.zeros(5)}),
            r"out.bias has the shape \[5\] in the weights and \[12\] in the model",
        ),
    ],
)
def test_weights_of_another_model_are_refused_by_name(spoil, said):
    state = transformer().state_dict()
    spoil(state)
    with pytest.raises(ValueError, match=said):
        grown(state, transformer(), EXTEND)
