import json
from pathlib import Path

import pytest

from tests.training import toy
from training.run_folder import RunFolder, differences
from training.settings import TrainingRecipe


def changed(recipe: TrainingRecipe, key: str, value: object) -> TrainingRecipe:
    plain = recipe.model_dump(mode="json")
    *groups, last = key.split(".")
    group = plain
    for name in groups:
        group = group[name]
    group[last] = value
    return TrainingRecipe.model_validate(plain)


def test_a_run_keeps_its_recipe_and_versions(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with run.opened(toy.recipe()):
        assert run.recipe() == toy.recipe()
    versions = json.loads((run.path / "versions.json").read_text())
    assert versions["torch"].startswith("2.")


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with (
        run.opened(toy.recipe()),
        pytest.raises(ValueError, match="another process trains in"),
        RunFolder(tmp_path).opened(toy.recipe()),
    ):
        pass
    with run.opened(toy.recipe()):
        pass


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 8),
        ("text.words.max_tokens", 9),
        ("transformer.dim", 32),
        ("stages.first.optimizer.learning_rate", 1.0),
        ("stages.first.steps", 13),
        ("stages.first.data.tokens_per_step", 77),
    ],
)
def test_another_recipe_does_not_go_on_with_a_run(key: str, value: object, tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with run.opened(toy.recipe()):
        run.stage("first").mkdir()
    with (
        pytest.raises(ValueError, match=rf"{key}: .* -> {value}.*another folder with --run"),
        run.opened(changed(toy.recipe(), key, value)),
    ):
        pass
    assert run.recipe() == toy.recipe()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("machine.prefetch", 9),
        ("encoding.runner", "inline"),
        ("autoencoder.fit.checkpoint_every_s", 1.0),
        ("checkpoints.every_steps", 9),
        ("evaluation.num_times", 9),
        ("samples.prompts", ["a dog"]),
        ("generation.guidance", 2.0),
        ("stages.first.data.tokens_per_micro_batch", 9),
        ("stages.second.optimizer.learning_rate", 1.0),
    ],
)
def test_what_changes_nothing_that_is_learnt_so_far_may_change(
    key: str, value: object, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path)
    with run.opened(toy.recipe()):
        run.stage("first").mkdir()
    with run.opened(changed(toy.recipe(), key, value)):
        assert run.recipe() != toy.recipe()


def test_a_run_that_cannot_tell_its_recipe_is_not_gone_on_with(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with run.opened(toy.recipe()):
        (run.stage("first") / "checkpoints").mkdir(parents=True)
    (tmp_path / "recipe.json").unlink()
    with (
        pytest.raises(ValueError, match=r"\(first\) but no recipe\.json"),
        run.opened(toy.recipe()),
    ):
        pass


def test_a_file_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ValueError, match="is a file, and a run is a folder"),
        RunFolder(tmp_path / "file").opened(toy.recipe()),
    ):
        pass


def test_before_anything_was_trained_everything_may_change(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with run.opened(toy.recipe()):
        pass
    with run.opened(changed(toy.recipe(), "seed", 8)):
        assert run.recipe().seed == 8


def test_differences_name_keys_and_both_values() -> None:
    after = changed(changed(toy.recipe(), "seed", 8), "machine.prefetch", 3)
    assert differences(toy.recipe(), after, ["first"]) == ["seed: 7 -> 8"]
    assert differences(toy.recipe(), after, []) == []


def reordered(recipe: TrainingRecipe, *names: str) -> TrainingRecipe:
    stages = {name: recipe.stages.get(name, recipe.stages["first"]) for name in names}
    return recipe.model_copy(update={"stages": stages})


def test_stages_are_neither_swapped_nor_put_between_those_that_have_begun() -> None:
    before, begun = toy.recipe(), ["first", "second"]
    for names in (("second", "first"), ("first", "between", "second")):
        [said] = differences(before, reordered(before, *names), begun)
        assert said.startswith("stages: first, second -> ")
    after = reordered(before, "first", "second", "third")
    assert differences(before, after, begun) == []
    assert differences(before, reordered(before, "first", "between", "second"), ["first"]) == []


@pytest.mark.parametrize(
    ("stage", "key", "value"),
    [
        ({"optimizer": {"schedule": "plateau"}}, "evaluation.every_steps", 2),
        ({"average_last": 2}, "checkpoints.every_steps", 2),
    ],
)
def test_what_decides_about_weights_by_way_of_a_stage_may_not_change(
    stage: dict[str, object], key: str, value: object
) -> None:
    before = toy.recipe(**stage)
    assert len(differences(before, changed(before, key, value), ["first"])) == 1
    assert differences(toy.recipe(), changed(toy.recipe(), key, value), ["first"]) == []


@pytest.mark.parametrize("content", [None, "{", '{"seed": "x"}'])
def test_what_is_no_run_is_said_to_be_none(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "recipe.json").write_text(content)
    with pytest.raises(ValueError, match=r"is no (run|training recipe)"):
        RunFolder(tmp_path).recipe()
