import pytest

from training.data.buckets import Bucket, batch_size, check_positions
from training.settings import PositionSettings


def test_tokens_are_patches_of_one_frame_two_rows_and_two_columns_filled_up() -> None:
    assert Bucket(4, 6, 10).tokens == 4 * 3 * 5
    assert Bucket(1, 5, 7).tokens == 3 * 4
    # Movie Gen, 256 frames of 768x768 px: 73,728 tokens.
    assert Bucket(32, 96, 96).tokens == 73_728


def test_a_step_has_as_many_samples_as_the_tokens_allow_and_one_at_least() -> None:
    bucket = Bucket(2, 4, 4)
    assert [batch_size(bucket, tokens) for tokens in (1, 8, 15, 16, 800)] == [1, 1, 1, 2, 100]


def test_a_bucket_beyond_the_tables_of_positions_is_refused_by_name() -> None:
    positions = PositionSettings(frames=4, height=3, width=5)
    check_positions(Bucket(4, 6, 10), positions, "256p")
    check_positions(Bucket(4, 5, 9), positions, "256p")
    for bucket, need in (
        (Bucket(5, 6, 10), "positions.frames of the stage to 5"),
        (Bucket(4, 7, 10), "positions.height of the stage to 4"),
        (Bucket(4, 6, 12), "positions.width of the stage to 6"),
    ):
        with pytest.raises(ValueError, match=f"256p.*{bucket.name}.*{need}"):
            check_positions(bucket, positions, "256p")
