"""Models by class path, out of a module that only this test has."""

from pathlib import Path

import pytest

from curation.models.by_path import model_by_path

MODULE = """
import pyarrow as pa
from curation.models.model import FrameModel, score_columns

class Sharpness(FrameModel):
    name, version, columns = "sharpness", "1", score_columns("quality")
    def setup(self): pass
    def __call__(self, clips): return [{"quality": float(len(frames))} for frames in clips]

class Mistyped(Sharpness):
    columns = pa.schema([("quality", pa.float64())])

class Unknown(Sharpness):
    columns = pa.schema([("beauty", pa.float32())])

class Key(Sharpness):
    columns = pa.schema([("clip_id", pa.string())])

class Required(Sharpness):
    columns = pa.schema([pa.field("quality", pa.float32(), nullable=False)])

class Unfinished(FrameModel):
    name, version, columns = "unfinished", "1", score_columns("quality")

class Stranger:
    pass

function = print
"""


@pytest.fixture(autouse=True)
def own_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_models.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)


def test_a_class_is_found_and_made(tmp_path: Path) -> None:
    model = model_by_path("own_models:Sharpness", tmp_path)
    model.check()
    model.setup()
    assert model([[], []]) == [{"quality": 0.0}, {"quality": 0.0}]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("no_such_module:Sharpness", "cannot be imported: No module named 'no_such_module'"),
        ("own_models:Sharpnes", "cannot be imported: .* has no attribute 'Sharpnes'"),
        ("own_models:Stranger", "is no class derived from"),
        ("own_models:function", "is no class derived from"),
        ("own_models:Unfinished", "does not do what a FrameModel does: Can't instantiate"),
        ("own_models:Mistyped", r"fills quality \(double\), which is no column"),
        ("own_models:Unknown", r"fills beauty \(float\), which is no column"),
        ("own_models:Required", r"fills quality \(float\), which is no column"),
        ("own_models:Key", r"fills clip_id \(string\), which is no column"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, path: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        model_by_path(path, tmp_path)
