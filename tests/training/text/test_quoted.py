"""What is read of a prompt to be written in the picture."""

import pytest

from training.text.quoted import quoted


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ('FPS-16 Pan right. A grey rabbit. The words "THE END" can be read.', "THE END"),
        ("A sign “Café” over a door, and “open” below.", "Café\nopen"),
        ('A poster "ONE" and a flag “TWO”.', "ONE\nTWO"),
        ("Ein Schild „Bäcker“ an der Wand.", "Bäcker"),
        ('“He said "hi" to me”', 'He said "hi" to me'),
        ('a 5" screen', ""),
        ("it's the dog's 'bone'", ""),
        ('nothing "" at all " "', ""),
        ("", ""),
        ('"' * 100_001, ""),
        ("“" * 100_000, ""),
        ('"a\nb"', "a\nb"),
    ],
)
def test_quoted_is_what_stands_in_double_quotes(prompt: str, expected: str) -> None:
    assert quoted(prompt) == expected
