"""Embeddings of texts by all-MiniLM-L6-v2, whose cosine says how near they are in meaning.

Reimers and Gurevych 2019 (https://arxiv.org/abs/1908.10084): a BERT of 6 layers whose outputs,
averaged over the tokens, were taught to agree for texts that belong together.
"""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

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
    """The network, on the CPU and on the calling thread alone."""

    def __init__(self, weights: Path) -> None:
        """Loads tokenizer and weights.

        Args:
            weights: the folder of the model files.

        Raises:
            ValueError: a file is missing or damaged, or a package is missing.
        """
        path, tokenizer = weights_file(weights, FILE), weights_file(weights, TOKENIZER)
        try:
            import torch  # two seconds, and an extra
            from safetensors import SafetensorError
            from safetensors.torch import load_file
            from tokenizers import Tokenizer
        except ImportError as error:
            raise ValueError(f"{error}: pip install 'moviola[models]'") from error
        torch.set_num_threads(1)
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MOST_TOKENS)
        try:
            self._held = load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path} is no file of weights: {error}") from error

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The embedding of each text, `[N, 384]` of length 1."""
        import torch

        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        embeddings = np.empty((len(texts), SIZE), np.float32)
        # Texts of one length need neither padding nor a mask, and what comes out for one does not
        # depend on the others.
        order = sorted(range(len(texts)), key=lambda row: len(tokens[row]))
        with torch.inference_mode():
            for _, group in groupby(order, key=lambda row: len(tokens[row])):
                rows = list(group)
                for start in range(0, len(rows), BATCH_SIZE):
                    part = rows[start : start + BATCH_SIZE]
                    embedded = self._embedded(torch.tensor([tokens[row] for row in part]))
                    embeddings[part] = embedded.numpy()
        return embeddings

    def _embedded(self, tokens_nt: "torch.Tensor") -> "torch.Tensor":
        from torch.nn.functional import gelu, normalize

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
        return normalize(values.mean(dim=1))

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
