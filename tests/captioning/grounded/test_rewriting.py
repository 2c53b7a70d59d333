from collections.abc import Sequence

import pytest

from captioning.grounded.rewriting import pairs, rewritten, says_the_same

ONE, OTHER = "The view is blue above, and green below.", "There is a touch of red."


@pytest.mark.parametrize(
    "line",
    [
        "The view is blue above and green below, with a touch of red.",
        "The view is blue above, and green below, while there is a touch of red.",
        "The view is blue above, and green below, and there is a touch of red.",
    ],
)
def test_two_sentences_that_are_joined_and_nothing_else_are_believed(line: str) -> None:
    assert says_the_same(line, ONE, OTHER)


@pytest.mark.parametrize(
    "line",
    [
        "There is a touch of red, while the view is blue above and green below.",
        "The view is blue above and green, and below there is a touch of red.",
        "The view is blue above and green below of a touch of red.",
        "The view is green above and blue below, with a touch of red.",
        "The view is blue above and green below, with a touch of yellow.",
        "The view is blue above and green below.",
        "The view is blue above and green below, with no touch of red.",
        "A dog sits, and the view is blue above and green below, with a touch of red.",
        "The view is blue above and green below, with a touch of red and red.",
        "The red view is blue above and green below, with a touch.",
        "The view is blue above. Green below, with a touch of red.",
        'The view is "blue" above and green below, with a touch of red.',
        "The view is blue above and green below, with a touch of red",
        "<b>The view is blue above and green below, with a touch of red.",
        "The view is blue above and green below, with 2 touches of red.",
        "",
    ],
)
def test_whatever_says_more_less_or_otherwise_is_refused(line: str) -> None:
    assert not says_the_same(line, ONE, OTHER)


def test_the_two_sentences_themselves_are_no_rewriting() -> None:
    assert not says_the_same(f"{ONE} {OTHER}", ONE, OTHER)


def test_pairs_are_neighbours_without_quotes_and_not_too_long() -> None:
    assert pairs(["A b.", "C d.", "E f.", "G h."]) == [0, 2]
    assert pairs(['It reads "b".', "C d.", "E f."]) == [1]
    assert pairs(["word " * 30, "word " * 30]) == []
    assert pairs(["A b."]) == pairs([]) == []


def test_only_what_is_believed_changes_a_caption() -> None:
    asked: list[str] = []

    def complete(texts: Sequence[str]) -> list[tuple[str, int]]:
        asked.extend(texts)
        return [("A is b, and c is d.", 9), ("Something made up.", 4), ("G is h, and i is j.", 9)]

    first = ["A is b.", "C is d.", "E is f.", "X is y."]
    found = rewritten([first, ["Alone."], ["G is h.", "I is j."]], complete)
    assert asked == ["A is b. C is d.", "E is f. X is y.", "G is h. I is j."]
    assert [one.sentences for one in found] == [
        ["A is b, and c is d.", "E is f.", "X is y."],
        ["Alone."],
        ["G is h, and i is j."],
    ]
    counts = [(one.num_accepted, one.num_refused, one.num_tokens) for one in found]
    assert counts == [(1, 1, 13), (0, 0, 0), (1, 0, 9)]
