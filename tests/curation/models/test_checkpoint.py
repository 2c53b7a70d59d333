"""Against torch, which writes the files and reads them by code of its own."""

import collections
import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from curation.models.checkpoint import tensors

FORMATS: list[dict[str, Any]] = [
    {"pickle_protocol": 2},
    {"pickle_protocol": 4},
    {"_use_new_zipfile_serialization": False},
]
"""Arguments of `torch.save`."""


def saved(path: Path, value: Any, **how: Any) -> Path:
    torch.save(value, path, **how)
    return path


def rewritten(path: Path, program: bytes) -> Path:
    """The file with another program, the rest as torch wrote it."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, program if name.endswith("data.pkl") else content)
    return path


@pytest.mark.parametrize(
    "dtype",
    ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"],
)
@pytest.mark.parametrize("how", FORMATS)
def test_every_type_comes_back_in_its_shape(
    tmp_path: Path, dtype: str, how: dict[str, Any]
) -> None:
    value = (torch.arange(24).reshape(2, 3, 4) % 7 - 2).to(getattr(torch, dtype))
    path = saved(tmp_path / "a.pth", {"a": value, "b": value[1, 2, 3]}, **how)
    found = tensors(path)
    assert list(found) == ["a", "b"]
    assert found["a"].dtype == value.numpy().dtype
    np.testing.assert_array_equal(found["a"], value.numpy())
    assert found["b"].shape == ()
    assert found["b"] == value[1, 2, 3].item()


def test_bfloat16_becomes_float32_without_loss(tmp_path: Path) -> None:
    value = torch.tensor([1.0, -3.1415, 1e30, float("inf"), 1e-40]).to(torch.bfloat16)
    found = tensors(saved(tmp_path / "a.pth", {"a": value}))["a"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, value.float().numpy())


@pytest.mark.parametrize("how", FORMATS)
def test_views_keep_their_strides_and_share_their_storage(
    tmp_path: Path, how: dict[str, Any]
) -> None:
    whole = torch.arange(60, dtype=torch.float32).reshape(3, 4, 5)
    views = {
        "whole": whole,
        "turned": whole.permute(2, 0, 1),
        "part": whole[1:, ::2, 3],
        "repeated": whole[0, 0, :1].expand(1000, 5),
        "empty": whole[:0],
    }
    found = tensors(saved(tmp_path / "a.pth", views, **how))
    for name, view in views.items():
        np.testing.assert_array_equal(found[name], view.numpy(), err_msg=name)
        assert not found[name].flags.writeable
    assert np.shares_memory(found["turned"], found["part"])


@pytest.mark.parametrize("how", FORMATS)
def test_a_modules_state_dict_with_its_metadata(tmp_path: Path, how: dict[str, Any]) -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    path = saved(tmp_path / "a.pth", module.state_dict(), **how)
    expected = module.state_dict()
    found = tensors(path)
    assert list(found) == list(expected)
    assert "_metadata" in vars(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value.numpy())


class Hostile:
    """What a pickle may do to who loads it."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("how", FORMATS)
def test_a_program_that_calls_something_else_is_refused_and_not_run(
    tmp_path: Path, how: dict[str, Any]
) -> None:
    mark = tmp_path / "was-run"
    hostile = {"a": torch.ones(2), "b": Hostile(mark)}
    path = saved(tmp_path / "a.pth", hostile, **how)
    with pytest.raises(ValueError, match=rf"{path} is no checkpoint.*posix system"):
        tensors(path)
    assert not mark.exists()
    torch.load(path, weights_only=False)
    assert mark.exists(), "the file does what it is meant to"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([torch.ones(2)], "no dict of tensors but list"),
        (torch.ones(2), "no dict of tensors but Tensor"),
        ({"a": {"b": torch.ones(2)}}, "more than a dict of tensors: see 'a'"),
        ({"a": 1}, "more than a dict of tensors: see 'a'"),
        ({1: torch.ones(2)}, "more than a dict of tensors: see 1"),
        ({"a": torch.nn.Parameter(torch.ones(2))}, "wants to call torch._utils _rebuild_parameter"),
        (
            {"a": torch.ones(2).to(torch.complex64)},
            "torch ComplexFloatStorage, which is not known|no storage",
        ),
        (collections.OrderedDict([("a", {1, 2})]), "wants to call|no use for"),
    ],
)
def test_what_is_no_dict_of_tensors_is_refused(tmp_path: Path, value: Any, problem: str) -> None:
    path = saved(tmp_path / "a.pth", value)
    with pytest.raises(ValueError, match=problem) as raised:
        tensors(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("how", FORMATS)
def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, how: dict[str, Any]) -> None:
    path = saved(tmp_path / "a.pth", {"a": torch.arange(1000.0)}, **how)
    content = path.read_bytes()
    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"a\.pth is no checkpoint that can be read"):
            tensors(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.pth is no checkpoint.*No such file"):
        tensors(tmp_path / "none.pth")


def program(*steps: tuple[int, tuple[int, ...], tuple[int, ...]]) -> bytes:
    """A dict of tensors at these offsets, shapes and strides of one storage of 4 numbers."""

    class Persistent(str):
        pass

    class Writer(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            return eval(value) if isinstance(value, Persistent) else None  # noqa: S307

    class Tensor:
        def __init__(self, *arguments: Any) -> None:
            self.arguments = arguments

        def __reduce__(self) -> Any:
            storage = Persistent("('storage', torch.FloatStorage, '0', 'cpu', 4)")
            hooks = collections.OrderedDict()  # type: ignore[var-annotated]
            return torch._utils._rebuild_tensor_v2, (storage, *self.arguments, False, hooks)

    written = io.BytesIO()
    Writer(written, 2).dump({str(number): Tensor(*step) for number, step in enumerate(steps)})
    return written.getvalue()


@pytest.mark.parametrize(
    "step",
    [
        (0, (5,), (1,)),
        (3, (2,), (1,)),
        (0, (2, 2), (3, 2)),
        (-1, (1,), (1,)),
        (0, (-1,), (1,)),
        (3, (4,), (-1,)),
        (0, (2, 2), (1,)),
        (0, (2,), (1 << 70,)),
        (0, (0,), (1 << 70,)),
    ],
)
def test_no_tensor_reaches_outside_its_storage(
    tmp_path: Path, step: tuple[int, tuple[int, ...], tuple[int, ...]]
) -> None:
    path = saved(tmp_path / "a.pth", {"a": torch.arange(4.0)})
    fine = tensors(rewritten(path, program((1, (3,), (1,)))))
    np.testing.assert_array_equal(fine["0"], [1, 2, 3])
    with pytest.raises(ValueError, match="is no checkpoint that can be read"):
        tensors(rewritten(path, program(step)))


@pytest.mark.parametrize(
    "written",
    [b".", b"\x80\x02}.more", b"}q\x00h\x01.", b"}}", b"u.", b")}s.", b"}q\x00h\x00Nh\x00s."],
)
def test_nonsense_is_refused(tmp_path: Path, written: bytes) -> None:
    path = rewritten(saved(tmp_path / "a.pth", {"a": torch.arange(4.0)}), written)
    if written.startswith(b"\x80\x02}."):
        assert tensors(path) == {}
        return
    with pytest.raises(ValueError, match=r"a\.pth"):
        tensors(path)
