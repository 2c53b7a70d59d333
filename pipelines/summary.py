"""The last screen of a run: the funnel, what failed, what it cost, where things are, what next."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict

from curation.funnel import Step, funnel
from curation.review import MISSING
from curation.tables import FAILED
from curation.views import LATENTS, SHARDS
from pipelines.escaping import printable
from pipelines.findings import findings
from pipelines.progress import StageSummary, duration
from pipelines.queries import open_views
from pipelines.workspace import Workspace

MOST_REASONS = 6
"""Reasons shown per step; the rest are added up."""


def steps_of(workspace: Workspace) -> list[Step]:
    """The funnel of a workspace."""
    with open_views(workspace) as connection:
        return funnel(connection)


def failed_share(steps: Sequence[Step]) -> float:
    """The largest share of the inputs of a step of curation that failed, 0 to 1."""
    curated = [step for step in steps if not step.name.startswith(LATENTS)]
    return max((step.num(FAILED) / step.num_in for step in curated), default=0.0)


def as_text(
    workspace: Workspace,
    steps: Sequence[Step],
    summaries: Sequence[StageSummary],
    next_command: str,
) -> str:
    """The funnel in numbers and hours, failures, what models found, cost by stage, the way on."""
    lines = [*step_lines(steps), *findings(workspace), "", *cost_lines(summaries)]
    lines += ["", f"Shards: {printable(workspace.uri)}/{SHARDS}"]
    for step in steps:
        if any(outcome.reason == MISSING for outcome in step.outcomes):
            subset = step.name.rpartition("/")[2]
            place = shlex.quote(printable(workspace.uri))
            lines.append(f"Review: moviola review export {place} {subset} --into build/review")
    lines.append(f"Next:   {next_command}")
    return "\n".join(lines)


def step_lines(steps: Sequence[Step]) -> list[str]:
    """What went into each step, what came out, and why the rest did not."""
    lines = [f"{'':<18} {'in':>9} {'hours':>8}   {'out':>9} {'hours':>8}   lost to"]
    for step in steps:
        lost = [outcome for outcome in step.outcomes if outcome.status != "ok"]
        reasons = [f"{outcome.reason or outcome.status} {outcome.num:,}" for outcome in lost]
        if len(reasons) > MOST_REASONS:
            rest = sum(outcome.num for outcome in lost[MOST_REASONS:])
            reasons = [*reasons[:MOST_REASONS], f"others {rest:,}"]
        lines.append(
            f"{step.name:<18} {step.num_in:>9,} {step.hours_in:>8.3f}   "
            f"{step.num_out:>9,} {step.hours_out:>8.3f}   {', '.join(reasons)}"
        )
        if not step.adds_up:
            lines.append(f"{'':<18} does not add up: run `moviola verify`")
    failed = [
        f"  {step.name}: {outcome.num:,} {outcome.reason}"
        for step in steps
        for outcome in step.outcomes
        if outcome.status == FAILED
    ]
    return [*lines, "", "Failed, with the error in column `error`:", *failed] if failed else lines


def cost_lines(summaries: Sequence[StageSummary]) -> list[str]:
    """What each stage did in this run, and what that took."""
    lines = [f"{'':<18} {'rows':>9}   {'time':>8}   {'CPU':>8}"]
    for summary in summaries:
        rows = f"{summary.done:>9,}   {duration(summary.wall_s):>8}   {duration(summary.cpu_s):>8}"
        lines.append(f"{summary.stage:<18} {rows if summary.done else '  nothing to do'}")
    return lines


def as_json(workspace: Workspace, steps: Sequence[Step], summaries: Sequence[StageSummary]) -> str:
    """The same as one JSON object."""
    return json.dumps(
        {
            "workspace": workspace.uri,
            "shards": f"{workspace.uri}/{SHARDS}",
            "funnel": [asdict(step) | {"adds_up": step.adds_up} for step in steps],
            "stages": [json.loads(summary.to_json()) for summary in summaries],
        }
    )
