"""Review files are read or refused whole, and say which clips a subset loses."""

import csv
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.review import (
    FACTS,
    FILLED,
    Line,
    checked,
    escaped,
    merged,
    read_lines,
    review_reasons,
    unescaped,
)
from curation.tables import REVIEWS

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
EVENING = datetime(2026, 1, 2, 20, tzinfo=UTC)
KNOWN = {("sft", "a-0-10"), ("sft", "b-0-10"), ("sft", "c-0-10"), ("768p", "a-0-10")}


def line(clip_id, verdict, subset="sft", note=""):
    return Line(f"f.csv, line {clip_id}", subset, clip_id, verdict, note)


def reviews(*lines, now=NOON):
    return checked(lines, KNOWN, "Ada", now)


def written(tmp_path, text):
    path = tmp_path / "review.csv"
    path.write_bytes(text.encode())
    return path


def test_what_a_spreadsheet_makes_of_the_file_is_read(tmp_path):
    path = written(
        tmp_path,
        "\ufeffsubset,clip_id,verdict,note,duration_s\r\n"
        'sft,a-0-10, Keep ,"two\nlines, one note",16\r\n'
        "sft,b-0-10,DROP,'=SUM(A1),\r\n"
        ",,,,\r\n"
        "sft,c-0-10,,,\r\n",
    )
    assert list(read_lines(path)) == [
        Line("review.csv, line 3", "sft", "a-0-10", "keep", "two lines, one note"),
        Line("review.csv, line 4", "sft", "b-0-10", "drop", "=SUM(A1)"),
        Line("review.csv, line 6", "sft", "c-0-10", "", ""),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip_id;subset;verdict\n", r"line 1: no column clip_id, subset, verdict.*commas"),
        ("", "no columns"),
        ("clip_id,subset\n", "no column verdict"),
        ("clip_id,subset,verdict,notes\n", "no column is called 'notes'; nearest: note"),
        ("clip_id,subset,verdict,verdict\n", "two columns are called verdict"),
        ("clip_id,subset,verdict\na,sft,keep\nb,sft\n", "line 3: 2 cells under 3 columns"),
        ('clip_id,subset,verdict\n"a,sft,keep\n', "no CSV"),
    ],
)
def test_a_file_with_other_columns_or_cells_is_refused(text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        list(read_lines(written(tmp_path, text)))


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"none\.csv cannot be read"):
        list(read_lines(tmp_path / "none.csv"))
    (tmp_path / "latin.csv").write_bytes(b"clip_id,subset,verdict\na,sft,ke\xe9p\n")
    with pytest.raises(ValueError, match="UTF-8"):
        list(read_lines(tmp_path / "latin.csv"))


def test_every_problem_is_told_with_its_line_and_none_is_stored():
    with pytest.raises(ValueError, match="nothing is stored") as refused:
        reviews(
            line("a-0-10", "keep"),
            line("x-0-10", "keep"),
            line("b-0-10", "maybe"),
            line("a-0-10", "drop"),
            line("b-0-10", "keep", subset="768p"),
        )
    assert str(refused.value).splitlines()[1:] == [
        "f.csv, line x-0-10: subset 'sft' has no clip 'x-0-10'",
        "f.csv, line b-0-10: verdict 'maybe' should be keep or drop",
        "f.csv, line a-0-10: judges a-0-10 again after f.csv, line a-0-10",
        "f.csv, line b-0-10: subset '768p' has no clip 'b-0-10'",
    ]


def test_many_problems_are_counted():
    with pytest.raises(ValueError, match="and 980 more problems"):
        reviews(*(line(f"x{number}", "keep") for number in range(1000)))


def test_rows_without_a_verdict_are_no_verdicts():
    table = reviews(line("a-0-10", ""), line("a-0-10", "drop", note="shaky"), line("b-0-10", ""))
    assert table.schema.equals(REVIEWS)
    assert table.to_pylist() == [
        {
            "subset": "sft",
            "clip_id": "a-0-10",
            "verdict": "drop",
            "note": "shaky",
            "reviewer": "Ada",
            "reviewed_at": NOON,
        }
    ]


def test_a_later_verdict_replaces_an_earlier_one_of_the_same_clip_and_subset():
    first = reviews(
        line("b-0-10", "keep"), line("a-0-10", "keep"), line("a-0-10", "drop", subset="768p")
    )
    second = reviews(line("a-0-10", "drop"), now=EVENING)
    table = merged(first, second)
    assert table.schema.equals(REVIEWS)
    assert [
        (row["subset"], row["clip_id"], row["verdict"], row["reviewed_at"])
        for row in table.to_pylist()
    ] == [
        ("768p", "a-0-10", "drop", NOON),
        ("sft", "a-0-10", "drop", EVENING),
        ("sft", "b-0-10", "keep", NOON),
    ]
    assert merged(REVIEWS.empty_table(), first).num_rows == 3
    assert merged(table, REVIEWS.empty_table()).equals(table)


def test_a_subset_loses_what_is_dropped_and_what_nobody_has_seen():
    table = reviews(
        line("a-0-10", "keep"), line("b-0-10", "drop"), line("a-0-10", "drop", subset="768p")
    )
    clips = pa.array(["c-0-10", "b-0-10", "a-0-10", "b-0-10"])
    expected = ["review:missing", "review:dropped", None, "review:dropped"]
    assert review_reasons("sft", clips, table).to_pylist() == expected
    chunked = pa.chunked_array([clips[:1], clips[1:]])
    assert review_reasons("sft", chunked, table).to_pylist() == expected
    nobody = review_reasons("sft", clips, REVIEWS.empty_table())
    assert nobody.to_pylist() == ["review:missing"] * 4
    assert review_reasons("sft", clips[:0], table).to_pylist() == []


@given(st.text())
def test_no_cell_begins_a_formula_and_notes_come_back(text):
    assert escaped(text).lstrip()[:1] not in ("=", "+", "-", "@")
    assert unescaped(escaped(text)) == text or text.startswith("'")


def test_the_facts_are_columns_of_the_file_once(tmp_path):
    columns = [*FILLED, *FACTS]
    assert len(set(columns)) == len(columns)
    path = tmp_path / "all.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerow(columns)
    assert list(read_lines(path)) == []
