import json
import os
import random
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pipelines.dashboard import metrics_file as metrics_module
from pipelines.dashboard.app import dashboard_app
from pipelines.dashboard.board import Board
from pipelines.dashboard.curves import MOST_BINS, Curve
from pipelines.dashboard.metrics_file import MetricsFile
from pipelines.dashboard.origins import origin_of
from pipelines.dashboard.run_folders import training_runs
from pipelines.dashboard.run_samples import FileQuery, StageQuery, sample_file, samples
from pipelines.dashboard.training_runs import (
    ChangesQuery,
    EvaluationQuery,
    Nothing,
    evaluation,
    recipe_changes,
    runs,
    stage,
)
from pipelines.workspace import Workspace
from training.evaluation import LossRow
from training.loss_report import loss_report
from training.metrics import Metrics, read_metrics

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(200)


def train_line(step, **values):
    return {"kind": "train", "step": step, "loss": 2 / step, "floor_gaussian": 1.5} | values


def report(seed=0):
    """What `training.loss_report` makes of 6 samples of two buckets at three times."""
    draw = random.Random(seed)
    return loss_report(
        [
            LossRow(f"c{number}", bucket, number % 2, "film", time, draw.uniform(50, 150), 100)
            for number, bucket in enumerate(["16:9-8"] * 3 + ["1:1-8"] * 3)
            for time in (0.1, 0.5, 0.9)
        ]
    )


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def folder(tmp_path):
    """Two runs in a folder; the first has two stages, one of them with samples."""
    for number, name in enumerate(["a", "b"]):
        run = tmp_path / "runs" / name
        stages = {"t2i": {"steps": 10}, "t2v": {"steps": 30, "lr": number}, "sft": {"steps": 1}}
        run.mkdir(parents=True)
        (run / "recipe.json").write_text(json.dumps({"seed": number, "stages": stages}))
        (run / "versions.json").write_text(json.dumps({"torch": "2"}))
        write(run / "t2v" / "metrics.jsonl", [train_line(step) for step in (10, 20, 30)])
        write(run / "t2i" / "metrics.jsonl", [train_line(10)])
        (run / "t2i" / "model.safetensors").write_bytes(b"x")
    at = tmp_path / "runs" / "a" / "t2v" / "samples" / "step-00000020"
    at.mkdir(parents=True)
    (at / "000.mp4").write_bytes(MP4)
    (at / "001.png").write_bytes(PNG)
    (at / "sheet.png").write_bytes(PNG)
    (at / "notes.html").write_text("<script>")
    line = {"file": "000.mp4", "prompt": "<b>a dog</b>", "seed": 3, "width": 16, "height": 8}
    (at / "videos.jsonl").write_text(json.dumps(line) + '\n["no object"]\n{"file": "001.p')
    return tmp_path / "runs"


def board_of(*folders):
    return Board(Workspace("/no/workspace"), folders, cache=Path("/no/cache"))


def test_runs_are_found_in_a_folder_and_one_level_below(folder):
    told = runs(board_of(folder), Nothing())["runs"]
    assert [one["name"] for one in told] == ["runs/a", "runs/b"]
    assert [one["stage"] for one in told[0]["stages"]] == ["t2i", "t2v", "sft"]
    assert [one["has_begun"] for one in told[0]["stages"]] == [True, True, False]
    assert [one["is_finished"] for one in told[0]["stages"]] == [True, False, False]
    assert told[0]["versions"] == {"torch": "2"}
    alone = training_runs(board_of(folder / "b", folder, folder / "nothing"))
    assert [one.name for one in alone] == ["b", "runs/a"]


def test_links_that_lead_out_of_a_folder_are_not_followed(folder, tmp_path):
    outside = tmp_path / "outside"
    shutil.copytree(folder / "a", outside)
    (folder / "linked").symlink_to(outside)
    (folder / "loop").symlink_to("loop")
    (folder / "a" / "evil").symlink_to(outside / "t2v")
    at = folder / "a" / "t2v" / "samples" / "step-00000020"
    secret = tmp_path / "secret.png"
    secret.write_bytes(PNG)
    (at / "secret.png").symlink_to(secret)
    (at / "up.png").symlink_to("../../../recipe.json")
    os.mkfifo(at / "pipe.mp4")
    (folder / "a" / "t2v" / "samples" / "step-00000099").symlink_to(outside)
    board = board_of(folder)
    told = runs(board, Nothing())["runs"]
    assert [one["name"] for one in told] == ["runs/a", "runs/b"]
    assert "evil" not in [one["stage"] for one in told[0]["stages"]]
    steps = samples(board, StageQuery(run=0, stage="t2v"))["steps"]
    assert [one["step"] for one in steps] == [20]
    assert [one["file"] for one in steps[0]["samples"]] == ["000.mp4", "001.png"]
    for name in ("secret.png", "up.png", "pipe.mp4", "notes.html", "videos.jsonl", "../x.png"):
        with pytest.raises(FileNotFoundError, match="no sample"):
            sample_file(board, FileQuery(run=0, stage="t2v", step=20, file=name))
    # What the user names may be a link: that is no link within a run.
    (tmp_path / "named").symlink_to(outside)
    assert [one.name for one in training_runs(board_of(tmp_path / "named"))] == ["outside"]


def test_links_within_the_folder_are_what_they_point_at(folder):
    at = folder / "a" / "t2v" / "samples" / "step-00000020"
    (at / "last.png").symlink_to("001.png")
    board = board_of(folder)
    answer = sample_file(board, FileQuery(run=0, stage="t2v", step=20, file="last.png"))
    assert answer.path == (at / "001.png").resolve()


def test_samples_tell_prompt_and_seed_and_survive_half_written_lines(folder):
    [step] = samples(board_of(folder), StageQuery(run=0, stage="t2v"))["steps"]
    video, picture = step["samples"]
    assert (video["prompt"], video["seed"], video["is_video"]) == ("<b>a dog</b>", 3, True)
    assert (picture["prompt"], picture["is_video"]) == (None, False)
    assert step["sheet"] is not None


def test_names_that_are_not_there_are_not_found(folder):
    board = board_of(folder)
    for run, name in [(0, "sft"), (0, "../b/t2v"), (0, ".."), (0, ""), (9, "t2v")]:
        with pytest.raises(FileNotFoundError):
            stage(board, StageQuery(run=run, stage=name))
    with pytest.raises(FileNotFoundError, match="no evaluation"):
        evaluation(board, EvaluationQuery(run=0, stage="t2v", step=10))


def test_files_are_served_over_http_with_ranges_and_nothing_else(folder):
    app = dashboard_app(board_of(folder), {origin_of("http://testserver")})
    client = TestClient(app)  # not entered: no workspace is looked at
    at = "/api/runs/0/t2v/samples/20"
    part = client.get(f"{at}/000.mp4?v=1", headers={"range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, b"ftyp")
    assert part.headers["content-type"] == "video/mp4"
    picture = client.get(f"{at}/001.png")
    assert (picture.content, picture.headers["content-type"]) == (PNG, "image/png")
    assert picture.headers["x-content-type-options"] == "nosniff"
    for path in ("notes.html", "..%2F..%2Fmetrics.jsonl", "%2e%2e/000.mp4", "000.mp4%00.png"):
        assert client.get(f"{at}/{path}").status_code == 404, path
    assert client.get("/api/runs/0/t2v/samples/x/000.mp4").status_code == 400
    assert client.get(f"{at}/000.mp4?path=/etc/passwd").status_code == 400
    assert client.get("/api/runs/0/..%2F..%2Fb/samples").status_code == 404
    assert client.get("/api/runs").json()["runs"][0]["name"] == "runs/a"


def test_curves_are_the_lines_of_the_file(folder):
    metrics = Metrics(folder / "a" / "t2v", 30)
    for step in range(40, 200, 10):
        metrics.write("train", step, {"loss": 1 / step, "mfu": 0.4, "is_new": True, "note": "x"})
        if step % 50 == 0:
            metrics.write("evaluation", step, report(step))
    metrics.close()
    told = stage(board_of(folder), StageQuery(run=0, stage="t2v"))
    lines = read_metrics(folder / "a" / "t2v", "train")
    loss = told["curves"]["loss"]
    assert loss["step"] == [line["step"] for line in lines]
    assert loss["mean"] == pytest.approx([line["loss"] for line in lines], rel=1e-5)
    assert loss["lines_per_bin"] == 1
    assert set(told["curves"]) == {"loss", "floor_gaussian", "mfu"}
    held = read_metrics(folder / "a" / "t2v", "evaluation")
    assert [one["step"] for one in told["evaluations"]] == [50, 100, 150]
    for one, line in zip(told["evaluations"], held, strict=True):
        assert (one["loss"], list(one["interval"])) == (line["loss"], line["interval"])
        assert [time for time, _, _ in one["by_time"]] == [0.1, 0.5, 0.9]
        asked = EvaluationQuery(run=0, stage="t2v", step=one["step"])
        assert evaluation(board_of(folder), asked) == line
    assert (told["last_step"], told["steps"], told["read_share"]) == (190, 30, 1.0)


def test_a_file_is_read_on_from_where_it_was_left(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write(path, [train_line(10), train_line(20)])
    half = json.dumps(train_line(30)) + "\n"
    with path.open("a") as file:
        file.write(half[:20])
    metrics = MetricsFile(path)
    assert metrics.read()["curves"]["loss"]["step"] == [10, 20]
    assert metrics.read()["read_share"] == 1.0
    with path.open("a") as file:
        file.write(half[20:])
    told = metrics.read()
    assert told["curves"]["loss"]["step"] == [10, 20, 30]
    assert told["num_broken"] == 0


def test_a_file_that_a_resumed_run_wrote_anew_is_read_anew(tmp_path):
    metrics = Metrics(tmp_path, 0)
    for step in (10, 20, 30):
        metrics.write("train", step, {"loss": float(step)})
    metrics.close()
    followed = MetricsFile(tmp_path / "metrics.jsonl")
    assert followed.read()["last_step"] == 30
    metrics = Metrics(tmp_path, 10)
    metrics.write("train", 20, {"loss": 5.0})
    metrics.close()
    told = followed.read()
    assert (told["curves"]["loss"]["step"], told["curves"]["loss"]["mean"]) == ([10, 20], [10, 5])
    # In the same file, too, what stood before decides.
    before = (tmp_path / "metrics.jsonl").read_text()
    (tmp_path / "metrics.jsonl").write_text(before.replace("5.0", "7.0") + before)
    assert followed.read()["curves"]["loss"]["mean"] == [10, 7, 10, 5]


def test_broken_and_hostile_lines_are_left_out(tmp_path):
    path = tmp_path / "metrics.jsonl"
    good = json.dumps(train_line(10))
    bad = ["{", "[]", "null", '{"kind": 3, "step": 1}', '{"kind": "train", "step": "x"}']
    bad += ['{"kind": "train", "step": true}', '{"kind": "train", "step": -1}', "[" * 100_000]
    bad += ["\x00\xff", "{" + '"a":' * 3]
    odd = ['{"kind": "train", "step": 20, "loss": NaN, "wait_share": "a", "mfu": null}']
    odd += ['{"kind": "evaluation", "step": 20, "loss": null}']
    odd += ['{"kind": "evaluation", "step": 30, "loss": 1, "by_time": [1, {"time": "x"}]}']
    path.write_text("\n".join([*bad, good, *odd, ""]))
    told = MetricsFile(path).read()
    assert told["num_broken"] == len(bad)
    assert told["curves"]["loss"]["mean"] == [0.2]
    [one] = told["evaluations"]
    assert (one["step"], one["by_time"], one["interval"], one["floor"]) == (30, (), None, None)


def test_a_long_curve_is_binned_to_means_with_their_bounds():
    curve, values = Curve(), [float((7919 * n) % 1009) for n in range(13_001)]
    for number, value in enumerate(values):
        curve.add(number, value)
    told = curve.told()
    size = told["lines_per_bin"]
    pieces = [values[at : at + size] for at in range(0, len(values), size)]
    assert size == 8
    assert len(told["step"]) == len(pieces) <= MOST_BINS
    assert told["mean"] == pytest.approx([sum(one) / len(one) for one in pieces], rel=1e-5)
    assert told["least"] == [min(one) for one in pieces]
    assert told["most"] == [max(one) for one in pieces]
    assert told["step"][-1] == 13_000
    assert told["step"][0] == size - 1


def test_many_evaluations_are_thinned_and_the_last_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(metrics_module, "MOST_EVALUATIONS", 10)
    path = tmp_path / "metrics.jsonl"
    for count in (9, 11, 12, 25, 100):
        write(path, [{"kind": "evaluation", "step": n, "loss": 1.0} for n in range(count)])
        metrics = MetricsFile(path)
        steps = [one["step"] for one in metrics.read()["evaluations"]]
        assert (steps[0], steps[-1]) == (0, count - 1)
        assert len(steps) <= 10
        gaps = {later - one for one, later in pairwise(steps[:-1])}
        assert len(gaps) == 1
        assert all(metrics.line(step)["step"] == step for step in steps)


def test_a_large_file_is_read_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(metrics_module, "MOST_READ_BYTES", 1_000)
    path = tmp_path / "metrics.jsonl"
    write(path, [train_line(step) for step in range(1, 101)])
    metrics = MetricsFile(path)
    shares = [metrics.read()["read_share"]]
    while shares[-1] < 1:
        shares.append(metrics.read()["read_share"])
    assert len(shares) > 4
    assert shares == sorted(shares)
    assert metrics.read()["curves"]["loss"]["step"] == list(range(1, 101))


def test_steps_per_second_are_those_that_were_seen(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write(path, [train_line(10)])
    os.utime(path, (1000, 1000))
    metrics = MetricsFile(path)
    assert metrics.read()["steps_per_s"] is None
    with path.open("a") as file:
        file.write(json.dumps(train_line(60)) + "\n")
    os.utime(path, (1020, 1020))
    assert metrics.read()["steps_per_s"] == 2.5


def test_recipes_are_compared_key_by_key(folder):
    told = recipe_changes(board_of(folder), ChangesQuery(run=1, against=0))
    assert told["names"] == ["runs/a", "runs/b"]
    assert told["changes"] == [
        {"key": "seed", "before": "0", "after": "1"},
        {"key": "stages.t2v.lr", "before": "0", "after": "1"},
    ]
    assert told["num_same"] == 4
    (folder / "a" / "recipe.json").write_text('{"seed": ')
    told = recipe_changes(board_of(folder), ChangesQuery(run=1, against=0))
    assert {"key": "seed", "before": None, "after": "1"} in told["changes"]
    assert not runs(board_of(folder), Nothing())["runs"][0]["is_readable"]


def test_hostile_names_of_runs_are_text_and_nothing_more(tmp_path):
    name = '<img src=x onerror="1">'
    write(tmp_path / name / "t'2\n" / "metrics.jsonl", [train_line(10)])
    (tmp_path / name / "recipe.json").write_text('{"stages": ["t2v"]}')
    board = board_of(tmp_path)
    [run] = runs(board, Nothing())["runs"]
    assert run["name"] == f"{tmp_path.name}/{name}"
    assert stage(board, StageQuery(run=0, stage="t'2\n"))["last_step"] == 10
