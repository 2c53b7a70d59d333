from hypothesis import given
from hypothesis import strategies as st

from curation.listings import glob_pattern


@given(st.text(st.characters(blacklist_characters="*?["), min_size=1))
def test_a_glob_without_wildcards_matches_itself_alone(text):
    assert glob_pattern(text).fullmatch(text)
    assert not glob_pattern(text).fullmatch(text + "x")


def test_wildcards_of_a_glob_stop_at_slashes_but_two_stars_do_not():
    assert glob_pattern("s3://b/*.mp4").fullmatch("s3://b/a.mp4")
    assert not glob_pattern("s3://b/*.mp4").fullmatch("s3://b/sub/a.mp4")
    assert not glob_pattern("s3://b/a?c").fullmatch("s3://b/a/c")
    assert glob_pattern("s3://b/**/*.mp4").fullmatch("s3://b/a.mp4")
    assert glob_pattern("s3://b/**/*.mp4").fullmatch("s3://b/x/y/a.mp4")
    assert glob_pattern("s3://b/**").fullmatch("s3://b/x/y")
    assert glob_pattern("[!a]x[0-9]").fullmatch("bx7")
    assert not glob_pattern("[!a]x[0-9]").fullmatch("ax7")
    assert not glob_pattern("s3://b/a.mp4").fullmatch("s3://b/aXmp4")
