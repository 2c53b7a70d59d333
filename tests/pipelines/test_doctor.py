"""The doctor's lines on this machine, and on machines that are worse."""

import json
import socket
import stat
from pathlib import Path

import pytest

from pipelines import doctor, doctor_machine, doctor_software
from pipelines.check import Check, is_older
from pipelines.doctor_machine import confined, ray_address


def by_name(found: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in found}


def test_this_machine_can_run_moviola_and_every_line_has_a_finding(tmp_path: Path) -> None:
    found = doctor.checks(str(tmp_path / "work"))
    assert doctor.exit_code(found) == 0, doctor.as_text(found)
    names = set(by_name(found))
    assert {
        "Python",
        "ray",
        "faiss",
        "FFmpeg in PyAV",
        "FFmpeg in OpenCV",
        "ffmpeg command",
    } <= names
    assert {"decoders", "H.264 encoder", "GPU", "scratch disk", "workspace disk"} <= names
    assert {"Ray address", "confinement", "storage"} <= names
    for check in found:
        assert check.found
        assert bool(check.remedy) == (check.status != "good"), check


def test_text_has_a_line_per_check_and_the_remedy_below_it() -> None:
    found = [Check("a", "good", "fine"), Check("long name", "bad", "broken", "mend it")]
    good, bad, remedy = doctor.as_text(found).splitlines()
    assert good.split() == ["good", "a", "fine"]
    assert bad.startswith("bad ") and bad.endswith("broken")
    assert remedy.endswith("-> mend it")


def test_json_reads_back() -> None:
    found = [Check("a", "bad", "broken", "mend it")]
    assert [Check(**row) for row in json.loads(doctor.as_json(found))] == found


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([Check("a", "good", "x"), Check("b", "warning", "x", "y")], 0),
        ([Check("a", "bad", "x", "y")], 1),
        ([Check("a", "bad", "x", "y"), Check("storage", "bad", "x", "y")], 4),
    ],
)
def test_exit_code(found: list[Check], code: int) -> None:
    assert doctor.exit_code(found) == code


@pytest.mark.parametrize(
    ("version", "floor", "older"),
    [
        ("2.60.0", "2.60", False),
        ("2.9.1", "2.10", True),
        ("n8.1.1-3-gabc", "8.1.2", True),
        ("9.0.2-17-g2a571b6068-20260930", "8.1.2", False),
        ("2.10.0+cu128", "2.10", False),
        ("unknown", "8.1.2", True),
    ],
)
def test_versions_are_compared_by_number(version: str, floor: str, older: bool) -> None:
    assert is_older(version, floor) is older


def test_an_old_package_and_a_missing_one_are_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doctor_software.FLOORS, "ray", "99.0")
    monkeypatch.setattr(doctor_software, "PACKAGES", ("ray", "no-such-package", "torch"))
    found = by_name(list(doctor_software.software()))
    assert found["ray"].status == "bad" and "older than 99.0" in str(found["ray"].remedy)
    assert found["no-such-package"].found == "not installed"
    assert "torch" not in found or found["torch"].status == "good", "torch is no requirement"


def test_there_is_one_faiss_and_no_other_overwrites_it() -> None:
    found = doctor_software.faiss_check({"faiss-cpu"})
    assert found.status == "good" and " (faiss-cpu), " in found.found
    both = doctor_software.faiss_check({"faiss-gpu", "faiss-cpu"})
    assert (both.status, both.found) == ("bad", "faiss-cpu and faiss-gpu")
    assert doctor_software.faiss_check(set()).found == "not installed"


def test_a_named_ffmpeg_is_the_one_that_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "ffmpeg"
    command.write_text("#!/bin/sh\necho ffmpeg version 5.1.9-0+deb12u1 Copyright\n")
    command.chmod(stat.S_IRWXU)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(command))
    found = by_name(list(doctor_software.software()))["ffmpeg command"]
    assert found.status == "bad"
    assert "5.1.9" in found.found and str(command) in found.found


def test_a_codec_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_software, "CODECS", frozenset({"h264", "flv1", "betamax"}))
    found = by_name(list(doctor_software.software()))["decoders"]
    assert (found.status, found.found) == ("warning", "missing betamax")


def test_little_free_space_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_machine, "MIN_FREE_BYTES", 1 << 60)
    found = by_name(doctor.checks(str(tmp_path)))
    assert found["workspace disk"].status == "warning"
    assert str(tmp_path) in found["workspace disk"].found


def test_the_ray_address_is_tried_and_wants_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ray_address({}).status == "good"
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"ray://127.0.0.1:{server.getsockname()[1]}"
        assert ray_address({"RAY_ADDRESS": address}).status == "warning"
        with_token = {"RAY_ADDRESS": address, "RAY_AUTH_MODE": "token"}
        assert ray_address(with_token).status == "good"
        assert ray_address({"RAY_ADDRESS": address, "RAY_AUTH_TOKEN": "x"}).status == "good"
        (tmp_path / ".ray").mkdir()
        (tmp_path / ".ray" / "auth_token").write_text("x")
        assert ray_address({"RAY_ADDRESS": address}).status == "good"
        disabled = {"RAY_ADDRESS": address, "RAY_AUTH_MODE": "disabled"}
        assert ray_address(disabled).status == "warning"
    gone = ray_address(with_token)
    assert gone.status == "bad" and address in gone.found
    assert ray_address({"RAY_ADDRESS": "host:none"}).status == "bad"


def test_what_the_kernel_does_not_enforce_is_named() -> None:
    [check] = confined(lambda: {"platform": "linux", "cpu_limit": True, "no_network": False})
    assert check.status == "warning"
    assert check.found == "cpu_limit; not no_network"


def test_a_sandbox_that_does_not_start_is_bad() -> None:
    def broken() -> dict[str, bool | str]:
        raise OSError("no fork")

    [check] = confined(broken)
    assert check.status == "bad" and "no fork" in check.found


def test_a_workspace_that_cannot_be_written_is_bad_and_exits_4(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    found = doctor.checks(str(tmp_path / "file" / "work"))
    assert by_name(found)["storage"].status == "bad"
    assert doctor.exit_code(found) == 4
