import pyarrow as pa
import pytest
from pydantic import ValidationError

from curation.tables import FAILED, OK, REJECTED, SOURCES, VIDEOS, content_sha256, video_id
from curation.videos import VideoRules, videos_from_sources


def source(uri, content="x", **columns):
    sha256 = content_sha256(content.encode())
    row = {
        "uri": uri,
        "size_bytes": 1000,
        "video_id": video_id(sha256),
        "sha256": sha256,
        "container": "mov",
        "codec": "h264",
        "width": 1080,
        "height": 1920,
        "coded_width": 1920,
        "coded_height": 1080,
        "rotation_deg": 90,
        "fps": 25.0,
        "num_frames": 250,
        "duration_s": 10.0,
        "bit_rate": 5_184_000,
        "is_image": False,
        "status": OK,
    }
    return row | columns


def videos(sources, **rules):
    table = videos_from_sources(
        pa.Table.from_pylist(sources, schema=SOURCES), VideoRules.model_validate(rules)
    )
    assert table.schema == VIDEOS
    return table.to_pylist()


def verdict(rules, **columns):
    (row,) = videos([source("/a", **columns)], **rules)
    return row["status"], row["reason"]


def test_derived_columns_follow_from_the_probe():
    (row,) = videos([source("/a")])
    assert row["min_side_px"] == 1080
    assert row["aspect"] == 1080 / 1920
    assert row["bits_per_pixel"] == pytest.approx(0.1)
    assert (row["status"], row["reason"], row["error"]) == (OK, None, None)
    assert (row["codec"], row["rotation_deg"], row["num_frames"]) == ("h264", 90, 250)


def test_one_content_is_one_video_with_all_its_uris_and_the_columns_of_the_first():
    rows = videos(
        [
            source("/b", licence="MIT", carried='{"n": 2}'),
            source("/a", licence="CC0", source="web"),
            source("/B", licence=None, source="disk"),
            source("/other", "y", licence="own"),
        ]
    )
    assert len(rows) == 2
    mine = next(row for row in rows if row["video_id"] == source("/a")["video_id"])
    assert mine["uris"] == ["/B", "/a", "/b"]
    assert (mine["licence"], mine["source"], mine["carried"]) == (None, "disk", None)


def test_failed_sources_have_no_video():
    failed = {"uri": "/f", "status": FAILED, "reason": "empty", "error": "no bytes"}
    assert [row["uris"] for row in videos([source("/a"), failed])] == [["/a"]]
    assert videos([failed]) == []
    assert videos([]) == []


@pytest.mark.parametrize(
    ("rules", "columns", "expected"),
    [
        ({"min_side_px": {"min": 1081}}, {}, (REJECTED, "min_side_px")),
        ({"min_side_px": {"min": 1080}}, {}, (OK, None)),
        ({"aspect": {"min": 1.0}}, {}, (REJECTED, "aspect")),
        ({"duration_s": {"max": 9.9}}, {}, (REJECTED, "duration_s")),
        ({"duration_s": {"min": 10.0, "max": 10.0}}, {}, (OK, None)),
        ({"fps": {"min": 23, "max": 61}}, {"fps": 15.0}, (REJECTED, "fps")),
        ({"bits_per_pixel": {"min": 0.11}}, {}, (REJECTED, "bits_per_pixel")),
        ({"codec": {"any_of": ["hevc", "av1"]}}, {}, (REJECTED, "codec")),
        ({"codec": {"any_of": ["h264"]}}, {}, (OK, None)),
        ({"licence": {"any_of": ["CC0"]}}, {"licence": "own"}, (REJECTED, "licence")),
        ({"licence": {"any_of": ["CC0"]}}, {}, (REJECTED, "licence:unscored")),
        ({"fps": {"min": 1}}, {"fps": None}, (REJECTED, "fps:unscored")),
        ({"duration_s": {"min": 1}}, {"duration_s": None}, (REJECTED, "duration_s:unscored")),
        ({"bits_per_pixel": {"min": 0}}, {"bit_rate": None}, (REJECTED, "bits_per_pixel:unscored")),
        ({"bits_per_pixel": {"min": 0}}, {"fps": 0.0}, (REJECTED, "bits_per_pixel:unscored")),
    ],
)
def test_bounds_are_inclusive_and_what_is_not_known_never_passes(rules, columns, expected):
    assert verdict(rules, **columns) == expected


def test_the_reason_is_the_first_rule_in_the_stated_order():
    rules = {
        "bits_per_pixel": {"min": 9},
        "fps": {"min": 99},
        "min_side_px": {"min": 9999},
        "codec": {"any_of": ["vp9"]},
    }
    assert verdict(rules) == (REJECTED, "codec")
    assert verdict(rules, codec="vp9") == (REJECTED, "min_side_px")
    assert verdict(rules, codec="vp9", width=9999, height=9999) == (REJECTED, "fps")


def test_rules_on_time_and_rate_do_not_apply_to_images():
    image = {"is_image": True, "fps": None, "duration_s": 0.0, "bit_rate": None, "num_frames": 1}
    rules = {"duration_s": {"min": 4}, "fps": {"min": 20}, "bits_per_pixel": {"min": 0.05}}
    assert verdict(rules, **image) == (OK, None)
    assert verdict({**rules, "min_side_px": {"min": 2000}}, **image) == (REJECTED, "min_side_px")


@pytest.mark.parametrize(
    "rules",
    [
        {"fps": {"min": 9, "max": 1}},
        {"codec": {"min": 1}},
        {"fps": {"any_of": ["25"]}},
        {"fps": {"measure": "width", "min": 1}},
        {"brightness": {"min": 1}},
    ],
)
def test_rules_that_cannot_be_judged_are_refused(rules):
    with pytest.raises(ValidationError):
        VideoRules.model_validate(rules)


def test_the_order_of_the_sources_does_not_matter():
    sources = [
        source(f"/{content}/{name}", content, licence=name) for content in "abcd" for name in "xyz"
    ]
    expected = videos(sources)
    assert len(expected) == 4
    for step in (5, 7, 11):
        shuffled = [sources[index * step % 12] for index in range(12)]
        assert videos(shuffled) == expected
