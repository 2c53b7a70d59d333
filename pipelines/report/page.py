"""The report as one HTML file: no server, no network, and no script but its own.

Its policy names the hashes of its style and its script, so nothing else runs or loads, whatever a
file name or a caption holds.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from string import Template

import duckdb
import obstore

from curation.funnel import Step, funnel
from curation.selection import SubsetSettings
from pipelines.dataset_card import model_rows, source_rows, version_rows
from pipelines.queries import open_views, selection_settings, subset_settings, table_names
from pipelines.recipe_history import FOLDER
from pipelines.report import facts, sections
from pipelines.report.html import text
from pipelines.report.posters import posters
from pipelines.report.states import State, key_figures, states
from pipelines.report.verdicts import Verdicts, gather_measures, verdicts
from pipelines.report.what_if import WhatIf, what_ifs
from pipelines.run import code_version
from pipelines.workspace import Workspace, storage_errors

TEMPLATE = Path(__file__).with_suffix(".html")
SCRIPT = Path(__file__).with_suffix(".js")

POSTERS = 50
"""Pictures in the whole report."""


def report_page(workspace: Workspace) -> str:
    """The report of a workspace, at whatever point its curation is.

    Raises:
        ValueError: this is no workspace.
        StorageError: the storage cannot be read.
    """
    is_empty = _has_runs_only(workspace)
    with open_views(workspace, {} if is_empty else None) as connection:
        steps = funnel(connection, sized=True)
        drawn = [_funnel(steps)] if steps else []
        drawn += _subsets(workspace, connection, steps)
        drawn.append(
            sections.captions_section(
                facts.captioner_rows(connection),
                facts.flag_counts(connection),
                facts.captions(connection),
            )
        )
        drawn.append(sections.concepts_section(facts.concepts(connection)))
        if steps:
            drawn.append(sections.failures_section(facts.failures(connection)))
        if not is_empty:
            drawn.append(
                sections.provenance_section(
                    source_rows(connection), model_rows(connection), version_rows(workspace)
                )
            )
    return _filled(workspace, steps, "\n".join(filter(None, drawn)))


def _has_runs_only(workspace: Workspace) -> bool:
    """Whether runs were started here, but none has committed anything."""
    try:
        table_names(workspace)
    except ValueError:
        if not workspace.is_remote and not Path(workspace.uri).is_dir():
            raise
        with storage_errors(workspace.uri):
            if not next(iter(obstore.list(workspace.reading_store(), prefix=FOLDER)), None):
                raise
        return True
    return False


def _funnel(steps: Sequence[Step]) -> str:
    early = [step for step in steps if "/" not in step.name or step.name.startswith("shards/")]
    reasons = sections.reasons_table(early)
    return sections.funnel_section(steps, reasons)


def _subsets(
    workspace: Workspace, connection: duckdb.DuckDBPyConnection, steps: Sequence[Step]
) -> list[str]:
    """A section for each subset that was selected."""
    by_name = {step.name: step for step in steps}
    names = [name.partition("/")[2] for name in by_name if name.startswith("selection/")]
    if not names:
        return []
    gather_measures(connection)
    known = subset_settings(workspace)
    drawn = []
    for name, found in _verdicts(workspace, connection, names).items():
        drawn.append(
            sections.subset_section(
                found,
                by_name[f"selection/{name}"],
                what_ifs(found) if name in known else [],
                *posters(workspace, connection, found, POSTERS // len(names)),
            )
        )
    return drawn


def histograms(
    workspace: Workspace, connection: duckdb.DuckDBPyConnection, subset: str
) -> list[WhatIf]:
    """What other thresholds of a subset would keep; `connection` is one of `open_views`."""
    gather_measures(connection)
    return what_ifs(_verdicts(workspace, connection, [subset])[subset])


def _verdicts(
    workspace: Workspace, connection: duckdb.DuckDBPyConnection, names: Sequence[str]
) -> dict[str, Verdicts]:
    """By subset; for one whose recipe was not kept, no rule is known."""
    settings = subset_settings(workspace)
    found = {}
    for name in names:
        own = settings.get(name, SubsetSettings())
        shared = selection_settings(workspace, name)
        has_later = any((shared.duplicates, own.retrieval, own.review))
        found[name] = verdicts(connection, name, own, has_later)
    return found


def _filled(workspace: Workspace, steps: Sequence[Step], sections: str) -> str:
    template, script = TEMPLATE.read_text(encoding="utf-8"), SCRIPT.read_text(encoding="utf-8")
    style = template.partition("<style>")[2].partition("</style>")[0]
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    links = re.findall(r'<section id="([^"]+)"><h2>([^<]+)</h2>', sections)
    return Template(template).substitute(
        title=text(f"Report of {workspace.uri.rpartition('/')[2]}"),
        style_sha256=_sha256(style),
        script_sha256=_sha256(script),
        where=f"{text(workspace.uri)}<br>{now}, by Moviola {text(code_version())}",
        key=key_figures(steps),
        states="".join(_state(state) for state in states(steps)),
        links="".join(f'<a href="#{id}">{title}</a>' for id, title in links),
        sections=sections,
        footer="Made from committed tables alone. This page is one file: it loads nothing and "
        "sends nothing.",
        script=script,
    )


def _sha256(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _state(state: State) -> str:
    kind = "state bad" if state.is_bad else "state"
    return f'<p class="{kind}"><strong>{text(state.title)}</strong>{text(state.advice)}</p>'
