"""What all models share, with a made network: batches, and what is refused."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.models.model import check_finite, per_clip, weights_file


@given(st.lists(st.integers(0, 5), max_size=6), st.integers(1, 7))
def test_batches_reach_across_clips_and_come_apart_again(lengths: list[int], size: int) -> None:
    frames = [np.full((2, 3, 3), i, np.uint8) for i in range(sum(lengths))]
    ends = np.cumsum([0, *lengths])
    clips = [frames[a:b] for a, b in pairwise(ends)]
    batches = []

    def infer(batch: np.ndarray) -> np.ndarray:
        batches.append(len(batch))
        return batch[:, 0, 0, :2].astype(np.float32)

    outputs = per_clip(clips, lambda frame: frame + 1, infer, size)
    assert [output[:, :1].ravel().tolist() for output in outputs] == [
        [float(frame[0, 0, 0]) + 1 for frame in clip] for clip in clips
    ]
    assert sum(batches) == len(frames)
    assert len(batches) == -(-len(frames) // size)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_with_model_and_clip(bad: float) -> None:
    check_finite("sscd", 2, np.array([[0.0, -5.0]]))
    check_finite("sscd", 2, np.empty((0, 512)))
    with pytest.raises(ValueError, match="model sscd returned NaN or infinity for clip 2"):
        check_finite("sscd", 2, np.array([[0.0, bad]]))


def test_missing_weights_are_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"net\.onnx is missing; `make setup` fetches it"):
        weights_file(tmp_path, "net.onnx")
