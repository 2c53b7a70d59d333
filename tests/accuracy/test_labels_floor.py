"""Floors under what the concept model sees; see `benchmarks.accuracy.labels`."""

from math import comb
from pathlib import Path

import pytest
import yaml

from benchmarks.accuracy.drawings import DRAWINGS
from benchmarks.accuracy.labels import DRAWN, MANIFEST, answers, chance, figures_of
from curation.models.conse import Conse


def test_drawn_things_are_told_among_the_texts_of_all_footage(model_weights: Path) -> None:
    model = Conse(model_weights)
    model.setup()
    truths = yaml.safe_load(MANIFEST.read_text("utf-8")) | DRAWN
    found = answers(model, {name: [draw()] for name, draw in DRAWINGS.items()}, truths)
    figures = figures_of(found, truths)
    assert figures["texts"] >= 50
    assert figures["chance_1"] == pytest.approx(1 / figures["texts"])
    assert figures["top_1"] >= 0.75
    assert figures["top_3"] == 1


def test_chance_is_what_drawing_texts_gives() -> None:
    assert chance([["a"], ["b"]], 50, 1) == pytest.approx(1 / 50)
    assert chance([["a"]], 50, 3) == pytest.approx(3 / 50)
    assert chance([["a", "b"]], 5, 2) == pytest.approx(1 - comb(3, 2) / comb(5, 2))
    assert chance([["a", "b"], ["a"]], 2, 1) == pytest.approx(0.75)
