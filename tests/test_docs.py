"""What a user can type or read is written down, and what is written down exists."""

import re
import subprocess
from pathlib import Path

import click
import pytest

from pipelines.cli import app
from pipelines.documentation import commands

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text() for page in PAGES)
MAKEFILE = (ROOT / "Makefile").read_text()


def targets() -> list[str]:
    return re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE)


def test_make_help_lists_every_target() -> None:
    phony = {word for line in re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
             for word in line.split()}  # fmt: skip
    assert set(targets()) == phony
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in targets():
        assert f"make {target} " in said.stdout


@pytest.mark.parametrize("target", targets())
def test_every_make_target_is_in_the_docs(target: str) -> None:
    assert f"make {target}" in TEXT


@pytest.mark.parametrize(("name", "command"), list(commands(app)))
def test_every_command_and_option_is_in_the_docs(name: str, command: click.Command) -> None:
    assert f"moviola {name}" in TEXT
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert any(f"`{name}" in TEXT or f" {name}" in TEXT for name in parameter.opts), (
                parameter
            )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_file_that_a_page_names_exists() -> None:
    pattern = r"`((?:curation|captioning|training|pipelines|tests|benchmarks|docs)/[\w/.-]+)`"
    assert sorted({name for name in re.findall(pattern, TEXT) if not (ROOT / name).exists()}) == []


def test_the_worked_example_of_contributing_works() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    function, its_test = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[:2]
    names: dict[str, object] = {}
    exec(function + its_test, names)  # noqa: S102 - our own page
    [run] = [value for name, value in names.items() if name.startswith("test_")]
    run()
