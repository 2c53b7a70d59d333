"""A small transformer over bytes, trained with the model: it sees how words are spelt."""

import torch
from torch import Tensor, nn
from torch.nn import functional

HEAD_DIM = 64


class ByteEncoder(nn.Module):
    """Embeds bytes; each then sees all the others, in layers with the norm before each part."""

    def __init__(self, dim: int, max_bytes: int, num_layers: int) -> None:
        """Has PyTorch's own initial weights.

        Args:
            dim: width of what comes out.
            max_bytes: size of the table of positions.
            num_layers: may be 0.
        """
        super().__init__()
        self.embedding = nn.Embedding(256, dim)
        self.positions = nn.Parameter(torch.zeros(max_bytes, dim))
        self.layers = nn.ModuleList(_Layer(dim) for _ in range(num_layers))

    def forward(self, bytes_BL: Tensor, present_BL: Tensor) -> Tensor:
        """`[B, L, dim]`; anything finite where `present_BL`, bool, is False."""
        values_BLD: Tensor = self.embedding(bytes_BL) + self.positions[: bytes_BL.shape[1]]
        # Attention to nothing is NaN on some devices, so the first is seen even where it is none.
        first_L = torch.arange(bytes_BL.shape[1], device=bytes_BL.device) == 0
        seen_B11L = (present_BL | first_L)[:, None, None]
        for layer in self.layers:
            values_BLD = layer(values_BLD, seen_B11L)
        return values_BLD


class _Layer(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        most = max(1, dim // HEAD_DIM)
        self.num_heads = max(count for count in range(1, most + 1) if dim % count == 0)
        self.attention_norm = nn.LayerNorm(dim)
        # A bias of keys changes no attention: its gradient is rounding, which Adam would enlarge.
        self.query_key_value = nn.Linear(dim, 3 * dim, bias=False)
        self.attention_out = nn.Linear(dim, dim)
        self.inner_norm = nn.LayerNorm(dim)
        self.inner = nn.Linear(dim, 4 * dim)
        self.outer = nn.Linear(4 * dim, dim)

    def forward(self, values_BLD: Tensor, seen_B11L: Tensor) -> Tensor:
        """The values after attention and after the feed-forward network."""
        found = self.query_key_value(self.attention_norm(values_BLD)).chunk(3, dim=-1)
        query, key, value = (
            part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for part in found
        )
        read = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen_B11L)
        values_BLD = values_BLD + self.attention_out(read.transpose(1, 2).flatten(2))
        inner = functional.gelu(self.inner(self.inner_norm(values_BLD)))
        outer: Tensor = self.outer(inner)
        return values_BLD + outer
