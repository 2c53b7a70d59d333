"""What the transformer is given of prompts: padding, null tokens, and the encoder of bytes."""

import numpy as np
import pytest
import torch
from torch import nn

from training.text.byte_encoder import ByteEncoder
from training.text.conditioning import (
    TextBatch,
    TextConditioner,
    collate,
    conditioner_std,
)
from training.text.spec import TextSpec

WORDS = TextSpec("words", dim=12, max_tokens=6, kind="embedding")
HALF = TextSpec("half", dim=8, max_tokens=9, kind="embedding")
BYTES = TextSpec("drawn", dim=16, max_tokens=10, kind="bytes", num_layers=2)
SPECS = [WORDS, BYTES, HALF]
DIM = 24
RANDOM = np.random.default_rng(0)


def sample(words: int, drawn: bytes, half: int = 2) -> dict[str, np.ndarray]:
    return {
        "words": RANDOM.normal(size=(words, 12)).astype(np.float32),
        "drawn": np.frombuffer(drawn, np.uint8),
        "half": RANDOM.normal(size=(half, 8)).astype(np.float16),
    }


SAMPLES = [sample(3, b"THE END"), sample(5, b""), sample(0, b"a"), sample(9, b"x" * 30, 4)]


@pytest.fixture
def conditioner() -> TextConditioner:
    torch.manual_seed(0)
    made = TextConditioner(SPECS, DIM)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            std = conditioner_std(name, parameter)
            if std is not None:
                parameter.normal_(std=std or 0.1)
    return made.eval()


def test_collate_pads_cuts_and_marks() -> None:
    batch = collate(SAMPLES, SPECS, [False, True, False, False])
    assert {name: list(values.shape) for name, values in batch.values.items()} == {
        "words": [4, 6, 12], "drawn": [4, 10], "half": [4, 4, 8],
    }  # fmt: skip
    assert batch.masks["words"].sum(dim=1).tolist() == [3, 5, 0, 6]
    assert batch.masks["drawn"].sum(dim=1).tolist() == [7, 0, 1, 10]
    assert batch.values["words"].dtype == batch.values["half"].dtype == torch.float32
    assert batch.values["drawn"].dtype == torch.int64
    assert bytes(batch.values["drawn"][0, :7].tolist()) == b"THE END"
    np.testing.assert_array_equal(batch.values["words"][3], SAMPLES[3]["words"][:6])
    assert batch.dropped.tolist() == [False, True, False, False]
    assert batch.nulled().dropped.all()
    assert not batch.dropped.all()
    nothing = collate([sample(0, b"", 0)], SPECS, [False])
    assert [nothing.values[one.name].shape[1] for one in SPECS] == [1, 1, 1]


def equal(one: TextBatch, other: TextBatch) -> bool:
    """Whether two batches hold the same, tensor by tensor."""
    assert one.values.keys() == one.masks.keys() == other.values.keys() == other.masks.keys()
    pairs = [(one.dropped, other.dropped)]
    pairs += [(one.values[name], other.values[name]) for name in one.values]
    pairs += [(one.masks[name], other.masks[name]) for name in one.masks]
    return all(torch.equal(*pair) for pair in pairs)


def test_parts_of_a_batch_have_its_samples_and_joined_again_are_the_batch() -> None:
    whole = collate(SAMPLES, SPECS, [False, True, False, False])
    first, rest = whole.part(slice(0, 2)), whole.part(slice(2, 9))
    assert first.dropped.tolist() == [False, True]
    assert torch.equal(rest.values["words"], whole.values["words"][2:])
    assert torch.equal(rest.masks["drawn"], whole.masks["drawn"][2:])
    assert equal(first.joined(rest), whole)
    assert not equal(rest.joined(first), whole)


def test_joined_with_its_null_a_batch_is_both_after_each_other() -> None:
    batch = collate(SAMPLES, SPECS, [False] * 4)
    both = batch.joined(batch.nulled())
    assert both.dropped.tolist() == [False] * 4 + [True] * 4
    assert equal(both.part(slice(0, 4)), batch)
    assert equal(both.part(slice(4, 8)), batch.nulled())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"words": np.zeros((2, 13), np.float32)}, r"words gives embeddings \[L, 12\].*\[2, 13\]"),
        ({"drawn": np.zeros((2, 16), np.float32)}, r"drawn gives bytes \[L\].*\[2, 16\]"),
        ({"half": None}, r"half gives embeddings \[L, 8\], and a sample has nothing"),
    ],
)
def test_arrays_of_another_encoder_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        collate([SAMPLES[0] | change], SPECS, [False])


def test_each_encoder_is_projected_and_normed_on_its_own(conditioner: TextConditioner) -> None:
    context, mask = conditioner(collate(SAMPLES[:2], SPECS, [False, False]))
    assert context.shape == (2, 5 + 7 + 2, DIM)
    assert mask[0].tolist() == [True] * 3 + [False] * 2 + [True] * 9
    part = conditioner.encoders["text_words"]
    expected = part.norm(part.linear(torch.from_numpy(SAMPLES[0]["words"])))
    torch.testing.assert_close(context[0, :3], expected)
    drawn = conditioner.encoders["text_drawn"]
    states = drawn.bytes(torch.tensor([[*b"THE END"]]), torch.ones(1, 7, dtype=torch.bool))
    torch.testing.assert_close(context[0, 5:12], drawn.norm(drawn.linear(states[0])))


def test_a_sample_gets_the_same_alone_and_beside_longer_ones(conditioner: TextConditioner) -> None:
    context, mask = conditioner(collate(SAMPLES, SPECS, [False] * 4))
    for row, one in enumerate(SAMPLES):
        alone, alone_mask = conditioner(collate([one], SPECS, [False]))
        torch.testing.assert_close(context[row][mask[row]], alone[0][alone_mask[0]])


def test_what_stands_in_padding_has_no_effect(conditioner: TextConditioner) -> None:
    batch = collate(SAMPLES, SPECS, [False, False, True, False])
    context, mask = conditioner(batch)
    filled = {
        name: values.masked_fill(
            ~batch.masks[name].view(*values.shape[:2], *[1] * (values.ndim - 2)),
            torch.nan if values.is_floating_point() else 255,
        )
        for name, values in batch.values.items()
    }
    again, _ = conditioner(TextBatch(filled, batch.masks, batch.dropped))
    assert torch.equal(context, again)
    assert (context[~mask] == 0).all()


def test_where_there_is_no_token_the_null_token_stands(conditioner: TextConditioner) -> None:
    context, mask = conditioner(collate(SAMPLES, SPECS, [True, False, False, True]))
    places = {"words": 0, "drawn": 6, "half": 16}
    nulls = {
        name: part.norm(part.linear(part.null))
        for name in places
        for part in [conditioner.encoders[f"text_{name}"]]
    }
    for row in (0, 3):
        assert mask[row].nonzero()[:, 0].tolist() == [*places.values()]
        for name, place in places.items():
            torch.testing.assert_close(context[row, place], nulls[name])
    torch.testing.assert_close(context[1, 6], nulls["drawn"])
    torch.testing.assert_close(context[2, 0], nulls["words"])
    assert not torch.allclose(context[2, 6], nulls["drawn"], atol=0.01)
    assert mask.any(dim=1).all()


def test_guidance_without_a_prompt_is_what_dropped_samples_see(
    conditioner: TextConditioner,
) -> None:
    kept = collate(SAMPLES, SPECS, [False] * 4)
    nulled, mask = conditioner(kept.nulled())
    dropped, _ = conditioner(collate([sample(4, b"other")], SPECS, [True]))
    for row in range(4):
        torch.testing.assert_close(nulled[row][mask[row]], dropped[dropped.abs().sum(-1) > 0])


def test_gradients_are_finite_and_reach_every_parameter(conditioner: TextConditioner) -> None:
    context, mask = conditioner(collate(SAMPLES, SPECS, [False, True, False, False]))
    (context[mask] * torch.randn(int(mask.sum()), DIM)).sum().backward()
    for name, parameter in conditioner.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_the_encoder_of_bytes_is_pytorchs_transformer_over_embeddings() -> None:
    """Against torch.nn.TransformerEncoderLayer with the same weights."""
    torch.manual_seed(0)
    own = ByteEncoder(128, 20, 2).eval()
    nn.init.normal_(own.positions)
    theirs = [
        nn.TransformerEncoderLayer(
            128, 2, 512, activation="gelu", batch_first=True, norm_first=True
        ).eval()
        for _ in own.layers
    ]
    for layer, other in zip(own.layers, theirs, strict=True):
        names = {
            "self_attn.in_proj_": layer.query_key_value,
            "self_attn.out_proj.": layer.attention_out,
            "linear1.": layer.inner,
            "linear2.": layer.outer,
            "norm1.": layer.attention_norm,
            "norm2.": layer.inner_norm,
        }
        for parameter in layer.parameters():
            nn.init.normal_(parameter, std=0.1)
        state = {
            f"{name}{kind}": parameter
            for name, part in names.items()
            for kind, parameter in part.named_parameters()
        }
        other.load_state_dict(state | {"self_attn.in_proj_bias": torch.zeros(3 * 128)})
    given = torch.randint(0, 256, (3, 17))
    present = torch.arange(17) < torch.tensor([17, 9, 1])[:, None]
    expected = own.embedding(given) + own.positions[:17]
    for other in theirs:
        expected = other(expected, src_key_padding_mask=~present)
    found = own(given, present)
    torch.testing.assert_close(found[present], expected[present], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("dim", [8, 100, 130, 256])
def test_any_width_of_the_encoder_of_bytes_has_heads(dim: int) -> None:
    found = ByteEncoder(dim, 4, 1)(torch.zeros(2, 4, dtype=torch.int64), torch.zeros(2, 4).bool())
    assert found.shape == (2, 4, dim)
    assert found.isfinite().all()


def test_initial_weights_keep_the_scale() -> None:
    made = TextConditioner(SPECS, DIM)
    found = {name: conditioner_std(name, one) for name, one in made.named_parameters()}
    kept = {name for name, std in found.items() if std is None}
    assert kept == {
        f"{name}.{kind}"
        for name, module in made.named_modules()
        if isinstance(module, nn.LayerNorm)
        for kind in ("weight", "bias")
    }
    biases = {name for name, std in found.items() if std == 0}
    assert biases == {name for name in found if name.endswith("bias")} - kept
    assert found["encoders.text_words.linear.weight"] == pytest.approx(12**-0.5)
    assert found["encoders.text_drawn.bytes.layers.1.outer.weight"] == pytest.approx(64**-0.5)
    small = [name for name, std in found.items() if std == 0.02]
    assert sorted(small) == [
        "encoders.text_drawn.bytes.embedding.weight",
        "encoders.text_drawn.bytes.positions",
        *(f"encoders.text_{name}.null" for name in ("drawn", "half", "words")),
    ]
