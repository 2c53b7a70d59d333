"""What `moviola doctor` says of software: packages, every copy of FFmpeg, codecs."""

import importlib.metadata
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import av
import cv2
import imageio_ffmpeg
from av.codec.codec import UnknownCodecError

from curation.media.containers import CODECS
from pipelines.check import Check, is_older

FLOORS = {
    "ray": "2.60",  # no pickles read from Parquet and TAR files (GHSA-mw35-8rx3-xf9r, ray#63469)
    "pyarrow": "14.0.1",  # CVE-2023-47248: pickled extension types
    "torch": "2.10",  # CVE-2025-32434 and CVE-2026-24747: code in weight files
    "ffmpeg": "8.1.2",  # CVE-2026-8461
}
"""The oldest versions without known holes in what Moviola uses; a package may ask for newer."""

PACKAGES = ("ray", "pyarrow", "deltalake", "duckdb", "av", "numpy", "scenedetect-headless", "torch")
COMMAND_TIMEOUT_S = 20.0


def software() -> Iterator[Check]:
    """Python, the packages that matter, each FFmpeg that is loaded or called, the codecs."""
    yield Check("Python", "good", f"{sys.version.split()[0]} at {sys.executable}")
    yield from _packages()
    yield faiss_check(set(importlib.metadata.packages_distributions().get("faiss", [])))
    yield from _ffmpeg()
    yield from _codecs()


def _packages() -> Iterator[Check]:
    for name in PACKAGES:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            if name != "torch":
                yield Check(name, "bad", "not installed", "make setup")
            continue
        if name in FLOORS and is_older(version, FLOORS[name]):
            remedy = f"older than {FLOORS[name]}, which closed known holes: make setup"
            yield Check(name, "bad", version, remedy)
        else:
            yield Check(name, "good", version)


def faiss_check(packages: Collection[str]) -> Check:
    """Which faiss is loaded, and how many GPUs it sees.

    Args:
        packages: the installed packages that hold a module `faiss`; each would overwrite the other.
    """
    names = " and ".join(sorted(packages))
    if len(packages) != 1:
        remedy = "uninstall all of them, then install one: faiss-cpu, or faiss-gpu on NVIDIA GPUs"
        return Check("faiss", "bad", names or "not installed", remedy)
    try:
        import faiss
    except ImportError as error:
        return Check("faiss", "bad", f"{names} cannot be loaded: {error}", "install faiss-cpu")
    return Check("faiss", "good", f"{faiss.__version__} ({names}), {faiss.get_num_gpus()} GPUs")


def _ffmpeg() -> Iterator[Check]:
    yield _ffmpeg_version("FFmpeg in PyAV", av.ffmpeg_version_info, "reads and writes all video")
    found = re.search(r"avcodec:\s+YES \(([\d.]+)\)", cv2.getBuildInformation())
    version = f"libavcodec {found.group(1)}" if found else "none"
    yield Check("FFmpeg in OpenCV", "good", f"{version}, never given a file")
    try:
        command = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        yield Check("ffmpeg command", "warning", str(error), "make setup (benchmarks need it)")
        return
    yield _ffmpeg_version("ffmpeg command", _command_version(command), f"benchmarks, {command}")
    system = shutil.which("ffmpeg")
    if system and Path(system) != Path(command):
        note = f"{_command_version(system)} at {system}"
        yield Check(
            "ffmpeg on PATH", "good", f"{note}, not used (IMAGEIO_FFMPEG_EXE names another)"
        )


def _ffmpeg_version(name: str, version: str, used_for: str) -> Check:
    found = f"{version} ({used_for})"
    if is_older(version, FLOORS["ffmpeg"]):
        return Check(name, "bad", found, f"older than {FLOORS['ffmpeg']}, which closed known holes")
    return Check(name, "good", found)


def _command_version(command: str) -> str:
    try:
        said = subprocess.run([command, "-version"], capture_output=True, text=True, check=True,
                              timeout=COMMAND_TIMEOUT_S).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return f"does not run: {error}"
    found = re.search(r"version n?(\S+)", said)
    return found.group(1) if found else "unknown"


def _codecs() -> Iterator[Check]:
    # AV1's decoder of FFmpeg itself needs a GPU; dav1d is the one that always works.
    needed = {*CODECS - {"av1"}, "libdav1d"}
    missing = [name for name in sorted(needed) if not _can_decode(name)]
    if missing:
        remedy = "videos of these codecs fail; install the av wheel from PyPI: make setup"
        yield Check("decoders", "warning", f"missing {', '.join(missing)}", remedy)
    else:
        yield Check("decoders", "good", f"all {len(needed)} that may be read")
    if "libx264" in av.codec.codecs_available:
        yield Check("H.264 encoder", "good", "libx264")
    else:
        remedy = "shards cannot be written; install the av wheel from PyPI: make setup"
        yield Check("H.264 encoder", "bad", "libx264 is missing", remedy)


def _can_decode(codec: str) -> bool:
    try:
        return av.codec.Codec(codec, "r").is_decoder
    except UnknownCodecError:
        return False
