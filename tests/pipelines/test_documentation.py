"""The generated pages are those of the code."""

import pytest

from pipelines.documentation import FOLDER, pages


@pytest.mark.parametrize(
    "name", ["recipes.md", "training-recipes.md", "commands.md", "tables.md", "assets.md"]
)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (FOLDER / name).read_text() == pages()[name], "run: make docs"
