"""The parts of the report as HTML, each from what was counted for it."""

from collections.abc import Sequence

from curation import tables
from curation.funnel import Step
from pipelines.report.charts import histogram
from pipelines.report.facts import Caption, Concept, Failure
from pipelines.report.html import (
    bar,
    counted,
    length,
    number,
    picture,
    section,
    size,
    table,
    text,
    units_of,
)
from pipelines.report.posters import Poster
from pipelines.report.verdicts import Verdicts
from pipelines.report.what_if import WhatIf

STATES = ("ok", "rejected", "failed", "waiting")
SHOWN_REASONS = 30


def legend(*names: tuple[str, str]) -> str:
    """What colours stand for; each is a CSS class and its meaning."""
    items = "".join(
        f'<span><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="{kind}" width="10"'
        f' height="10"/></svg>{text(meaning)}</span>'
        for kind, meaning in names
    )
    return f'<p class="legend">{items}</p>'


def funnel_section(steps: Sequence[Step], reasons: str) -> str:
    """Every step with what came in, what became of it, and whether that adds up.

    Args:
        steps: in order, with their bytes.
        reasons: HTML that says why, for whoever asks.
    """
    head = ["step", "in", "", *STATES, "handed on", "length", "bytes", "check"]
    wide = {"failed", "waiting", "handed on", "bytes"}
    titles = "".join(
        f'<th class="{"text" if not place else "num"}{" wide" if name in wide else ""}">'
        f"{text('kept' if name == 'ok' else name)}</th>"
        for place, name in enumerate(head)
    )
    rows = "".join(_step(step) for step in steps)
    colours = legend(
        ("ok", "kept"), ("rejected", "rejected"), ("failed", "failed"), ("waiting", "waiting")
    )
    return section(
        "funnel",
        "Funnel",
        f'<div class="scroll"><table id="funnel-table"><thead><tr>{titles}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{colours}"
        f"<details><summary>Reasons before and after selection</summary>{reasons}</details>",
        lead="What came in at each step and what became of it. Every input is counted twice: by "
        "the tables above the step, and by the step's own rows.",
    )


def _step(step: Step) -> str:
    counts = [(status, step.num(status)) for status in STATES]
    cells = "".join(
        f'<td class="num{" wide" if status in ("failed", "waiting") else ""}"'
        f' data-status="{status}">{number(num) if num else "·"}</td>'
        for status, num in counts
    )
    total = sum(num for _, num in counts)
    if step.adds_up:
        check = '<span class="good" title="adds up">✓<span class="wide"> adds up</span></span>'
    else:
        check = f'<span class="bad">✗ {number(total)} of {number(step.num_in)}</span>'
    unit = "clips" if step.name == "clips" else step.unit
    return (
        f'<tr data-step="{text(step.name)}"><td class="text step">{text(step.name)}</td>'
        f'<td class="num" data-status="in">{number(step.num_in)}'
        f'<span class="wide"> {text(units_of(step.num_in, step.unit))}</span></td>'
        f'<td class="graph">{bar(counts, step.num_in)}</td>{cells}'
        f'<td class="num wide">{text(counted(step.num_out, unit))}</td>'
        f'<td class="num">{length(3600 * step.hours_out)}</td>'
        f'<td class="num wide">{size(step.size_bytes_out) if step.size_bytes_out else "·"}</td>'
        f"<td>{check}</td></tr>"
    )


def subset_section(
    found: Verdicts,
    step: Step | None,
    histograms: Sequence[WhatIf],
    kept: Sequence[Poster],
    rejected: Sequence[Poster],
) -> str:
    """What a subset keeps and why, what other thresholds would keep, and clips to look at."""
    num = len(found.seconds)
    ruled = [histogram(one, num) for one in histograms if one.rule]
    free = [histogram(one, num) for one in histograms if not one.rule]
    parts = []
    if histograms and num:
        parts += ["<h3>Thresholds</h3>", _how_to_read(found)]
    elif num:
        missing = "The recipe of this subset was not kept, so its thresholds cannot be tried here."
        parts.append(f'<p class="note">{missing}</p>')
    if ruled and num:
        parts.append(f'<div class="figures">{"".join(ruled)}</div>')
    if free and num:
        parts.append(
            f"<details{'' if ruled else ' open'}><summary>{counted(len(free), 'measures')} that no "
            f"rule of {text(found.subset)} judges</summary>"
            f'<div class="figures">{"".join(free)}</div></details>'
        )
    if step:
        parts += ["<h3>Why clips were rejected</h3>", reasons_table([step])]
    if kept or rejected:
        parts.append(_posters(kept, rejected))
    seconds = float(found.seconds[found.is_kept].sum())
    lead = (
        f"Keeps {number(int(found.is_kept.sum()))} of {counted(num, 'clips')}, "
        f"{length(seconds)} of {length(float(found.seconds.sum()))}."
    )
    return section(f"subset-{found.subset}", f"Subset {found.subset}", *parts, lead=lead)


def _how_to_read(found: Verdicts) -> str:
    later = (
        " Duplicates, retrieval and review come after the rules and are asked again only by "
        "<code>moviola select</code>: clips that they have not judged count as unknown, and so do "
        "those they took out, where these may come back. A clip let in or come back may also push "
        "out some that are kept, as the better copy: then even fewer may be."
        if found.has_later
        else ""
    )
    return (
        '<p class="note">Drag a threshold, or focus it and use the arrow keys: one rule at a time, '
        "all others as in the recipe. Thresholds stop at the edges of bins and counts are exact "
        "there; both bounds are inclusive. Where clips were dropped before they were measured, the "
        f"answer is a range: from what is known to what is known and all that is not.{later}</p>"
        + legend(
            ("kept", "passes all other rules"),
            ("open", "may pass: not known, or out after the rules"),
            ("all", "rejected by another rule"),
        )
    )


def reasons_table(steps: Sequence[Step]) -> str:
    """Reasons of rejection and failure with bars, the most frequent of each step first."""
    rows = []
    several = len(steps) > 1
    for step in steps:
        named = [outcome for outcome in step.outcomes if outcome.reason]
        for outcome in named[:SHOWN_REASONS]:
            part = bar([(outcome.status, outcome.num)], step.num_in)
            rows.append(
                f'<tr data-step="{text(step.name)}" data-reason="{text(outcome.reason)}">'
                f'<td class="text">{text(outcome.reason)}</td><td class="graph">{part}</td>'
                f'<td class="num">{number(outcome.num)}</td>'
                f'<td class="num">{100 * outcome.num / step.num_in:.1f} %</td>'
                f'<td class="num wide">{length(3600 * outcome.hours)}</td>'
                + (
                    f'<td class="text">{text(step.name)}: {outcome.status}</td></tr>'
                    if several
                    else "</tr>"
                )
            )
    if not rows:
        return '<p class="note">Nothing was rejected.</p>'
    unit = "number" if several else steps[0].unit
    return (
        '<div class="scroll"><table><thead><tr><th class="text">reason</th><th></th>'
        f'<th>{text(unit)}</th><th>of what came in</th><th class="wide">length</th>'
        f"{'<th class=text>step</th>' if several else ''}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _posters(kept: Sequence[Poster], rejected: Sequence[Poster]) -> str:
    columns = ""
    for title, kind, shown in (("Kept", "yes", kept), ("Rejected", "no", rejected)):
        items = "".join(_poster(one, kind) for one in shown)
        body = f'<ul class="posters">{items}</ul>' if items else '<p class="note">No clip.</p>'
        columns += f"<div><h3>{title}, nearest to a threshold first</h3>{body}</div>"
    return f'<div class="beside">{columns}</div>'


def _poster(one: Poster, kind: str) -> str:
    title = one.reason or (f"near {one.rule}" if one.rule else "kept")
    name = one.uri.rpartition("/")[2]
    return (
        f'<li class="{kind}" data-clip="{text(one.clip_id)}">'
        f"{picture(one.jpeg, f'{title}: clip {one.clip_id}')}<b>{text(title)}</b>"
        f'<span class="why">{text(one.measured)}</span>'
        f'<span class="from" title="{text(f"{one.clip_id} of {one.uri}")}">{text(name)}</span>'
        f'<span class="why">{one.start_s:.1f} to {one.end_s:.1f} s</span></li>'
    )


def captions_section(
    writers: Sequence[Sequence[str]], flags: Sequence[tuple[str, int]], shown: Sequence[Caption]
) -> str:
    """Who wrote captions, what is wrong with them, and some to read."""
    if not writers:
        return ""
    head = ("captioner", "model", "prompt", "captions", "flagged", "words, median")
    parts = [table(head, writers, num_texts=3)]
    if flags:
        meaning = tables.CAPTION_FLAGS
        rows = [(flag, meaning.get(flag, ""), number(num)) for flag, num in flags]
        parts.append(table(("flag", "means", "captions"), rows, num_texts=2))
    items = "".join(
        f'<li data-clip="{text(one.clip_id)}">{text(one.caption)}<small>{text(one.captioner)}, '
        f"{text(one.clip_id)}"
        + "".join(f' · <span class="flag">{text(flag)}</span>' for flag in one.flags)
        + "</small></li>"
        for one in shown
    )
    parts.append(f'<ul class="captions">{items}</ul>')
    return section("captions", "Captions", *parts, lead="A sample, flagged captions first.")


def concepts_section(found: Sequence[Concept]) -> str:
    """What each subset has of each concept, before and after resampling."""
    if not found:
        return ""
    parts = []
    for subset in dict.fromkeys(one.subset for one in found):
        own = [one for one in found if one.subset == subset]
        most = max(max(one.size, one.resampled) for one in own) or 1.0
        rows = "".join(
            f'<tr data-concept="{text(one.name)}"><td class="text">{text(one.name)}</td>'
            f'<td class="graph"><span class="pair">{bar([("rejected", one.size)], most)}'
            f"{bar([('ok', one.resampled)], most)}</span></td>"
            f'<td class="num">{number(one.size)}</td><td class="num">{one.resampled:.1f}</td></tr>'
            for one in own
        )
        parts.append(
            f"<h3>Subset {text(subset)}</h3>"
            '<div class="scroll"><table><thead><tr><th class="text">concept</th><th></th>'
            "<th>clips before</th><th>weight after</th></tr></thead>"
            f"<tbody>{rows}</tbody></table></div>"
        )
    colours = legend(("rejected", "before resampling"), ("ok", "after"))
    return section(
        "concepts",
        "Concepts",
        colours,
        *parts,
        lead="Groups of clips that show alike, as they were found and as training weighs them.",
    )


def failures_section(found: Sequence[Failure]) -> str:
    """What failed, by class, with one example of each."""
    if not found:
        return section("failures", "Failures", lead="Nothing failed.")
    head = ("step", "class", "means", "one of them", "its error", "number")
    meaning = tables.FAILURES
    rows = [
        (one.table, one.reason, meaning.get(one.reason, ""), one.example, one.error[:300], one.num)
        for one in found
    ]
    return section(
        "failures",
        "Failures",
        table(head, rows, num_texts=5, id="failures-table"),
        lead="By class, with one example of each. --retry-failed tries them again.",
    )


def provenance_section(
    sources: Sequence[Sequence[str]],
    models: Sequence[Sequence[str]],
    versions: Sequence[Sequence[str]],
) -> str:
    """Sources and licences, models, and the versions of tables, recipes and code."""
    parts = []
    if sources:
        head = ("source", "licence", "videos", "samples", "h")
        parts += ["<h3>Sources and licences</h3>", table(head, sources, num_texts=2)]
    if models:
        parts += ["<h3>Models that scored clips</h3>", table(("model", "clips"), models)]
    if versions:
        head = ("table", "last run", "recipe", "Moviola", "version")
        rows = [(name, run, recipe, code, version) for name, version, run, recipe, code in versions]
        parts += ["<h3>Tables</h3>", table(head, rows, num_texts=4)]
    return section("provenance", "How it was made", *parts)
