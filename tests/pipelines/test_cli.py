import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.workspace import Workspace
from tests import media

MOVIOLA = [sys.executable, "-m", "pipelines.cli"]
INLINE = ["--set", "engine.runner=inline"]
LOOSE = """
videos: {min_side_px: {min: 100}}
clips:
  windows: {skip_head_s: 0}
subsets:
  any:
    rules: {motion_vmaf: {min: 0.1}}
    buckets: {base_px: 64}
"""


def moviola(*arguments, **options):
    command = [*MOVIOLA, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


@pytest.fixture(scope="module")
def footage():
    folder = media.folder() / "cli"
    folder.mkdir(exist_ok=True)
    moving = media.ffmpeg("low.mp4", *media.source(size="256x144", seconds=9.0), *media.H264)
    for name in ("one.mp4", "copy.mp4"):
        (folder / name).write_bytes(moving.read_bytes())
    (folder / "text.mp4").write_bytes(media.text_as_mp4().read_bytes())
    return folder


@pytest.fixture(scope="module")
def recipe():
    path = media.folder() / "loose.yaml"
    path.write_text(LOOSE)
    return path


@pytest.fixture(scope="module")
def workspace(footage, recipe):
    place = media.folder() / "cli-workspace"
    allowed = ["--set", "max_failed_share=0.5"]
    done = moviola("curate", recipe, "--input", footage, "--workspace", place, *INLINE, *allowed)
    assert done.returncode == 0, done.stderr
    assert "sources" in done.stdout
    assert "same_content 1" in done.stdout
    assert "not_media 1" in done.stdout
    assert "does not add up" not in done.stdout
    return place


def test_the_same_command_again_redoes_nothing_and_starts_no_ray(workspace, footage, recipe):
    line = ["curate", recipe, "--input", footage, "--workspace", workspace]
    started = time.monotonic()
    done = moviola(*line, "--set", "max_failed_share=0.5", "--json")
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started < 60
    stages = json.loads(done.stdout)["stages"]
    assert [stage["todo"] for stage in stages] == [0, 0, 0]


def test_too_many_failures_end_with_3(workspace, footage, recipe):
    line = ["curate", recipe, "--input", footage, "--workspace", workspace, *INLINE]
    done = moviola(*line, "--set", "max_failed_share=0.1")
    assert done.returncode == 3
    assert "max_failed_share" in done.stderr


def test_verify_is_sound_and_says_so_in_json(workspace):
    assert moviola("verify", workspace).returncode == 0
    assert json.loads(moviola("verify", workspace, "--json").stdout)["is_sound"]


def test_verify_finds_a_lost_file(workspace, footage, recipe):
    place = media.folder() / "cli-damaged"
    line = ["curate", recipe, "--input", footage, "--workspace", place, *INLINE]
    moviola(*line)
    part = next((place / "shards" / "any").glob("*.parquet"))
    part.unlink()
    done = moviola("verify", place)
    assert done.returncode == 1
    assert part.name in done.stdout


def test_explain_tells_a_clip_from_its_measures_to_its_row(workspace):
    answer = moviola("sql", workspace, "select clip_id from clips", "--json")
    clip = json.loads(answer.stdout)[0]["clip_id"]
    found = json.loads(moviola("explain", workspace, clip, "--json").stdout)
    assert found["clip_id"] == clip
    assert found["subsets"][0]["rules"][0]["verdict"] == "passes"
    assert clip in moviola("explain", workspace, clip).stdout


def test_explain_of_an_unknown_clip_names_the_nearest(workspace):
    done = moviola("explain", workspace, "nonsense")
    assert done.returncode == 2
    assert "nonsense" in done.stderr


def test_select_decides_again_without_decoding(workspace, recipe):
    line = ["select", recipe, "--workspace", workspace, "--json"]
    strict = moviola(*line, "--set", "subsets.any.rules.motion_vmaf.min=1000")
    assert strict.returncode in (0, 3), strict.stderr
    kept = [s for s in json.loads(strict.stdout)["funnel"] if s["name"] == "selection/any"]
    assert kept[0]["num_out"] == 0
    assert moviola(*line).returncode in (0, 3)


def test_select_of_a_subset_leaves_every_other_table_and_subset_as_it_is(workspace, recipe):
    def versions():
        return {name: place.table(name).delta().version() for name in ("videos", "selection")}

    place = Workspace(workspace)
    before = versions()
    line = ["select", recipe, "--workspace", workspace, "--set", "subsets.more.rules={}"]
    done = moviola(*line, "--subset", "more")
    assert done.returncode in (0, 3), done.stderr
    assert versions() == {**before, "selection": before["selection"] + 1}
    assert set(place.table("selection").read()["subset"].to_pylist()) == {"any", "more"}
    wrong = moviola(*line, "--subset", "other")
    assert (wrong.returncode, versions()["selection"]) == (2, before["selection"] + 1)
    assert "no subset 'other'" in wrong.stderr
    assert moviola("select", recipe, "--workspace", workspace).returncode in (0, 3)


@pytest.mark.parametrize("line", [["report"], ["explain", "any"]])
def test_a_damaged_table_is_said_in_one_line(line, workspace, tmp_path):
    place = tmp_path / "damaged"
    shutil.copytree(workspace, place)
    for file in (place / "clips").glob("*.parquet"):
        os.truncate(file, 500)
    command, *rest = line
    done = moviola(command, place, *rest, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (4, 1), done.stderr
    assert "moviola verify" in done.stderr
    assert ".parquet" in done.stderr


def test_a_changed_sampling_rate_says_what_it_redoes_and_why(workspace, footage, recipe):
    line = ["curate", recipe, "--input", footage, "--workspace", workspace, *INLINE]
    changed = moviola(*line, "--set", "clips.frames.count=5", "--set", "max_failed_share=0.5")
    assert changed.returncode == 0, changed.stderr
    assert "clips.frames.count" in changed.stderr
    assert "withdrawing" in changed.stderr
    # The stored pictures do not matter to the samples.
    assert "shards/any: withdrawing" not in changed.stderr


def test_dry_run_says_what_would_be_done_and_does_nothing(footage, recipe, tmp_path):
    place = tmp_path / "none"
    done = moviola("curate", recipe, "--input", footage, "--workspace", place, "--dry-run")
    assert done.returncode == 0
    assert "inputs: 3 files" in done.stdout
    assert "sources: 3 known, 0 done, 3 to do" in done.stdout
    assert not (place / "sources").exists()


def test_limit_takes_so_many_rows(footage, recipe, tmp_path):
    line = ["curate", recipe, "--input", footage, "--workspace", tmp_path / "w", *INLINE]
    done = moviola(*line, "--limit", "1", "--json", "--set", "max_failed_share=1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stages"][0]["todo"] == 1


def test_report_writes_page_card_and_metadata(workspace, tmp_path):
    done = moviola("report", workspace, "--into", tmp_path / "mine.html")
    assert done.returncode == 0, done.stderr
    assert f"wrote {tmp_path}/mine.html\n" in done.stdout
    assert "</html>" in (tmp_path / "mine.html").read_text()
    assert "# " in (workspace / "shards" / "README.md").read_text()
    assert json.loads((workspace / "shards" / "croissant.json").read_text())["recordSet"]


def test_a_review_goes_out_and_comes_back(workspace, tmp_path):
    folder = tmp_path / "to review"
    out = moviola("review", "export", workspace, "any", "--into", folder, "--json")
    assert out.returncode == 0, out.stderr
    assert json.loads(out.stdout)["num_clips"] == 1
    assert (folder / "review.html").exists()
    path = folder / "review.csv"
    path.write_text(path.read_text().replace(",any,,", ",any,perhaps,"))
    refused = moviola("review", "import", workspace, path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "review.csv, line 2: verdict 'perhaps'" in refused.stderr
    path.write_text(path.read_text().replace(",any,perhaps,", ",any,keep,"))
    taken = moviola("review", "import", workspace, path, "--reviewer", "Ada", "--json")
    assert json.loads(taken.stdout) == {"num_keep": 1, "num_drop": 0, "num_empty": 0}
    assert moviola("verify", workspace).returncode == 0
    assert (
        "0 clips to judge"
        in moviola("review", "export", workspace, "any", "--into", tmp_path / "rest").stdout
    )


def test_zero_inputs_make_a_valid_empty_workspace(recipe, tmp_path):
    (tmp_path / "empty").mkdir()
    place = tmp_path / "w"
    done = moviola("curate", recipe, "--input", tmp_path / "empty", "--workspace", place)
    assert done.returncode == 0, done.stderr
    assert "no input files" in done.stderr
    assert moviola("verify", place).returncode == 0


def test_everything_rejected_is_a_valid_workspace(footage, recipe, tmp_path):
    place = tmp_path / "w"
    line = ["curate", recipe, "--input", footage / "one.mp4", "--workspace", place, *INLINE]
    done = moviola(*line, "--set", "videos.min_side_px.min=5000")
    assert done.returncode == 0, done.stderr
    assert "min_side_px 1" in done.stdout
    assert moviola("verify", place).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["curate", "dmo"], 'did you mean "demo"'),
        (["curate", "demo"], "--input and --workspace"),
        (["curate", "demo", "--inptu", "x"], "--input"),
        (["curate", "demo", "--input", "/no/such/place", "--workspace", "w"], "/no/such/place"),
        (["curate", "demo", "--set", "clips.windos.min_s=3", "--print-config"], "windows"),
        (["curate", "missing.yaml", "--print-config"], "missing.yaml"),
        (["stage", "scores", "demo", "--workspace", "w"], "scores"),
        (["stage", "clips", "demo", "--workspace", "/no/workspace"], "no workspace"),
        (["verify", "/no/workspace"], "no workspace"),
        (["sql", "/no/workspace", "select 1"], "no workspace"),
        (["review", "export", "/no/workspace", "any", "--into", "r"], "no workspace"),
        (["review", "export", "w", "any"], "--into"),
        (["review", "import", "w", "/no/file.csv"], "/no/file.csv"),
        (["nonsense"], "nonsense"),
    ],
)
def test_bad_usage_is_one_clear_message_and_exit_code_2(arguments, said, tmp_path):
    done = moviola(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_sql_is_told_by_duckdb(workspace):
    done = moviola("sql", workspace, "selekt 1")
    assert done.returncode == 2
    assert "syntax error" in done.stderr


def test_a_workspace_that_cannot_be_written_ends_with_4(footage, recipe, tmp_path):
    (tmp_path / "file").write_text("in the way")
    place = tmp_path / "file" / "w"
    done = moviola("curate", recipe, "--input", footage, "--workspace", place, *INLINE)
    assert done.returncode == 4
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_finished_and_the_same_command_goes_on(recipe, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(12):
        rate = str(20 + number)
        made = media.ffmpeg(f"many{number}.mp4", *media.source(rate=rate, seconds=9), *media.H264)
        (folder / made.name).write_bytes(made.read_bytes())
    line = [*MOVIOLA, "curate", str(recipe), "--input", str(folder), "--workspace"]
    line += [str(tmp_path / "w"), "--progress", "json"]
    running = subprocess.Popen(
        line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert running.stderr is not None
    for said in running.stderr:
        if said.startswith("{") and '"stage": "clips"' in said and json.loads(said)["done"] >= 1:
            break
    os.kill(running.pid, signal.SIGINT)
    running.stderr.read()
    assert running.wait(60) == 130
    again = moviola(*line[len(MOVIOLA) : -2], "--json")
    assert again.returncode == 0, again.stderr
    clips = json.loads(again.stdout)["stages"][1]
    assert clips["done_before"] >= 1
    assert clips["done_before"] + clips["done"] == 12
    assert moviola("verify", tmp_path / "w").returncode == 0


def test_the_package_is_this_one():
    import curation

    assert Path(curation.__file__).parent.parent == Path(__file__).parent.parent.parent


def test_captions_of_a_recipe_without_captioners_are_one_clear_error(recipe, workspace, tmp_path):
    done = moviola("stage", "captions", recipe, "--workspace", workspace, *INLINE)
    assert (done.returncode, done.stdout) == (2, "")
    assert "recipe loose names no captioner" in done.stderr
    done = moviola("captions", workspace, "--into", tmp_path)
    assert done.returncode == 2
    assert "has no captions: no captioner was at work there" in done.stderr


def test_captions_are_shown_beside_their_frames(footage, tmp_path):
    recipe, place = tmp_path / "mine.yaml", tmp_path / "w"
    recipe.write_text(LOOSE + "captioning: {grounded: {facts: {rewriter: null}}}\n")
    allowed = ["--set", "max_failed_share=0.5"]
    done = moviola("curate", recipe, "--input", footage, "--workspace", place, *INLINE, *allowed)
    assert done.returncode == 0, done.stderr
    assert "captions/facts" in done.stdout
    done = moviola("captions", place, "--into", tmp_path / "sheet", "--count", 1)
    assert done.returncode == 0, done.stderr
    first, said, last = done.stdout.splitlines()
    assert Path(first).is_file()
    assert said.startswith("  facts: ")
    assert last == f"1 clips: open {tmp_path / 'sheet' / 'index.html'}"
    again = ["stage", "captions", recipe, "--workspace", place, *INLINE, *allowed, "--json"]
    done = moviola(*again)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stages"][0]["todo"] == 0
