from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from captioning.captioners import CaptioningSettings, captioners
from captioning.grounded.captioner import GroundedCaptioner

SERVER = {"url": "http://gpu:8000", "model": "llama"}


def settings(**keys: Any) -> CaptioningSettings:
    return CaptioningSettings.model_validate(keys)


def test_captioners_keep_the_names_that_the_recipe_gives_them(tmp_path: Path) -> None:
    chosen = settings(grounded={"facts": {}, "off": None}, vllm={"large": SERVER})
    assert chosen.names == ["facts", "large"]
    made = captioners(chosen, tmp_path)
    assert list(made) == ["facts", "large"]
    assert isinstance(made["facts"], GroundedCaptioner)
    assert made["large"].is_remote


def test_without_captioners_nothing_is_on() -> None:
    assert not settings().is_on
    assert not settings(grounded={"facts": None}).is_on


def test_all_have_the_same_share_unless_told_and_training_follows_the_shares() -> None:
    chosen = {"grounded": {"facts": {}}, "vllm": {"large": SERVER}}
    assert settings(**chosen).clip_shares == {"facts": 1, "large": 1}
    shares = {"facts": 0.7, "large": 0.3}
    assert settings(**chosen, shares=shares).training_weights == shares
    only = settings(**chosen, shares=shares, training={"large": 1})
    assert (only.clip_shares, only.training_weights) == (shares, {"large": 1})


def test_a_captioner_on_a_gpu_is_known_before_it_is_loaded() -> None:
    models = {"small": {"transformers": "x/y", "device": "cuda"}, "tiny": {"transformers": "x/y"}}
    assert settings(llama=models).on_gpu == ["small"]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"grounded": {"a": {}}, "vllm": {"a": SERVER}}, "two captioners are called 'a'"),
        ({"grounded": {"a": {}}, "shares": {"b": 1}}, "shares names 'b', and the captioners are a"),
        ({"grounded": {"a": {}}, "training": {"b": 1}}, "training names 'b'"),
        ({"grounded": {"a": None}, "shares": {"a": 1}}, "the captioners are none"),
        ({"grounded": {"a": {}}, "shares": {"a": 0}}, "shares gives no captioner anything"),
        ({"grounded": {"a": {}, "b": {}}, "shares": {"a": 1}}, "shares does not name 'b'"),
        ({"grounded": {"a-b": {}, "a_b": {}}}, "differ in - and _ alone"),
        ({"grounded": {"A b": {}}}, "should match pattern"),
        ({"grounded": {"a": {}}, "shares": {"a": -1}}, "greater than or equal to 0"),
        ({"grounded": {"../a": {}}}, "should match pattern"),
    ],
)
def test_what_makes_no_sense_is_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings(**keys)


def test_what_is_wrong_with_a_prompt_is_said_of_its_captioner(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"captioner facts: prompt 'mine\.txt' cannot be read"):
        captioners(settings(grounded={"facts": {"prompt": "mine.txt"}}), tmp_path)
