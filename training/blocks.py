"""The block of the transformer, and how the time steers it.

Llama 3's block (https://arxiv.org/abs/2407.21783) as Movie Gen uses it
(https://arxiv.org/abs/2410.13720): RMSNorm, SwiGLU, no biases; attention in both directions, with
as many heads of keys as of queries; cross-attention to the text between self-attention and
feed-forward network. The time scales, shifts and gates by the adaLN-single of PixArt-alpha
(https://arxiv.org/abs/2310.00426): one network for all blocks, and a small table in each.

In shapes, B are samples, L patches, S tokens of text, D the width, H heads, K the width of a head.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NORM_EPSILON = 1e-5

TIME_SCALE = 1000.0
"""Times in [0, 1] are multiplied by it, for the sinusoids below to tell near ones apart."""

TIME_FEATURES = 256
LONGEST_PERIOD = 10_000.0


def attention(
    query_BHLK: Tensor, key_BHSK: Tensor, value_BHSK: Tensor, mask_BS: Tensor | None = None
) -> Tensor:
    """What each query gathers of the values, `[B, H, L, K]`.

    Args:
        query_BHLK: queries.
        key_BHSK: keys.
        value_BHSK: values.
        mask_BS: bool, True where there is something to attend to, one place at least in each
            sample; None for everywhere.
    """
    mask = None if mask_BS is None else mask_BS[:, None, None, :]
    return F.scaled_dot_product_attention(query_BHLK, key_BHSK, value_BHSK, attn_mask=mask)


def normalised(x_BLD: Tensor) -> Tensor:
    """Each patch over the root of its mean square (RMSNorm), without a weight."""
    return F.rms_norm(x_BLD, x_BLD.shape[-1:], eps=NORM_EPSILON)


def modulated(x_BLD: Tensor, shift_B1D: Tensor, scale_B1D: Tensor) -> Tensor:
    """RMSNorm, scaled by 1 + scale and shifted; the scale is the weight that the norm has not."""
    return torch.addcmul(shift_B1D, normalised(x_BLD), 1 + scale_B1D)


def time_features(times_B: Tensor) -> Tensor:
    """Cosines and sines of the times in float32, `[B, 256]`.

    Frequencies fall geometrically from 1 to 1 / 10 000 per thousandth of the time, as in DiT
    (https://arxiv.org/abs/2212.09748).
    """
    half = TIME_FEATURES // 2
    steps = torch.arange(half, dtype=torch.float32, device=times_B.device)
    frequencies = torch.exp(-math.log(LONGEST_PERIOD) / half * steps)
    angles = TIME_SCALE * times_B.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class TimeNetwork(nn.Module):
    """The vectors by which a time steers the blocks and the last norm; zeros at first.

    It computes in float32 whatever `torch.autocast` says: in bfloat16, times above 0.5 would be
    alike that differ by less than 1/256.
    """

    def __init__(self, dim: int, num_vectors: int) -> None:
        super().__init__()
        self.num_vectors = num_vectors
        self.first = nn.Linear(TIME_FEATURES, dim)
        self.second = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, num_vectors * dim)

    def forward(self, times_B: Tensor) -> Tensor:
        """`[B, num_vectors, D]` in float32."""
        with torch.autocast(times_B.device.type, enabled=False):
            hidden_BD = F.silu(self.first(time_features(times_B)))
            vectors: Tensor = self.out(F.silu(self.second(hidden_BD)))
        return vectors.view(len(times_B), self.num_vectors, -1)


class Attention(nn.Module):
    """Multi-head attention of patches to patches, or to tokens of text."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        # Not one matrix: it is no faster where measured, and these can be sharded by heads.
        self.query = nn.Linear(dim, dim, bias=False)
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim, bias=False)
        self.out = nn.Linear(dim, dim, bias=False)

    def forward(self, x_BLD: Tensor, context_BSD: Tensor, mask_BS: Tensor | None = None) -> Tensor:
        """What is added to each patch, before its gate if it has one, `[B, L, D]`."""
        query_BHLK = self._by_heads(self.query(x_BLD))
        key_BHSK = self._by_heads(self.key(context_BSD))
        value_BHSK = self._by_heads(self.value(context_BSD))
        found_BHLK = attention(query_BHLK, key_BHSK, value_BHSK, mask_BS)
        added_BLD: Tensor = self.out(found_BHLK.transpose(1, 2).flatten(2))
        return added_BLD

    def _by_heads(self, x_BLD: Tensor) -> Tensor:
        return x_BLD.view(*x_BLD.shape[:2], self.num_heads, -1).transpose(1, 2)


class FeedForward(nn.Module):
    """SwiGLU (https://arxiv.org/abs/2002.05202)."""

    def __init__(self, dim: int, ffn_dim: int) -> None:
        super().__init__()
        self.gate = nn.Linear(dim, ffn_dim, bias=False)
        self.up = nn.Linear(dim, ffn_dim, bias=False)
        self.down = nn.Linear(ffn_dim, dim, bias=False)

    def forward(self, x_BLD: Tensor) -> Tensor:
        """What is added to each patch, before its gate."""
        added_BLD: Tensor = self.down(F.silu(self.gate(x_BLD)) * self.up(x_BLD))
        return added_BLD


class Block(nn.Module):
    """Self-attention, cross-attention to the text, feed-forward network, each added to its input.

    Once initialised it adds nothing but the positions: gates and the way out of the cross-attention
    are zero.
    """

    def __init__(self, dim: int, ffn_dim: int, num_heads: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(6, dim))
        self.self_attention = Attention(dim, num_heads)
        self.cross_norm = nn.RMSNorm(dim, eps=NORM_EPSILON)
        self.cross_attention = Attention(dim, num_heads)
        self.feed_forward = FeedForward(dim, ffn_dim)

    def forward(
        self,
        x_BLD: Tensor,
        positions_LD: Tensor,
        modulation_B6D: Tensor,
        context_BSD: Tensor,
        mask_BS: Tensor,
    ) -> Tensor:
        """The patches after this block, `[B, L, D]`.

        Args:
            x_BLD: the patches before it.
            positions_LD: where each patch is.
            modulation_B6D: shift, scale and gate of self-attention, then of the feed-forward
                network; the block adds its table to them.
            context_BSD: the text.
            mask_BS: which tokens of it count.
        """
        steering = (self.table + modulation_B6D).unsqueeze(2).unbind(1)
        shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = steering
        x_BLD = x_BLD + positions_LD
        normal_BLD = modulated(x_BLD, shift, scale)
        x_BLD = torch.addcmul(x_BLD, gate, self.self_attention(normal_BLD, normal_BLD))
        x_BLD = x_BLD + self.cross_attention(self.cross_norm(x_BLD), context_BSD, mask_BS)
        normal_BLD = modulated(x_BLD, ffn_shift, ffn_scale)
        return torch.addcmul(x_BLD, ffn_gate, self.feed_forward(normal_BLD))
