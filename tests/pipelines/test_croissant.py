import json
import logging
import shutil
from hashlib import sha256
from pathlib import Path

import mlcroissant
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from curation import tables
from pipelines.croissant import CONTEXT, LICENCE_PAGES, croissant, known_files
from pipelines.dataset_card import LICENCES
from pipelines.parts import add_action, write_parts
from pipelines.report.files import write_report
from pipelines.verify import verify
from pipelines.workspace import Workspace
from tests.workspaces import curate, small_workspace


@pytest.fixture
def workspace(tmp_path):
    shutil.copytree(small_workspace().uri, tmp_path / "work")
    return Workspace(tmp_path / "work")


def files(metadata):
    return [part for part in metadata["distribution"] if part["@type"] == "cr:FileObject"]


def test_the_reference_reader_finds_nothing_to_say_and_reads_every_sample(workspace, caplog):
    write_report(workspace)
    folder = Path(workspace.uri) / "shards"
    with caplog.at_level(logging.WARNING):
        dataset = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
    assert not caplog.records
    assert not dataset.metadata.ctx.issues.errors
    assert not dataset.metadata.ctx.issues.warnings
    records = list(dataset.records("256p"))
    stored = workspace.table("shards/256p").read().to_pylist()
    assert len(records) == len(stored) == 2
    by_id = {row["clip_id"]: row for row in stored}
    for record in records:
        row = by_id[record["256p/clip_id"].decode()]
        assert record["256p/video"] == row["video"]
        assert record["256p/motion_vmaf"] == pytest.approx(row["motion_vmaf"])
        assert record["256p/num_frames"] == row["num_frames"]


def test_files_have_their_size_and_checksum_and_columns_their_words(workspace):
    metadata = json.loads(croissant(workspace))
    folder = Path(workspace.uri) / "shards"
    listed = {part["contentUrl"]: part for part in files(metadata)}
    assert (
        set(listed)
        == {str(path.relative_to(folder)) for path in folder.glob("256p/*.parquet")}
        != set()
    )
    for path, part in listed.items():
        content = (folder / path).read_bytes()
        assert part["sha256"] == sha256(content).hexdigest()
        assert part["contentSize"] == f"{len(content)} B"
    (records,) = metadata["recordSet"]
    assert [field["name"] for field in records["field"]] == tables.SHARD.names
    fields = {field["name"]: field for field in records["field"]}
    assert fields["bucket"]["description"].startswith("`<aspect>-<num_frames>`")
    assert fields["video"]["dataType"] == "sc:VideoObject"
    assert fields["motion_vmaf"]["dataType"] == "cr:Float32"
    assert fields["caption_flags"]["isArray"]


def test_it_says_what_was_removed_and_by_what(workspace):
    metadata = json.loads(croissant(workspace))
    removed = metadata["rai:dataPreprocessingProtocol"]
    assert "selection/256p: 1 of 3 clips rejected, motion" in removed
    assert "videos: 1 of 3 files rejected, same_content" in removed
    assert metadata["license"] == "not stated"
    assert metadata["rai:dataBiases"]
    assert metadata["conformsTo"][0] == "http://mlcommons.org/croissant/1.1"


def test_a_licence_with_a_page_is_named_by_it(tmp_path):
    assert set(LICENCE_PAGES) == set(LICENCES)
    moving = next(Path(small_workspace().uri).parent.glob("moving.mp4"))
    manifest = tmp_path / "list.csv"
    manifest.write_text(f'uri,source,licence\n{moving},The "{{@id}}" archive,CC BY 4.0\n')
    metadata = json.loads(croissant(curate(Workspace(tmp_path / "work"), manifest)))
    assert metadata["license"] == "https://creativecommons.org/licenses/by/4.0/"
    assert "{@id}" in metadata["rai:dataCollection"]


def test_failed_samples_are_none_of_its_files(workspace):
    before = croissant(workspace)
    table = workspace.table("shards/256p")
    state = {"status": "failed", "reason": "frames", "error": "made", "fingerprint": "x"}
    row = {"clip_id": "z-0-1", "subset": "256p", **state}
    failed = pa.Table.from_pylist([row], schema=pa.schema(table.dataset().schema))
    actions = [add_action(part) for part in write_parts(table.uri, failed, "clip_id")]
    table.delta().create_write_transaction(actions, "append", table.delta().schema())
    assert len(table.read()) == 3
    assert files(json.loads(croissant(workspace))) == files(json.loads(before))


def test_a_second_report_reads_no_file_again_and_says_the_same(workspace):
    first = croissant(workspace)
    known = known_files(first)
    assert len(known) == len(files(json.loads(first)))
    assert croissant(workspace, known) == first
    name = next(iter(known))
    told = croissant(workspace, {name: (known[name][0], "told")})
    assert "told" in [part["sha256"] for part in files(json.loads(told))]
    changed = croissant(workspace, {name: (known[name][0] + 1, "told")})
    assert changed == first


@pytest.mark.parametrize("text", ["", "{", "[]", '{"distribution": [{"@type": "cr:FileObject"}]}'])
def test_metadata_that_is_none_is_not_trusted(text):
    assert known_files(text) == {}


def test_a_workspace_that_keeps_nothing_has_valid_metadata(tmp_path):
    still = Path(small_workspace().uri).parent / "still.mp4"
    workspace = curate(Workspace(tmp_path / "work"), still)
    write_report(workspace)
    path = Path(workspace.uri) / "shards" / "croissant.json"
    assert "recordSet" in json.loads(path.read_text())
    dataset = mlcroissant.Dataset(jsonld=str(path))
    assert list(dataset.metadata.record_sets) == []


def test_files_beside_the_shards_break_neither_readers_nor_verify(workspace):
    write_report(workspace)
    folder = Path(workspace.uri) / "shards"
    assert {path.name for path in folder.iterdir() if path.is_file()} == {
        "README.md", "croissant.json"
    }  # fmt: skip
    assert verify(workspace).is_sound
    plain = ds.dataset([str(path) for path in folder.glob("256p/*.parquet")])
    assert plain.count_rows() == 2


def test_the_context_is_the_one_of_the_specification():
    assert CONTEXT["cr"] == "http://mlcommons.org/croissant/"
    assert CONTEXT["recordSet"] == "cr:recordSet"
    assert CONTEXT["dataType"] == {"@id": "cr:dataType", "@type": "@vocab"}
