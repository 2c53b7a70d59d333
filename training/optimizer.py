"""AdamW, the learning rate of a step, and what a plateau of the validation loss does to it."""

import math
from dataclasses import asdict, dataclass
from typing import Self

import torch
from torch import nn

from training.settings import OptimizerSettings

UNDECAYED = {"positions", "null", "table", "embedding"}
"""Steps in names of parameters that weight decay leaves alone, beside norms and biases."""

MOMENTS = ("exp_avg", "exp_avg_sq")


def build_optimizer(model: nn.Module, settings: OptimizerSettings) -> torch.optim.AdamW:
    """AdamW over the parameters, weight decay on the matrices of linear layers only."""
    decayed: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        plain = parameter.ndim < 2 or not UNDECAYED.isdisjoint(name.split("."))
        (others if plain else decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    betas = settings.betas
    return torch.optim.AdamW(
        groups, lr=settings.learning_rate, betas=betas, eps=settings.eps, fused=True
    )


def learning_rate(step: int, steps: int, settings: OptimizerSettings, cuts: int = 0) -> float:
    """The learning rate of a step.

    Args:
        step: the steps that are done, from 0.
        steps: the steps of the stage.
        settings: peak, warm-up and schedule.
        cuts: the cuts at plateaus so far.
    """
    peak = settings.learning_rate
    if step < settings.warmup_steps:
        return peak * (step + 1) / settings.warmup_steps
    if settings.schedule == "cosine":
        done = (step - settings.warmup_steps) / max(steps - settings.warmup_steps, 1)
        share = settings.final_share
        return peak * (share + (1 - share) * (1 + math.cos(math.pi * min(done, 1.0))) / 2)
    if settings.schedule == "plateau":
        return peak * settings.plateau_factor**cuts
    return peak


@dataclass
class Plateau:
    """Watches the validation loss."""

    best: float = math.inf
    """The lowest loss so far."""

    stale: int = 0
    """Evaluations since then, or since the last cut."""

    cuts: int = 0
    """Cuts so far."""

    def saw(self, loss: float, patience: int) -> None:
        """Counts an evaluation, and a cut where the loss has not fallen for `patience` of them."""
        if loss < self.best:
            self.best, self.stale = loss, 0
            return
        self.stale += 1
        if self.stale >= patience:
            self.cuts, self.stale = self.cuts + 1, 0

    def state(self) -> dict[str, float | None]:
        """As JSON, which has no infinity."""
        return asdict(self) | {"best": self.best if math.isfinite(self.best) else None}

    @classmethod
    def of(cls, state: dict[str, float | None]) -> Self:
        """From `state`."""
        best = state["best"]
        return cls(
            math.inf if best is None else best, int(state["stale"] or 0), int(state["cuts"] or 0)
        )


def moments(model: nn.Module, optimizer: torch.optim.AdamW) -> dict[str, torch.Tensor]:
    """The two moments of every parameter, `exp_avg.<name>` and `exp_avg_sq.<name>`.

    Moments that are not there yet are made, as zeros, so that they can be read into.
    """
    found: dict[str, torch.Tensor] = {}
    for name, parameter in model.named_parameters():
        state = optimizer.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
            for moment in MOMENTS:
                state[moment] = torch.zeros_like(parameter)
        found |= {f"{moment}.{name}": state[moment] for moment in MOMENTS}
    return found


def set_steps(model: nn.Module, optimizer: torch.optim.AdamW, steps: int) -> None:
    """Tells the optimizer how many steps its moments have seen."""
    for parameter in model.parameters():
        optimizer.state[parameter]["step"].fill_(float(steps))
