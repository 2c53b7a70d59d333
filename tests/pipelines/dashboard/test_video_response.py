import pytest
from starlette.testclient import TestClient

from pipelines.dashboard.video_response import video_response

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def get(tmp_path):
    """Answers to requests for a file of 10,240 bytes."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(CONTENT)

    async def app(scope, receive, send):
        await video_response(path)(scope, receive, send)

    client = TestClient(app)

    def ask(asked=None, method="GET", **headers):
        given = {"range": asked} if asked is not None else {}
        return client.request(method, "/", headers=given | headers)

    return ask


def test_the_whole_file_says_that_ranges_work(get):
    answer = get()
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-1", 0, 2),
        ("bytes=0-", 0, 10_240),
        ("bytes=100-199", 100, 200),
        ("bytes=10000-99999", 10_000, 10_240),
        ("bytes=-16", 10_224, 10_240),
        ("bytes=-99999", 0, 10_240),
    ],
)
def test_a_single_range(get, asked, start, end):
    answer = get(asked)
    assert (answer.status_code, answer.content) == (206, CONTENT[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/10240"
    assert answer.headers["content-length"] == str(end - start)


def test_a_few_ranges_come_in_parts(get):
    answer = get("bytes=0-9, 100-109")
    assert answer.status_code == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges; boundary=")
    assert CONTENT[:10] in answer.content
    assert b"Content-Range: bytes 100-109/10240\r\n\r\n" + CONTENT[100:110] in answer.content


@pytest.mark.parametrize("asked", ["bytes=10240-", "bytes=99999-100000", "bytes=-0"])
def test_a_range_past_the_end_is_not_satisfiable(get, asked):
    answer = get(asked)
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */10240"


@pytest.mark.parametrize("asked", ["bytes", "bytes=", "bytes=a-b", "lines=1-2", "bytes=5-2"])
def test_a_malformed_range_is_refused(get, asked):
    assert get(asked).status_code == 400


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=0-1,10-11,20-21,30-31,40-41",
        "bytes=" + ",".join(f"{start}-" for start in range(0, 9000, 10)),
        "bytes=0-" + "9" * 300,
    ],
)
def test_many_ranges_get_the_whole_file_once(get, asked):
    answer = get(asked)
    assert (answer.status_code, answer.content) == (200, CONTENT)


def test_a_changed_file_is_sent_whole(get):
    etag = get().headers["etag"]
    assert get("bytes=0-1", **{"if-range": etag}).status_code == 206
    assert get("bytes=0-1", **{"if-range": '"another"'}).content == CONTENT


def test_head_has_no_content(get):
    answer = get(method="HEAD")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == "10240"


def test_an_image_is_named_as_one(tmp_path):
    (tmp_path / "sample-1").write_bytes(b"\xff\xd8\xff\xe0 and so on")
    assert video_response(tmp_path / "sample-1").media_type == "image/jpeg"
