"""Files to save: what they hold, and what a spreadsheet does with them."""

import csv
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.responses import StreamingResponse

from pipelines.dashboard.table_file import table_file
from tests.boards import body_of

ODD_TEXTS = ["=1+1", "+a", "-b", "@c", "\td", "\re"]
PLAIN_TEXTS = ["plain", "", " =1", "a=1", 'q"x,', "a\r", "a\rb", "a\n=b", "\n=b", "'=1", None]


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())],
    ids=str,
)
def test_no_cell_of_a_csv_file_is_run_by_a_spreadsheet(kind, monkeypatch):
    monkeypatch.setattr("pipelines.dashboard.table_file._ROWS_AT_ONCE", 4)
    texts = [*ODD_TEXTS, *PLAIN_TEXTS]
    numbers = [-1.5 - number for number in range(len(texts))]
    column = pa.array(texts).cast(kind)
    table = pa.table({"text": pa.chunked_array([column[:5], column[5:]]), "number": numbers})
    text = body_of(table_file(table, "x", "csv")).decode()
    lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    wanted = [*(f"'{odd}" for odd in ODD_TEXTS), *(plain or "" for plain in PLAIN_TEXTS)]
    assert lines == [["text", "number"], *map(list, zip(wanted, map(str, numbers), strict=True))]
    assert '"a\rb"' in text
    parquet = pq.read_table(io.BytesIO(body_of(table_file(table, "x", "parquet"))))
    assert parquet["text"].cast(pa.string()).to_pylist() == texts


def test_a_csv_file_without_rows_has_its_names():
    table = pa.table({"text": pa.array([], pa.string())})
    assert body_of(table_file(table, "x", "csv")) == b'"text"\n'


def test_a_csv_file_is_sent_in_parts():
    table = pa.table({"text": ["=1"] * 1_000_000})
    answer = table_file(table, "x", "csv")
    assert isinstance(answer, StreamingResponse)
    lines = body_of(answer).split(b"\n")
    assert (lines[0], set(lines[1:-1]), len(lines)) == (b'"text"', {b'"\'=1"'}, 1_000_002)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_no_name_adds_to_the_header_of_a_file(kind):
    table = pa.table({"text": ["x"]})
    found = table_file(table, 'a"\r\nx: ö/../b@2', kind).headers["content-disposition"]
    assert found == f'attachment; filename="a___x____.._b@2.{kind}"'
