import pytest
from pydantic import ValidationError

from training.autoencoder.settings import AutoencoderSettings, TaeFitSettings


def test_a_revision_is_that_of_a_model_of_a_hub() -> None:
    revision = "0" * 40
    with pytest.raises(ValidationError, match="kind tae takes no revision"):
        AutoencoderSettings.model_validate({"revision": revision})
    hub = {"kind": "diffusers", "revision": revision}
    assert AutoencoderSettings.model_validate(hub).revision == revision


def test_crops_that_are_too_small_to_judge_are_refused() -> None:
    judged = {"losses": {"adversarial": 0.1}}
    with pytest.raises(ValidationError, match=r"losses\.adversarial needs size_px of 32 or more"):
        TaeFitSettings.model_validate({"size_px": 16, **judged})
    assert TaeFitSettings.model_validate({"size_px": 32, **judged}).size_px == 32
    assert TaeFitSettings.model_validate({"size_px": 16}).size_px == 16
