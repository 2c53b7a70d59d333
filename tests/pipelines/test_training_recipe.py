"""Training recipes, and what is said to whoever mixes the two kinds up."""

from pathlib import Path

import pytest

from pipelines.recipe import PACKAGED, TRAINING, load_recipe, packaged_recipes
from pipelines.recipe_entry import RecipeError
from pipelines.recipe_keys import recipe_keys
from pipelines.training_recipe import encoded_subsets, load_training_recipe
from training.settings import TrainingRecipe

SMALL = """\
text: {words: {kind: bytes}}
stages:
  t2i: {steps: 1, data: {subset: 256p, image_share: 1}}
  t2v: {steps: 1, data: {subset: 256p}}
  long: {steps: 1, data: {subset: 768p}}
  raw: {steps: 1, data: {subset: sft, source: shards}}
"""


@pytest.fixture
def write(tmp_path: Path):
    def write(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def test_the_packaged_training_recipes_are_found_by_name() -> None:
    assert "train-demo" in packaged_recipes(TRAINING)
    assert not set(packaged_recipes(TRAINING)) & set(packaged_recipes())


@pytest.mark.parametrize("name", packaged_recipes(TRAINING))
def test_a_packaged_training_recipe_loads_and_begins_by_saying_what_it_is_for(name: str) -> None:
    recipe = load_training_recipe(name).recipe
    assert encoded_subsets(recipe) or all(s.data.source == "shards" for s in recipe.stages.values())
    assert (PACKAGED / "training" / f"{name}.yaml").read_text().startswith("# ")


def test_it_extends_is_overridden_and_printed_as_curation_recipes_are(write) -> None:
    write("base.yaml", SMALL)
    child = write("child.yaml", "extends: base.yaml\nstages: {t2v: {steps: 2}}\n")
    loaded = load_training_recipe(child, ["stages.t2i.steps=3", "transformer.dim=64"])
    steps = [stage.steps for stage in loaded.recipe.stages.values()]
    assert steps == [3, 2, 1, 1]
    config = loaded.config()
    assert "# --set transformer.dim=64" in config and f"# {child}:2:" in config
    assert load_training_recipe(write("again.yaml", config)).recipe == loaded.recipe
    named = load_training_recipe(write("named.yaml", "extends: train-demo\nseed: 5\n")).recipe
    assert named == load_training_recipe("train-demo", ["seed=5"]).recipe


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("stages.t2i.step=4", r'stages\.t2i\.step: unknown key; did you mean "steps"\?'),
        (
            "stages.t2i.text_dropout=0",
            r'unknown key; did you mean "stages\.<name>\.data\.text_dropout"\?',
        ),
        ("positions.frames=3", r'positions: unknown key; did you mean "stages\.<name>\.positions"'),
        ("stages.t2i.positions.frames=0", r"stages\.t2i\.positions\.frames: .*, not 0"),
        ("stages.t2i.positions.frames=99", r"stages\.t2v\.positions\.frames is below"),
        ("subsets.256p.rules.fps.min=1", r"^--set subsets.*: `subsets` is a key of curation rec"),
        ("engine.runner=inline", r"`engine` is a key of curation recipes, .* try moviola curate$"),
    ],
)
def test_what_is_wrong_is_said_with_its_key(write, setting: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_training_recipe(write("a.yaml", SMALL), [setting])


def test_a_recipe_of_the_other_kind_is_told_by_name_and_by_its_keys(write) -> None:
    with pytest.raises(RecipeError, match=r"^demo is a curation recipe: moviola curate demo$"):
        load_training_recipe("demo")
    with pytest.raises(RecipeError, match=r"^train-demo is a training recipe: moviola encode tra"):
        load_recipe("train-demo")
    path = write("t.yaml", SMALL)
    with pytest.raises(RecipeError, match=rf"^{path}:1:1: `text` is a key of training recipes"):
        load_recipe(path)
    base = write("c.yaml", "\nextends: demo\nseed: 1\n")
    with pytest.raises(RecipeError, match=rf"^{base}:2:1: extends: demo is a curation recipe"):
        load_training_recipe(base)
    with pytest.raises(RecipeError, match=r'no training recipe is called .*mean "train-demo"'):
        load_training_recipe("train-dem")


def test_every_key_is_documented() -> None:
    assert [key.dotted for key in recipe_keys(TrainingRecipe) if not key.doc] == []


def test_the_subsets_to_encode_are_those_that_stages_read_latents_of(write) -> None:
    path = write("a.yaml", SMALL)
    assert encoded_subsets(load_training_recipe(path).recipe) == {
        "256p": "stages.t2i.data.subset",
        "768p": "stages.long.data.subset",
    }
    unread = load_training_recipe(path, ["latents.256.base_px=64"]).recipe
    with pytest.raises(ValueError, match=r"latents\.256: no stage reads subset 256; they read 256"):
        encoded_subsets(unread)
    names = ("t2i", "t2v", "long")
    shards = [f"stages.{name}.data.source=shards" for name in names]
    with pytest.raises(ValueError, match="nothing to encode"):
        encoded_subsets(load_training_recipe(path, shards).recipe)
