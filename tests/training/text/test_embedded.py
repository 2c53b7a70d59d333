"""The encoders that packages bring, against transformers with the same weights."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    BertModel,
    BertTokenizerFast,
)

from curation.models import minilm, smollm2
from training.text.encoders import TextEncoder, text_encoders
from training.text.settings import TextEncoderSettings

PROMPTS = [
    'FPS-16 Pan right. A grey rabbit sits in the grass. The words "THE END" can be read.',
    "",
    "FPS-24 A dog.",
    "Ünïcode, 猫 and 🚂",
    "word " * 400,
    " \n ",
    "FPS-24 A cat.",
]
HOSTILE = [
    "\x00\x01\x1b[31m\x7f control",
    "\x00",
    "x" * 100_000,
    "\N{ZERO WIDTH JOINER}" * 5000,
    "half \ud83d of a pair",
    "<|im_end|></s>[SEP]<|endoftext|>",
    "".join(map(chr, range(1, 256))),
]


def loaded(weights: Path, **keys: object) -> TextEncoder:
    [encoder] = text_encoders({"it": TextEncoderSettings(**keys)}, weights)
    encoder = pickle.loads(pickle.dumps(encoder))  # noqa: S301 - as Ray does
    encoder.load("cpu")
    return encoder


@pytest.fixture(scope="module")
def mini(model_weights: Path) -> TextEncoder:
    return loaded(model_weights, kind="minilm")


@pytest.fixture(scope="module")
def smol(model_weights: Path) -> TextEncoder:
    return loaded(model_weights, kind="smollm2", max_tokens=64)


@torch.inference_mode()
def test_minilm_gives_the_hidden_states_of_transformers(
    mini: TextEncoder, model_weights: Path
) -> None:
    sizes = {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536}
    reference = BertModel(BertConfig(**sizes, num_attention_heads=12, layer_norm_eps=1e-12)).eval()
    state = load_file(model_weights / minilm.FILE)
    state.pop("embeddings.position_ids")
    reference.load_state_dict(state, strict=True)
    tokenizer = BertTokenizerFast(tokenizer_file=str(model_weights / minilm.TOKENIZER))
    for prompt, found in zip(PROMPTS, mini(PROMPTS), strict=True):
        assert found.dtype == np.float32
        if not prompt.strip():
            assert found.shape == (0, 384)
            continue
        given = tokenizer(prompt, truncation=True, max_length=256, return_tensors="pt")
        expected = reference(**given).last_hidden_state[0].numpy()
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert len(mini([PROMPTS[4]])[0]) == 256


@torch.inference_mode()
def test_smollm2_gives_the_hidden_states_of_transformers(
    smol: TextEncoder, model_weights: Path
) -> None:
    folder = model_weights / f"{Path(smollm2.FILE).stem}-{smollm2.VERSION}"
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    whole = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True
    ).eval()
    for prompt, found in zip(PROMPTS, smol(PROMPTS), strict=True):
        if not prompt.strip():
            assert found.shape == (0, 576)
            continue
        given = tokenizer(prompt.strip(), return_tensors="pt")["input_ids"][:, :64]
        states = whole(given, output_hidden_states=True).hidden_states[-1][0].numpy()
        assert found.shape == states.shape
        np.testing.assert_allclose(found, states, atol=1e-4)


@pytest.mark.parametrize("name", ["mini", "smol"])
def test_a_prompt_gets_the_same_alone_and_beside_others(
    name: str, request: pytest.FixtureRequest
) -> None:
    encoder = request.getfixturevalue(name)
    prompts = [PROMPTS[0], PROMPTS[2], PROMPTS[6], PROMPTS[3]]
    together = encoder(prompts)
    for prompt, found in zip(prompts, together, strict=True):
        [alone] = encoder([prompt])
        np.testing.assert_allclose(found, alone, atol=1e-5)
    assert all(map(np.array_equal, encoder(prompts), together))
    assert encoder([]) == []


@pytest.mark.parametrize("name", ["mini", "smol"])
def test_hostile_prompts_are_embedded_too(name: str, request: pytest.FixtureRequest) -> None:
    encoder = request.getfixturevalue(name)
    for found in encoder(HOSTILE):
        assert found.ndim == 2
        assert len(found) <= encoder.spec.max_tokens
        assert np.isfinite(found).all()


def test_bytes_are_the_utf8_cut_between_characters(tmp_path: Path) -> None:
    encoder = loaded(tmp_path, kind="bytes", max_tokens=5, dim=32, num_layers=1)
    found = encoder(["abc", "", "äöü", "abcdefgh", "\ud83d"])
    assert [bytes(one) for one in found] == [b"abc", b"", "äö".encode(), b"abcde", b"?"]
    assert {one.dtype for one in found} == {np.dtype(np.uint8)}
    assert (encoder.spec.kind, encoder.spec.dim, encoder.spec.num_layers) == ("bytes", 32, 1)


def test_quotations_are_read_alone_where_the_recipe_says_so(tmp_path: Path) -> None:
    encoder = loaded(tmp_path, kind="bytes", of="quoted")
    found = encoder([PROMPTS[0], "A sign without words."])
    assert [bytes(one) for one in found] == [b"THE END", b""]


def test_versions_differ_where_arrays_may(model_weights: Path, tmp_path: Path) -> None:
    keys: list[dict[str, object]] = [
        {"kind": "minilm"},
        {"kind": "minilm", "max_tokens": 64},
        {"kind": "minilm", "of": "quoted"},
        {"kind": "smollm2"},
        {"kind": "bytes"},
    ]
    settings = {f"e{n}": TextEncoderSettings(**one) for n, one in enumerate(keys)}
    versions = [one.version for one in text_encoders(settings, model_weights)]
    assert len(set(versions)) == len(keys)
    # The trained part of an encoder of bytes has no say in what is stored.
    [other] = text_encoders({"x": TextEncoderSettings(kind="bytes", dim=64)}, model_weights)
    assert other.version == versions[-1]
    for name in (minilm.FILE, minilm.TOKENIZER):
        (tmp_path / name).write_bytes(b"another")
    [changed] = text_encoders({"e0": settings["e0"]}, tmp_path)
    assert changed.version != versions[0]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    [encoder] = text_encoders({"it": TextEncoderSettings(kind="minilm")}, tmp_path)
    with pytest.raises(ValueError, match=rf"{minilm.FILE} is missing; `make setup`"):
        _ = encoder.version
    with pytest.raises(ValueError, match=rf"{minilm.FILE} is missing; `make setup`"):
        encoder.load("cpu")
    [encoder] = text_encoders({"it": TextEncoderSettings(kind="smollm2")}, tmp_path)
    with pytest.raises(ValueError, match=rf"{smollm2.FILE} is missing; `make setup`"):
        encoder.load("cpu")


def test_more_tokens_than_minilm_was_taught_on_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"text\.it: max_tokens is 300.* 256 tokens at most"):
        text_encoders({"it": TextEncoderSettings(kind="minilm", max_tokens=300)}, tmp_path)
