"""Whatever makes it faster or smaller computes the same."""

import pytest
import torch

from tests.training import toy
from training.acceleration import accelerate, autocast, device_of
from training.settings import MachineSettings
from training.transformer import Transformer


def model(settings: MachineSettings) -> Transformer:
    made = toy.card().build()
    made.reset(1)
    with torch.no_grad():  # so that text and times are of consequence
        for parameter in made.parameters():
            parameter.add_(0.02)
    accelerate(made, settings)
    return made


def gradients(settings: MachineSettings) -> dict[str, torch.Tensor]:
    made, batch = model(settings), toy.batch(toy.State())
    with autocast(settings.device, settings.precision):
        predicted = made(batch.data, batch.times, batch.text)
    predicted.float().square().sum().backward()
    return {
        name: parameter.grad for name, parameter in made.named_parameters()
        if parameter.grad is not None
    }  # fmt: skip


def test_activation_checkpointing_changes_no_bit_and_no_name() -> None:
    plain = gradients(MachineSettings())
    found = gradients(MachineSettings(activation_checkpointing=True))
    assert found.keys() == plain.keys()
    for name, one in plain.items():
        assert torch.equal(one, found[name]), name


def test_activation_checkpointing_computes_blocks_again_in_the_backward_pass() -> None:
    count = 0

    def saw(*_: object) -> None:
        nonlocal count
        count += 1

    made = toy.card().build()
    made.reset(1)
    for block in made.blocks.values():
        block.feed_forward.register_forward_hook(saw)
    accelerate(made, MachineSettings(activation_checkpointing=True))
    batch = toy.batch(toy.State())
    made(batch.data, batch.times, batch.text).square().sum().backward()
    assert count == 2 * len(made.blocks)


@pytest.mark.slow
def test_compiled_blocks_compute_the_same_under_the_same_names() -> None:
    plain = gradients(MachineSettings())
    found = gradients(MachineSettings(compile=True))
    assert found.keys() == plain.keys()
    for name, one in plain.items():
        torch.testing.assert_close(one, found[name], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@torch._dynamo.config.patch(recompile_limit=1)
def test_compiled_blocks_bear_more_shapes_than_pytorch_itself_allows() -> None:
    torch._dynamo.reset()
    made = model(MachineSettings(compile=True))
    for step in range(3):
        batch = toy.batch(toy.State(0, step))
        assert made(batch.data, batch.times, batch.text).shape == batch.data.shape


def test_half_precision_is_near_and_leaves_weights_and_result_in_float32() -> None:
    batch = toy.batch(toy.State())
    whole = model(MachineSettings())
    expected = whole(batch.data, batch.times, batch.text)
    with autocast("cpu", "bfloat16"):
        found = whole(batch.data, batch.times, batch.text)
    assert found.dtype == torch.float32
    assert not torch.equal(found, expected)
    torch.testing.assert_close(found, expected, rtol=0.1, atol=0.1)
    assert {parameter.dtype for parameter in whole.parameters()} == {torch.float32}


def test_as_many_threads_are_used_as_is_said() -> None:
    before = torch.get_num_threads()
    try:
        device_of(MachineSettings(cpu_threads=3))
        assert torch.get_num_threads() == 3
        device_of(MachineSettings())
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said() -> None:
    with pytest.raises(ValueError, match=r"machine\.device is cuda"):
        device_of(MachineSettings(device="cuda"))
