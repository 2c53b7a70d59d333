"""Recipes by name and by path, on top of each other, and the ones that come with Moviola."""

from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import BaseModel

from curation.selection import SubsetSettings
from pipelines.recipe import PACKAGED, Recipe, load_recipe, packaged_recipes
from pipelines.recipe_entry import RecipeError
from pipelines.recipe_keys import recipe_keys

SUBSET = "subsets: {tiny: {rules: {luma_mean: {min: 0.1}}}}\n"


@pytest.fixture
def write(tmp_path: Path):
    def write(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def test_the_packaged_recipes_are_found_by_name() -> None:
    assert packaged_recipes() == [
        *("demo", "movie-gen-256p", "movie-gen-768p", "movie-gen-full", "movie-gen-images"),
        "movie-gen-sft",
    ]
    assert load_recipe("demo").name == "demo"


@pytest.mark.parametrize("name", packaged_recipes())
def test_a_packaged_recipe_loads_and_begins_by_saying_what_it_is_for(name: str) -> None:
    assert all(subset.rules for subset in load_recipe(name).recipe.subsets.values())
    assert (PACKAGED / f"{name}.yaml").read_text().startswith("# ")


def test_movie_gen_thresholds_are_the_papers() -> None:
    recipe = load_recipe("movie-gen-sft").recipe
    assert list(recipe.subsets) == ["256p", "768p", "sft"]
    rules = recipe.subsets["256p"].rules
    assert recipe.videos.min_side_px.min == 720
    assert (recipe.videos.duration_s.min, recipe.videos.duration_s.max) == (4, 120)
    assert rules["motion_vmaf"].min == 2.0
    assert (rules["motion_vector_px"].min, rules["motion_vector_px"].max) == (0.5, 7.0)
    assert rules["shots_per_s"].max == 0.85
    assert recipe.subsets["768p"].rules["min_side_px"].min == 768
    assert [subset.buckets.base_px for subset in recipe.subsets.values()] == [256, 768, 768]
    windows = recipe.clips.windows
    assert (windows.min_s, windows.max_s, windows.min_shot_s) == (4, 16, 16)


def test_each_movie_gen_subset_is_stricter_than_the_one_before() -> None:
    subsets = list(load_recipe("movie-gen-sft").recipe.subsets.values())
    for looser, stricter in pairwise(subsets):
        for name, rule in looser.rules.items():
            if name == "duration_s":  # the fine-tuning set takes 10.6 s, the one before it 12 s
                continue
            other = stricter.rules[name]
            assert rule.min is None or (other.min is not None and other.min >= rule.min), name
            assert rule.max is None or (other.max is not None and other.max <= rule.max), name


def test_a_recipe_extends_another_by_path_and_by_name(write) -> None:
    write("base.yaml", SUBSET + "selection: {seed: 7, audit_share: 0.5}\n")
    child = write("child.yaml", "extends: ./base.yaml\nselection: {seed: 8}\n")
    recipe = load_recipe(child).recipe
    assert (recipe.selection.seed, recipe.selection.audit_share) == (8, 0.5)
    named = load_recipe(write("named.yaml", "extends: movie-gen-256p\nselection: {seed: 8}\n"))
    assert named.recipe.subsets == load_recipe("movie-gen-256p").recipe.subsets


@pytest.mark.parametrize(
    ("texts", "where", "what"),
    [
        ({"a.yaml": "extends: a.yaml\n"}, "a.yaml", "cannot extend itself"),
        ({"a.yaml": "extends: b.yaml\n", "b.yaml": "extends: a.yaml\n"}, "a.yaml", "itself"),
        ({"a.yaml": "\nextends: b.yaml\n"}, "a.yaml:2:1", "b.yaml is missing"),
        ({"a.yaml": "extends: [b]\n"}, "a.yaml:1:1", "the name or path of one recipe"),
        ({"a.yaml": "extends: demoo\n"}, "a.yaml:1:1", 'did you mean "demo"?'),
        (
            {"a.yaml": "extends: b.yaml\n" + SUBSET, "b.yaml": "x: 1\n"},
            "b.yaml:1:1",
            "x: unknown key",
        ),
        ({"a.yaml": "selection: {}\n"}, "a.yaml", "subsets: is missing"),
        ({"a.yaml": "subsets: {}\n"}, "a.yaml:1:1", "subsets: "),
        ({"a.yaml": SUBSET.replace("tiny", "../up")}, "a.yaml:1:11", "subsets.../up"),
        ({"a.yaml": SUBSET.replace("luma_mean", "luma_maen")}, "a.yaml:1:", "'luma_mean'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(write, tmp_path, texts, where, what) -> None:
    for name, text in texts.items():
        write(name, text)
    with pytest.raises(RecipeError) as raised:
        load_recipe(str(tmp_path / "a.yaml"))
    first = str(raised.value).splitlines()[0]
    assert first.startswith(f"{tmp_path}/{where}")
    assert what in first


def test_an_unknown_name_gets_the_nearest_and_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match='did you mean "movie-gen-256p"'):
        load_recipe("movie-gen-256")
    with pytest.raises(RecipeError, match=r"there are demo, movie-gen-256p"):
        load_recipe("zzz")
    with pytest.raises(RecipeError, match=r"no\.yaml: the recipe is missing"):
        load_recipe(str(tmp_path / "no.yaml"))


def test_settings_win_and_the_last_one_wins_over_the_others() -> None:
    settings = ["selection.seed=1", "subsets.256p.rules.motion_vmaf.min=9", "selection.seed=2"]
    recipe = load_recipe("demo", settings).recipe
    assert recipe.selection.seed == 2
    assert recipe.subsets["256p"].rules["motion_vmaf"].min == 9
    with pytest.raises(RecipeError, match=r'^--set selection\.sed=1: .* did you mean "seed"\?$'):
        load_recipe("demo", ["selection.sed=1"])


def test_the_printed_config_is_a_recipe_of_the_same_hash(write) -> None:
    loaded = load_recipe("movie-gen-sft", ["selection.seed=3"])
    again = load_recipe(write("printed.yaml", loaded.config()))
    assert again.recipe == loaded.recipe
    assert again.recipe.hash == loaded.recipe.hash
    assert "seed: 3" in loaded.config() and "# --set selection.seed=3" in loaded.config()


def test_the_hash_changes_with_any_value_and_with_the_order_of_rules(write) -> None:
    one = "subsets: {a: {rules: {luma_mean: {min: 0}, contrast: {min: 0}}}}"
    other = "subsets: {a: {rules: {contrast: {min: 0}, luma_mean: {min: 0}}}}"
    hashes = {
        load_recipe(write("1.yaml", one)).recipe.hash,
        load_recipe(write("2.yaml", other)).recipe.hash,
        load_recipe(write("3.yaml", one), ["selection.seed=1"]).recipe.hash,
    }
    assert len(hashes) == 3


def test_every_key_is_documented() -> None:
    assert [key.dotted for key in recipe_keys(Recipe) if not key.doc] == []


def test_setting_one_key_of_a_stage_keeps_its_other_defaults() -> None:
    default = load_recipe("demo").recipe.engine.stages.clips
    changed = load_recipe("demo", ["engine.stages.clips.num_cpus=2"]).recipe.engine.stages.clips
    assert changed == default.model_copy(update={"num_cpus": 2})


def test_a_group_of_a_subset_has_the_defaults_of_its_class() -> None:
    """Below a name that the recipe chooses, a group's own defaults could not be kept."""
    for name, field in SubsetSettings.model_fields.items():
        if isinstance(field.default, BaseModel):
            assert field.default == type(field.default)(), name
