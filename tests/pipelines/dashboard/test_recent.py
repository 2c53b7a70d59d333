"""What is kept in memory: the things asked for last, each made once."""

import pytest

from pipelines.dashboard.recent import Recent


def test_the_oldest_is_forgotten_and_made_anew() -> None:
    made: list[str] = []
    recent: Recent[str] = Recent(2)

    def make(name: str) -> str:
        made.append(name)
        return name.upper()

    def take(name: str) -> str:
        return recent.take(name, lambda: make(name))

    for name in ("a", "b", "a", "c", "a", "b"):
        assert take(name) == name.upper()
    assert made == ["a", "b", "c", "b"]


def test_a_failure_is_not_kept() -> None:
    recent: Recent[int] = Recent(2)
    with pytest.raises(ZeroDivisionError):
        recent.take("x", lambda: 1 // 0)
    assert recent.take("x", lambda: 2) == 2
