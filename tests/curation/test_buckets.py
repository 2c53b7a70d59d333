import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.buckets import (
    ASPECTS,
    Bucket,
    BucketSettings,
    bucket_for,
    bucket_reasons,
    clip_bucket,
    size_of,
)

ALL = BucketSettings()


def taken(duration_s, fps, settings=ALL):
    bucket = bucket_for(duration_s, 1280, 720, fps, settings)
    assert isinstance(bucket, Bucket)
    return bucket


@pytest.mark.parametrize(
    ("duration_s", "num_frames", "token"),
    # Movie Gen, table 2: the frame rates at both ends of each row.
    [
        (4.0, 128, "FPS-32"),
        (7.999, 128, "FPS-16"),
        (8.0, 192, "FPS-24"),
        (10.6, 192, "FPS-18"),
        (12.0, 256, "FPS-21"),
        (15.999, 256, "FPS-16"),
        (10.7, 256, "FPS-24"),
        (11.9, 256, "FPS-24"),
        (16.0, 256, "FPS-16"),
        (40.0, 256, "FPS-16"),
    ],
)
def test_the_five_durations_are_those_of_the_papers_table(duration_s, num_frames, token):
    bucket = taken(duration_s, fps=60)
    assert (bucket.num_frames, bucket.fps_token) == (num_frames, token)


def test_the_centre_is_taken_of_clips_that_are_longer_than_their_bucket():
    assert (taken(11.0, 30).offset_s, taken(11.0, 30).taken_s) == (
        pytest.approx((11 - 32 / 3) / 2),
        32 / 3,
    )
    assert (taken(20.0, 30).offset_s, taken(20.0, 30).taken_s) == (2.0, 16.0)
    assert (taken(9.0, 30).offset_s, taken(9.0, 30).taken_s) == (0.0, 9.0)


def test_a_clip_with_too_few_frames_for_24_fps_takes_the_whole_clip_instead():
    assert (taken(11.0, 20.0).num_frames, taken(11.0, 20.0).taken_s) == (192, 11.0)
    assert taken(11.0, 24000 / 1001).num_frames == 256


@pytest.mark.parametrize(
    ("clip", "reason"),
    [
        ((3.9, 1280, 720, 30), "duration"),
        ((6.0, 1280, 720, 12), "fps"),
        ((4.5, 1280, 720, 24), "fps"),
        ((6.0, 320, 180, 30), "size"),
    ],
)
def test_neither_frames_nor_pixels_are_invented(clip, reason):
    assert bucket_for(*clip, ALL) == reason


def test_repeats_are_allowed_as_far_as_the_recipe_says():
    assert taken(4.5, 24, BucketSettings(max_repeated_share=0.25)).num_frames == 128


def test_without_the_12_to_16_second_bucket_its_clips_give_their_centre():
    fine_tuning = BucketSettings(durations=("16s", "10.67s"))
    assert taken(13.0, 30, fine_tuning).taken_s == 32 / 3
    assert taken(16.5, 30, fine_tuning).taken_s == 16.0
    assert bucket_for(9.0, 1280, 720, 30, fine_tuning) == "duration"


@pytest.mark.parametrize(
    ("base_px", "sizes"),
    [
        (256, [(336, 192), (288, 224), (256, 256), (224, 288), (192, 336)]),
        (768, [(1024, 576), (880, 672), (768, 768), (672, 880), (576, 1024)]),
    ],
)
def test_sizes_are_multiples_of_16_of_nearly_one_area(base_px, sizes):
    assert [size_of(aspect, base_px) for aspect in ASPECTS] == sizes
    for (width, height), aspect in zip(sizes, ASPECTS.values(), strict=True):
        assert width % 16 == height % 16 == 0
        assert width * height == pytest.approx(base_px**2, rel=0.02)
        assert width / height == pytest.approx(aspect, rel=0.04)


@pytest.mark.parametrize(
    ("width", "height", "aspect"),
    [
        (1920, 1080, "16:9"),
        (1920, 800, "16:9"),
        (1440, 1080, "4:3"),
        (1000, 1000, "1:1"),
        (1080, 1440, "3:4"),
        (1080, 1920, "9:16"),
    ],
)
def test_a_clip_goes_to_the_nearest_shape(width, height, aspect):
    assert bucket_for(6.0, width, height, 30, ALL).aspect == aspect


@given(st.floats(0.5, 60), st.integers(16, 4000), st.integers(16, 4000), st.floats(1, 120))
def test_what_is_taken_lies_in_the_clip_and_has_the_frames(duration_s, width, height, fps):
    bucket = bucket_for(duration_s, width, height, fps, ALL)
    if isinstance(bucket, Bucket):
        assert bucket.offset_s >= 0
        assert bucket.offset_s + bucket.taken_s <= duration_s + 1e-9
        assert bucket.taken_s * fps >= 0.99 * bucket.num_frames
        assert 16 <= round(bucket.fps) <= 32
        assert (bucket.width, bucket.height) == size_of(bucket.aspect, 256)
        nearest = min(abs(math.log(a * height / width)) for a in ASPECTS.values())
        assert abs(math.log(ASPECTS[bucket.aspect] * height / width)) == nearest


def test_an_image_is_a_bucket_of_one_frame_without_a_frame_rate():
    bucket = bucket_for(0.0, 800, 600, 0.0, ALL)
    assert (bucket.name, bucket.taken_s, bucket.fps, bucket.fps_token) == ("4:3-1", 0.0, None, None)


def test_borders_count_as_picture_only_where_they_are_not_cropped():
    letterboxed = (6.0, 180, 1280, 720, 720, 720)
    assert clip_bucket(letterboxed, ALL).aspect == "1:1"
    assert clip_bucket(letterboxed, BucketSettings(crop_borders=False)).aspect == "16:9"


def test_a_missing_measure_is_unscored():
    assert clip_bucket((None, 180, 1280, 720, None, None), ALL) == "unscored"
    assert clip_bucket((6.0, 180, None, 720, None, None), ALL) == "unscored"


A_SIDE = st.one_of(st.none(), st.integers(0, 3000))
A_SHAPE = st.tuples(
    st.one_of(
        st.none(),
        st.sampled_from([0.0, 4.0, 8.0, 32 / 3, 12.0, 16.0]),
        st.floats(0, 40, allow_nan=False),
    ),
    st.one_of(st.none(), st.integers(1, 2000)),
    *[A_SIDE] * 4,
)


@given(
    st.lists(A_SHAPE, min_size=1, max_size=20),
    st.sampled_from([ALL, BucketSettings(base_px=768, durations=("8-12s",), crop_borders=False)]),
)
def test_columns_are_judged_as_clips_one_by_one(
    shapes: list[tuple[float | None, ...]], settings: BucketSettings
) -> None:
    found = bucket_reasons(np.array(shapes, dtype=float), settings)
    one_by_one = [clip_bucket(shape, settings) for shape in shapes]
    assert found == [one if isinstance(one, str) else None for one in one_by_one]
