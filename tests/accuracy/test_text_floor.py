"""Floors under what is found and read of captions; see `benchmarks.accuracy.text`."""

from itertools import product
from pathlib import Path

import cv2
import numpy as np

from benchmarks.accuracy.rendering import texture
from benchmarks.accuracy.text import KINDS, WORDS, false_alarms, figures_of, finding
from curation.models.text import TextReader


def test_captions_are_found_and_read_and_textures_hold_none(model_weights: Path) -> None:
    reader = TextReader(model_weights)
    reader.setup()
    large = texture(1)[..., ::-1]
    frame = np.ascontiguousarray(cv2.resize(large, (640, 427), interpolation=cv2.INTER_AREA))
    figures = figures_of(
        [
            finding(reader, frame, kind, size, script)
            for kind, size, script in product(KINDS, ("small", "large"), WORDS)
        ]
    )
    assert figures["recall_subtitle"] == 1
    assert figures["recall_lower_third"] == 1
    assert figures["recall_watermark"] >= 0.5
    assert figures["recall_cyrillic"] >= 0.4
    assert figures["precision"] >= 0.9
    assert figures["character_error_rate_latin"] <= 0.05
    assert figures["character_error_rate_chinese"] <= 0.05
    assert false_alarms(reader, [frame, frame[::-1]])["false_alarm_share"] == 0
