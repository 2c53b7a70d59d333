"""The last screen of `moviola encode`: what became of the samples, their shapes, and the cost."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from curation.funnel import Step, funnel
from curation.tables import FAILED
from curation.views import view_of
from pipelines.escaping import printable
from pipelines.progress import StageSummary
from pipelines.queries import open_views
from pipelines.summary import cost_lines, step_lines
from pipelines.workspace import Workspace


def steps_of(workspace: Workspace, summaries: Sequence[StageSummary]) -> list[Step]:
    """The steps of the funnel that the run worked at."""
    names = {summary.stage for summary in summaries}
    with open_views(workspace) as connection:
        return [step for step in funnel(connection) if step.name in names]


def failed_share(steps: Sequence[Step]) -> float:
    """The largest share of the samples of a subset that failed, 0 to 1."""
    return max((step.num(FAILED) / step.num_in for step in steps), default=0.0)


def as_text(workspace: Workspace, steps: Sequence[Step], summaries: Sequence[StageSummary]) -> str:
    """The samples in numbers and hours, failures, shapes and sizes, cost by subset."""
    lines = [*step_lines(steps), "", f"{'latents':<18} {'samples':>9} {'MB':>9}   shape"]
    for step in steps:
        lines += _shapes(workspace, step.name)
    place = printable(workspace.uri)
    lines += ["", *cost_lines(summaries), ""]
    lines += [f"Latents: {place}/{step.name}" for step in steps]
    return "\n".join(lines)


def as_json(workspace: Workspace, steps: Sequence[Step], summaries: Sequence[StageSummary]) -> str:
    """The same as one JSON object."""
    return json.dumps(
        {
            "workspace": workspace.uri,
            "latents": [f"{workspace.uri}/{step.name}" for step in steps],
            "funnel": [asdict(step) | {"adds_up": step.adds_up} for step in steps],
            "stages": [json.loads(summary.to_json()) for summary in summaries],
        }
    )


def _shapes(workspace: Workspace, table: str) -> list[str]:
    with open_views(workspace) as connection:
        rows = connection.sql(
            f"""SELECT latent_shape, count(*), sum(octet_length(latent)
                + coalesce(octet_length(image_latent), 0)
                + list_sum([octet_length(one.values) for one in text])) / 1e6
            FROM "{view_of(table)}" WHERE status = 'ok' GROUP BY ALL ORDER BY 2 DESC, 1"""  # noqa: S608
        ).fetchall()
    return [
        f"{table:<18} {count:>9,} {size_mb:>9,.1f}   {'x'.join(map(str, shape))}"
        for shape, count, size_mb in rows
    ]
