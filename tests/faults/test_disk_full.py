"""A full disk: exit 4 and a sentence with the place and the need; nothing half committed."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import obstore
import pytest
from deltalake import DeltaTable

from pipelines.workspace import Workspace
from tests import toys

ON_A_SMALL_DISK = """
mount -t tmpfs -o size=3m none "$1" || exit 77
"$3" -m tests.toys "$1/workspace" --rows 200 --filler-bytes 50000 2> "$2/stderr"
code=$?
cp -r "$1/workspace" "$2/workspace"
exit $code
"""


def numbers(workspace: Path) -> list[str]:
    return sorted(Workspace(workspace).table("squares").read(["number"])["number"].to_pylist())


def test_a_disk_that_fills_up_stops_the_run_and_the_next_one_finishes(tmp_path: Path) -> None:
    small, saved = tmp_path / "small", tmp_path / "saved"
    small.mkdir()
    saved.mkdir()
    script = ["sh", "-c", ON_A_SMALL_DISK, "sh", str(small), str(saved), sys.executable]
    # In a mount namespace of its own, so that nothing stays mounted whatever happens here.
    confined = ["unshare", "--map-root-user", "--mount", *script]
    code = subprocess.run(confined, timeout=120).returncode
    if not (saved / "stderr").exists():
        pytest.skip("this machine lets nobody mount a small disk")
    said = (saved / "stderr").read_text()
    assert code == 4, said
    assert "no space left for writing" in said
    assert str(small) in said
    assert re.search(r"[\d,]+ bytes are free there", said)
    before = numbers(saved / "workspace")
    assert 0 < len(before) < 200
    assert toys.main([str(saved / "workspace"), "--rows", "200"]) == 0
    assert numbers(saved / "workspace") == toys.numbers(200)["number"].to_pylist()


@pytest.mark.parametrize(
    ("owner", "name"), [(obstore, "put"), (DeltaTable, "create_write_transaction")]
)
@pytest.mark.parametrize("after", [2, 5])
def test_whatever_write_meets_the_full_disk_nothing_is_half_committed(
    owner: Any, name: str, after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = getattr(owner, name)
    count = 0

    def fails(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        if count > after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(*args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, fails)
        assert toys.main([str(tmp_path), "--rows", "30"]) == 4
    before = numbers(tmp_path)
    assert len(before) % 4 == 0, "batches of four are committed whole"
    assert len(before) == len(set(before)) < 30
    assert toys.main([str(tmp_path), "--rows", "30"]) == 0
    assert numbers(tmp_path) == toys.numbers(30)["number"].to_pylist()
