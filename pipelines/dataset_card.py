"""The dataset card: a README.md beside the shards, made from the committed tables alone."""

import json
from collections.abc import Sequence

import duckdb

from curation import tables
from curation.funnel import Step, funnel
from curation.selection import SubsetSettings
from curation.views import SHARDS
from pipelines.caption_report import captions_section
from pipelines.escaping import markdown, markdown_table
from pipelines.queries import open_views, subset_settings, table_names
from pipelines.spreads import measure_spreads
from pipelines.workspace import Workspace

BAR_WIDTH = 30

LICENCES = (
    "cc0-1.0",
    "cc-by-3.0",
    "cc-by-4.0",
    "cc-by-sa-3.0",
    "cc-by-sa-4.0",
    "apache-2.0",
    "mit",
)
"""Licences that a dataset card has a word for; any other, and a mixture, is `other`."""


def dataset_card(workspace: Workspace) -> str:
    """The dataset card of a workspace, as Markdown with the YAML header that dataset hubs read.

    Raises:
        ValueError: this is no workspace, or it has no shards yet.
        StorageError: the storage cannot be read.
    """
    subsets = [name.removeprefix(SHARDS) for name in table_names(workspace) if SHARDS in name]
    if not subsets:
        raise ValueError(f"{workspace.uri} has no shards yet")
    settings = subset_settings(workspace)
    with open_views(workspace) as connection:
        sections = [
            _header(connection),
            _introduction(connection, subsets),
            _funnel_section(funnel(connection)),
            *(_subset_section(connection, subset, settings.get(subset)) for subset in subsets),
            captions_section(connection),
            _provenance(connection),
            _versions(workspace) + _models(connection),
            _columns(),
        ]
    return "\n".join(filter(None, sections))


def _header(connection: duckdb.DuckDBPyConnection) -> str:
    """The YAML header; JSON is YAML, so quoting by JSON keeps any text a text.

    It names no subset without samples: readers stop at a pattern that meets no file.
    """
    filled = connection.sql(
        "SELECT DISTINCT subset FROM shards WHERE status = 'ok' ORDER BY subset"
    ).fetchall()
    (num_samples,) = connection.sql("SELECT count(*) FROM shards WHERE status = 'ok'").fetchall()[0]
    lines = ["---", f"license: {licence_word(connection)}"]
    found = connection.sql(
        """SELECT DISTINCT if(fps IS NULL, 'image', 'video') FROM shards WHERE status = 'ok'
        ORDER BY 1"""
    ).fetchall()
    kinds = [kind for (kind,) in found] or ["video"]
    lines += ["task_categories:", *(f"- text-to-{kind}" for kind in kinds)]
    lines += ["tags:", *(f"- {kind}" for kind in kinds), "- moviola"]
    lines += ["size_categories:", f"- {_size_category(num_samples)}"]
    lines += ["configs:"] if filled else []
    for (subset,) in filled:
        lines += [f"- config_name: {json.dumps(subset)}"]
        lines += [f"  data_files: {json.dumps(subset + '/*.parquet')}"]
    return "\n".join([*lines, "---", ""])


def licence_word(connection: duckdb.DuckDBPyConnection) -> str:
    """The one of `LICENCES` that all samples are under, or `other`."""
    counted = connection.sql(
        "SELECT DISTINCT coalesce(licence, '') FROM shards WHERE status = 'ok'"
    ).fetchall()
    named = {licence.lower().replace(" ", "-") for (licence,) in counted}
    licence = named.pop() if len(named) == 1 else "other"
    return licence if licence in LICENCES else "other"


def _size_category(num: int) -> str:
    bounds = {1e3: "n<1K", 1e4: "1K<n<10K", 1e5: "10K<n<100K", 1e6: "100K<n<1M", 1e7: "1M<n<10M"}
    return next((name for bound, name in bounds.items() if num < bound), "n>10M")


def _introduction(connection: duckdb.DuckDBPyConnection, subsets: Sequence[str]) -> str:
    rows = connection.sql(
        """SELECT subset, count(*), count(DISTINCT video_id), sum(end_s - start_s) / 3600,
            sum(octet_length(video)) / 1e6
        FROM shards WHERE status = 'ok' GROUP BY subset ORDER BY subset"""
    ).fetchall()
    table = markdown_table(
        ("subset", "samples", "videos", "h", "MB"),
        [(s, f"{n:,}", f"{v:,}", f"{h:.2f}", f"{mb:,.1f}") for s, n, v, h, mb in rows],
    )
    return f"""# Samples for training, curated by Moviola

Single-shot clips, cut frame-exactly from their sources, brought to a few fixed shapes and encoded
as H.264 in MP4 inside Parquet; images likewise, as JPEG. Every input is accounted for below.

{table}
```python
from datasets import load_dataset
clips = load_dataset("parquet", data_files="{rows[0][0] if rows else subsets[0]}/*.parquet")
```
"""


def _funnel_section(steps: Sequence[Step]) -> str:
    head = ("step", "unit", "in", "h", "kept", "rejected", "failed", "waiting", "CPU-s")
    rows = [
        (
            step.name,
            step.unit,
            f"{step.num_in:,}",
            f"{step.hours_in:.2f}",
            *(f"{step.num(status):,}" for status in ("ok", "rejected", "failed", "waiting")),
            f"{step.cpu_s:,.1f}",
        )
        for step in steps
    ]
    reasons = [
        (
            step.name,
            outcome.status,
            outcome.reason or "",
            f"{outcome.num:,}",
            f"{outcome.hours:.2f}",
        )
        for step in steps
        for outcome in step.outcomes
        if outcome.reason
    ]
    return f"""## Funnel

{markdown_table(head, rows)}
{markdown_table(("step", "status", "reason", "number", "h"), reasons)}"""


def _subset_section(
    connection: duckdb.DuckDBPyConnection, subset: str, settings: SubsetSettings | None
) -> str:
    parts = [f"## Subset {markdown(subset)}\n"]
    if settings:
        rules = [(name, rule.measure or name, rule.text) for name, rule in settings.rules.items()]
        parts.append("Rules, in the order in which they are tried:\n")
        parts.append(markdown_table(("rule", "measure", "keeps"), rules))
    buckets = connection.execute(
        """SELECT bucket, any_value(width) || 'x' || any_value(height), count(*),
            count(*) / sum(count(*)) OVER ()
        FROM shards WHERE subset = $subset AND status = 'ok' GROUP BY bucket ORDER BY bucket""",
        {"subset": subset},
    ).fetchall()
    rows = [(bucket, size, f"{num:,}", _bar(share)) for bucket, size, num, share in buckets]
    parts.append(markdown_table(("bucket", "size", "samples", "share"), rows))
    spreads = measure_spreads(connection, subset)
    parts.append(
        markdown_table(("measure", "1 %", "25 %", "median", "75 %", "99 %", "spread"), spreads)
    )
    return "\n".join(parts)


def source_rows(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, ...]]:
    """Source, licence, videos, samples and hours of what the shards hold, the largest first."""
    rows = connection.sql(
        """SELECT coalesce(source, 'not stated'), coalesce(licence, 'not stated'),
            count(DISTINCT video_id), count(*), sum(end_s - start_s) / 3600
        FROM shards WHERE status = 'ok' GROUP BY ALL ORDER BY count(*) DESC, 1, 2"""
    ).fetchall()
    return [(s, licence, f"{v:,}", f"{n:,}", f"{h:.2f}") for s, licence, v, n, h in rows]


def version_rows(workspace: Workspace) -> list[tuple[str, ...]]:
    """Name, version, last run, its recipe and its Moviola of each table, the samples last."""
    names = table_names(workspace)
    names.sort(key=lambda name: SHARDS in name)
    rows = []
    for name in names:
        delta = workspace.table(name).delta()
        commit = delta.history(1)[0]
        made = (str(commit.get(key, "")) for key in ("run", "recipe", "code"))
        rows.append((name, str(delta.version()), *made))
    return rows


def model_rows(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, ...]]:
    """Each model that scored clips, and how many."""
    rows = connection.sql(
        """SELECT model, count(*) FROM (SELECT unnest(models) AS model FROM scores)
        GROUP BY ALL ORDER BY model"""
    ).fetchall()
    return [(model, f"{num:,}") for model, num in rows]


def _provenance(connection: duckdb.DuckDBPyConnection) -> str:
    table = markdown_table(("source", "licence", "videos", "samples", "h"), source_rows(connection))
    return f"## Sources and licences\n\nAs the manifests state them.\n\n{table}"


def _versions(workspace: Workspace) -> str:
    head = ("table", "version", "last run", "recipe", "Moviola")
    return f"## How it was made\n\n{markdown_table(head, version_rows(workspace))}"


def _models(connection: duckdb.DuckDBPyConnection) -> str:
    counted = model_rows(connection)
    return f"\n{markdown_table(('model of the scores', 'clips'), counted)}" if counted else ""


def _columns() -> str:
    rows = [
        (field.name, str(field.type), field.metadata[b"doc"].decode()) for field in tables.SHARD
    ]
    lines = "".join(f"| `{name}` | {kind} | {doc} |\n" for name, kind, doc in rows)
    return f"## Columns\n\n| column | type | meaning |\n| --- | --- | --- |\n{lines}"


def _bar(share: float) -> str:
    return f"{'█' * max(1, round(share * BAR_WIDTH))} {100 * share:.1f} %"
