import json
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from training.metrics import Metrics, read_metrics
from training.sheet import contact_sheet


def test_lines_and_tensorboard_hold_the_same_numbers(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path, 0)
    for step in (1, 2, 3):
        metrics.write("train", step, {"loss": 1 / step, "words": "left out of the plots"})
    metrics.close()
    lines = read_metrics(tmp_path, "train")
    assert [(line["step"], line["loss"]) for line in lines] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    assert [event.step for event in board.Scalars("train/loss")] == [1, 2, 3]
    assert board.Scalars("train/loss")[1].value == 0.5


def test_what_was_said_of_steps_that_are_done_again_is_removed(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path, 0)
    for step in (1, 2, 3):
        metrics.write("train", step, {"loss": float(step)})
    metrics.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 1}\n[]\n\udcff'.encode("utf-8", "surrogateescape").decode("latin1"))
        file.write('{"kind": "train", "st')  # killed while writing
    again = Metrics(tmp_path, 2)
    again.write("train", 3, {"loss": 33.0})
    again.close()
    assert [line["loss"] for line in read_metrics(tmp_path, "train")] == [1.0, 2.0, 33.0]


def test_a_number_that_json_does_not_have_is_an_error_and_no_broken_file(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path, 0)
    with pytest.raises(ValueError, match="Out of range"):
        metrics.write("train", 1, {"loss": float("nan")})
    metrics.close()
    for line in (tmp_path / "metrics.jsonl").read_text().splitlines():
        json.loads(line)


def test_a_contact_sheet_has_a_row_for_each_video_with_its_frames_in_order() -> None:
    videos = [
        np.stack([np.full((48, 64, 3), value, np.uint8) for value in range(0, 160, 10)]),
        np.full((1, 96, 96, 3), 200, np.uint8),
    ]
    sheet = contact_sheet(videos, ["a red ball", "日本 " * 100], num_frames=4)
    row_height = 18 + 96 + 4
    assert sheet.shape == (2 * row_height, 4 * (128 + 4), 3)
    centres = [sheet[18 + 48, place * 132 + 64, 0] for place in range(4)]
    assert centres == [0, 50, 100, 150]
    assert sheet[row_height + 18 + 48, 48, 0] == 200
    assert (sheet[:18] < 255).any()  # the label


def test_a_contact_sheet_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a video"):
        contact_sheet([], [])
