import pytest

from training.data.readers import Unreadable
from training.data.tally import FEW, Tally
from training.errors import TrainingError

BAD = [Unreadable(f"clip-{number}", "it is broken") for number in range(200)]


def read_until_it_ends(tally: Tally, every: int, most: int) -> int:
    """Reads samples one by one, of which one in so many is broken; how many until it ends."""
    for number in range(1, most + 1):
        try:
            tally.saw(1, BAD[:1] if number % every == 0 else [])
        except TrainingError:
            return number
    return most


@pytest.mark.parametrize("num_samples", [10, 100, 100_000_000])
def test_the_first_few_broken_samples_end_nothing_and_more_of_them_do(num_samples: int) -> None:
    tally = Tally("256p", 0.01, num_samples)
    tally.saw(5, BAD[:FEW])
    with pytest.raises(TrainingError, match="4 of the first 6 samples of 256p cannot be read"):
        tally.saw(1, BAD[FEW : FEW + 1])


def test_one_broken_sample_in_ten_is_too_many_of_a_thousand_but_not_of_ten() -> None:
    assert read_until_it_ends(Tally("256p", 0.01, 10), every=10, most=2000) == 2000
    assert read_until_it_ends(Tally("256p", 0.01, 1000), every=10, most=2000) == 40


def test_of_many_samples_the_share_decides() -> None:
    assert read_until_it_ends(Tally("256p", 0.01, 10**8), every=100, most=50_000) == 50_000
    ended = read_until_it_ends(Tally("256p", 0.01, 10**8), every=90, most=50_000)
    assert 90 * FEW < ended < 5_000


def test_counts_from_before_go_on() -> None:
    Tally("256p", 0.01, 10**6, num_read=10_000).saw(50, BAD[:50])
    tally = Tally("256p", 0.01, 10**6, num_read=10_000, num_unreadable=100, named=BAD[:1])
    with pytest.raises(TrainingError, match="104 of the first 10004 samples") as raised:
        tally.saw(4, BAD[1:5])
    assert all(one.id in str(raised.value) for one in BAD[:5])
