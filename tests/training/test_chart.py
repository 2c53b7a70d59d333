import json
from pathlib import Path

import numpy as np
import pytest

from training.chart import HEIGHT_PX, TRAIN, WIDTH_PX, loss_chart, write_chart


def written(folder: Path, losses: list[float], *, with_evaluation: bool) -> Path:
    lines = [
        {"kind": "train", "step": step, "loss": loss, "floor_gaussian": 1.7}
        for step, loss in enumerate(losses, start=1)
    ]
    if with_evaluation:
        times = [{"time": 0.0, "loss": 1.2}, {"time": 0.5, "loss": 1.5}]
        lines.append({"kind": "evaluation", "step": 2, "loss": 1.4,
                      "by_time_and_bucket": {"2x4x4": times}})  # type: ignore[dict-item]  # fmt: skip
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def heights(chart: np.ndarray, colour: str) -> list[int]:
    """For columns where the colour is, how far down it begins."""
    wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    found = (chart[: HEIGHT_PX - 30] == wanted).all(-1)
    return [int(column.argmax()) for column in found.T if column.any()]


def test_a_falling_loss_falls_in_the_picture(tmp_path: Path) -> None:
    chart = loss_chart(written(tmp_path, [2.0, 1.0, 0.5, 0.25], with_evaluation=False))
    assert chart is not None
    assert chart.shape == (HEIGHT_PX, WIDTH_PX, 3)
    found = heights(chart, TRAIN)
    assert found[0] < found[len(found) // 2] < found[-1]


def test_an_evaluation_adds_a_panel_over_times(tmp_path: Path) -> None:
    chart = write_chart(written(tmp_path, [2.0, 1.0], with_evaluation=True))
    assert chart is not None
    assert chart.shape == (HEIGHT_PX, 2 * WIDTH_PX, 3)
    assert (tmp_path / "loss.png").is_file()


@pytest.mark.parametrize("losses", [[1.5], [0.0, 0.0], [1e9, 1.0]])
def test_one_point_and_wild_numbers_are_drawn_too(losses: list[float], tmp_path: Path) -> None:
    assert write_chart(written(tmp_path, losses, with_evaluation=False)) is not None


def test_before_the_first_line_there_is_no_picture(tmp_path: Path) -> None:
    assert write_chart(tmp_path) is None
    assert not (tmp_path / "loss.png").exists()
