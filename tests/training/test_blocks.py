import pytest
import torch
from torch.nn import functional

import training.blocks
from tests.training.small_transformers import stirred
from training.blocks import Attention, Block, TimeNetwork, attention, modulated, time_features
from training.randomness import normal

DIM, FFN_DIM, HEADS, PATCHES, TOKENS = 32, 56, 4, 11, 5


def inputs(batch=2, dtype=torch.float32):
    """Arguments of a block: patches, positions, modulation, context and mask."""
    mask = torch.ones(batch, TOKENS, dtype=torch.bool)
    mask[0, 3:] = False
    shapes = [(batch, PATCHES, DIM), (PATCHES, DIM), (batch, 6, DIM), (batch, TOKENS, DIM)]
    return [*(normal(shape, 0, number).to(dtype) for number, shape in enumerate(shapes)), mask]


def plain_attention(part: Attention, x_ld, context_sd, mask_s):
    """Of one sample, head by head, as in Vaswani et al. 2017."""
    width = DIM // HEADS
    query, key, value = part.query(x_ld), part.key(context_sd), part.value(context_sd)
    heads = []
    for start in range(0, DIM, width):
        columns = slice(start, start + width)
        logits = query[:, columns] @ key[:, columns].T / width**0.5
        logits[:, ~mask_s] = -torch.inf
        heads.append(logits.softmax(dim=-1) @ value[:, columns])
    return part.out(torch.cat(heads, dim=-1))


def plain_norm(x_ld):
    return x_ld / (x_ld.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()


def test_a_block_is_its_definition_sample_by_sample():
    block = stirred(Block(DIM, FFN_DIM, HEADS)).double()
    x, positions, modulation, context, mask = inputs(dtype=torch.float64)
    found = block(x, positions, modulation, context, mask)
    everywhere = torch.ones(PATCHES, dtype=torch.bool)
    for row in range(len(x)):
        shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = block.table + modulation[row]
        values = x[row] + positions
        seen = plain_norm(values) * (1 + scale) + shift
        values = values + gate * plain_attention(block.self_attention, seen, seen, everywhere)
        asked = plain_norm(values) * block.cross_norm.weight
        values = values + plain_attention(block.cross_attention, asked, context[row], mask[row])
        seen = plain_norm(values) * (1 + ffn_scale) + ffn_shift
        gated = seen @ block.feed_forward.gate.weight.T
        inner = gated * gated.sigmoid() * (seen @ block.feed_forward.up.weight.T)
        values = values + ffn_gate * (inner @ block.feed_forward.down.weight.T)
        torch.testing.assert_close(found[row], values, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("causal", [True, False])
def test_without_text_and_time_a_stack_of_blocks_is_llama_without_its_rotation(causal, monkeypatch):
    from transformers import LlamaConfig, LlamaModel

    config = LlamaConfig(
        vocab_size=8,
        hidden_size=DIM,
        intermediate_size=FFN_DIM,
        num_hidden_layers=3,
        num_attention_heads=HEADS,
        rms_norm_eps=1e-5,
    )
    llama = stirred(LlamaModel(config).eval())
    blocks = [stirred(Block(DIM, FFN_DIM, HEADS)) for _ in range(3)]
    for block, layer in zip(blocks, llama.layers, strict=True):
        copy_of_llama(block, layer)
    x, _, modulation, context, mask = inputs()
    allowed = torch.ones(PATCHES, PATCHES, dtype=torch.bool)
    if causal:
        allowed = allowed.tril()
        monkeypatch.setattr(training.blocks, "attention", causal_attention)
    # Where all positions are 0, nothing is rotated.
    nowhere = torch.zeros(len(x), PATCHES, dtype=torch.long)
    bias = torch.zeros(1, 1, PATCHES, PATCHES).masked_fill(~allowed, torch.finfo().min)
    with torch.no_grad():
        wanted = llama(inputs_embeds=x, attention_mask=bias, position_ids=nowhere)
        for block in blocks:
            x = block(x, torch.zeros(PATCHES, DIM), torch.zeros_like(modulation), context, mask)
        x = functional.rms_norm(x, (DIM,), llama.norm.weight, 1e-5)
    torch.testing.assert_close(x, wanted.last_hidden_state, rtol=1e-5, atol=1e-5)


def copy_of_llama(block, layer):
    """The weights of a layer of Llama; a norm's weight is 1 plus the scale, gates are 1."""
    pairs = {
        block.self_attention.query: layer.self_attn.q_proj,
        block.self_attention.key: layer.self_attn.k_proj,
        block.self_attention.value: layer.self_attn.v_proj,
        block.self_attention.out: layer.self_attn.o_proj,
        block.feed_forward.gate: layer.mlp.gate_proj,
        block.feed_forward.up: layer.mlp.up_proj,
        block.feed_forward.down: layer.mlp.down_proj,
    }
    with torch.no_grad():
        for own, other in pairs.items():
            own.weight.copy_(other.weight)
        zeros, ones = torch.zeros(DIM), torch.ones(DIM)
        scales = [layer.input_layernorm.weight - 1, layer.post_attention_layernorm.weight - 1]
        block.table.copy_(torch.stack([zeros, scales[0], ones, zeros, scales[1], ones]))
        block.cross_attention.out.weight.zero_()


def causal_attention(query, key, value, mask=None):
    if mask is None:
        return functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    return attention(query, key, value, mask)


def test_what_the_mask_leaves_out_is_never_seen():
    x, positions, modulation, context, mask = inputs()
    block = stirred(Block(DIM, FFN_DIM, HEADS))
    before = block(x, positions, modulation, context, mask)
    context[0, 3:] = 1e4
    assert torch.equal(block(x, positions, modulation, context, mask), before)
    context[0, :3] += 1
    assert not torch.allclose(block(x, positions, modulation, context, mask), before)


def test_no_shift_and_no_scale_leave_the_norm_of_pytorch():
    x, zeros = inputs()[0], torch.zeros(2, 1, DIM)
    torch.testing.assert_close(modulated(x, zeros, zeros), torch.nn.RMSNorm(DIM, eps=1e-5)(x))


def test_time_features_are_those_of_diffusers_at_a_thousand_times_the_time():
    from diffusers.models.embeddings import get_timestep_embedding

    times_b = torch.linspace(0, 1, 50)
    wanted = get_timestep_embedding(
        1000 * times_b, 256, flip_sin_to_cos=True, downscale_freq_shift=0
    )
    # The two compute the frequencies in different orders, and 1000 radians magnify the rounding.
    torch.testing.assert_close(time_features(times_b), wanted, rtol=0, atol=2e-4)


def test_times_stay_in_float32_where_blocks_compute_in_bfloat16():
    network = stirred(TimeNetwork(DIM, num_vectors=6))
    near = torch.tensor([0.901, 0.902])
    assert near.bfloat16().unique().numel() == 1
    with torch.autocast("cpu", dtype=torch.bfloat16):
        vectors = network(near)
    assert vectors.dtype == torch.float32
    assert torch.equal(vectors, network(near))
    assert (vectors[0] - vectors[1]).abs().max() > 1e-2


def test_patches_stay_in_float32_where_blocks_compute_in_bfloat16():
    block, arguments = stirred(Block(DIM, FFN_DIM, HEADS)), inputs()
    wanted = block(*arguments)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = block(*arguments)
    assert found.dtype == torch.float32
    assert not torch.equal(found, wanted)
    assert (found - wanted).norm() < 0.02 * wanted.norm()


def test_a_block_compiles_to_one_graph_with_its_gradient():
    block, arguments = stirred(Block(DIM, FFN_DIM, HEADS)), inputs()
    compiled = torch.compile(block, fullgraph=True, backend="aot_eager")
    results = []
    for call in (block, compiled):
        block.zero_grad()
        value = call(*arguments)
        value.square().sum().backward()
        results.append([value, *(parameter.grad.clone() for parameter in block.parameters())])
    for eager, captured in zip(*results, strict=True):
        torch.testing.assert_close(captured, eager, rtol=1e-5, atol=1e-4)
