"""What a reader of the report should know first: how far the curation is, and what is wrong."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from curation import tables
from curation.funnel import WAITING, Step
from curation.views import LATENTS
from pipelines.report.html import counted, length, number, text, units_of


class State(NamedTuple):
    """A state of the workspace that a number in a table would not tell."""

    title: str
    advice: str
    is_bad: bool = False


def key_figures(steps: Sequence[Step]) -> str:
    """The few numbers of the head of the page, as HTML."""
    by_name = {step.name: step for step in steps}
    figures = []
    if sources := by_name.get("sources"):
        came = length(3600 * sources.hours_in)
        files = units_of(sources.num_in, "files")
        figures.append(("came in", number(sources.num_in), f"{files}, {came}"))
    if clips := by_name.get("clips"):
        found = f"{units_of(clips.num_out, 'clips')}, {length(3600 * clips.hours_out)}"
        figures.append(("found", number(clips.num_out), found))
    for step in steps:
        if step.name.startswith("selection/"):
            share = f"{100 * step.num_out / step.num_in:.0f} %, {length(3600 * step.hours_out)}"
            title = f"kept in {step.name.partition('/')[2]}"
            kept = units_of(step.num_out, "clips")
            figures.append((title, number(step.num_out), f"{kept}, {share}"))
    items = "".join(
        f"<div><dt>{text(title)}</dt><dd>{text(value)}<small>{text(more)}</small></dd></div>"
        for title, value, more in figures
    )
    return f'<dl class="key">{items}</dl>' if items else ""


def states(steps: Sequence[Step]) -> list[State]:
    """What is to be said before any table, the gravest first; nothing when all is done."""
    if not steps:
        return [
            State(
                "Nothing has come in yet.",
                "No input was committed. Type the curate command again: it goes on where the last "
                "run stopped.",
            )
        ]
    return [*_not_adding_up(steps), *_failed(steps), *_waiting(steps), *_missing(steps)]


def _not_adding_up(steps: Sequence[Step]) -> Iterator[State]:
    for step in steps:
        if not step.adds_up:
            found = sum(outcome.num for outcome in step.outcomes)
            yield State(
                f"{step.name} does not add up: {number(found)} of "
                f"{counted(step.num_in, step.unit)} accounted for.",
                "moviola verify says what is missing or counted twice.",
                is_bad=True,
            )


def _failed(steps: Sequence[Step]) -> Iterator[State]:
    failed = [(step, step.num(tables.FAILED)) for step in steps if step.num(tables.FAILED)]
    if not failed:
        return
    whole = [step.name for step, num in failed if num == step.num_in]
    said = "; ".join(
        f"{step.name}: {number(num)} of {counted(step.num_in, step.unit)}" for step, num in failed
    )
    title = f"All of {', '.join(whole)} failed." if whole else "Some inputs failed."
    yield State(
        title,
        f"{said}. Their classes are under Failures, with an example of each.",
        is_bad=bool(whole),
    )


def _waiting(steps: Sequence[Step]) -> Iterator[State]:
    waiting = [(step, step.num(WAITING)) for step in steps if step.num(WAITING)]
    if waiting:
        said = "; ".join(f"{step.name}: {counted(num, step.unit)}" for step, num in waiting)
        # It need not be of a run that stopped: samples wait as well once a subset is decided again.
        is_curated = any(not step.name.startswith(LATENTS) for step, _ in waiting)
        way = "moviola curate and the recipe used last" if is_curated else "moviola encode"
        yield State(
            "Not everything is done yet.",
            f"Waiting: {said}. If no run is at work, go on with {way}.",
        )


def _missing(steps: Sequence[Step]) -> Iterator[State]:
    by_name = {step.name: step for step in steps}
    clips = by_name.get("clips")
    if clips is None or clips.num_out == 0:
        yield State("There are no clips yet.", _why_no_clips(by_name, clips))
        return
    selections = [step for step in steps if step.name.startswith("selection/")]
    if not selections:
        yield State("Nothing is selected yet.", "moviola select applies the rules of a recipe.")
    for step in selections:
        if step.num_out == 0:
            reasons = [one for one in step.outcomes if one.reason]
            most = ", ".join(f"{one.reason} ({number(one.num)})" for one in reasons[:3])
            yield State(
                f"Subset {step.name.partition('/')[2]} keeps nothing.",
                f"What rejects most of its {counted(step.num_in, 'clips')}: "
                f"{most or 'nothing yet'}. The thresholds below say what others would keep.",
            )


def _why_no_clips(by_name: dict[str, Step], clips: Step | None) -> str:
    if clips is None:
        videos = by_name.get("videos")
        if videos is None:
            return "No file is a video that can be read."
        return f"Of {counted(videos.num_in, 'files')} that could be read, no video was accepted."
    done = clips.num(tables.OK)
    if clips.num(WAITING) and not done:
        return f"Of {counted(clips.num_in, 'accepted videos')}, none was decoded yet."
    return f"{number(done)} of {counted(clips.num_in, 'videos')} decoded; no shot gave a clip."
