import functools
import random
import shutil
import subprocess

import imageio_ffmpeg
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.rules import MEASURES
from pipelines.dashboard.answers import plain
from pipelines.dashboard.clip_commands import shell_quoted
from pipelines.dashboard.clip_neighbours import MOST_ALIKE
from pipelines.dashboard.clip_page import ClipQuery, clip, clip_neighbours, clip_stored
from pipelines.queries import run_query, subset_settings
from pipelines.workspace import Workspace
from tests import media
from tests.boards import made_board, made_workspace, odd_board, odd_workspace, ready, site
from tests.verdicts import is_missing, judged_clips, reason
from tests.workspaces import decide_again, small_workspace


@functools.cache
def small_board():
    return ready(small_workspace(), media.folder() / "cache")


@functools.cache
def odd_clips(subset):
    return judged_clips(odd_workspace(), subset, subset_settings(odd_workspace())[subset])


def rows(workspace, table):
    return workspace.table(table).read().to_pylist()


def same(found, real):
    return found == real or (is_missing(found) and is_missing(real))


@pytest.mark.parametrize("subset", ["odd", "pictures", "by measures"])
def test_the_trail_says_what_plain_python_says_of_each_rule(subset):
    rules = subset_settings(odd_workspace())[subset]
    for one in random.Random(1).sample(odd_clips(subset), 25):
        found = clip(odd_board(), ClipQuery(subset=subset, clip_id=one.row["clip_id"]))
        told = next(row for row in found["subsets"] if row["subset"] == subset)
        assert (told["status"], told["reason"]) == (one.verdict, one.verdict_reason)
        failing = [
            step["name"] + (":unscored" if step["verdict"] == "unscored" else "")
            for step in told["steps"]
            if step["verdict"] in ("fails", "unscored")
        ]
        said = reason(one, rules)
        first = failing[0] if failing else None
        if said == "unknown":
            assert first.endswith(":unscored")
        elif said is None:
            assert failing == ([one.verdict_reason.partition(":")[0]] if one.is_later else [])
        else:
            assert first == (said.partition(":")[0] if said.startswith("bucket") else said)
        decided = [step["name"] for step in told["steps"] if step["decided"]]
        assert decided == ([] if one.verdict == "ok" else [one.verdict_reason.partition(":")[0]])


def test_the_trail_goes_by_the_recipe_of_the_subset_and_not_the_last_one(tmp_path):
    workspace = Workspace(shutil.copytree(small_workspace().uri, tmp_path / "ws"))
    decide_again(workspace, "256p", duplicates={})
    decide_again(workspace, "strict")
    name = next(row["clip_id"] for row in rows(workspace, "selection") if row["status"] == "ok")
    found = clip(ready(workspace, tmp_path), ClipQuery(clip_id=name))
    said = {
        one["subset"]: next(step["verdict"] for step in one["steps"] if step["name"] == "duplicate")
        for one in found["subsets"]
    }
    assert said == {"256p": "passes", "strict": "off"}


def test_measures_are_those_of_the_tables_with_their_thresholds():
    rules = subset_settings(odd_workspace())["odd"].rules
    for one in random.Random(2).sample(odd_clips("odd"), 10):
        found = clip(odd_board(), ClipQuery(subset="odd", clip_id=one.row["clip_id"]))
        for measure in found["measures"]:
            assert same(measure["value"], one.row[measure["name"]]), measure["name"]
            if measure["rule"]:
                rule = rules[measure["rule"]["name"]]
                assert (measure["rule"]["min"], measure["rule"]["max"]) == (rule.min, rule.max)
        assert {row["name"] for row in found["measures"]} <= set(MEASURES)
        assert found["facts"]["codec"] == one.row["codec"]


def test_changed_rules_move_the_thresholds_and_not_the_decisions():
    one = odd_clips("odd")[0].row["clip_id"]
    before = clip(odd_board(), ClipQuery(subset="odd", clip_id=one))
    after = clip(odd_board(), ClipQuery(subset="odd", clip_id=one, rule=("moves:3:",)))
    rule = next(row["rule"] for row in after["measures"] if row["name"] == "motion_vmaf")
    assert (rule["min"], rule["max"], rule["was"]) == (3.0, None, {"min": 1.0, "max": 9.0})
    assert plain(after["subsets"]) == plain(before["subsets"])


def test_a_clip_has_its_captions_and_its_samples_place():
    workspace, board = made_workspace(), made_board()
    samples = workspace.table("shards/256p").read(["clip_id", "status", "bucket"]).to_pylist()
    captions = {row["clip_id"]: row for row in rows(workspace, "captions/facts")}
    for sample in random.Random(3).sample([row for row in samples if row["status"] == "ok"], 10):
        name = sample["clip_id"]
        found = clip(board, ClipQuery(subset="256p", clip_id=name))
        place = next(row["sample"] for row in found["subsets"] if row["subset"] == "256p")
        stored = pq.read_table(f"{workspace.uri}/{place['file']}", columns=["clip_id"])
        assert stored["clip_id"][place["row"]].as_py() == name
        assert place["bucket"] == sample["bucket"]
        said = [(row["caption"], row["flags"]) for row in found["captions"]]
        known = captions.get(name)
        assert said == ([(known["caption"], known["flags"])] if known else [])


def test_what_is_stored_of_a_clip_is_what_its_row_has():
    workspace, board = small_workspace(), small_board()
    for row in rows(workspace, "clips"):
        for one, frames in zip(row["clips"], row["frames"], strict=True):
            found = clip_stored(board, ClipQuery(subset="256p", clip_id=one["clip_id"]))
            assert found["frames"] == [frame["time_s"] for frame in frames]
            names = ("time_s", "pan", "tilt", "zoom", "roll")
            path = [{name: at[name] for name in names} for at in one["camera_path"] or ()]
            assert found["camera_path"] == path
            tables = [row["table"] for row in found["lineage"]]
            assert tables[:4] == ["sources", "videos", "clips", "selection"]
            for made in found["lineage"]:
                assert made["is_exact"] == (made["table"] in ("clips", "shards/256p"))
                log = workspace.table(made["table"]).delta().history()
                assert made["run"] in {entry["run"] for entry in log}


def test_neighbours_are_those_of_the_tables():
    workspace, board = made_workspace(), made_board()
    chosen = [row for row in rows(workspace, "selection") if row["subset"] == "256p"]
    times = run_query(workspace, "SELECT clip_id, start_s FROM clips").to_pylist()
    start = {row["clip_id"]: row["start_s"] for row in times}
    duplicates = [row for row in chosen if row["duplicate_of"]]
    picked = random.Random(4).sample(chosen, 10) + duplicates[:5]
    for row in picked:
        name = row["clip_id"]
        found = clip_neighbours(board, ClipQuery(subset="256p", clip_id=name))
        own = [one["clip_id"] for one in chosen if one["video_id"] == row["video_id"]]
        own.sort(key=lambda one: (start[one], one))
        place = own.index(name)
        assert (found["video"]["num"], found["video"]["place"]) == (len(own), place)
        assert found["video"]["previous"] == (own[place - 1] if place else None)
        assert found["video"]["next"] == (own[place + 1] if place + 1 < len(own) else None)
        shown = [one["clip_id"] for one in found["video"]["clips"]]
        assert shown == own[max(0, place - 6) : place + 7]
        kept = row["duplicate_of"] or name
        group = {one["clip_id"] for one in chosen if one["duplicate_of"] == kept} | {kept}
        shown = [one["clip_id"] for one in found["same"]["clips"]]
        if len(group) == 1:
            assert shown == []
        else:
            assert (set(shown), shown[0], found["same"]["num"]) == (group, kept, len(group))
        alike = {one["clip_id"] for one in chosen if one["concept_id"] == row["concept_id"]}
        if row["concept_id"] is None:
            assert found["concept"] is None
        else:
            assert found["concept"]["num"] == len(alike)
    assert duplicates


def test_clips_that_look_alike_are_about_the_nearest_by_embedding_in_other_videos():
    workspace, board = made_workspace(), made_board()
    group = {
        row["clip_id"]: row["duplicate_of"] or row["clip_id"]
        for row in rows(workspace, "selection")
        if row["subset"] == "256p"
    }
    scores = [row for row in rows(workspace, "scores") if row["clip_id"] in group]
    embedded = [row for row in scores if row["concept_embedding"]]
    directions = np.array([row["concept_embedding"] for row in embedded])
    for place in random.Random(5).sample(range(len(embedded)), 8):
        one = embedded[place]
        exact = {
            row["clip_id"]: float(cosine)
            for row, cosine in zip(embedded, directions @ directions[place], strict=True)
            if row["video_id"] != one["video_id"] and group[row["clip_id"]] != group[one["clip_id"]]
        }
        asked = ClipQuery(subset="256p", clip_id=one["clip_id"])
        told = {r["clip_id"]: r["value"] for r in clip_neighbours(board, asked)["alike"]["clips"]}
        assert len(told) == MOST_ALIKE
        assert list(told.values()) == sorted(told.values(), reverse=True)
        best = sorted(exact.values(), reverse=True)[:MOST_ALIKE]
        assert told == pytest.approx({name: exact[name] for name in told}, abs=0.005)
        assert list(told.values())[:6] == pytest.approx(best[:6], abs=0.005)
        assert np.mean(list(told.values())) > np.mean(best) - 0.01
    unseen = next(row for row in scores if not row["concept_embedding"])
    asked = ClipQuery(subset="256p", clip_id=unseen["clip_id"])
    assert clip_neighbours(board, asked)["alike"] is None


def test_a_file_of_any_name_is_told_as_it_is_called_and_its_command_runs(tmp_path):
    board = small_board()
    name = next(
        row["clip_id"]
        for row in board.ask("SELECT clip_id, uris FROM clips JOIN videos USING (video_id)")
        if len(row["uris"]) == 2
    )
    found = clip(board, ClipQuery(subset="256p", clip_id=name))
    assert any(uri.endswith("moving [1] `x` |y|.mp4") for uri in found["video"]["uris"])
    command = next(row["text"] for row in found["commands"] if row["title"] == "cut")
    program = f'ffmpeg() {{ {shell_quoted(imageio_ffmpeg.get_ffmpeg_exe())} "$@"; }}'
    script = ["bash", "-c", f"{program}\n{command}"]
    subprocess.run(script, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / f"{name}.mp4").stat().st_size > 1000


@settings(max_examples=5, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\x00", codec="utf-8")), min_size=20))
def test_a_shell_reads_back_the_very_bytes(texts):
    texts += ["$(reboot)", "a'b\\", "--help", "new\nline", "\udcff\x1b[2J", "\u202etxt", "~", "*"]
    script = "printf '%s\\0' " + " ".join(map(shell_quoted, texts))
    said = subprocess.run(["bash", "-c", script], check=True, capture_output=True).stdout
    wanted = b"".join(text.encode("utf-8", "surrogateescape") + b"\0" for text in texts)
    assert said == wanted


def test_what_is_not_there_is_404_and_what_is_no_question_400():
    with site(ready(small_workspace(), media.folder() / "cache")) as served:
        for path in ("clip", "clip/stored", "clip/neighbours"):
            for name in ("nothing", "..%2F..%2Fetc%2Fpasswd", "'; DROP TABLE clips; --"):
                asked = f"/api/{path}?subset=256p&clip_id={name.replace(' ', '%20')}"
                assert served.ask(asked).status == 404, (path, name)
            assert served.ask(f"/api/{path}?subset=256p&clip_id={'a' * 201}").status == 400
            assert served.ask(f"/api/{path}?subset=256p").status == 400
        known = served.ask("/api/clips?subset=256p&size=1").body
        name = known.partition(b'"clip_id":"')[2].partition(b'"')[0].decode()
        assert served.ask(f"/api/clip?clip_id={name}").status == 200
        assert served.ask(f"/api/clip?clip_id={name}&subset=nowhere").status == 400
