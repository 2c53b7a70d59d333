"""Verdicts on captions as they come from a page, and what is refused of them."""

from datetime import UTC, datetime

import pytest

from captioning.caption_reviews import CaptionVerdict, checked
from curation.tables import CAPTION_REVIEWS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CAPTIONS = {("a", "one"): "A dog runs.", ("b", "one"): ""}
ACCEPT = CaptionVerdict("a", "one", "accept", "A dog runs.")
EDIT = ACCEPT._replace(verdict="edit", caption="A cat runs.")


def problem(verdict: CaptionVerdict) -> str:
    with pytest.raises(ValueError, match=r"^nothing is stored:") as raised:
        checked([ACCEPT, verdict], CAPTIONS, NOW)
    return str(raised.value)


def test_texts_are_kept_on_one_line_and_later_verdicts_are_later() -> None:
    text = "  A cafe\u0301\n\tis  empty. \U0001f468\u200d\U0001f373"
    edit = EDIT._replace(caption=text, note=" so\nit is ", reviewer=" Ann ")
    empty = CaptionVerdict("b", "one", "edit", "", "A wall.", note=" ")
    found = checked([ACCEPT, edit, empty], CAPTIONS, NOW)
    assert found.schema == CAPTION_REVIEWS
    rows = found.to_pylist()
    assert [row["caption"] for row in rows] == [
        None,
        "A caf\u00e9 is empty. \U0001f468\U0001f373",
        "A wall.",
    ]
    assert (rows[1]["note"], rows[1]["reviewer"]) == ("so it is", "Ann")
    assert (rows[2]["note"], rows[2]["reviewer"]) == (None, None)
    times = [row["reviewed_at"] for row in rows]
    assert times == sorted(set(times))
    assert times[0] == NOW


@pytest.mark.parametrize("text", [None, "", " \n\t", "\u200d"])
def test_an_edit_has_a_text(text: str | None) -> None:
    assert "is empty: reject the caption instead" in problem(EDIT._replace(caption=text))


@pytest.mark.parametrize("bad", ["\0", "\x1b[31m", "\u202e", "\u2066", "\ue000", "\ud800"])
def test_an_edit_has_no_control_or_direction_characters(bad: str) -> None:
    assert "has control or direction characters" in problem(EDIT._replace(caption=f"A{bad} cat."))


def test_texts_have_their_lengths() -> None:
    most = EDIT._replace(caption="a" * 2000, note="n" * 1000, reviewer="r" * 100)
    assert checked([most], CAPTIONS, NOW).num_rows == 1
    assert "more than 2,000 characters" in problem(EDIT._replace(caption="a" * 2001))
    assert "at most 1,000 characters" in problem(ACCEPT._replace(note="n" * 1001))
    assert "at most 100 characters" in problem(ACCEPT._replace(reviewer="r" * 101))


def test_a_verdict_is_one_of_three_on_a_caption_that_is_there() -> None:
    assert "verdict 'keep' should be accept, reject or edit" in problem(
        ACCEPT._replace(verdict="keep")
    )
    assert "only an edit has a caption" in problem(ACCEPT._replace(caption="A cat."))
    assert "'one' on 'c': there is no such caption" in problem(ACCEPT._replace(clip_id="c"))
    assert "'two' on 'a': there is no such caption" in problem(ACCEPT._replace(captioner="two"))
    assert "was written again since it was shown" in problem(ACCEPT._replace(reviewed="A dog ran."))


def test_a_message_lists_the_first_problems_and_counts_the_rest() -> None:
    with pytest.raises(ValueError, match="and 5 more problems") as raised:
        checked([ACCEPT._replace(clip_id="c")] * 25, CAPTIONS, NOW)
    assert str(raised.value).count("\n") == 21
