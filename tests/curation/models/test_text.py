"""Captions are found and read as RapidOCR finds and reads them; pictures without text have none."""

import functools
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.accuracy.rendering import texture
from curation.models.text import MOST_READ, RECOGNISER, TextReader
from curation.models.text_boxes import (
    LINE_PX,
    Box,
    covered_share,
    detection_size,
    line_picture,
    text_boxes,
)
from curation.models.text_lines import (
    LONGEST_TEXT,
    Line,
    distinct_text,
    reading,
    summary,
    with_rest,
)
from pipelines.asset_lock import read_lock

CAPTIONS = ("It was never about money.", "我们不应该在这里")

RAPIDOCR = (
    ("It was never about money.", 0.742, 0.994, (104, 44, 406, 79)),
    ("我们不应该在这里", 0.809, 1.0, (304, 268, 568, 308)),
)
"""What `rapidocr==3.10.0` says of `frame()`, as text, detection score, recognition score and left,
top, right, bottom, px, in an environment of its own:

    RapidOCR(params={"Det.limit_type": "max", "Det.limit_side_len": 640, "Global.use_cls": False,
                     "Global.use_preprocess_img": False, "Global.use_vertical_padding": False})

It sorts its boxes and leaves their detection scores in the order of the contours.
"""


@pytest.fixture(scope="module")
def reader(model_weights: Path) -> TextReader:
    made = TextReader(model_weights)
    made.setup()
    return made


@functools.cache
def scene() -> np.ndarray:
    return cv2.resize(texture(1), (640, 427), interpolation=cv2.INTER_AREA)[:360]


def frame(*captions: str) -> np.ndarray:
    """RGB; the first caption above left, the second below right."""
    picture = scene().copy()
    for text, place, size_px in zip(captions, ((110, 70), (310, 300)), (24, 30), strict=False):
        for across in (-1, 0, 1):
            for down in (-1, 0, 1):
                spot = (place[0] + across, place[1] + down)
                cv2.putText(picture, text, spot, (0, 0, 0), cv2.FontFace("uni"), size_px)
        cv2.putText(picture, text, place, (255, 255, 255), cv2.FontFace("uni"), size_px)
    return picture[..., ::-1].copy()


def line(text: str, detection: float = 0.9, recognition: float = 0.9, left: int = 0) -> Line:
    corners = np.array([[0, 0], [100, 0], [100, 20], [0, 20]], np.float32)
    corners[:, 0] += left
    return Line(Box(corners, detection), text, recognition)


def test_captions_are_found_and_read_as_rapidocr_does(reader: TextReader) -> None:
    [[lines]] = reader.read([[frame(*CAPTIONS)]])
    lines = [line for line in lines if line.counts]
    for found, (text, detection, recognition, place) in zip(lines, RAPIDOCR, strict=True):
        assert found.text == text
        assert found.box.score == pytest.approx(detection, abs=0.01)
        assert found.recognition == pytest.approx(recognition, abs=0.02)
        edges = (*found.box.corners.min(axis=0), *found.box.corners.max(axis=0))
        assert edges == pytest.approx(place, abs=3)


def test_a_clip_gets_its_text_its_surest_line_and_its_fullest_frame(reader: TextReader) -> None:
    clips = [[frame(CAPTIONS[0]), frame(*CAPTIONS), frame()], [frame()]]
    captioned, plain = reader(clips)
    assert captioned["text"].split("\n") == list(CAPTIONS)
    whole = reader([[frame(*CAPTIONS)]])[0]
    assert captioned["text_share"] == pytest.approx(whole["text_share"])
    assert captioned["text_score"] == pytest.approx(whole["text_score"], abs=0.05)
    assert [line["text"] for line in captioned["text_lines"]] == list(CAPTIONS)
    surest = max(line["score"] for line in captioned["text_lines"])
    assert surest == pytest.approx(captioned["text_score"])
    assert plain == {"text_share": 0.0, "text_score": 0.0, "text": "", "text_lines": []}
    assert set(plain) == set(TextReader.columns.names)


def test_what_is_read_does_not_depend_on_what_it_is_read_with(reader: TextReader) -> None:
    [[alone]] = reader.read([[frame(*CAPTIONS)]])
    [_, [among, _]] = reader.read([[frame(CAPTIONS[1])], [frame(*CAPTIONS), frame(CAPTIONS[0])]])
    assert [line.text for line in among] == [line.text for line in alone]
    assert [line.score for line in among] == pytest.approx([line.score for line in alone])


def test_large_and_small_and_upright_frames_are_read(reader: TextReader) -> None:
    large = cv2.resize(frame(*CAPTIONS), (1920, 1080), interpolation=cv2.INTER_CUBIC)
    assert reader([[large]])[0]["text"].split("\n") == list(CAPTIONS)
    tall = frame(CAPTIONS[0])[:, 80:430]
    assert reader([[tall]])[0]["text"] == CAPTIONS[0]
    assert reader([[frame()[:20, :9]]])[0]["text"] == ""


def test_text_in_an_unknown_script_counts_and_stays_unread(reader: TextReader) -> None:
    [row] = reader([[frame("우리는 여기 있으면 안 돼")]])
    assert row["text_share"] > 0.01
    assert row["text_score"] >= 0.7
    assert row["text"] == ""


def test_of_a_page_the_largest_lines_are_read_and_the_rest_is_taken_for_text(
    reader: TextReader,
) -> None:
    page = np.zeros((720, 1280, 3), np.uint8)
    for row in range(40):
        place = (20 + 640 * (row % 2), 30 + 34 * (row // 2))
        words = f"made by somebody {row}"
        cv2.putText(page, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.9, (255, 255, 255), 2)
    [[lines]] = reader.read([[page]])
    read = [line for line in lines if not line.is_alike]
    assert len(read) == MOST_READ
    assert len(lines) >= 35
    [row] = reader([[page]])
    assert row["text_share"] == pytest.approx(
        covered_share([line.box for line in lines], 720, 1280), rel=1e-3
    )
    assert "made by somebody" in row["text"]


def test_boxes_that_are_not_read_are_as_the_most_of_the_others() -> None:
    box = Box(np.array([[0, 0], [40, 0], [40, 10], [0, 10]], np.float32), 0.8)
    sure, noise = Line(box, "hello", 0.9), Line(box, "x", 0.2)
    assert with_rest([sure, noise], [box]) == [sure, noise]
    *read, alike = with_rest([sure, sure, noise], [box])
    assert read == [sure, sure, noise]
    assert alike.counts
    assert not alike.is_read
    assert alike.score == pytest.approx(0.8 * 0.9)
    assert with_rest([], [box]) == []


def test_a_clip_without_frames_is_null_in_every_column(reader: TextReader) -> None:
    assert reader([[]]) == [
        {"text_share": None, "text_score": None, "text": None, "text_lines": None}
    ]


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"pp-ocrv6-det-small\.onnx is missing.*make setup"):
        TextReader(tmp_path).setup()


@pytest.mark.parametrize("network", ["_detector", "_recogniser"])
def test_nan_is_refused_with_the_place_of_the_clip(
    network: str, reader: TextReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = getattr(reader, network)

    class Broken:
        def run(self, names: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            return [np.full_like(output, np.nan) for output in sound.run(names, inputs)]

    monkeypatch.setattr(reader, network, Broken())
    with pytest.raises(ValueError, match=r"pp-ocr.*clip 1"):
        reader([[], [frame(*CAPTIONS)]])


def test_a_box_is_the_core_grown_by_area_over_perimeter() -> None:
    for angle in (0.0, 12.0):
        probability = np.zeros((320, 640), np.float32)
        core = cv2.boxPoints(((300, 150), (200, 20), angle))
        cv2.fillPoly(probability, [np.round(core).astype(np.int32)], (0.8,))
        [box] = text_boxes(probability, 640, 1280)
        # Filling draws both edges, and dilation one more: 2 px.
        margin = 1.6 * 202 * 22 / 224
        across, down = (math.dist(*box.corners[[0, 1]]), math.dist(*box.corners[[0, 3]]))
        assert across == pytest.approx(2 * (202 + margin), abs=6)
        assert down == pytest.approx(2 * (22 + margin), abs=6)
        assert box.corners.mean(axis=0) == pytest.approx([600, 300], abs=3)
        assert 0.7 < box.score < 0.8  # the rim of the dilated core is blank


def test_faint_and_tiny_cores_are_no_text() -> None:
    probability = np.zeros((320, 640), np.float32)
    probability[100:120, 100:300] = 0.4
    probability[200:201, 100:102] = 1.0
    assert text_boxes(probability, 320, 640) == []


def test_a_slanted_line_comes_out_upright_and_a_standing_one_lies_down() -> None:
    rng = np.random.default_rng(0)
    label = cv2.GaussianBlur(rng.integers(0, 256, (60, 240, 3), np.uint8), (0, 0), 4)
    flat = np.array([[0, 0], [240, 0], [240, 60], [0, 60]], np.float32)
    turned = np.array([[100, 50], [326.5, 129.3], [306.7, 186], [80.2, 106.6]], np.float32)
    matrix = cv2.getPerspectiveTransform(flat, turned)
    found = line_picture(cv2.warpPerspective(label, matrix, (400, 250)), turned)
    expected = cv2.resize(label, (found.shape[1], LINE_PX))
    assert found.shape == (LINE_PX, pytest.approx(192, abs=2), 3)
    assert np.abs(found.astype(int) - expected)[3:-3, 3:-3].mean() < 4
    standing = cv2.rotate(label, cv2.ROTATE_90_CLOCKWISE)
    corners = np.array([[0, 0], [60, 0], [60, 240], [0, 240]], np.float32)
    assert np.abs(line_picture(standing, corners).astype(int) - expected).mean() < 4


def test_boxes_that_overlap_are_counted_once() -> None:
    assert covered_share([], 100, 200) == 0
    boxes = [line("a").box, line("b", left=50).box]
    assert covered_share(boxes, 100, 200) == pytest.approx(151 * 21 / 20_000)


def test_frames_are_shrunk_and_never_enlarged() -> None:
    assert detection_size(1080, 1920, 640) == (352, 640)
    assert detection_size(1920, 1080, 640) == (640, 352)
    assert detection_size(180, 320, 640) == (192, 320)
    assert detection_size(1, 4000, 640) == (32, 640)


def test_reading_drops_blanks_and_repetitions_only() -> None:
    path = [0, 1, 1, 0, 1, 2, 2, 0, 3]
    steps = np.full((len(path), 4), 0.05, np.float32)
    steps[np.arange(len(path)), path] = [0.9, 0.8, 0.9, 0.9, 0.6, 0.7, 0.9, 0.9, 0.5]
    text, score = reading(steps, ["", "o", "n", " "])
    assert text == "oon"
    assert score == pytest.approx((0.8 + 0.6 + 0.7 + 0.5) / 4)
    assert reading(np.eye(3, 1, dtype=np.float32) + 1, [""]) == ("", 0.0)


def test_only_what_is_read_with_confidence_counts() -> None:
    assert line("word").is_read
    assert not line("word", recognition=0.5).counts
    assert not line("I").counts
    assert not line("商", 0.9, 0.2).counts
    assert line(".").is_unread
    assert line(".").score == 0.9
    assert not line(".", detection=0.65).counts
    picture = np.zeros((100, 200, 3), np.uint8)
    row = summary([picture], [[line("商", 0.9, 0.2), line("I")]])
    assert row == {"text_share": 0.0, "text_score": 0.0, "text": "", "text_lines": []}


def test_text_is_distinct_longest_lived_first_by_its_surest_reading() -> None:
    logo = [line("News 24", 0.8), line("Newz 24", 0.6), line("NEWS 24", 0.7)]
    frames = [[logo[0], line("Good evening.")], [logo[1], line("Rain in the west.")], [logo[2]]]
    assert distinct_text(frames) == "News 24\nGood evening.\nRain in the west."
    many = [[line(f"{index}" * 40) for index in range(10, 40)]]
    assert len(distinct_text(many)) == LONGEST_TEXT
    assert distinct_text([[], []]) == ""


def test_every_column_is_documented_and_the_version_names_the_weights() -> None:
    assert all(field.metadata[b"doc"] and field.nullable for field in TextReader.columns)
    [asset] = [asset for asset in read_lock().sets["models"] if asset.name == RECOGNISER]
    assert asset.sha256[:12] in TextReader.version
