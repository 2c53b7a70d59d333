"""Against transformers' BERT with the same weights, on padded batches with masks."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertModel, BertTokenizerFast

from curation.models.minilm import FILE, TOKENIZER, MiniLM

TEXTS = [
    "a cat on a mat",
    "",
    "A kitten lies on the rug.",
    "die Aktie fiel um 12,5 %",
    "the stock fell by twelve per cent",
    "Ünïcode, 猫 and 🚂",
    "word " * 400,
    "a cat on a mat",
]


@pytest.fixture(scope="module")
def network(model_weights: Path) -> MiniLM:
    return MiniLM(model_weights)


def test_embeddings_are_those_of_transformers(network: MiniLM, model_weights: Path) -> None:
    sizes = {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536}
    reference = BertModel(BertConfig(**sizes, num_attention_heads=12, layer_norm_eps=1e-12)).eval()
    state = load_file(model_weights / FILE)
    state.pop("embeddings.position_ids")
    reference.load_state_dict(state, strict=True)
    tokenizer = BertTokenizerFast(tokenizer_file=str(model_weights / TOKENIZER))
    given = tokenizer(TEXTS, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.inference_mode():
        outputs = reference(**given).last_hidden_state
    mask = given["attention_mask"][..., None]
    means = (outputs * mask).sum(dim=1) / mask.sum(dim=1)
    expected = torch.nn.functional.normalize(means).numpy()
    np.testing.assert_allclose(network(TEXTS), expected, atol=1e-5)


def test_what_means_the_same_is_near(network: MiniLM) -> None:
    found = network(TEXTS)
    assert found.shape == (8, 384)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    cosines = found @ found.T
    assert cosines[0, 7] == pytest.approx(1)
    assert cosines[0, 2] > 0.5 > cosines[0, 4]
    assert network([]).shape == (0, 384)


def test_files_that_are_missing_or_damaged_are_named(tmp_path: Path, model_weights: Path) -> None:
    with pytest.raises(ValueError, match=rf"{FILE} is missing; `make setup`"):
        MiniLM(tmp_path)
    (tmp_path / FILE).write_bytes((model_weights / FILE).read_bytes()[:100_000])
    with pytest.raises(ValueError, match=rf"{TOKENIZER} is missing; `make setup`"):
        MiniLM(tmp_path)
    (tmp_path / TOKENIZER).write_bytes((model_weights / TOKENIZER).read_bytes())
    with pytest.raises(ValueError, match=rf"{FILE} is no file of weights"):
        MiniLM(tmp_path)
