"""What is read from a recipe file, what is refused, and where it says the trouble is."""

from pathlib import Path

import pytest

from pipelines.recipe_entry import RecipeError, merged
from pipelines.recipe_file import MAX_BYTES, read_file, read_setting


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str | bytes) -> Path:
        path = tmp_path / "a.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_values_are_what_yaml_1_2_says(written) -> None:
    text = "a: 1e6\nb: [1, yes, 010, 1_000, .5, -3, '1', null, ~, '']\nc: 2026-01-01\nd: true\n"
    assert read_file(written(text)).plain() == {
        "a": 1e6,
        "b": [1, "yes", "010", 1000, 0.5, -3, "1", None, None, ""],
        "c": "2026-01-01",
        "d": True,
    }


def test_keys_are_text_whatever_they_look_like(written) -> None:
    assert read_file(written("16:9: a\n768: b\n")).plain() == {"16:9": "a", "768": "b"}


def test_every_value_knows_its_line(written) -> None:
    path = written("a:\n  b: 1\n  c: [1,\n      2]\n")
    entry = read_file(path)
    assert str(entry.at(("a", "b"))[0].origin) == f"{path}:2:3"
    assert str(entry.at(("a", "c", 1))[0].origin) == f"{path}:4:7"
    nearest, depth = entry.at(("a", "x", "y"))
    assert (str(nearest.origin), depth) == (f"{path}:1:1", 1)


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("a: 1\nb: 2\na: 3", ":3:1", "a is there twice, first at"),
        ("a: &x 1\nb: *x", ":2:4", "aliases"),
        ("a: !!python/object:os.system x", ":1:1", "tags"),
        ("a:\n  b: [1,", ":2:9", "expected the node content"),
        ("a: b: c", ":1:5", "mapping values are not allowed here"),
        ("a: 1\n\tb: 2", ":2:1", "cannot start any token"),
        ("- 1", ":1:1", "a recipe is a mapping"),
        ("{a: 1}: 2", ":1:1", "a key is one word"),
        ("a: 1\n---\nb: 1", ":2:1", "expected a single document"),
        ("a: " + "[" * 30 + "]" * 30, ":1:", "more than 20 levels deep"),
        ("a: 1e999", ":1:1", "too large a number"),
        ("a: " + "9" * 5000, ":1:1", "too large a number"),
        ("a: \x00", "", "unacceptable character"),
        (b"a: 1\nb: \xff\xfe", ":2", "not UTF-8"),
        ("", "", "the recipe is empty"),
        ("# only a comment\n", "", "the recipe is empty"),
        (b" " * (MAX_BYTES + 1), "", "over 1000000 bytes"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(written, text, where, what) -> None:
    path = written(text)
    with pytest.raises(RecipeError) as raised:
        read_file(path)
    assert str(raised.value).startswith(f"{path}{where}")
    assert what in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file_and_a_directory_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"b\.yaml: the recipe is missing"):
        read_file(tmp_path / "b.yaml")
    with pytest.raises(RecipeError, match="the recipe is a directory"):
        read_file(tmp_path)


def test_a_byte_order_mark_is_no_part_of_the_first_key(written) -> None:
    assert read_file(written(b"\xef\xbb\xbfa: 1")).plain() == {"a": 1}


def test_merging_replaces_values_and_keeps_the_order_of_keys(written) -> None:
    base = read_file(written("r:\n  x: {min: 1, max: 2}\n  y: {min: 3}\nlist: [1, 2]\n"))
    over = read_setting("r={z: {min: 9}, x: {min: 5}}")
    both = merged(merged(base, over), read_setting("list=[3]")).plain()
    assert both == {
        "r": {"x": {"min": 5, "max": 2}, "y": {"min": 3}, "z": {"min": 9}},
        "list": [3],
    }
    assert list(both["r"]) == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a.b=1.5", {"a": {"b": 1.5}}),
        ("a.b=c=d", {"a": {"b": "c=d"}}),
        ("a=", {"a": None}),
        ("a=[x, 2]", {"a": ["x", 2]}),
    ],
)
def test_a_setting_is_a_recipe_of_one_key(text, plain) -> None:
    entry = read_setting(text)
    assert entry.plain() == plain
    assert str(entry.at(("a", "b"))[0].origin) == f"--set {text}"


@pytest.mark.parametrize("text", ["", "a", "=1", "a..b=1", ".a=1", "a=[1", "a= b: c: d"])
def test_a_malformed_setting_is_quoted_in_the_error(text) -> None:
    with pytest.raises(RecipeError) as raised:
        read_setting(text)
    assert str(raised.value).startswith(f"--set {text}")
