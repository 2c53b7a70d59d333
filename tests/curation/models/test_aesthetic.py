"""Aesthetic heads of both shapes, against PyTorch's own layers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from curation.models.aesthetic import Aesthetic, AestheticSettings, read_head
from curation.models.clip_towers import ClipSettings, ClipTowers
from curation.models.openclip import OpenClip, OpenClipSettings
from tests.networks import tiny_clip

RANDOM = np.random.default_rng(1)
FRAMES = [RANDOM.integers(0, 256, (36, 64, 3), dtype=np.uint8) for _ in range(5)]


class Improved(torch.nn.Module):
    """The head of improved-aesthetic-predictor, by its published description."""

    def __init__(self, width: int) -> None:
        super().__init__()
        linear, dropout = torch.nn.Linear, torch.nn.Dropout
        self.layers = torch.nn.Sequential(
            linear(width, 64), dropout(0.2), linear(64, 32), dropout(0.2), linear(32, 16),
            dropout(0.1), linear(16, 8), linear(8, 1),
        )  # fmt: skip

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.layers(values)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    tiny_clip(folder)
    return folder


def towers(folder: Path) -> ClipTowers:
    return ClipTowers(ClipSettings(open_clip=str(folder)))


@torch.inference_mode()
@pytest.mark.parametrize("head", [torch.nn.Linear(32, 1), Improved(32)])
@pytest.mark.parametrize("ending", ["safetensors", "pth"])
def test_the_middle_frame_is_judged_as_the_head_judges_its_embedding(
    folder: Path, tmp_path: Path, head: torch.nn.Module, ending: str
) -> None:
    path = tmp_path / f"head.{ending}"
    if ending == "pth":
        torch.save(head.state_dict(), path)
    else:
        save_file(head.state_dict(), path)
    below = towers(folder)
    made = Aesthetic(AestheticSettings(head=str(path)), below)
    made.check()
    made.setup()
    odd, even, none = made([FRAMES[:3], FRAMES[:4], []])
    embedded = torch.tensor(below.embed(FRAMES))
    expected = head.eval()(embedded)[:, 0]
    assert odd["aesthetic"] == pytest.approx(float(expected[1]), abs=1e-5)
    assert even["aesthetic"] == pytest.approx(float(expected[2]), abs=1e-5)
    assert none["aesthetic"] is None


def test_models_that_share_a_clip_embed_a_frame_once(folder: Path, tmp_path: Path) -> None:
    save_file(torch.nn.Linear(32, 1).state_dict(), tmp_path / "head.safetensors")
    concept = OpenClipSettings(open_clip=str(folder))
    shared = ClipTowers(concept)
    first = OpenClip(concept, shared)
    second = Aesthetic(AestheticSettings(head=str(tmp_path / "head.safetensors")), shared)
    for model in (first, second):
        model.setup()
    seen = []
    shared._model.visual.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    first([FRAMES[:3], FRAMES[3:]])
    [one, other] = second([FRAMES[:3], FRAMES[3:]])
    assert seen == [5]
    [alone] = second([[FRAMES[4].copy()]])
    assert seen == [5, 1]
    assert alone["aesthetic"] == pytest.approx(other["aesthetic"], abs=1e-5)
    assert one["aesthetic"] != other["aesthetic"]


def test_a_head_of_another_clip_is_refused_by_its_width(folder: Path, tmp_path: Path) -> None:
    save_file(torch.nn.Linear(768, 1).state_dict(), tmp_path / "head.safetensors")
    made = Aesthetic(AestheticSettings(head=str(tmp_path / "head.safetensors")), towers(folder))
    made.setup()
    with pytest.raises(ValueError, match=r"takes 768 numbers, and its CLIP gives 32"):
        made([FRAMES])


def test_a_head_that_gives_nan_names_the_clip(folder: Path, tmp_path: Path) -> None:
    head = torch.nn.Linear(32, 1)
    head.bias.data[:] = torch.nan
    save_file(head.state_dict(), tmp_path / "head.safetensors")
    made = Aesthetic(AestheticSettings(head=str(tmp_path / "head.safetensors")), towers(folder))
    made.setup()
    with pytest.raises(ValueError, match="laion-aesthetic returned NaN or infinity for clip 1"):
        made([[], FRAMES])


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"weight": torch.zeros(1, 8)}, "it has no 'bias'"),
        ({"weight": torch.zeros(2, 8), "bias": torch.zeros(2)}, "is no aesthetic head"),
        (torch.nn.Sequential(torch.nn.Conv2d(3, 1, 1)).state_dict(), "is no aesthetic head"),
        (
            torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.Linear(5, 1)).state_dict(),
            r"weights of \(4, 8\), \(1, 5\)",
        ),
    ],
)
def test_what_is_no_head_is_refused(tmp_path: Path, tensors: dict, said: str) -> None:
    save_file(tensors, tmp_path / "head.safetensors")
    with pytest.raises(ValueError, match=said):
        read_head(tmp_path / "head.safetensors")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for name in ("head.safetensors", "head.pth"):
        (tmp_path / name).write_bytes(b"no weights at all")
        with pytest.raises(ValueError, match=name):
            read_head(tmp_path / name)
