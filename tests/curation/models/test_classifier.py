"""Safety by a classifier of transformers, against transformers' own forward pass."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import ViTForImageClassification, ViTImageProcessor

from curation.models.classifier import ClassifierSettings, ImageClassifier
from tests.networks import tiny_classifier

RANDOM = np.random.default_rng(2)
CLIPS = [
    [RANDOM.integers(0, 256, (50, 70, 3), dtype=np.uint8) for _ in range(3)],
    [],
    [np.zeros((3, 40, 3), np.uint8)],
]


def model(folder: Path, **settings) -> ImageClassifier:
    chosen = {"transformers": str(folder), "unsafe": ("bad", "worse")} | settings
    made = ImageClassifier(ClassifierSettings(**chosen))
    made.check()
    made.setup()
    return made


def logits(folder: Path, frames: list[np.ndarray]) -> torch.Tensor:
    network = ViTForImageClassification.from_pretrained(folder).eval()
    pictures = [Image.fromarray(frame) for frame in frames]
    prepared = ViTImageProcessor.from_pretrained(folder)(images=pictures, return_tensors="pt")
    with torch.inference_mode():
        return network(**prepared).logits


def test_unwanted_classes_that_exclude_one_another_add_up(tmp_path: Path) -> None:
    tiny_classifier(tmp_path)
    rows = model(tmp_path, batch_size=2)(CLIPS)
    assert rows[1] == {"nsfw": None}
    for frames, row in zip(CLIPS, rows, strict=True):
        if frames:
            likely = logits(tmp_path, frames).softmax(-1)
            expected = float((likely[:, 2] + likely[:, 3]).max())
            assert row["nsfw"] == pytest.approx(expected, abs=1e-5)
    assert rows[0] != rows[2]


def test_of_unwanted_classes_on_their_own_the_surest_counts(tmp_path: Path) -> None:
    tiny_classifier(tmp_path, problem_type="multi_label_classification")
    expected = float(logits(tmp_path, CLIPS[0]).sigmoid()[:, 2:].max())
    assert model(tmp_path)(CLIPS)[0]["nsfw"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_stays_close(tmp_path: Path, dtype: str) -> None:
    tiny_classifier(tmp_path)
    whole, half = model(tmp_path)(CLIPS), model(tmp_path, dtype=dtype)(CLIPS)
    for one, other in zip(whole, half, strict=True):
        assert one["nsfw"] == pytest.approx(other["nsfw"], abs=0.05)


def test_one_clip_and_no_clip(tmp_path: Path) -> None:
    tiny_classifier(tmp_path)
    made = model(tmp_path)
    assert made([CLIPS[2]])[0]["nsfw"] == pytest.approx(made(CLIPS)[2]["nsfw"], abs=1e-5)
    assert made([]) == []
    assert made([[]]) == [{"nsfw": None}]


def test_a_clip_of_which_the_model_makes_nan_is_named(tmp_path: Path) -> None:
    weights = tiny_classifier(tmp_path).state_dict()
    weights["classifier.bias"][0] = torch.nan
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="image-classifier returned NaN or infinity for clip 2"):
        model(tmp_path)([[], [], CLIPS[2]])


def test_what_is_missing_or_wrong_is_named(tmp_path: Path) -> None:
    tiny_classifier(tmp_path)
    with pytest.raises(ValueError, match="has no class 'nsfw'; it has drawings, safe, worse, bad"):
        model(tmp_path, unsafe=("nsfw",))
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(ValueError, match="is no configuration of a classifier"):
        model(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"model.safetensors is missing"):
        model(tmp_path)


def test_the_version_follows_weights_classes_and_precision(tmp_path: Path) -> None:
    tiny_classifier(tmp_path)

    def version(**settings) -> str:
        chosen = {"transformers": str(tmp_path), "unsafe": ("bad",)} | settings
        return ImageClassifier(ClassifierSettings(**chosen)).version

    here = version()
    assert here == version(batch_size=1)
    assert len({here, version(dtype="float16"), version(unsafe=("bad", "worse"))}) == 3
    on_hub = version(transformers="some/where", revision="a" * 40)
    assert on_hub == "some/where@aaaaaaaaaaaa-float32-bad-1"
