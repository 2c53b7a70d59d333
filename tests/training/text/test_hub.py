"""Encoders of transformers and open_clip, against these on tiny models in the real formats."""

import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoTokenizer,
    ByT5Tokenizer,
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
)

from tests.networks import CLIP, tiny_clip
from training.text.encoders import TextEncoder, text_encoders, text_sources
from training.text.settings import TextEncoderSettings

PROMPTS = [
    'FPS-16 Pan right. A grey rabbit. The words "THE END" can be read.',
    "",
    "FPS-24 A dog.",
    "FPS-24 A cat.",
    "Ünïcode, 猫 and 🚂",
    "word " * 100,
]
HOSTILE = ["\x00\x01\x1b[31m\x7f", "x" * 100_000, "half \ud83d of a pair", "</s><|endoftext|> on"]
T5 = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
WORDS = ["<pad>", "</s>", "<unk>", "FPS", "-", "16", "24", "A", "dog", "cat", ".", "word"]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def encoder(kind: str, path: Path, **keys: object) -> TextEncoder:
    settings = TextEncoderSettings(kind=kind, path=str(path), **keys)
    [made] = text_encoders({"it": settings}, Path("nowhere"))
    return made


def loaded(kind: str, path: Path, **keys: object) -> TextEncoder:
    made = encoder(kind, path, **keys)
    made.load("cpu")
    return made


def loud(model: torch.nn.Module) -> None:
    """As they are initialised, tiny models say nearly the same of everything."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)


def word_tokenizer() -> PreTrainedTokenizerFast:
    made = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, "<unk>"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    special = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=made, **special)


def clip_tokenizer(folder: Path, length: int) -> None:
    """CLIP's own, whose vocabulary open_clip carries."""
    own = open_clip.SimpleTokenizer()
    merges = [" ".join(pair) for pair in own.bpe_ranks]
    (folder / "vocab.json").write_text(json.dumps(_plain(own.encoder)))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": length})
    )


def _plain(vocabulary: dict[str, int]) -> dict[str, int]:
    names = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    return {names.get(word, word): number for word, number in vocabulary.items()}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Of each family a model as its makers save it."""
    root = tmp_path_factory.mktemp("hub")
    torch.manual_seed(0)
    # All of ByT5, with a decoder that is not needed.
    whole = T5ForConditionalGeneration(T5Config(vocab_size=384, **T5))
    whole.save_pretrained(root / "byt5", max_shard_size="60KB")
    ByT5Tokenizer().save_pretrained(root / "byt5")
    part = T5EncoderModel(T5Config(vocab_size=len(WORDS), feed_forward_proj="gated-gelu", **T5))
    loud(part)
    part.save_pretrained(root / "t5")
    word_tokenizer().save_pretrained(root / "t5")
    text = {
        "vocab_size": 49408, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "eos_token_id": 49407,
    }  # fmt: skip
    vision = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
              "num_attention_heads": 2, "image_size": 32, "patch_size": 16}  # fmt: skip
    both = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8))
    loud(both)
    both.save_pretrained(root / "clip")
    clip_tokenizer(root / "clip", 77)
    long = CLIPTextModel(CLIPTextConfig(**text, max_position_embeddings=248))
    loud(long)
    long.save_pretrained(root / "longclip")
    clip_tokenizer(root / "longclip", 248)
    tiny_clip(root / "open_clip")
    return {path.name: path for path in root.iterdir()}


def test_byt5_gives_the_hidden_states_of_transformers(folders: dict[str, Path]) -> None:
    assert len(list(folders["byt5"].glob("*.safetensors"))) > 1
    found = loaded("t5", folders["byt5"], max_tokens=100)(PROMPTS)
    reference = T5EncoderModel.from_pretrained(folders["byt5"]).eval()
    check(found, reference, ByT5Tokenizer(), 100)
    assert len(found[2]) == len(PROMPTS[2]) + 1


def test_t5_gives_the_hidden_states_of_transformers(folders: dict[str, Path]) -> None:
    found = loaded("t5", folders["t5"], max_tokens=40)(PROMPTS)
    reference = T5EncoderModel.from_pretrained(folders["t5"]).eval()
    check(found, reference, word_tokenizer(), 40)
    assert np.abs(found[2] - found[3]).max() > 0.01


def test_clip_gives_the_hidden_states_of_transformers(folders: dict[str, Path]) -> None:
    made = loaded("clip", folders["clip"])
    assert made.spec.max_tokens == 77
    reference = CLIPTextModel.from_pretrained(folders["clip"]).eval()
    check(made(PROMPTS), reference, AutoTokenizer.from_pretrained(folders["clip"]), 77)


def test_clip_for_long_prompts_takes_as_many_tokens_as_it_has_positions(
    folders: dict[str, Path],
) -> None:
    made = loaded("clip", folders["longclip"], max_tokens=248)
    reference = CLIPTextModel.from_pretrained(folders["longclip"]).eval()
    tokenizer = AutoTokenizer.from_pretrained(folders["longclip"])
    check(made(["word " * 300]), reference, tokenizer, 248, ["word " * 300])


@torch.inference_mode()
def check(
    found: list[np.ndarray],
    reference: torch.nn.Module,
    tokenizer: object,
    most: int,
    prompts: list[str] = PROMPTS,
) -> None:
    """Against the network in one padded batch with a mask."""
    given = tokenizer(
        [prompt.strip() for prompt in prompts],
        padding=True, truncation=True, max_length=most, return_tensors="pt",
    )  # fmt: skip
    states = reference(input_ids=given["input_ids"], attention_mask=given["attention_mask"])
    for prompt, one, state, mask in zip(
        prompts, found, states.last_hidden_state, given["attention_mask"], strict=True
    ):
        assert one.dtype == np.float32
        if not prompt:
            assert one.shape == (0, state.shape[1])
            continue
        np.testing.assert_allclose(one, state[mask.bool()].numpy(), atol=1e-5)
    assert max(map(len, found)) == most


@torch.inference_mode()
def test_open_clip_gives_what_its_own_tower_pools(folders: dict[str, Path]) -> None:
    """The last token, projected, is the embedding that open_clip makes of a text."""
    found = loaded("open_clip", folders["open_clip"])(PROMPTS)
    reference = open_clip.CLIP(**CLIP).eval()
    reference.load_state_dict(load_file(folders["open_clip"] / "open_clip_model.safetensors"))
    seen: list[torch.Tensor] = []
    reference.ln_final.register_forward_hook(lambda module, given, out: seen.append(out))
    tokens = open_clip.SimpleTokenizer()(PROMPTS)
    pooled = reference.encode_text(tokens)
    lengths = tokens.argmax(dim=1) + 1
    for row, (prompt, one) in enumerate(zip(PROMPTS, found, strict=True)):
        if not prompt:
            assert one.shape == (0, 32)
            continue
        assert len(one) == lengths[row]
        np.testing.assert_allclose(one, seen[0][row, : len(one)], atol=1e-5)
        projected = torch.from_numpy(one[-1]) @ reference.text_projection
        np.testing.assert_allclose(projected, pooled[row], atol=1e-5)
    assert len(found[5]) == 77


@pytest.mark.parametrize(
    ("kind", "name"), [("t5", "byt5"), ("t5", "t5"), ("clip", "clip"), ("open_clip", "open_clip")]
)
def test_a_prompt_gets_the_same_alone_and_beside_others(
    kind: str, name: str, folders: dict[str, Path]
) -> None:
    made = loaded(kind, folders[name], max_tokens=64)
    together = made(PROMPTS)
    for prompt, found in zip(PROMPTS, together, strict=True):
        np.testing.assert_allclose(found, made([prompt])[0], atol=1e-5)
    assert all(map(np.array_equal, made(PROMPTS), together))
    for found in made(HOSTILE):
        assert 0 < len(found) <= 64
        assert np.isfinite(found).all()
    assert made([]) == []


@pytest.mark.parametrize("kind", ["t5", "clip", "open_clip"])
def test_half_precision_stays_close(kind: str, folders: dict[str, Path]) -> None:
    whole = loaded(kind, folders[kind])
    half = loaded(kind, folders[kind], precision="bfloat16")
    assert half.version != whole.version
    for one, other in zip(whole(PROMPTS), half(PROMPTS), strict=True):
        assert other.dtype == np.float32
        assert np.abs(one - other).max(initial=0) < 0.1 * np.abs(one).max(initial=1)


@pytest.mark.parametrize(
    ("kind", "name", "dim"),
    [
        ("t5", "byt5", 32),
        ("clip", "clip", 16),
        ("clip", "longclip", 16),
        ("open_clip", "open_clip", 32),
    ],
)
def test_the_form_is_known_without_the_weights(
    kind: str, name: str, dim: int, folders: dict[str, Path], tmp_path: Path
) -> None:
    for path in folders[name].glob("*.json"):
        if "index" not in path.name:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    made = encoder(kind, tmp_path)
    assert (made.spec.name, made.spec.dim, made.spec.kind) == ("it", dim, "embedding")
    for act in (lambda: made.version, lambda: made.load("cpu")):
        with pytest.raises(ValueError, match=r"model\.safetensors is missing"):
            act()


@pytest.mark.parametrize(("kind", "name"), [("clip", "clip"), ("open_clip", "open_clip")])
def test_more_tokens_than_positions_are_refused(
    kind: str, name: str, folders: dict[str, Path]
) -> None:
    message = r"text\.it: max_tokens is 78.* takes 77 tokens at most; there are CLIPs for long"
    with pytest.raises(ValueError, match=message):
        encoder(kind, folders[name], max_tokens=78)


def test_versions_name_the_content(folders: dict[str, Path], tmp_path: Path) -> None:
    for path in folders["t5"].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert encoder("t5", tmp_path).version == encoder("t5", folders["t5"]).version
    (tmp_path / "tokenizer.json").write_text("{}")
    assert encoder("t5", tmp_path).version != encoder("t5", folders["t5"]).version


def test_what_a_hub_has_to_bring_is_listed_before_it_is_there() -> None:
    settings = {
        "ul2": TextEncoderSettings(kind="t5", path="google/flan-ul2", revision=COMMIT),
        "here": TextEncoderSettings(kind="minilm"),
        "clip": TextEncoderSettings(kind="open_clip", path="someone/clip", revision=COMMIT),
    }
    ul2, clip = text_sources(settings)
    assert (ul2.place, ul2.revision, ul2.weights) == (
        "google/flan-ul2",
        COMMIT,
        "model.safetensors",
    )
    assert clip.names == ("open_clip_config.json", "open_clip_model.safetensors")
    with pytest.raises(ValueError, match=r"config\.json of google/flan-ul2 at .* not on this mach"):
        text_encoders({"ul2": settings["ul2"]}, Path("nowhere"))


def test_a_model_of_another_kind_is_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match=r"model_type is 'clip'.* kind t5 has t5"):
        encoder("t5", folders["clip"])
    with pytest.raises(ValueError, match=r"model_type is 't5'.* kind clip has clip or clip_text"):
        encoder("clip", folders["t5"])
    with pytest.raises(ValueError, match=r"open_clip_config\.json is missing"):
        encoder("open_clip", folders["clip"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no JSON", "is no configuration of a model"),
        ("[]", "is no configuration of a model"),
        ('{"model_type": "clip"}', "is no configuration of a CLIP: text_config is None"),
        (
            '{"model_type": "clip_text_model", "hidden_size": "wide"}',
            "hidden_size is 'wide', not a positive number",
        ),
    ],
)
def test_a_broken_configuration_is_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        encoder("clip", tmp_path)


@pytest.mark.parametrize(
    "change", [{"hf_model_name": "x"}, {"no_causal_mask": True}, {"embed_cls": True}]
)
def test_a_tower_that_is_none_of_clips_is_refused(change: dict, tmp_path: Path) -> None:
    tiny_clip(tmp_path, model_cfg={**CLIP, "text_cfg": {**CLIP["text_cfg"], **change}})
    with pytest.raises(ValueError, match=f"its text tower has {next(iter(change))}"):
        encoder("open_clip", tmp_path)


def test_weights_that_are_lacking_are_not_made_up(folders: dict[str, Path], tmp_path: Path) -> None:
    for path in folders["t5"].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    state = load_file(tmp_path / "model.safetensors")
    del state["encoder.final_layer_norm.weight"]
    save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks 1 weights of its model.*final_layer_norm"):
        loaded("t5", tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"transformers cannot load"):
        loaded("t5", tmp_path)


def test_a_tokenizer_of_another_model_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    for path in folders["t5"].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    T5EncoderModel(T5Config(vocab_size=5, **T5)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="its tokenizer has 12 tokens, and its model knows 5"):
        loaded("t5", tmp_path)


def test_what_overflows_is_named(folders: dict[str, Path], tmp_path: Path) -> None:
    model = T5EncoderModel.from_pretrained(folders["t5"])
    with torch.no_grad():
        model.shared.weight[8] = torch.inf
    model.save_pretrained(tmp_path)
    word_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"text\.it returned NaN or infinity for 'FPS-24 A dog\.'"):
        loaded("t5", tmp_path)(PROMPTS)
