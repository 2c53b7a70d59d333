"""The guard on logged errors guards."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

TESTS = """
import logging, pytest

def test_quiet():
    logging.getLogger("a").warning("only a warning")

def test_loud():
    logging.getLogger("a").error("broken")

@pytest.mark.logs_errors
def test_declared():
    logging.getLogger("a").error("broken, as it should be")
"""


def test_a_logged_error_fails_its_test_unless_it_is_declared(tmp_path: Path) -> None:
    (tmp_path / "test_them.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-c", ROOT / "pyproject.toml"]
    command += ["--rootdir", tmp_path, "-p", "tests.conftest", "-p", "no:cacheprovider", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "3 passed, 1 error" in done.stdout, "the guard speaks when its test is over"
    assert "ERROR at teardown of test_loud" in done.stdout
    assert "AssertionError: logged as ERROR: a: broken" in done.stdout
