"""The histograms of the report: drawn here as they stand in the recipe, moved by its script."""

import json
import re
from collections.abc import Sequence

from curation import tables
from pipelines.report.html import counted, length, number, text
from pipelines.report.what_if import Kept, WhatIf

HEIGHT = 100.0

DOCS = {
    field.name: field.metadata[b"doc"].decode()
    for schema in (tables.SCORES, tables.CLIP, tables.VIDEOS)
    for field in schema
}
"""What each measure is, in words."""


def histogram(what_if: WhatIf, num_clips: int) -> str:
    """A figure with its two thresholds; without a script it shows the recipe's.

    Args:
        what_if: the counts.
        num_clips: clips that the subset chose from.
    """
    kept = what_if.kept(*what_if.bounds)
    kind = "rule" if what_if.rule else "measure"
    name = what_if.rule or what_if.measure
    of_measure = f" of {what_if.measure}" if name != what_if.measure else ""
    data = text(json.dumps(what_if.data(), separators=(",", ":")))
    return f"""<figure class="what-if" id="histogram-{text(f"{what_if.subset}-{kind}-{name}")}"
 data-subset="{text(what_if.subset)}" data-rule="{text(what_if.rule or "")}"
 data-measure="{text(what_if.measure)}" data-name="{text(name)}" data-clips="{num_clips}"
 data-counts="{data}">
<figcaption><strong>{text(name)}</strong>
<span class="condition">{text(_condition(what_if) + of_measure)}</span></figcaption>
<p class="doc">{_doc(what_if.measure)}</p>
<div class="plot">{_bars(what_if)}{_handle(what_if, 0)}{_handle(what_if, 1)}</div>
<div class="axis"><span>{_edge(what_if.axis.edges[0])}</span>
<span>{_edge(what_if.axis.edges[-1])}</span></div>
<output data-low="{kept.low}" data-high="{kept.high}" data-low-s="{kept.low_s:.3f}"
 data-high-s="{kept.high_s:.3f}">{text(kept_text(kept, num_clips))}</output>
<p class="change" hidden><code></code> <button type="button">Back to the recipe</button></p>
</figure>"""


def kept_text(kept: Kept, num_clips: int) -> str:
    """How much is kept, as a range where it is not known."""
    if kept.low == kept.high:
        return f"{number(kept.low)} of {counted(num_clips, 'clips')} kept, {length(kept.low_s)}"
    return (
        f"{number(kept.low)} to {number(kept.high)} of {counted(num_clips, 'clips')} kept, "
        f"{length(kept.low_s)} to {length(kept.high_s)}"
    )


def _doc(measure: str) -> str:
    """The documentation of a measure, with its code as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", text(DOCS.get(measure, "")))


def _condition(what_if: WhatIf) -> str:
    return what_if.text if what_if.rule else "no rule"


def _bars(what_if: WhatIf) -> str:
    """All clips of each bin, and before them those that pass all other rules."""
    places, widths = what_if.axis.places, what_if.axis.widths
    passing = [
        sum(column) for column in zip(*(bins.bars() for bins in what_if.bins.values()), strict=True)
    ]
    kept = what_if.bins["kept"].bars()

    def heights(counts: Sequence[int]) -> list[float]:
        return [count / width for count, width in zip(counts, widths, strict=True)]

    tallest = max(heights(what_if.all), default=0.0) or 1.0
    drawn = []
    for kind, counts in (("all", what_if.all), ("open", passing), ("kept", kept)):
        for place, height in enumerate(heights(counts)):
            if height:
                tall = max(1.5, HEIGHT * height / tallest)
                left, right = 1000 * places[place], 1000 * places[place + 1]
                drawn.append(
                    f'<rect class="{kind}" x="{left:.1f}" y="{HEIGHT - tall:.1f}"'
                    f' width="{max(1.0, right - left - 2):.1f}" height="{tall:.1f}"/>'
                )
    low, high = (1000 * places[bound] for bound in what_if.bounds)
    outside = (
        f'<rect class="outside low" x="0" y="0" width="{low:.1f}" height="{HEIGHT:g}"/>'
        f'<rect class="outside high" x="{high:.1f}" y="0" width="{1000 - high:.1f}"'
        f' height="{HEIGHT:g}"/>'
    )
    lines = "".join(
        f'<line class="bound" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{HEIGHT:g}"/>'
        for at, is_set in ((low, what_if.has_min), (high, what_if.has_max))
        if is_set
    )
    return (
        f'<svg viewBox="0 0 1000 {HEIGHT:g}" preserveAspectRatio="none" role="img"'
        f' aria-label="{text(_in_words(what_if))}">{"".join(drawn)}{outside}{lines}</svg>'
    )


def _in_words(what_if: WhatIf) -> str:
    edges = what_if.axis.edges
    return (
        f"Histogram of {what_if.measure} over {counted(sum(what_if.all), 'clips')}, from "
        f"{edges[0]:.4g} to {edges[-1]:.4g}"
    )


def _handle(what_if: WhatIf, side: int) -> str:
    """The lower (0) or upper (1) threshold; the script puts it into its place."""
    edges, at = what_if.axis.edges, what_if.bounds[side]
    is_set = (what_if.has_min, what_if.has_max)[side]
    bound, word = (("min", "at least"), ("max", "at most"))[side]
    said = f"{word} {edges[at]:.6g}" if is_set else "off"
    label = f"{what_if.subset}: {what_if.rule or what_if.measure}, {word}"
    return (
        f'<span class="handle {bound}" role="slider" tabindex="0" data-bound="{bound}"'
        f' aria-label="{text(label)}" aria-valuemin="{edges[0]:.6g}" aria-orientation="horizontal"'
        f' aria-valuemax="{edges[-1]:.6g}" aria-valuenow="{edges[at]:.6g}"'
        f' aria-valuetext="{text(said)}" hidden><span class="grip"></span></span>'
    )


def _edge(value: float) -> str:
    return text(f"{value:.4g}")
