"""The engine, run in this process: what is done, redone, withdrawn, counted and refused."""

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from curation.stage import Stage
from pipelines.engine import EngineSettings, Run, StageResources, plan_stage, run_stage
from pipelines.progress import StageSummary
from pipelines.worker import StageError
from pipelines.workspace import FencedError, Table, Workspace
from tests import toys
from tests.toys import Accidents, Squares, SquareSettings, numbers


def squares(add: int = 0) -> Squares:
    return Squares(SquareSettings(add=add))


def with_accidents(**accidents: str) -> Accidents:
    return Accidents(
        SquareSettings(), accidents={key.strip("_"): kind for key, kind in accidents.items()}
    )


def run(
    table: Table, stage: Stage | None = None, inputs: pa.Table | None = None, **options: Any
) -> StageSummary:
    batch_size = options.pop("batch_size", 4)
    recipe = options.pop("recipe", {})
    settings = EngineSettings(runner="inline", commit_s=options.pop("commit_s", 3.0))
    workspace = table.workspace
    with Run(workspace, settings, recipe=recipe, recipe_hash=str(len(str(recipe)))) as at_work:
        return run_stage(
            stage or squares(),
            numbers(10) if inputs is None else inputs,
            table,
            at_work,
            StageResources(batch_size=batch_size),
            **options,
        )


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Workspace(tmp_path / "workspace").table("squares")


def ids(table: Table) -> list[str]:
    return sorted(table.read(["number"])["number"].to_pylist())


def test_every_input_ends_as_one_row(table: Table) -> None:
    summary = run(table)
    assert ids(table) == numbers(10)["number"].to_pylist()
    assert (summary.total, summary.todo, summary.ok, summary.done) == (10, 10, 6, 10)
    assert summary.rejected == {"multiple_of_three": 4}
    assert summary.finished


def test_a_second_run_does_nothing_and_starts_nothing(table: Table) -> None:
    run(table)
    version = table.delta().version()
    summary = run(table)
    assert (summary.done_before, summary.todo, summary.done) == (10, 0, 0)
    assert summary.finished
    assert table.delta().version() == version


def test_nothing_to_do_does_not_import_ray(table: Table) -> None:
    run(table)
    again = (
        "import sys; from tests import toys; "
        f"code = toys.main([{table.workspace.uri!r}, '--rows', '10', '--runner', 'ray']); "
        "sys.exit(code or ('ray' in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", again], check=True, timeout=60)


def test_new_inputs_are_all_that_is_done(table: Table) -> None:
    run(table)
    summary = run(table, inputs=numbers(13))
    assert (summary.done_before, summary.done) == (10, 3)
    assert ids(table) == numbers(13)["number"].to_pylist()


def test_other_settings_redo_every_row_and_the_log_says_why(
    table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    run(table, recipe={"squares": {"add": 0}})
    before = table.delta().version()
    with caplog.at_level(logging.INFO):
        summary = run(table, squares(add=1), recipe={"squares": {"add": 1}})
    assert summary.withdrawn == {"settings": 10}
    assert table.read(["square"], pc.field("number") == "000002").to_pylist() == [{"square": 5}]
    assert table.dataset(before).count_rows() == 10
    said = caplog.text
    assert "withdrawing 10 rows made with other settings" in said
    assert f"{squares().fingerprint} -> {squares(add=1).fingerprint}" in said
    assert "squares.add 0 -> 1" in said
    assert f"Version {before} of the table still holds them" in said


def test_settings_changed_back_are_redone_and_not_found_again(table: Table) -> None:
    for add in (0, 1, 0):
        summary = run(table, squares(add=add))
        assert summary.done == 10
    assert ids(table) == numbers(10)["number"].to_pylist()


def test_limit_takes_the_first_and_the_next_run_the_rest(table: Table) -> None:
    assert run(table, limit=3).done == 3
    assert ids(table) == ["000000", "000001", "000002"]
    assert run(table).done == 7


def test_failed_rows_are_left_alone_until_asked_for(table: Table) -> None:
    assert run(table, with_accidents(_000004="fail", _000005="bug")).failed == {
        "empty": 1,
        "bug": 1,
    }
    assert run(table, with_accidents()).todo == 0
    summary = run(table, with_accidents(), retry_failed=True)
    assert (summary.withdrawn, summary.ok) == ({"failed": 2}, 2)
    assert ids(table) == numbers(10)["number"].to_pylist()


def test_an_exception_costs_only_the_row_that_raised_it(table: Table) -> None:
    summary = run(table, with_accidents(_000005="bug"), batch_size=10)
    assert (summary.done, summary.failed) == (10, {"bug": 1})
    (row,) = table.read(filter=pc.field("status") == "failed").to_pylist()
    assert row["number"] == "000005"
    assert "RuntimeError: number 000005 is not to my taste" in row["error"]


def test_cpu_seconds_are_measured_where_the_stage_did_not(table: Table) -> None:
    run(table)
    assert table.read(["cpu_s"])["cpu_s"].null_count == 0


def test_rows_whose_input_vanished_stay(table: Table) -> None:
    run(table)
    assert run(table, inputs=numbers(5)).done == 0
    assert len(ids(table)) == 10


def test_a_table_that_is_also_a_plain_directory_holds_exactly_its_inputs(tmp_path: Path) -> None:
    table = Workspace(tmp_path).table("shards/256p")
    run(table)
    few = numbers(10).take([0, 1, 2, 8])
    assert run(table, inputs=few).withdrawn == {"vanished": 6}
    plain = pq.read_table(sorted(Path(table.uri).rglob("*.parquet")))
    assert sorted(plain["number"].to_pylist()) == few["number"].to_pylist() == ids(table)


def test_a_plain_directory_holds_usable_rows_and_no_withdrawn_one(tmp_path: Path) -> None:
    table = Workspace(tmp_path).table("shards/256p")
    run(table, with_accidents(_000004="fail"))
    run(table, with_accidents(_000004="fail", _000005="fail"), inputs=numbers(12))
    plain = pq.read_table(sorted(Path(table.uri).glob("*.parquet")))
    assert set(plain["status"].to_pylist()) == {"ok"}
    usable = table.read(filter=pc.field("status") == "ok")
    assert sorted(plain["number"].to_pylist()) == sorted(usable["number"].to_pylist())
    assert len(ids(table)) == 12
    aside = {path.parent.name for path in Path(table.uri).rglob("*/*.parquet")}
    assert aside == {"failed", "rejected"}


def test_undisturbed_runs_give_the_same_files_of_the_same_rows(tmp_path: Path) -> None:
    plains = []
    for name, inputs in (("a", numbers(30)), ("b", numbers(30).take([*range(29, -1, -1)]))):
        table = Workspace(tmp_path / name).table("shards/256p")
        run(table, inputs=inputs)
        plain = [pq.read_table(path) for path in sorted(Path(table.uri).glob("*.parquet"))]
        plains.append([part["number"].to_pylist() for part in plain])
    assert plains[0] == plains[1]
    usable = table.read(filter=pc.field("status") == "ok")
    assert list(chain(*plains[0])) == sorted(usable["number"].to_pylist())


def test_captions_of_a_captioner_are_no_plain_directory_and_stay(tmp_path: Path) -> None:
    table = Workspace(tmp_path).table("captions/mine")
    run(table)
    assert run(table, inputs=numbers(5)).withdrawn == {}
    assert len(ids(table)) == 10


class Wider(Squares):
    """A later version, with a column and a field of a column that the first has not."""

    version = 2
    fields = ("low", "high")

    @property
    def schema(self) -> pa.Schema:
        bounds = pa.list_(pa.struct([pa.field(name, pa.int64()) for name in self.fields]))
        return super().schema.append(pa.field("bounds", bounds))


class Widest(Wider):
    version = 3
    fields = ("low", "high", "middle")


def test_a_table_of_an_earlier_version_gets_the_columns_it_lacks(table: Table) -> None:
    run(table)
    for stage in (Wider, Widest):
        summary = run(table, stage(SquareSettings()))
        assert (summary.done, summary.withdrawn) == (10, {"settings": 10})
        assert (
            table.dataset().schema.field("bounds").type
            == stage(SquareSettings()).schema.field("bounds").type
        )
        assert table.read().num_rows == 10
    version = table.delta().version()
    run(table, Widest(SquareSettings()), inputs=numbers(11))
    added = [
        commit["operation"] for commit in table.delta().history(9) if commit["version"] > version
    ]
    assert "ADD COLUMN" not in added


class Tracking(Squares):
    """Squares that are redone when `modified` changes."""

    tracked = ("modified",)

    @property
    def schema(self) -> pa.Schema:
        return super().schema.append(pa.field("modified", pa.string()))


@pytest.mark.parametrize("batch_size", [1, 4], ids=["known from the log", "read from the parts"])
def test_a_row_whose_input_changed_is_redone_and_its_neighbours_are_not(
    batch_size: int, table: Table
) -> None:
    stage = Tracking(SquareSettings())
    inputs = numbers(10).append_column("modified", pa.array(["monday"] * 9 + [None]))
    assert run(table, stage, inputs, batch_size=batch_size).done == 10
    assert run(table, stage, inputs, batch_size=batch_size).done == 0
    changed = numbers(10).append_column("modified", pa.array(["monday"] * 8 + ["sunday"] * 2))
    summary = run(table, stage, changed, batch_size=batch_size)
    assert (summary.withdrawn, summary.done) == ({"changed": 2}, 2)
    assert table.read().sort_by("number")["modified"].to_pylist() == ["monday"] * 8 + ["sunday"] * 2


def test_a_failed_row_remembers_its_input_and_is_not_taken_for_changed(table: Table) -> None:
    class Failing(Tracking):
        def __call__(self, batch: pa.Table) -> pa.Table:
            raise RuntimeError("always")

    inputs = numbers(3).append_column("modified", pa.array(["monday"] * 3))
    assert run(table, Failing(SquareSettings()), inputs).failed == {"bug": 3}
    assert run(table, Failing(SquareSettings()), inputs).todo == 0


def test_a_plan_counts_and_changes_nothing(table: Table) -> None:
    run(table, with_accidents(_000004="fail"))
    before = sorted(Path(table.uri).rglob("*"))
    stage = with_accidents()
    plan = plan_stage(stage, numbers(15), table, limit=2, retry_failed=True)
    assert (plan.total, plan.done, plan.reasons) == (15, 9, {"failed": 1})
    assert plan.todo["number"].to_pylist() == ["000004", "000010"]
    assert sorted(Path(table.uri).rglob("*")) == before


def test_no_inputs_make_a_table_without_rows(table: Table) -> None:
    plan = plan_stage(squares(), numbers(0), table)
    assert (plan.total, plan.done, plan.todo.num_rows, plan.reasons) == (0, 0, 0, {})
    assert run(table, inputs=numbers(0)).finished
    assert table.read().schema.names == [*squares().schema.names, "fingerprint"]
    version = table.delta().version()
    assert run(table, inputs=numbers(0)).finished
    assert table.delta().version() == version


@pytest.mark.parametrize(
    ("values", "message"), [(["1", "2", "1"], "'1' twice"), (["1", None], "1 inputs .* have no")]
)
def test_inputs_without_one_id_each_are_refused(
    values: Sequence[str | None], message: str, table: Table
) -> None:
    with pytest.raises(ValueError, match=message):
        run(table, inputs=pa.table({"number": pa.array(values, pa.string())}))


BREAKS: dict[str, Callable[[pa.Table], pa.Table]] = {
    "not one row per number": lambda rows: rows.slice(1),
    "missing": lambda rows: pa.concat_tables([rows, rows.slice(0, 1)]),
    "not those of its schema": lambda rows: rows.drop_columns(["square"]),
    "the state": lambda rows: rows.set_column(
        2, "status", pa.array(["fine"] * rows.num_rows, pa.string())
    ),
}


@pytest.mark.parametrize("message", BREAKS)
def test_a_stage_that_breaks_its_contract_is_named_and_nothing_of_it_committed(
    message: str, table: Table
) -> None:
    class Broken(Squares):
        def __call__(self, batch: pa.Table) -> pa.Table:
            return BREAKS[message](super().__call__(batch))

    with pytest.raises(StageError, match=message) as caught:
        run(table, Broken(SquareSettings()))
    assert "bug in Broken" in str(caught.value)
    assert ids(table) == []


def test_a_stage_that_cannot_be_set_up_stops_the_run(table: Table) -> None:
    class Unset(Squares):
        def setup(self) -> None:
            raise FileNotFoundError("the weights")

    with pytest.raises(StageError, match="cannot be set up: FileNotFoundError: the weights"):
        run(table, Unset(SquareSettings()))


def test_what_was_finished_before_the_run_broke_is_committed(table: Table) -> None:
    class Later(Squares):
        def __call__(self, batch: pa.Table) -> pa.Table:
            rows = super().__call__(batch)
            return rows if "000008" not in batch["number"].to_pylist() else rows.slice(1)

    with pytest.raises(StageError):
        run(table, Later(SquareSettings()))
    assert ids(table) == numbers(8)["number"].to_pylist()


def test_a_driver_that_was_overtaken_adds_nothing_more(table: Table) -> None:
    class Overtaken(Squares):
        def __call__(self, batch: pa.Table) -> pa.Table:
            if "000004" in batch["number"].to_pylist():
                shutil.move(lease, lease.with_suffix(".away"))
                toys.main([table.workspace.uri, "--rows", "10", "--batch", "2"])
            return super().__call__(batch)

    lease = Path(table.workspace.uri) / "_run.json"
    with pytest.raises(FencedError, match="has written version"):
        run(table, Overtaken(SquareSettings()))
    assert ids(table) == numbers(10)["number"].to_pylist()


def test_orphans_of_a_killed_run_are_swept(table: Table) -> None:
    run(table)
    (Path(table.uri) / "part-orphan.parquet").write_bytes(b"half")
    (Path(table.uri) / "part-staged.parquet#1").write_bytes(b"half")
    run(table, inputs=numbers(11))
    left = {str(path.relative_to(table.uri)) for path in Path(table.uri).rglob("part-*")}
    assert left == set(table.delta().get_add_actions().column("path").to_pylist())


def test_commits_say_who_made_them_and_how(table: Table) -> None:
    run(table)
    commit = table.delta().history(1)[0]
    assert commit["stage"] == "squares"
    assert commit["fingerprint"] == squares().fingerprint
    assert {"run", "host", "command", "recipe", "code"} <= commit.keys()


def test_the_log_of_a_long_table_stays_short_and_right(table: Table) -> None:
    for count in range(5, 125, 5):
        run(table, inputs=numbers(count), batch_size=1, commit_s=1e-6)
    assert ids(table) == numbers(120)["number"].to_pylist()
    checkpoints = list(Path(table.uri, "_delta_log").glob("*.checkpoint.parquet"))
    assert checkpoints
    assert DeltaTable(table.uri).transaction_version("moviola-stage") > 120


def test_a_hundred_thousand_rows_take_seconds(table: Table) -> None:
    inputs = numbers(100_000)
    began = time.process_time()
    run(table, inputs=inputs, batch_size=5_000)
    assert table.dataset().count_rows() == 100_000
    assert run(table, inputs=inputs).done_before == 100_000
    assert time.process_time() - began < 30


def test_parts_of_one_row_are_known_from_the_log(table: Table) -> None:
    run(table, inputs=numbers(500), batch_size=1)
    for part in Path(table.uri).glob("part-*"):
        os.truncate(part, 0)
    plan = plan_stage(squares(), numbers(501), table)
    assert (plan.done, plan.todo["number"].to_pylist()) == (500, ["000500"])


def test_progress_is_told_from_beginning_to_end(table: Table) -> None:
    told: list[tuple[int, bool]] = []
    run(table, on_progress=lambda summary: told.append((summary.done, summary.finished)))
    assert told[0] == (0, False)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (10, True)
    assert json.loads(StageSummary("squares", 1, 0, 1).to_json())["stage"] == "squares"


def test_what_is_committed_is_on_the_disk_before_its_commit_is(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def recorded(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recorded)
    run(table)
    folder = Path(table.uri)
    parts = [
        folder / path for path in pa.table(table.delta().get_add_actions())["path"].to_pylist()
    ]
    log = folder / "_delta_log" / f"{table.delta().version():020d}.json"
    assert parts
    assert max(synced.index(part) for part in parts) < synced.index(log)
