"""The moving average of the weights, which is what is evaluated and what videos are made with."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class Ema:
    """Averages of a model's parameters, in float32, parameter by parameter.

    Each lies where its parameter lies, so a model whose parameters are sharded has a sharded
    average, and nothing is gathered.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Starts from the weights as they are.

        Args:
            model: whose weights are averaged.
            decay: how much of the average a step leaves, once it is warm.
        """
        self._model, self._decay = model, decay
        self.averages = {
            name: parameter.detach().float().clone() for name, parameter in model.named_parameters()
        }

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes the weights in, after so many steps.

        The decay is min(decay, (1 + step) / (10 + step)): an average over all steps at first, since
        there is nothing yet to be slow about.
        """
        decay = min(self._decay, (1 + step) / (10 + step))
        averages = [self.averages[name] for name, _ in self._model.named_parameters()]
        weights = [parameter.detach().float() for parameter in self._model.parameters()]
        torch._foreach_lerp_(averages, weights, 1.0 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The model has the averages for weights in the meantime."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, parameter in self._model.named_parameters():
            average = self.averages[name]
            held = parameter.detach().clone()
            parameter.copy_(average)
            average.copy_(held)
