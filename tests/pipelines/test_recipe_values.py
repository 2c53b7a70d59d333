"""Typed settings out of recipe text, errors with place and nearest key, and the listing back."""

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, model_validator

from curation.settings import Settings
from pipelines.recipe_entry import Entry, Origin, RecipeError, merged
from pipelines.recipe_file import read_file, read_setting
from pipelines.recipe_keys import recipe_keys
from pipelines.recipe_values import checked, listing


class Bounds(Settings):
    """Bounds of one rule."""

    min: float | None = None
    """Smallest."""

    max: float | None = None
    """Largest."""

    any_of: tuple[bool | str, ...] | None = None
    """Values."""

    @model_validator(mode="after")
    def _ordered(self) -> "Bounds":
        if None not in (self.min, self.max) and self.min > self.max:
            raise ValueError("min is above max")
        return self


class Frames(Settings):
    count: int = Field(default=8, ge=1, le=64)
    """How many frames
    a clip has."""

    quality: float = Field(default=0.9, gt=0, le=1)
    """JPEG quality."""


class Small(Settings):
    frames: Frames = Frames(count=4)
    """The frames."""

    rules: dict[str, Bounds] = {}
    """The rules."""

    mode: Literal["fast", "exact"] = "fast"
    """How."""

    detectors: tuple[Bounds, ...] = ()
    """Detectors."""

    keep: bool = True
    """Whether."""

    title: str = ""
    """Text."""


def recipe(tmp_path: Path, text: str) -> Entry:
    path = tmp_path / "r.yaml"
    path.write_text(text)
    return read_file(path)


def test_defaults_fill_in_what_is_not_said(tmp_path) -> None:
    small = checked(recipe(tmp_path, "rules:\n  b: {min: 1}\n  a: {max: 2.5}\n"), Small)
    assert small.frames == Frames(count=4)
    assert list(small.rules) == ["b", "a"]
    assert small.rules["a"] == Bounds(max=2.5)


def test_setting_one_key_of_a_group_keeps_the_groups_other_defaults(tmp_path) -> None:
    small = checked(recipe(tmp_path, "frames: {quality: 0.5}"), Small)
    assert small.frames == Frames(count=4, quality=0.5)
    assert checked(recipe(tmp_path, "frames: {}"), Small).frames == Frames(count=4)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("frames:\n  cuont: 3", '2:3: frames.cuont: unknown key; did you mean "count"?'),
        ("cuont: 3", "1:1: cuont: unknown key; the keys here are frames, rules, mode,"),
        ("quality: 0.5", '1:1: quality: unknown key; did you mean "frames.quality"?'),
        ("rules:\n  x: {mim: 3}", '2:7: rules.x.mim: unknown key; did you mean "min"?'),
        ("detectors:\n - {mim: 3}", '2:5: detectors.0.mim: unknown key; did you mean "min"?'),
        ("frames:\n  count: many", '2:3: frames.count: should be a valid integer, not "many"'),
        ("frames:\n  count: '3'", '2:3: frames.count: should be a valid integer, not "3"'),
        ("frames:\n  count: 0", "2:3: frames.count: should be greater than or equal to 1, not 0"),
        ("frames: 3", "1:1: frames: should be an object, not 3"),
        ("keep: 1", "1:1: keep: should be a valid boolean, not 1"),
        ("keep: yes", '1:1: keep: should be a valid boolean, not "yes"'),
        ("mode: slow", "1:1: mode: should be 'fast' or 'exact', not \"slow\""),
        ("rules:\n  x: {min: 3, max: 1}", "2:3: rules.x: min is above max"),
    ],
)
def test_an_error_names_file_line_column_key_and_remedy(tmp_path, text, error) -> None:
    with pytest.raises(RecipeError) as raised:
        checked(recipe(tmp_path, text), Small)
    assert str(raised.value).startswith(f"{tmp_path / 'r.yaml'}:{error}")


def test_every_problem_has_its_line_and_a_choice_of_types_is_one_problem(tmp_path) -> None:
    with pytest.raises(RecipeError) as raised:
        checked(recipe(tmp_path, "rules:\n  x: {any_of: [1.5]}\nkeep: 3\nframes: {}\n"), Small)
    second, first = str(raised.value).splitlines()
    assert ":3:1: keep: " in first
    assert ":2:16: rules.x.any_of.0: should be a valid boolean" in second
    assert " or should be a valid string" in second


def test_an_error_in_a_setting_quotes_the_setting(tmp_path) -> None:
    entry = merged(recipe(tmp_path, "keep: true"), read_setting("frames.quality=2"))
    with pytest.raises(RecipeError, match=r"^--set frames\.quality=2: frames\.quality: should be"):
        checked(entry, Small)


def test_the_listing_says_where_each_value_came_from(tmp_path) -> None:
    text = "frames:\n  quality: 0.5\nrules:\n  dark: {max: 0.5}\n"
    entry = merged(recipe(tmp_path, text), read_setting("mode=exact"))
    lines = listing(checked(entry, Small), entry).splitlines()
    found = {tuple(part.strip() for part in line.split("  # ")) for line in lines if "#" in line}
    path = tmp_path / "r.yaml"
    assert ("quality: 0.5", f"{path}:2:3") in found
    assert ("max: 0.5", f"{path}:4:10") in found
    assert ("count: 4", "default") in found
    assert ('mode: "exact"', "--set mode=exact") in found


@settings(max_examples=60)
@given(
    st.builds(
        Small,
        frames=st.builds(Frames, count=st.integers(1, 64), quality=st.floats(1e-300, 1)),
        rules=st.dictionaries(
            st.text(st.characters(codec="utf-8")),
            st.builds(Bounds, min=st.floats(-1e300, 0), any_of=st.just((True, "true", "010"))),
        ),
        mode=st.sampled_from(["fast", "exact"]),
        title=st.text(st.characters(codec="utf-8")),
    )
)
def test_the_listing_reads_back_to_the_same_settings(tmp_path_factory, small: Small) -> None:
    path = tmp_path_factory.getbasetemp() / "listed.yaml"
    path.write_text(listing(small, Entry({}, Origin("nothing"))), newline="")
    assert checked(read_file(path), Small) == small


def test_keys_carry_type_default_and_documentation() -> None:
    keys = {key.dotted: key for key in recipe_keys(Small)}
    assert list(keys)[:4] == ["frames", "frames.count", "frames.quality", "rules"]
    assert keys["frames.count"].type == "integer ≥ 1, ≤ 64"
    assert keys["frames.count"].default == 4
    assert keys["frames.count"].doc == "How many frames a clip has."
    assert keys["rules.<name>.max"].type == "number or null"
    assert keys["detectors[].min"].doc == "Smallest."
    assert keys["rules.<name>"].doc == "Bounds of one rule."
    assert keys["mode"].type == "`fast` or `exact`"
