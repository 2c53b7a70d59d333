import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from training import checkpoint


def tensors(seed: int = 0) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return {
        "weights.a": torch.randn(3, 4),
        "ema.a": torch.randn(3, 4, dtype=torch.float64),
        "weights.b": torch.randn(5).bfloat16(),
    }


def zeros() -> dict[str, torch.Tensor]:
    return {name: torch.zeros_like(one) for name, one in tensors().items()}


def test_what_is_saved_is_read_back_bit_by_bit(tmp_path: Path) -> None:
    folder = checkpoint.save(tmp_path, 7, tensors(), {"step": 7, "epoch": 1})
    found = zeros()
    checkpoint.load(folder, found)
    for name, one in tensors().items():
        assert torch.equal(found[name], one)
    assert checkpoint.read_state(folder) == {"step": 7, "epoch": 1}


def test_some_of_the_tensors_can_be_read_alone(tmp_path: Path) -> None:
    folder = checkpoint.save(tmp_path, 7, tensors(), {})
    found = {"ema.a": torch.zeros(3, 4, dtype=torch.float64)}
    checkpoint.load(folder, found)
    assert torch.equal(found["ema.a"], tensors()["ema.a"])


def test_it_is_safetensors_and_nothing_in_it_is_pickled(tmp_path: Path) -> None:
    folder = checkpoint.save(tmp_path, 7, tensors(), {})
    files = [path for path in folder.iterdir() if path.suffix != ".json"]
    assert files
    assert {path.suffix for path in files} == {".safetensors"}
    found = {name: one for path in files for name, one in load_file(path).items()}
    assert found.keys() == tensors().keys()


def test_the_newest_is_found_and_older_ones_are_removed(tmp_path: Path) -> None:
    for step in (9, 10, 100, 1000):
        checkpoint.save(tmp_path, step, tensors(), {})
    checkpoint.prune(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000100", "step-00001000"]
    assert checkpoint.newest(tmp_path) == checkpoint.folder_of(tmp_path, 1000)


@pytest.mark.parametrize(
    "damage", ["cut", "flipped", "gone", "no list", "no state", "bad list", "empty"]
)
def test_of_a_broken_checkpoint_the_one_before_is_used_and_the_log_says_so(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = checkpoint.save(tmp_path, 1, tensors(), {})
    broken = checkpoint.save(tmp_path, 2, tensors(), {})
    [file] = broken.glob("*.safetensors")
    match damage:
        case "cut":
            os.truncate(file, file.stat().st_size - 1)
        case "flipped":
            content = bytearray(file.read_bytes())
            content[-1] ^= 1
            file.write_bytes(content)
        case "gone":
            file.unlink()
        case "empty":
            for path in broken.iterdir():
                path.unlink()
        case "no list":
            (broken / "files.json").unlink()
        case "no state":
            (broken / "state.json").write_text("{")
        case "bad list":
            (broken / "files.json").write_text("[]")
    assert checkpoint.newest(tmp_path) == whole
    assert "is not whole" in caplog.text
    assert broken.name in caplog.text
    # The step is done again, and its checkpoint takes the broken one's place.
    assert checkpoint.save(tmp_path, 2, tensors(), {}) == broken
    assert checkpoint.newest(tmp_path) == broken


def test_where_there_is_none_none_is_found(tmp_path: Path) -> None:
    assert checkpoint.newest(tmp_path / "nowhere") is None


@pytest.mark.parametrize("wrong", [{"weights.a": torch.zeros(3, 5)}, {"new": torch.zeros(1)}])
def test_another_model_is_refused_before_anything_is_read(
    wrong: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    folder = checkpoint.save(tmp_path, 7, tensors(), {})
    found = zeros() | wrong
    with pytest.raises(ValueError, match="of another model"):
        checkpoint.load(folder, found)
    assert not found["ema.a"].any()


def test_a_kill_while_writing_leaves_what_was_there(tmp_path: Path) -> None:
    whole = checkpoint.save(tmp_path, 1, tensors(), {})
    code = f"""
import os, pathlib, torch
from training import checkpoint
checkpoint.make_durable = lambda path: os._exit(9)
checkpoint.save(pathlib.Path({str(tmp_path)!r}), 2, {{"a": torch.zeros(9)}}, {{}})
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 9
    assert len(list(tmp_path.iterdir())) == 2
    assert checkpoint.newest(tmp_path) == whole
    checkpoint.prune(tmp_path, 1)
    assert list(tmp_path.iterdir()) == [whole]


ON_A_SMALL_DISK = """
mount -t tmpfs -o size=1m none "$1" || exit 77
"$3" -c "$4" "$1" 2> "$2"
"""

FILL = """
import pathlib, sys, torch
from training import checkpoint
from training.errors import CheckpointError
place = pathlib.Path(sys.argv[1]) / "run"
checkpoint.save(place, 1, {"a": torch.zeros(50_000)}, {})
try:
    checkpoint.save(place, 2, {"a": torch.zeros(500_000)}, {})
except CheckpointError as error:
    print(error, file=sys.stderr)
left = sorted(path.name for path in place.iterdir())
assert left == ["step-00000001"], left
assert checkpoint.newest(place).name == "step-00000001"
"""


def test_a_full_disk_is_said_and_costs_no_earlier_checkpoint(tmp_path: Path) -> None:
    small, said = tmp_path / "small", tmp_path / "said"
    small.mkdir()
    script = ["sh", "-c", ON_A_SMALL_DISK, "sh", str(small), str(said), sys.executable, FILL]
    confined = ["unshare", "--map-root-user", "--mount", *script]
    code = subprocess.run(confined, timeout=120).returncode
    if not said.exists():
        pytest.skip("this machine lets nobody mount a small disk")
    assert code == 0, said.read_text()
    assert "no space left for the checkpoint" in said.read_text()
    assert "The checkpoints before it are whole" in said.read_text()


def test_the_list_of_files_has_their_hashes(tmp_path: Path) -> None:
    folder = checkpoint.save(tmp_path, 7, tensors(), {})
    hashes = json.loads((folder / "files.json").read_text())
    assert hashes == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "files.json"
    }


def test_a_damaged_file_is_said_where_it_is_read_all_the_same(tmp_path: Path) -> None:
    folder = checkpoint.save(tmp_path, 7, tensors(), {})
    [file] = folder.glob("*.safetensors")
    file.write_bytes(b"\0" * file.stat().st_size)
    with pytest.raises(ValueError, match="cannot be read"):
        checkpoint.load(folder, zeros())


def test_where_a_run_was_stopped_does_not_matter_to_the_planned_ones_that_stay(
    tmp_path: Path,
) -> None:
    for step in (4, 8, 11, 12, 13):
        checkpoint.save(tmp_path, step, tensors(), {})
        checkpoint.prune(tmp_path, 2, every_steps=4)
    assert [checkpoint.step_of(path) for path in sorted(tmp_path.iterdir())] == [8, 12, 13]
