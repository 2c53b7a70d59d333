"""The bits of the index say what the selection said."""

import pytest

from curation.selection import SubsetSettings
from pipelines.dashboard.filters import IS_LATER, reason_sql
from pipelines.dashboard.judged import MOST_RULES, bits_of
from tests.boards import ODD_SUBSETS, made_board, odd_board


@pytest.mark.parametrize(
    ("board", "subset"),
    [(made_board, "256p"), (made_board, "768p"), *((odd_board, name) for name in ODD_SUBSETS)],
)
def test_without_changes_the_reason_is_the_stored_one(board, subset):
    reason = reason_sql(board().subsets()[subset], {})
    table = board().decided(subset)
    rows = board().ask(
        f"""SELECT verdict_reason AS stored, {reason} AS found, {IS_LATER} AS is_later,
            count(*) AS n FROM {table} GROUP BY ALL"""  # noqa: S608 - our own SQL
    )
    assert sum(row["n"] for row in rows) in (400, 2_000)
    for row in rows:
        if row["is_later"]:
            assert row["found"] is None
        else:
            assert row["found"] == (
                row["stored"] and row["stored"].replace("bucket:", "bucket|").partition("|")[0]
            )


def test_the_index_has_a_row_of_every_clip_and_subset():
    for board, subsets in ((made_board, ("256p", "768p")), (odd_board, ODD_SUBSETS)):
        expected = board().ask("SELECT count(*) AS n FROM clips WHERE video_status = 'ok'")
        for subset in subsets:
            found = board().ask(f"SELECT count(*) AS n FROM {board().decided(subset)}")  # noqa: S608
            assert found == expected


def test_the_subsets_keep_what_they_were_selected_by():
    assert odd_board().subsets() == dict(sorted(ODD_SUBSETS.items()))


def test_more_rules_than_bits_are_refused():
    rules = {f"rule_{n}": {"measure": "width", "min": n} for n in range(MOST_RULES + 1)}
    with pytest.raises(ValueError, match="60 rules"):
        bits_of(SubsetSettings(rules=rules))
    del rules["rule_0"]
    assert max(bits_of(SubsetSettings(rules=rules)).values()) < 64
