import json
import math
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.training.closed_forms import gaussian_field
from training.evaluation import LossRow, evaluation_times
from training.flow import interpolate, squared_errors, velocity
from training.loss_report import grouped, loss_of, loss_report
from training.randomness import normal


def _rows() -> list[LossRow]:
    """Videos of 40 elements and images of 10, of three clusters and two sources."""
    numbers = np.random.default_rng(0)
    rows = []
    for sample in range(12):
        is_image = sample % 3 == 0
        level = numbers.uniform(0.5, 1.5)
        for time in evaluation_times(4):
            elements = 10 if is_image else 40
            rows.append(
                LossRow(
                    id=f"clip-{sample}",
                    bucket="1x2x5" if is_image else "4x2x5",
                    concept=None if sample == 5 else sample % 2 + 9,
                    source="pexels" if sample < 4 else "archive",
                    time=time,
                    squared_error=float(elements * level * (1 + time)),
                    num_elements=elements,
                )
            )
    return rows


ROWS = _rows()


def test_the_one_number_is_the_mean_over_all_elements_and_times():
    expected = sum(row.squared_error for row in ROWS) / sum(row.num_elements for row in ROWS)
    assert loss_report(ROWS)["loss"] == pytest.approx(expected, rel=1e-12)
    mean_of_means = np.mean([row.squared_error / row.num_elements for row in ROWS])
    assert abs(expected - mean_of_means) > 0.005


def test_reports_are_the_same_in_whatever_order_rows_come():
    shuffled = random.Random(0).sample(ROWS, len(ROWS))
    assert json.dumps(loss_report(shuffled)) == json.dumps(loss_report(ROWS))


def test_reports_split_the_loss_by_time_bucket_concept_and_source():
    report = loss_report(ROWS)
    assert [entry["time"] for entry in report["by_time"]] == [0, 0.25, 0.5, 0.75]
    assert list(report["by_bucket"]) == ["1x2x5", "4x2x5"]
    assert list(report["by_concept"]) == ["10", "9", "none"]
    assert list(report["by_source"]) == ["archive", "pexels"]
    for key, name, of in (
        ("by_bucket", "1x2x5", lambda row: row.bucket == "1x2x5"),
        ("by_concept", "none", lambda row: row.concept is None),
        ("by_source", "pexels", lambda row: row.source == "pexels"),
    ):
        rows = [row for row in ROWS if of(row)]
        expected = sum(row.squared_error for row in rows) / sum(row.num_elements for row in rows)
        assert report[key][name]["loss"] == pytest.approx(expected, rel=1e-12)
        assert report[key][name]["num_samples"] == len({row.id for row in rows})
    cell = report["by_time_and_bucket"]["4x2x5"][2]
    rows = [row for row in ROWS if row.bucket == "4x2x5" and row.time == 0.5]
    assert cell["time"] == 0.5
    assert cell["loss"] == pytest.approx(np.mean([row.squared_error / 40 for row in rows]))


def test_parts_weighted_by_their_elements_make_up_the_whole():
    report = loss_report(ROWS)
    for key in ("bucket", "source", "time"):
        parts = grouped(ROWS, lambda row, key=key: getattr(row, key))
        elements = {
            name: sum(row.num_elements for row in ROWS if getattr(row, key) == name)
            for name in parts
        }
        total = sum(parts[name].loss * elements[name] for name in parts)
        assert total / sum(elements.values()) == pytest.approx(report["loss"], rel=1e-12)


def test_reports_are_json_that_any_reader_takes():
    report = loss_report(ROWS)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    json.dumps(loss_report(ROWS[:4]), allow_nan=False)


def test_the_standard_error_of_equal_samples_is_that_of_their_mean():
    rows = [row for row in ROWS if row.bucket == "4x2x5"]
    ids = sorted({row.id for row in rows})
    means = [sum(row.squared_error for row in rows if row.id == id) / (40 * 4) for id in ids]
    found = loss_of(rows)
    assert found.standard_error == pytest.approx(np.std(means, ddof=1) / math.sqrt(len(ids)))
    assert found.interval == pytest.approx(
        (found.loss - 1.96 * found.standard_error, found.loss + 1.96 * found.standard_error)
    )


def test_the_standard_error_of_unequal_samples_is_that_of_drawing_them_again():
    numbers = np.random.default_rng(1)
    elements = numbers.choice([10, 40], 200)
    errors = elements * numbers.uniform(0.5, 1.5, 200) * np.where(elements == 10, 2, 1)
    rows = [
        LossRow(str(index), "any", None, "any", 0.0, float(error), int(count))
        for index, (error, count) in enumerate(zip(errors, elements, strict=True))
    ]
    drawn = numbers.integers(0, 200, (4000, 200))
    bootstrap = (errors[drawn].sum(1) / elements[drawn].sum(1)).std()
    assert loss_of(rows).standard_error == pytest.approx(bootstrap, rel=0.06)


def test_the_interval_holds_the_true_loss_as_often_as_it_says():
    numbers = np.random.default_rng(2)
    hits = 0
    for _ in range(400):
        levels = numbers.gamma(4.0, 0.25, 60)
        rows = [
            LossRow(str(index), "any", None, "any", time, 20 * level, 20)
            for index, level in enumerate(levels)
            for time in (0.0, 0.5)
        ]
        low, high = loss_of(rows).interval
        hits += low <= 1.0 <= high
    assert 0.91 < hits / 400 < 0.98


def test_a_single_sample_has_no_standard_error():
    found = loss_of(ROWS[:4])
    assert found.num_samples == 1
    assert found.standard_error is None and found.interval is None


def test_a_clip_as_a_video_and_as_an_image_is_two_samples():
    again = [replace(row, bucket="1x1x1", num_elements=1) for row in ROWS[:4]]
    assert loss_of([*ROWS, *again]).num_samples == 13
    with pytest.raises(AssertionError, match="twice"):
        loss_of([*ROWS, ROWS[0]])


def test_the_best_field_of_white_noise_has_no_excess():
    latents = normal((40, 4, 5, 10, 10), 0, "latents")
    rows = []
    for index, time in enumerate(evaluation_times(8)):
        noise, times = normal(latents.shape, 0, "noise", index), torch.full((40,), time)
        predicted = gaussian_field(interpolate(noise, latents, times), times)
        errors = squared_errors(predicted, velocity(noise, latents)).tolist()
        rows += [
            LossRow(str(sample), "4x5x10", None, "any", time, error, latents[0].numel())
            for sample, error in enumerate(errors)
        ]
    report = loss_report(rows)
    expected = np.mean([1 / (time**2 + (1 - time) ** 2) for time in evaluation_times(8)])
    assert report["floor_gaussian"] == pytest.approx(expected, rel=1e-4)
    assert abs(report["excess_gaussian"]) < 3 * report["standard_error"]
    for entry in report["by_time"]:
        assert abs(entry["excess_gaussian"]) < 4 * entry["standard_error"]


def test_no_row_is_refused():
    with pytest.raises(ValueError, match="no held-out sample"):
        loss_report([])
