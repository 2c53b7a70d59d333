"""What a block of the transformer costs, beside one of diffusers of the same size.

`python -m benchmarks.speed.train [--threads N] [--rounds N]`: forward alone, and forward with
backward, in float32 and bfloat16, at three widths on this machine's CPU. The other is the block of
Wan 2.1 (`WanTransformerBlock`), as near as diffusers has it: self-attention, cross-attention, feed-
forward network, steered by the time through six vectors and a table. Differences: its network has
two matrices where ours has three, so it is half as wide again, for as many parameters and
operations; it has biases, LayerNorm for RMSNorm, norms of queries and keys, and rotates both for
the positions, which ours adds. A figure without the rotation is printed too.

The two take turns. A ratio is the median over the rounds of one's CPU-seconds by the other's, next
to each other, as what else the machine does slows both. Tokens and the share of the peak are by the
clock and of the fastest round; the peak is that of a large product of matrices on the same threads,
in the same rounds. Those need a machine that does nothing else, and so do ratios with more than one
thread: threads that wait for each other spend CPU-seconds on it.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

import torch

from curation.models.devices import required
from training.blocks import Block
from training.flops import block_flops, measured_matmul_peak, training_flops
from training.transformer import SHAPES, Shape

BAR = {"least_ratio": 1.0}
"""CPU-time of the other block by that of ours, the least over widths and kinds in float32."""


@dataclass(frozen=True)
class Case:
    """A block and what goes through it."""

    shape: Shape
    num_patches: int
    num_text_tokens: int = 128


CASES = (
    Case(Shape(num_layers=1, dim=384, ffn_dim=1024, num_heads=6), num_patches=512),
    Case(Shape(num_layers=1, dim=768, ffn_dim=2048, num_heads=12), num_patches=1024),
    Case(SHAPES["1b"], num_patches=1024),
)
OURS, OTHER, UNROTATED = "ours", "other", "other_unrotated"
FORWARD, TRAINING = "forward", "training"

Call = Callable[[], torch.Tensor]
Row = dict[str, float]


class Seconds(NamedTuple):
    """What something took, by the clock and on all cores together."""

    wall: float
    cpu: float


Spent = dict[str, list[Seconds]]


def calls(case: Case) -> dict[str, Call]:
    """Each block on the same patches and text."""
    shape = case.shape
    wan = required("diffusers.models.transformers.transformer_wan")
    torch.manual_seed(0)
    block = Block(shape.dim, shape.ffn_dim, shape.num_heads)
    other = wan.WanTransformerBlock(
        shape.dim, shape.ffn_dim * 3 // 2, shape.num_heads, cross_attn_norm=True
    )
    patches_BLD = torch.randn(1, case.num_patches, shape.dim, requires_grad=True)
    positions_LD = torch.randn(case.num_patches, shape.dim)
    vectors_B6D = torch.randn(1, 6, shape.dim)
    context_BSD = torch.randn(1, case.num_text_tokens, shape.dim)
    mask_BS = torch.ones(1, case.num_text_tokens, dtype=torch.bool)
    angles = torch.rand(1, case.num_patches, 1, shape.dim // shape.num_heads)
    rotation = angles.cos(), angles.sin()
    return {
        OURS: lambda: block(patches_BLD, positions_LD, vectors_B6D, context_BSD, mask_BS),
        OTHER: lambda: other(patches_BLD, context_BSD, vectors_B6D, rotation),
        UNROTATED: lambda: other(patches_BLD, context_BSD, vectors_B6D, None),
    }


def seconds(call: Call, dtype: torch.dtype, kind: str) -> Seconds:
    """Of one call, with its backward pass in training."""
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    half = torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16)
    with torch.set_grad_enabled(kind == TRAINING), half:
        found = call()
    if kind == TRAINING:
        found.backward(torch.ones_like(found))
    return Seconds(time.perf_counter() - began_s, time.process_time() - began_cpu_s)


def measured(case: Case, dtype: torch.dtype, rounds: int) -> tuple[float, dict[str, Spent]]:
    """The peak in operations per second, and what each round took, by kind and block.

    There is one round before that does not count.
    """
    found: dict[str, Spent] = {
        kind: {name: [] for name in (OURS, OTHER, UNROTATED)} for kind in (FORWARD, TRAINING)
    }
    blocks = calls(case)
    peak_per_s = 0.0
    for turn in range(rounds + 1):
        peak_per_s = max(peak_per_s, measured_matmul_peak(torch.device("cpu"), dtype))
        for kind, spent in found.items():
            # Who comes first changes, for the caches.
            for name in sorted(blocks, reverse=turn % 2 == 1):
                took = seconds(blocks[name], dtype, kind)
                if turn:
                    spent[name].append(took)
    return peak_per_s, found


def ratio(spent: Spent, other: str) -> float:
    """How many times as long the other takes as ours."""
    return median(b.cpu / a.cpu for a, b in zip(spent[OURS], spent[other], strict=True))


def row_of(case: Case, kind: str, spent: Spent, peak_per_s: float) -> Row:
    """The figures of one line."""
    flops = block_flops(case.shape, case.num_patches, case.num_text_tokens)
    flops = training_flops(flops) if kind == TRAINING else flops
    fastest_s = min(one.wall for one in spent[OURS])
    return {
        "tokens_per_s": case.num_patches / fastest_s,
        "share_of_peak": flops / fastest_s / peak_per_s,
        "ratio": ratio(spent, OTHER),
        "ratio_unrotated": ratio(spent, UNROTATED),
    }


def main() -> None:
    """Prints a table and a last line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch")
    parser.add_argument("--rounds", type=int, default=11, help="of each")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    figures: dict[str, float] = {}
    print(f"{'':28}{'tokens/s':>10}{'of peak':>9}{'other/ours':>12}{'unrotated':>11}")
    for dtype in (torch.float32, torch.bfloat16):
        for case in CASES:
            peak_per_s, by_kind = measured(case, dtype, arguments.rounds)
            for kind, spent in by_kind.items():
                label = f"{str(dtype).removeprefix('torch.')}_{case.shape.dim}_{kind}"
                row = row_of(case, kind, spent, peak_per_s)
                figures |= {f"{label}_{name}": value for name, value in row.items()}
                print(
                    f"{label:28}{row['tokens_per_s']:10.0f}{row['share_of_peak']:9.0%}"
                    f"{row['ratio']:12.3f}{row['ratio_unrotated']:11.3f}",
                    flush=True,
                )
    figures["least_ratio"] = min(
        figures[f"float32_{case.shape.dim}_{kind}_ratio"]
        for case in CASES
        for kind in (FORWARD, TRAINING)
    )
    held = figures["least_ratio"] >= BAR["least_ratio"]
    print(json.dumps({"name": "speed/train", "figures": figures, "bar": BAR, "held": held}))


if __name__ == "__main__":
    main()
