"""Numbers over the steps of a training run, in bounded memory however long the run is."""

from typing import Any

MOST_BINS = 2_000
"""Of a curve; a longer one has bins of several lines each."""


class Curve:
    """Numbers over steps in bins of equal numbers of lines: mean, least and most of each bin."""

    def __init__(self) -> None:
        self.lines_per_bin = 1
        self._steps: list[int] = []
        self._bins: list[list[float]] = []
        """Lines, sum, least, most."""

    def add(self, step: int, value: float) -> None:
        """Takes the next number."""
        if self._bins and self._bins[-1][0] < self.lines_per_bin:
            one = self._bins[-1]
            one[:] = [one[0] + 1, one[1] + value, min(one[2], value), max(one[3], value)]
            self._steps[-1] = step
        else:
            self._bins.append([1, value, value, value])
            self._steps.append(step)
        if len(self._bins) > MOST_BINS:
            self._halve()

    def told(self) -> dict[str, Any]:
        """The bins as lists.

        Returns:
            `step` (the last of each bin), `mean`, `lines_per_bin`; `least` and `most` where bins
            are of several lines.
        """
        told: dict[str, Any] = {
            "step": list(self._steps),
            "mean": [_short(one[1] / one[0]) for one in self._bins],
            "lines_per_bin": self.lines_per_bin,
        }
        if self.lines_per_bin > 1:
            told["least"] = [_short(one[2]) for one in self._bins]
            told["most"] = [_short(one[3]) for one in self._bins]
        return told

    def _halve(self) -> None:
        pairs = [self._bins[place : place + 2] for place in range(0, len(self._bins), 2)]
        self._bins = [
            [
                sum(one[0] for one in pair),
                sum(one[1] for one in pair),
                min(one[2] for one in pair),
                max(one[3] for one in pair),
            ]
            for pair in pairs
        ]
        self._steps = [*self._steps[1::2], *(self._steps[-1:] if len(self._steps) % 2 else [])]
        self.lines_per_bin *= 2


def _short(value: float) -> float:
    """Six digits, which is more than a chart shows and half the bytes."""
    return float(f"{value:.6g}")
