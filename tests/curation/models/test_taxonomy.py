from pathlib import Path

import pytest

from curation.models.taxonomy import HUMAN_ACTIONS, read_taxonomy


def test_the_packaged_taxonomy_has_600_phrases_each_once() -> None:
    phrases = read_taxonomy()
    assert len(phrases) == len({phrase.lower() for phrase in phrases}) == 600


def test_the_packaged_phrases_complete_a_person() -> None:
    for phrase in read_taxonomy():
        assert phrase == phrase.strip()
        assert phrase.isascii()
        words = phrase.split(" ")
        assert 1 <= len(words) <= 7, phrase
        # A participle, such as "running"; or what comes before one: "ice skating".
        assert any(word.endswith("ing") for word in words[:2]), phrase


def test_headings_and_empty_lines_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("# pets\n\n a dog \na cat\n# wild\na wolf")
    assert read_taxonomy(tmp_path / "own.txt") == ("a dog", "a cat", "a wolf")


def test_a_phrase_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("a dog\na cat\na dog\n")
    with pytest.raises(ValueError, match="holds 'a dog' twice"):
        read_taxonomy(tmp_path / "own.txt")


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "own.txt").write_bytes(content)
    with pytest.raises(ValueError, match=r"own\.txt cannot be read"):
        read_taxonomy(tmp_path / "own.txt")


def test_the_packaged_file_says_where_it_comes_from() -> None:
    assert "Written for this project" in HUMAN_ACTIONS.read_text()
