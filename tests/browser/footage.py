"""Workspaces for the tests in a browser, each made once per session."""

import functools
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.speed.made_workspace import make_workspace
from pipelines.run import Run
from pipelines.workspace import Workspace
from tests import media
from tests.workspaces import curate, small_workspace

Row = dict[str, Any]

HACKED = "window.__hacked"
PAYLOADS = (
    f"<script>{HACKED}=1</script>",
    f"</script><script>{HACKED}=1</script>",
    f'"><img src=x onerror="{HACKED}=1">',
    f"'><img src=x onerror='{HACKED}=1'>",
    f"<svg/onload={HACKED}=1>",
    f"<svg><script href=data:,{HACKED}=1 /></svg>",
    f"<body onload={HACKED}=1>",
    "<iframe srcdoc='<script>parent.__hacked=1</script>'></iframe>",
    f"<details open ontoggle={HACKED}=1>",
    f"<input autofocus onfocus={HACKED}=1>",
    f"<a href=javascript:{HACKED}=1>click</a>",
    f"javascript:{HACKED}=1",
    "<style>@import 'http://evil.example/x.css';</style>",
    "<meta http-equiv=refresh content='0;url=http://evil.example/'>",
    f"{{{{constructor.constructor('{HACKED}=1')()}}}}",
    f"${{{HACKED}=1}}",
    '=HYPERLINK("http://evil.example","x")+cmd|\' /C calc\'!A0',
    "\u202egnp.exe\u202c \u2066left\u2069 \ufeff\u200b zero width",
    "a null \x00 a bell \x07 an escape \x1b[31m and a line\nbreak\ttab",
    f"&lt;img src=x onerror={HACKED}=1&gt; %3Cscript%3E \\u003cscript\\u003e",
    "'; DROP TABLE clips; --",
    "x" * 400,
)
"""What a stranger's file may be called, or a model say, that must stay text."""


@functools.cache
def made() -> Workspace:
    """2,000 made clips with scores, captions and pictures."""
    return make_workspace(media.folder() / "made", 2_000)


def small() -> Workspace:
    """Three real clips of two videos."""
    return small_workspace()


def copied(workspace: Workspace, folder: Path) -> Workspace:
    """A copy that a test may change."""
    shutil.copytree(workspace.uri, folder)
    return Workspace(folder)


@functools.cache
def empty() -> Workspace:
    """No input at all."""
    workspace = Workspace(media.folder() / "empty")
    with Run(workspace) as run:
        schema = small().table("sources").read().schema
        workspace.table("sources").replace(schema.empty_table(), run.metadata)
    return workspace


@functools.cache
def half_done() -> Workspace:
    """Decoded, not yet judged: a run that was stopped."""
    workspace = copied(small(), media.folder() / "half done")
    for name in ("selection", "shards"):
        shutil.rmtree(Path(workspace.uri) / name)
    return workspace


@functools.cache
def failed() -> Workspace:
    """Nothing of what went in was a video."""
    folder = media.folder() / "no videos"
    folder.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (folder / name).write_text(f"no video, but {name}")
    return curate(Workspace(media.folder() / "failed"), folder)


@functools.cache
def nothing_kept() -> Workspace:
    """Three clips of which the only subset keeps none."""
    workspace = copied(small(), media.folder() / "nothing kept")
    table = workspace.table("selection")
    rows = table.read()
    strict = rows.filter(pc.equal(rows["subset"], "strict"))
    shutil.rmtree(Path(workspace.uri) / "selection")
    shutil.rmtree(Path(workspace.uri) / "shards" / "256p")
    with Run(workspace, recipe={}, recipe_hash="0123456789ab") as run:
        table.replace(strict, run.metadata)
    return workspace


@functools.cache
def hostile() -> Workspace:
    """120 clips whose texts are all payloads, from file names to captions."""
    workspace = make_workspace(media.folder() / "<b>hostile<b> & 'name'", 120, seed=7)
    payloads = itertools.cycle(PAYLOADS)
    files: dict[str, str] = {}

    def file(uri: str) -> str:
        if uri not in files:
            files[uri] = f"/footage/{len(files)} {next(payloads)}.mp4"
        return files[uri]

    def texts(row: Row, *names: str) -> Row:
        """Payloads in the place of the texts that a row has."""
        return {name: next(payloads) for name in names if row.get(name) is not None}

    def named(rows: list[Row] | None, name: str) -> list[Row]:
        return [{**one, name: next(payloads)} for one in rows or ()]

    of_file = ("licence", "source", "codec", "error")
    of_sample = ("caption", "prompt", "camera_prefix", "licence", "source", "error")
    of_caption = ("caption", "camera", "model", "prompt_version", "error")
    changes: dict[str, Callable[[Row], Row]] = {
        "sources": lambda row: texts(row, *of_file) | {"uri": file(row["uri"])},
        "videos": lambda row: texts(row, *of_file) | {"uris": [*map(file, row["uris"])]},
        "captions/facts": lambda row: texts(row, *of_caption) | {"facts": [next(payloads)]},
        "concepts": lambda row: texts(row, "name"),
        "scores": lambda row: {
            "text": next(payloads),
            "models": [next(payloads)],
            "concept_labels": named(row["concept_labels"], "label"),
            "attributes": named(row["attributes"], "value"),
        },
        "shards/256p": lambda row: texts(row, *of_sample) | {"uri": file(row["uri"])},
    }
    with Run(workspace, command=PAYLOADS[0]) as run:
        for name, change in changes.items():
            table = workspace.table(name)
            rows = table.read()
            changed = [row | change(row) for row in rows.to_pylist()]
            table.replace(pa.Table.from_pylist(changed, schema=rows.schema), run.metadata)
    return workspace
