"""Encoding as a user runs it: a real autoencoder, a real text encoder, workers of Ray."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.encode import Encoding, encoding_run
from pipelines.training_recipe import load_training_recipe
from pipelines.verify import verify
from pipelines.workspace import Workspace
from tests.pipelines.test_encode import rewrite, said
from tests.training.toy_models import array, caption
from tests.workspaces import small_workspace
from training.autoencoder.files import write_autoencoder
from training.autoencoder.settings import TaeArchitecture
from training.autoencoder.tae import Tae

SHAPE = TaeArchitecture(
    latent_channels=4, channels=(8, 8, 8, 8), blocks_per_scale=1, attention=False
)


def write_tae(folder: Path, seed: int) -> None:
    model = Tae(SHAPE)
    model.reset(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01 * seed)
    write_autoencoder(folder, model.state_dict(), SHAPE, [0.1] * 4, [0.5] * 4, {})


@pytest.mark.slow
def test_workers_encode_by_a_tae_and_a_new_one_does_all_again(
    tmp_path: Path, model_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(small_workspace().uri, tmp_path / "work")
    workspace = Workspace(tmp_path / "work")
    rewrite(workspace, lambda row: row | said(row, caption(1)))
    settings = ["autoencoder.folder=tae", "encoding.batch_size=1", "encoding.concurrency=1"]
    recipe = load_training_recipe("train-demo", settings).recipe

    def encode() -> int:
        with encoding_run(recipe, workspace, "test") as run:
            work = Encoding(recipe, workspace, run)
            work.all()
        return work.summaries[0].ok

    write_tae(tmp_path / "tae", 1)
    assert (encode(), encode()) == (2, 0)
    [first, other] = workspace.table("latents/256p").read().to_pylist()
    assert first["latent_shape"] == [4, 4, 6, 10]
    assert [text["name"] for text in first["text"]] == ["minilm", "quoted"]
    words = array(first["text"][0]["values"], first["text"][0]["shape"])
    assert words.shape[1] == 384 and np.abs(words.astype(float)).max() < 20
    assert verify(workspace).is_sound
    write_tae(tmp_path / "tae", 2)
    assert encode() == 2
    again = workspace.table("latents/256p").read().to_pylist()
    assert {row["encoder_hash"] for row in again} & {other["encoder_hash"]} == set()
    assert verify(workspace).is_sound
