"""Checkpoints: tensors by torch's distributed checkpoint as safetensors, and a small JSON beside.

A checkpoint is written into a folder of another name, made durable, and only then given its own; so
a folder `step-…` is whole when it appears. What happens to it later, such as a copy that broke off
or a bad disk, is found by the hashes that it lists, and the newest whole one is used.
"""

import errno
import hashlib
import json
import logging
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors import SafetensorError
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import (
    HuggingFaceStorageReader,
    HuggingFaceStorageWriter,
)
from torch.distributed.checkpoint.metadata import TensorStorageMetadata

from curation.storage import make_durable
from training.errors import CheckpointError

STATE, FILES = "state.json", "files.json"

logger = logging.getLogger(__name__)


def folder_of(parent: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return parent / f"step-{step:08d}"


def step_of(folder: Path) -> int:
    """The step that a checkpoint's folder is named after."""
    return int(folder.name.removeprefix("step-"))


def save(
    parent: Path, step: int, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]
) -> Path:
    """Writes the checkpoint of a step; it appears whole or not at all.

    Args:
        parent: the folder of the stage's checkpoints.
        step: the optimizer steps that are done.
        tensors: everything to be read back bit by bit, under names that stay the same.
        state: everything else, as JSON.

    Raises:
        CheckpointError: it cannot be written; what was there before is untouched.
    """
    folder = folder_of(parent, step)
    # Not `step-…`: what a crash leaves behind is never taken for a checkpoint.
    aside = parent / f".writing-{folder.name}"
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        writer = HuggingFaceStorageWriter(str(aside), save_distributed=True)
        with _alone():
            state_dict_saver.save(
                dict(tensors), storage_writer=writer, no_dist=not dist.is_initialized()
            )
        (aside / STATE).write_text(json.dumps(dict(state)), encoding="utf-8")
        hashes = {path.name: _sha256(path) for path in sorted(aside.iterdir())}
        (aside / FILES).write_text(json.dumps(hashes), encoding="utf-8")
        for path in aside.iterdir():
            make_durable(str(path))
        if folder.exists():  # a broken one, which is why this step was done again
            shutil.rmtree(folder)
        aside.rename(folder)
        make_durable(str(folder))
    except (OSError, CheckpointException, SafetensorError) as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise CheckpointError(unwritable(f"the checkpoint {folder}", folder, error)) from error
    return folder


def unwritable(what: str, path: Path, error: BaseException) -> str:
    """Why something of a run cannot be written, in a sentence.

    Args:
        what: what it is.
        path: where it was to be.
        error: what was raised.
    """
    causes: list[BaseException] = [error]
    if isinstance(error, CheckpointException):
        causes += [cause for cause, _ in error.failures.values()]
    full = any(
        getattr(cause, "errno", None) == errno.ENOSPC or "o space left" in str(cause)
        for cause in causes
    )
    if not full:
        return f"{what} cannot be written: {causes[-1]}"
    place = next(one for one in (path, *path.parents) if one.exists())
    return (
        f"no space left for {what}: {shutil.disk_usage(place).free:,} bytes are free there. The "
        "checkpoints before it are whole; make room and type the same command again"
    )


def newest(parent: Path) -> Path | None:
    """The newest checkpoint that is whole; says in the log what it passes over."""
    for folder in sorted(parent.glob("step-*"), reverse=True):
        problem = problem_of(folder)
        if problem is None:
            return folder
        logger.warning("%s is not whole (%s): the one before it is used", folder, problem)
    return None


def drop_after(parent: Path, found: Path | None) -> None:
    """Removes checkpoints after the newest whole one: their steps are done again."""
    for folder in parent.glob("step-*"):
        if found is None or step_of(folder) > step_of(found):
            shutil.rmtree(folder, ignore_errors=True)


def problem_of(folder: Path) -> str | None:
    """What is wrong with a checkpoint, by the hashes of its files; None if it is whole."""
    try:
        hashes = json.loads((folder / FILES).read_text(encoding="utf-8"))
        json.loads((folder / STATE).read_text(encoding="utf-8"))
        if not isinstance(hashes, dict):
            return f"{FILES} is no list of files"
        for name, digest in hashes.items():
            if _sha256(folder / name) != digest:
                return f"{name} is not as it was written"
    except (OSError, ValueError) as error:
        return str(error)
    return None


def read_state(folder: Path) -> dict[str, Any]:
    """The JSON of a whole checkpoint."""
    state: dict[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))
    return state


def load(folder: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Reads a checkpoint into tensors of the same names and shapes, in place.

    Raises:
        ValueError: it lacks one of them, has it in another shape, or is damaged.
    """
    try:
        stored = HuggingFaceStorageReader(str(folder)).read_metadata().state_dict_metadata
        for name, tensor in tensors.items():
            found = stored.get(name)
            shape = tuple(found.size) if isinstance(found, TensorStorageMetadata) else None
            if shape != tuple(tensor.shape):
                there = "is missing" if shape is None else f"has shape {shape}"
                raise ValueError(
                    f"{folder} is of another model: {name} {there}, and {tuple(tensor.shape)} is "
                    "needed"
                )
        reader = HuggingFaceStorageReader(str(folder))
        with _alone():
            state_dict_loader.load(
                dict(tensors), storage_reader=reader, no_dist=not dist.is_initialized()
            )
    except (OSError, SafetensorError, CheckpointException) as error:
        raise ValueError(f"{folder} cannot be read: {error}") from error


@contextmanager
def _alone() -> Iterator[None]:
    """Without the warning that one process alone is meant: it is."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def prune(parent: Path, keep: int, every_steps: int = 1) -> None:
    """Removes old checkpoints, and what writing has left behind.

    What stays are the newest one and the newest `keep` of those at every so many steps: where a run
    was stopped does not matter to which of these there are.
    """
    folders = sorted(parent.glob("step-*"))
    planned = [folder for folder in folders if step_of(folder) % every_steps == 0]
    kept = {*planned[max(len(planned) - keep, 0) :], *folders[-1:]}
    for folder in [*(one for one in folders if one not in kept), *parent.glob(".writing-*")]:
        shutil.rmtree(folder, ignore_errors=True)
