"""What a subset would keep at other thresholds of one rule, counted in bins.

All else stays as in the recipe: the bins hold the clips that pass all other rules. Four kinds of
them are counted apart:

- `kept`: what would be kept if the rule let it pass;
- `open`: what nobody can say yet, since a score is missing that no model has given, or since what
  comes after the rules (duplicates, retrieval, review) has not been asked about the clip;
- `twin`: what went as a duplicate of a better clip. It may come back once that one is out, be it
  lost to the rule or pushed out by a still better one that the rule lets in;
- `gone`: what retrieval or review took out. It may come back once another clip is lost.

So where duplicates alone come after the rules, no more is kept than the high number says. The low
one holds as long as no clip that is let in or comes back is a better copy of several kept ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from curation import tables
from curation.rules import MEASURES, NUMBERS, Rule
from curation.subsets import DUPLICATE
from pipelines.report.bins import Axis, Bins, Floats, as_measured, axis, binned
from pipelines.report.verdicts import Flags, Verdicts, is_score
from pipelines.spreads import SHOWN

KINDS = ("kept", "open", "twin", "gone")

Count = tuple[int, float]
"""Clips and their seconds."""


@dataclass(frozen=True)
class Kept:
    """What some thresholds keep: from the low to the high number of clips, and of seconds."""

    low: int
    high: int
    low_s: float
    high_s: float


@dataclass(frozen=True)
class WhatIf:
    """The histogram of one rule of a subset, or of a measure without a rule.

    Attributes:
        subset: its name.
        rule: the rule's name; None for a measure that no rule judges.
        measure: the column.
        text: the rule in words.
        axis: the bins.
        bounds: edges at which the recipe has its bounds, first and last where it has none.
        has_min: whether the recipe has a lower bound.
        has_max: whether it has an upper bound.
        all: clips per bin, whatever becomes of them.
        bins: by kind, what passes all other rules.
        always: by kind, what the rule does not apply to: images, where it is about motion.
        missing: by kind, what has no value, and so passes only while the rule is off.
        unmeasured: what may be kept, but no model has looked at.
    """

    subset: str
    rule: str | None
    measure: str
    text: str
    axis: Axis
    bounds: tuple[int, int]
    has_min: bool
    has_max: bool
    all: tuple[int, ...]
    bins: Mapping[str, Bins]
    always: Mapping[str, Count]
    missing: Mapping[str, Count]
    unmeasured: Count

    def kept(self, low: int, high: int) -> Kept:
        """What is kept with bounds at these two edges; at the first and last there is none."""
        counts = {kind: self.bins[kind].within(low, high) for kind in KINDS}
        is_off = low == 0 and high == len(self.axis.edges) - 1
        for kind in KINDS:
            more = [self.always[kind], *([self.missing[kind]] if is_off else [])]
            counts[kind] = _added(counts[kind], *more)
        num, seconds = counts["kept"]
        extra = [counts["open"], self.unmeasured]
        extra += [counts["twin"]] if (low, high) != self.bounds else []
        extra += [counts["gone"]] if low > self.bounds[0] or high < self.bounds[1] else []
        high_num, high_s = _added(counts["kept"], *extra)
        return Kept(num, high_num, seconds, high_s)

    def data(self) -> dict[str, Any]:
        """All that the script of the page counts with, as JSON values."""
        return {
            "edges": self.axis.edges,
            "places": self.axis.places,
            "bounds": self.bounds,
            "bins": {
                kind: [bins.at, bins.between, bins.at_s, bins.between_s]
                for kind, bins in self.bins.items()
            },
            "always": self.always,
            "missing": self.missing,
            "unmeasured": self.unmeasured,
        }


def what_ifs(found: Verdicts) -> list[WhatIf]:
    """A histogram for each rule on a number, then for each measure that no rule judges.

    Rules are in the order in which they are tried; measures that no clip has are left out.
    """
    ruled = [
        (name, rule.measure or name, rule)
        for name, rule in found.rules().items()
        if (rule.measure or name) in NUMBERS
    ]
    judged = {measure for _, measure, _ in ruled}
    shown = [*SHOWN, "duration_s", *(name for name in MEASURES if is_score(name))]
    free = [name for name in shown if name in NUMBERS and name not in judged]
    asked = [
        *(_what_if(found, name, measure, rule) for name, measure, rule in ruled),
        *(
            _what_if(found, None, measure, Rule())
            for measure in dict.fromkeys(free)
            if np.isfinite(found.values[measure]).any()
        ),
    ]
    return asked


def _what_if(found: Verdicts, name: str | None, measure: str, rule: Rule) -> WhatIf:
    kind, values = MEASURES[measure], found.values[measure]
    applies = ~found.is_image | (measure not in tables.MOTION_MEASURES)
    has_value = np.isfinite(values) & applies
    low = None if rule.min is None else as_measured(rule.min, kind)
    high = None if rule.max is None else as_measured(rule.max, kind)
    marks = [bound for bound in (low, high) if bound is not None]
    scale = axis(values[has_value], marks, kind)
    last = len(scale.edges) - 1
    masks = _kinds(found, name)
    unlooked = ~found.is_looked_at & is_score(measure)

    def counts(where: Flags) -> dict[str, Count]:
        return {key: _count(found.seconds, mask & where) for key, mask in masks.items()}

    def bins(where: Flags) -> Bins:
        return binned(values[where], found.seconds[where], scale.edges)

    may_be_kept = found.passes_others(name) & ~found.is_kept & ~found.is_gone
    return WhatIf(
        found.subset,
        name,
        measure,
        rule.text,
        scale,
        (
            0 if low is None else scale.edges.index(low),
            last if high is None else scale.edges.index(high),
        ),
        low is not None,
        high is not None,
        tuple(bins(has_value).bars()),
        {key: bins(mask & has_value) for key, mask in masks.items()},
        counts(~applies),
        counts(applies & ~has_value & ~unlooked),
        _count(found.seconds, may_be_kept & applies & ~has_value & unlooked),
    )


def _kinds(found: Verdicts, rule: str | None) -> dict[str, Flags]:
    passes = found.passes_others(rule)
    is_open = passes & ~found.is_kept & ~found.is_gone & (found.is_unsure(rule) | found.has_later)
    gone = passes & found.is_gone
    twin = gone & (found.reasons == DUPLICATE)
    return {"kept": passes & ~is_open & ~gone, "open": is_open, "twin": twin, "gone": gone & ~twin}


def _count(seconds: Floats, where: Flags) -> Count:
    return int(np.count_nonzero(where)), round(float(seconds[where].sum()), 6)


def _added(*counts: Count) -> Count:
    return sum(num for num, _ in counts), sum(seconds for _, seconds in counts)
