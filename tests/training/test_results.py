import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.training import toy
from training.errors import CheckpointError
from training.results import average_files, averaged, card_of, read_result, write_result


def weights(seed: int) -> dict[str, torch.Tensor]:
    model = toy.card().build()
    model.reset(seed)
    return {name: one.detach() for name, one in model.named_parameters()}


def test_a_result_is_read_back_with_its_card(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "model.safetensors"
    write_result(path, weights(1), toy.card())
    found, card = read_result(path)
    assert card == toy.card()
    assert found.keys() == weights(1).keys()
    for name, one in weights(1).items():
        assert torch.equal(found[name], one)
    model = card.build()
    model.load_state_dict(found)
    assert [path.name for path in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("damage", ["missing", "cut", "foreign"])
def test_what_is_no_model_is_said_to_be_none(damage: str, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "model.safetensors"
    if damage == "foreign":
        save_file({"a": torch.zeros(1)}, path)
    elif damage == "cut":
        write_result(path, weights(1), toy.card())
        os.truncate(path, 999)
    with pytest.raises(ValueError, match="is no model of Moviola"):
        read_result(path)


def test_a_card_survives_json() -> None:
    assert card_of(toy.card().plain()) == toy.card()


def test_the_mean_of_models_is_that_of_each_weight(tmp_path: Path) -> None:
    paths = [tmp_path / f"{seed}.safetensors" for seed in (1, 2, 3)]
    for seed, path in zip((1, 2, 3), paths, strict=True):
        write_result(path, weights(seed), toy.card())
    average_files(paths, tmp_path / "mean.safetensors")
    mean, card = read_result(tmp_path / "mean.safetensors")
    assert card == toy.card()
    for name, one in mean.items():
        expected = torch.stack([weights(seed)[name] for seed in (1, 2, 3)]).double().mean(0)
        torch.testing.assert_close(one, expected.float(), rtol=1e-6, atol=1e-7)


def test_models_of_other_kinds_are_not_averaged(tmp_path: Path) -> None:
    write_result(tmp_path / "a", weights(1), toy.card())
    write_result(tmp_path / "b", weights(1), replace(toy.card(), versions=("tae:2", "words:1")))
    with pytest.raises(ValueError, match=r"/b is a model of another shape"):
        average_files([tmp_path / "a", tmp_path / "b"], tmp_path / "mean")
    with pytest.raises(ValueError, match="model 2 is not of the kind of the first: b"):
        averaged([{"a": torch.zeros(1)}, {"a": torch.zeros(1), "b": torch.zeros(1)}])


def test_a_model_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_result(path, weights(1), toy.card())
    before = path.read_bytes()
    (tmp_path / ".model.safetensors").mkdir()  # in the way of what is written aside
    with pytest.raises(CheckpointError, match=r"the model .* cannot be written"):
        write_result(path, weights(2), toy.card())
    assert path.read_bytes() == before
