from pathlib import Path

import pytest

from captioning.prompt_files import FOLDER, Prompt, load_prompt


def test_a_packaged_prompt_is_found_by_name_and_a_file_by_its_path(tmp_path: Path) -> None:
    assert load_prompt("describe").text.startswith("You describe one")
    (tmp_path / "mine.txt").write_text("Say {{what}}.\n")
    mine = load_prompt(str(tmp_path / "mine.txt"))
    assert (mine.name, mine.text) == ("mine", "Say {{what}}.")


def test_another_text_is_another_version() -> None:
    one, other = Prompt("p", "Describe it."), Prompt("p", "Describe it!")
    assert one.version != other.version
    assert one.version == Prompt("p", "Describe it.").version
    assert one.version.startswith("p-")


def test_values_are_put_in_once_and_braces_in_them_stay() -> None:
    assert Prompt("p", "{{a}} {b} {{b}}").filled(a="{{b}}", b="x") == "{{b}} {b} x"


@pytest.mark.parametrize("name", ["nothing", "no/such.txt"])
def test_a_prompt_that_cannot_be_read_says_which_there_are(name: str) -> None:
    with pytest.raises(ValueError, match=rf"'{name}' cannot be read.*describe, expand, join"):
        load_prompt(name)


def test_an_empty_prompt_and_an_unknown_value_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text(" \n")
    with pytest.raises(ValueError, match="is empty"):
        load_prompt(str(tmp_path / "empty.txt"))
    with pytest.raises(ValueError, match=r"names \{\{wat\}\}; it may name \{\{times\}\}"):
        Prompt("p", "{{wat}}").filled(times="")


def test_packaged_prompts_name_only_what_their_users_fill_in() -> None:
    for path in FOLDER.glob("*.txt"):
        load_prompt(path.stem).filled(times="", duration="", facts="", two="", request="")
