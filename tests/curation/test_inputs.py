import json
import os
import socket

import boto3
import obstore
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from obstore.store import S3Store

from curation import storage
from curation.inputs import INPUTS, read_inputs
from tests.buckets import bucket  # noqa: F401 - a fixture


def rows(*names, **options):
    return {
        row["uri"]: row for row in read_inputs([str(n) for n in names], **options).rows.to_pylist()
    }


def refusals(found):
    return {uri.rsplit("/", 1)[-1]: row["reason"] for uri, row in found.items() if row["reason"]}


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def test_a_folder_is_taken_with_all_below_it_whatever_the_extension(tmp_path):
    touch(tmp_path, "a.mp4", "b/c.MKV", "b/d/no_extension", "e.bin")
    found = read_inputs([str(tmp_path)])
    assert found.rows.schema == INPUTS
    relative = [uri.removeprefix(f"{tmp_path}/") for uri in found.rows["uri"].to_pylist()]
    assert sorted(relative) == ["a.mp4", "b/c.MKV", "b/d/no_extension", "e.bin"]
    assert found.rows["size_bytes"].to_pylist() == [1] * 4
    assert found.rows["modified"].null_count == 0


def test_hidden_files_and_companions_are_passed_over_and_counted(tmp_path):
    touch(tmp_path, "a.mp4", "a.srt", "b.SRT", "a.json", ".DS_Store", ".git/config", "sub/list.csv")
    found = read_inputs([str(tmp_path)])
    assert found.rows.num_rows == 1
    assert dict(found.skipped) == {".srt": 2, ".json": 1, "hidden": 1, ".csv": 1}


def test_a_companion_that_is_named_itself_is_taken(tmp_path):
    touch(tmp_path, "a.txt")
    assert list(rows(tmp_path / "a.txt")) == [f"{tmp_path}/a.txt"]


def test_names_of_every_kind_come_through(tmp_path):
    names = [b"%03d.mp4", b"-i", b"a b'\".mp4", b"line\nbreak", "\U0001f3ac".encode(), b"\xff\xfe"]
    names.append(b"x" * 255)
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    found = rows(tmp_path)
    assert {os.fsencode(storage.path_of(uri).name) for uri in found} == set(names)
    assert refusals(found) == {}


def test_what_is_no_regular_file_is_a_row_with_a_reason_and_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "fifo.mp4")
    (tmp_path / "nowhere.mp4").symlink_to("gone")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "device.mp4").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        assert refusals(rows(tmp_path)) == dict.fromkeys(
            ["fifo.mp4", "nowhere.mp4", "loop.mp4", "device.mp4", "socket"], "not_a_file"
        )


def test_links_are_taken_inside_the_folder_and_refused_when_they_leave_it(tmp_path):
    outside = touch(tmp_path / "outside", "secret.mp4", "sub/s.mp4")
    folder = touch(tmp_path / "folder", "a.mp4", "sub/b.mp4")
    (folder / "alias.mp4").symlink_to("sub/b.mp4")
    (folder / "again").symlink_to("sub")
    (folder / "up").symlink_to("..")
    (folder / "out.mp4").symlink_to(outside / "secret.mp4")
    (folder / "outdir").symlink_to(outside)
    found = rows(folder)
    taken = {uri.removeprefix(f"{folder}/") for uri, row in found.items() if not row["reason"]}
    assert taken == {"a.mp4", "sub/b.mp4", "alias.mp4"}
    assert refusals(found) == dict.fromkeys(["up", "out.mp4", "outdir"], "not_a_file")


def test_links_are_followed_on_request_without_going_round_in_circles(tmp_path):
    outside = touch(tmp_path / "outside", "secret.mp4")
    folder = touch(tmp_path / "folder", "a.mp4")
    (folder / "out").symlink_to(outside)
    (folder / "round").symlink_to(folder)
    (outside / "back").symlink_to(folder)
    taken = {uri.removeprefix(f"{folder}/") for uri in rows(folder, follow_links=True)}
    assert taken == {"a.mp4", "out/secret.mp4"}


def test_a_link_named_as_the_input_is_meant(tmp_path):
    touch(tmp_path / "real", "a.mp4")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "film.mp4").symlink_to("real/a.mp4")
    assert refusals(rows(tmp_path / "link", tmp_path / "film.mp4")) == {}


def test_globs_match_as_a_shell_does(tmp_path):
    touch(tmp_path, "a.mp4", "b.mkv", "sub/c.mp4", "sub/deep/d.mp4", ".hidden.mp4")
    assert [u.rsplit("/", 1)[1] for u in rows(tmp_path / "*.mp4")] == ["a.mp4"]
    assert len(rows(tmp_path / "**" / "*.mp4")) == 3
    assert len(rows(tmp_path / "?.[am][pk][!v]")) == 1
    (tmp_path / "[x].mp4").write_bytes(b"")
    assert list(rows(tmp_path / "[x].mp4")) == [f"{tmp_path}/[x].mp4"]


def test_a_glob_does_not_follow_a_link_out_of_its_folder(tmp_path):
    outside = touch(tmp_path / "outside", "secret.mp4")
    folder = touch(tmp_path / "folder", "a.mp4")
    (folder / "out.mp4").symlink_to(outside / "secret.mp4")
    assert refusals(rows(folder / "*.mp4")) == {"out.mp4": "not_a_file"}


def test_a_name_that_leads_to_nothing_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"nothing\.mp4' does not exist"):
        rows(tmp_path / "nothing.mp4")
    with pytest.raises(ValueError, match="matches no file"):
        rows(tmp_path / "*.mp4")
    with pytest.raises(ValueError, match="none of s3"):
        rows("https://host/a.mp4")
    assert rows(tmp_path) == {}


def test_a_file_named_twice_is_taken_once_with_the_columns_of_the_manifest(tmp_path):
    touch(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "list.csv").write_text("uri,licence\na.mp4,CC0\na.mp4,MIT\n")
    found = read_inputs([str(tmp_path), str(tmp_path / "a.mp4"), str(tmp_path / "list.csv")])
    assert found.rows.num_rows == 2
    assert found.duplicates == 3
    assert dict(zip(*found.rows.select(["uri", "licence"]).to_pydict().values(), strict=True)) == {
        f"{tmp_path}/a.mp4": "CC0",
        f"{tmp_path}/b.mp4": None,
    }


def manifest(tmp_path, kind):
    """The same three lines in each kind: a file with all columns, an absolute path, no uri."""
    touch(tmp_path, "clips/a.mp4", "b.mp4")
    lines = [
        {"uri": "clips/a.mp4", "licence": "CC BY", "source": "web", "score": 1.5, "note": "é"},
        {"uri": str(tmp_path / "b.mp4"), "licence": None, "source": None, "score": None},
        {"uri": None, "licence": "x", "source": None, "score": 2.0, "note": None},
    ]
    path = tmp_path / f"list{kind}"
    if kind == ".parquet":
        pq.write_table(pa.Table.from_pylist(lines), path)
    elif kind == ".jsonl":
        path.write_text("\n".join(json.dumps(line) for line in lines) + "\n\n", "utf-8-sig")
    else:
        header = "uri,licence,source,score,note\n"
        text = f'clips/a.mp4,CC BY,web,1.5,é\n"{tmp_path}/b.mp4",,,,\n,x,,2.0,\n'
        path.write_text(header + text, "utf-8-sig")
    return path


@pytest.mark.parametrize("kind", [".csv", ".jsonl", ".parquet"])
def test_manifests_of_each_kind_say_the_same(tmp_path, kind):
    path = manifest(tmp_path, kind)
    found = rows(path)
    first = found[f"{tmp_path}/clips/a.mp4"]
    assert (first["licence"], first["source"], first["size_bytes"]) == ("CC BY", "web", 1)
    carried = json.loads(first["carried"])
    assert (float(carried["score"]), carried["note"]) == (1.5, "é")
    second = found[f"{tmp_path}/b.mp4"]
    assert (second["reason"], second["licence"], second["carried"]) == (None, None, None)
    number = 4 if kind == ".csv" else 3
    bad = found[f"{path}#line-{number}"]
    assert (bad["reason"], bad["licence"]) == ("unreadable", None)
    assert bad["error"] == f"line {number} of {path}: has no uri"


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("../x.mp4", "leaves the folder of the manifest"),
        ("a/../../x.mp4", "leaves the folder of the manifest"),
        ("http://host/x.mp4", "scheme 'http' is not supported"),
        ("concat://x", "scheme 'concat' is not supported"),
        ("s3:///x", "names no bucket"),
        (17, "its uri is 17"),
        (["a"], "its uri is"),
        ("   ", "its uri is '   '"),
        ("a\0b", "null character"),
    ],
)
def test_a_line_that_may_not_be_is_a_row_that_tells_its_number(tmp_path, uri, words):
    touch(tmp_path, "a.mp4")
    path = tmp_path / "list.jsonl"
    path.write_text('{"uri": "a.mp4"}\n' + json.dumps({"uri": uri}) + "\n")
    found = rows(path)
    assert found.pop(f"{tmp_path}/a.mp4")["reason"] is None
    ((key, bad),) = found.items()
    assert key == f"{path}#line-2"
    assert bad["reason"] == "unreadable"
    assert bad["error"].startswith(f"line 2 of {path}: ")
    assert words in bad["error"]


@pytest.mark.parametrize("text", ["{", "[1]", '"a"', "NaN", "[" * 100_000])
def test_a_line_that_is_no_json_object_costs_one_row(tmp_path, text):
    touch(tmp_path, "a.mp4")
    path = tmp_path / "list.jsonl"
    path.write_text(f'{text}\n{{"uri": "a.mp4", "n": NaN}}\n')
    found = rows(path)
    assert found[f"{path}#line-1"]["reason"] == "unreadable"
    assert found[f"{tmp_path}/a.mp4"]["carried"] is None


def test_a_missing_file_of_a_manifest_is_a_row_of_its_own(tmp_path):
    (tmp_path / "list.csv").write_text("uri\ngone.mp4\n")
    assert refusals(rows(tmp_path / "list.csv")) == {"gone.mp4": "unreadable"}


def test_a_link_that_leaves_a_manifests_folder_is_refused(tmp_path):
    outside = touch(tmp_path / "outside", "secret.mp4")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "x.mp4").symlink_to(outside / "secret.mp4")
    (tmp_path / "set" / "list.csv").write_text("uri\nx.mp4\n")
    assert refusals(rows(tmp_path / "set" / "list.csv")) == {"x.mp4": "not_a_file"}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"path,licence\nx,y\n", "no column 'uri', only 'path', 'licence'"),
        ("a.csv", b"", "no column 'uri', only no columns"),
        ("a.csv", "uri\nx\n".encode("utf-16"), "encoded as UTF-8"),
        ("a.csv", b"uri,a,a\nx,1,2\n", "several columns 'a'"),
        ("a.csv", b'uri\n"x\n', "line 2"),
        ("a.parquet", b"no parquet", "cannot be read as Parquet"),
    ],
)
def test_a_manifest_that_is_none_is_an_error_that_says_why(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"^{name}") as caught:
        rows(tmp_path / name)
    assert words in str(caught.value)


def test_a_name_of_a_csv_that_is_no_utf_8_still_finds_its_file(tmp_path):
    (tmp_path / os.fsdecode(b"\xe9.mp4")).write_bytes(b"x")
    (tmp_path / "list.csv").write_bytes(b"uri,licence\n\xe9.mp4,\xe9\n")
    assert [
        (uri, row["reason"], row["licence"]) for uri, row in rows(tmp_path / "list.csv").items()
    ] == [(f"{tmp_path}/%E9.mp4", None, "?")]


def test_a_file_url_is_percent_decoded(tmp_path):
    (tmp_path / os.fsdecode(b"\xff x.mp4")).write_bytes(b"x")
    (tmp_path / "list.jsonl").write_text(json.dumps({"uri": f"file://{tmp_path}/%FF%20x.mp4"}))
    assert list(rows(tmp_path / "list.jsonl")) == [f"{tmp_path}/%FF x.mp4"]


def test_a_prefix_is_listed_like_a_folder(bucket):  # noqa: F811
    for key in ("in/a.mp4", "in/sub/b.mkv", "in/b.srt", "in/.hidden", "inner/c.mp4"):
        obstore.put(S3Store("films"), key, b"x")
    # What consoles make when asked for a folder.
    boto3.client("s3").put_object(Bucket="films", Key="in/sub/")
    found = read_inputs([f"{bucket}/in"])
    assert sorted(found.rows["uri"].to_pylist()) == [f"{bucket}/in/a.mp4", f"{bucket}/in/sub/b.mkv"]
    assert dict(found.skipped) == {".srt": 1, "hidden": 1}
    assert found.rows["modified"].null_count == 0
    assert list(rows(f"{bucket}/in/**/*.mkv")) == [f"{bucket}/in/sub/b.mkv"]
    assert list(rows(f"{bucket}/in/a.mp4")) == [f"{bucket}/in/a.mp4"]
    with pytest.raises(ValueError, match="holds nothing"):
        rows(f"{bucket}/nothing")
    with pytest.raises(ValueError, match="holds nothing"):
        rows(f"{bucket}/in/*.avi")


def test_a_remote_manifest_names_objects_beside_it_and_no_local_file(bucket):  # noqa: F811
    content = (
        b"uri,licence\nclips/a.mp4,CC0\ns3://other/b.mp4,\n/etc/passwd,\nfile:///etc/passwd,\n"
    )
    obstore.put(S3Store("films"), "set/list.csv", content)
    found = rows(f"{bucket}/set/list.csv")
    assert found[f"{bucket}/set/clips/a.mp4"]["licence"] == "CC0"
    assert found["s3://other/b.mp4"]["reason"] is None
    refused = [row["error"] for row in found.values() if row["reason"]]
    assert len(refused) == 2
    assert all("is a local path, in a manifest that is not" in error for error in refused)


def test_a_manifest_of_many_lines_is_read_in_modest_memory_and_time(tmp_path):
    path = tmp_path / "list.csv"
    with path.open("w") as file:
        file.write("uri,licence\n")
        file.writelines(f"s3://bucket/{index:09d}.mp4,CC0\n" for index in range(200_000))
    found = read_inputs([str(path)])
    assert found.rows.num_rows == 200_000
    assert found.rows.nbytes < 20_000_000
