"""What the transformer has to know of a text encoder. Importing this loads no PyTorch."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TextSpec:
    """The form of what one encoder says."""

    name: str
    """What the recipe calls it."""

    dim: int
    """Width of its embeddings; for bytes, of the encoder that is trained with the transformer."""

    max_tokens: int
    """Tokens, or bytes, at most."""

    kind: Literal["embedding", "bytes"]
    """Embeddings of a frozen model, or bytes that the transformer embeds itself."""

    num_layers: int = 0
    """Layers of an encoder of bytes."""
