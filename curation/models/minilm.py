"""Embeddings of texts by all-MiniLM-L6-v2, whose cosine says how near they are in meaning.

Reimers and Gurevych 2019 (https://arxiv.org/abs/1908.10084): a BERT of 6 layers whose outputs,
averaged over the tokens, were taught to agree for texts that belong together.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curation.models.by_length import by_length
from curation.models.devices import Device, ready
from curation.models.model import weights_file

if TYPE_CHECKING:
    import torch

FILE, TOKENIZER = "minilm-l6-v2.safetensors", "minilm-l6-v2-tokenizer.json"
SIZE = 384
NUM_LAYERS, NUM_HEADS = 6, 12
LAYER_NORM_EPSILON = 1e-12

MOST_TOKENS = 256
"""What is longer is cut: the network was not taught on more."""

BATCH_SIZE = 64


class MiniLM:
    """The network, on the calling thread alone."""

    def __init__(
        self, weights: Path, device: Device = "cpu", most_tokens: int = MOST_TOKENS
    ) -> None:
        """Loads tokenizer and weights.

        Args:
            weights: the folder of the model files.
            device: where it computes.
            most_tokens: where texts are cut, the tokens that begin and end each included.

        Raises:
            ValueError: a file is missing or damaged, a package is missing, or there is no GPU and
                one is asked for.
        """
        path, tokenizer = weights_file(weights, FILE), weights_file(weights, TOKENIZER)
        self._device = str(ready(device))
        try:
            from safetensors import SafetensorError
            from safetensors.torch import load_file
            from tokenizers import Tokenizer
        except ImportError as error:
            raise ValueError(f"{error}: pip install 'moviola[models]'") from error
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(most_tokens)
        try:
            self._held = load_file(path, device=self._device)
        except SafetensorError as error:
            raise ValueError(f"{path} is no file of weights: {error}") from error

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The embedding of each text, `[N, 384]` of length 1."""
        found = by_length(self._tokens(texts), BATCH_SIZE, self._embedded, self._device)
        return np.stack(found) if found else np.empty((0, SIZE), np.float32)

    def hidden_states(self, texts: Sequence[str]) -> list[npt.NDArray[np.float32]]:
        """The last hidden states of each text's tokens, [CLS] and [SEP] included, `[L, 384]`."""
        return by_length(self._tokens(texts), BATCH_SIZE, self._states, self._device)

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]

    def _embedded(self, tokens_nt: "torch.Tensor") -> "torch.Tensor":
        from torch.nn.functional import normalize

        return normalize(self._states(tokens_nt).mean(dim=1))

    def _states(self, tokens_nt: "torch.Tensor") -> "torch.Tensor":
        from torch.nn.functional import gelu

        held = self._held
        values = held["embeddings.word_embeddings.weight"][tokens_nt]
        values = values + held["embeddings.token_type_embeddings.weight"][0]
        values = values + held["embeddings.position_embeddings.weight"][: tokens_nt.shape[1]]
        values = self._normalised("embeddings.LayerNorm", values)
        for number in range(NUM_LAYERS):
            layer = f"encoder.layer.{number}"
            seen = self._linear(f"{layer}.attention.output.dense", self._attention(layer, values))
            values = self._normalised(f"{layer}.attention.output.LayerNorm", values + seen)
            inner = gelu(self._linear(f"{layer}.intermediate.dense", values))
            outer = self._linear(f"{layer}.output.dense", inner)
            values = self._normalised(f"{layer}.output.LayerNorm", values + outer)
        return values

    def _attention(self, layer: str, values_ntd: "torch.Tensor") -> "torch.Tensor":
        from torch.nn.functional import scaled_dot_product_attention

        query, key, value = (
            self._linear(f"{layer}.attention.self.{part}", values_ntd)
            .view(*values_ntd.shape[:2], NUM_HEADS, -1)
            .transpose(1, 2)
            for part in ("query", "key", "value")
        )
        return scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)

    def _linear(self, name: str, values: "torch.Tensor") -> "torch.Tensor":
        from torch.nn.functional import linear

        return linear(values, self._held[f"{name}.weight"], self._held[f"{name}.bias"])

    def _normalised(self, name: str, values: "torch.Tensor") -> "torch.Tensor":
        from torch.nn.functional import layer_norm

        scale, shift = self._held[f"{name}.weight"], self._held[f"{name}.bias"]
        return layer_norm(values, (SIZE,), scale, shift, LAYER_NORM_EPSILON)
