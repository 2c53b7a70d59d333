"""Who may import whom, and what importing costs."""

import ast
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("curation", "captioning", "training", "pipelines")


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Every module that the file imports, wherever in the file it does so."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield f"{node.module}"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def offenders(package: str, *forbidden: str) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules(package)
        for name in imported(path)
        if any(name == one or name.startswith(f"{one}.") for one in forbidden)
    ]


@pytest.mark.parametrize("package", ["curation", "captioning", "training"])
def test_nobody_imports_pipelines(package: str) -> None:
    assert offenders(package, "pipelines") == []


def test_curation_knows_neither_captioning_nor_training_nor_ray() -> None:
    assert offenders("curation", "captioning", "training", "ray") == []


KNOWN_TO_TRAINING = ("buckets", "media", "models", "settings", "stage", "storage", "tables")
"""Modules of curation that training may use."""


def test_training_knows_a_few_modules_of_curation_and_nothing_of_captioning() -> None:
    known = tuple(f"curation.{name}" for name in KNOWN_TO_TRAINING)
    found = [
        line
        for line in offenders("training", "curation", "captioning", "ray")
        if not f"{line.partition(': ')[2]}.".startswith(tuple(f"{name}." for name in known))
    ]
    assert found == []


def test_only_media_touches_containers_and_codecs() -> None:
    found = (
        offenders("curation", "av") + offenders("captioning", "av") + offenders("training", "av")
    )
    assert [line for line in found if not line.startswith("curation/media/")] == []


def test_no_pickle_of_data() -> None:
    found = [line for name in PACKAGES for line in offenders(name, "pickle", "dill", "marshal")]
    assert found == []


def module_names(package: str) -> list[str]:
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in modules(package)]
    return [name.removesuffix(".__init__") for name in names]


def loaded(names: list[str], then: str = "") -> set[str]:
    """Every module that is loaded once a new Python has imported these."""
    code = f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\n{then}\n"
    code += "sys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


@pytest.mark.parametrize("package", ["curation", "captioning"])
def test_importing_a_package_loads_neither_ray_nor_torch(package: str) -> None:
    assert not {"ray", "torch"} & loaded(module_names(package))


def test_importing_training_loads_no_ray_and_no_library_of_models() -> None:
    large = {"ray", "transformers", "diffusers", "open_clip", "torchvision"}
    assert not large & loaded(module_names("training"))


def test_the_settings_and_the_stage_of_training_load_no_torch() -> None:
    names = [name for name in module_names("training") if name.endswith("settings")]
    assert not {"ray", "torch"} & loaded([*names, "training.encode", "training.pixels"])


@pytest.mark.parametrize(
    "words", [["--help"], ["encode", "--help"], ["encode", "train-demo", "--print-config"]]
)
def test_the_command_line_loads_neither_ray_nor_torch_before_it_has_work(words: list[str]) -> None:
    then = f"from pipelines.cli import app; app({words!r}, standalone_mode=False)"
    assert not {"ray", "torch"} & loaded(["pipelines.cli"], then)


def test_the_packages_are_the_ones_of_this_project() -> None:
    """Names this plain could be shadowed by another distribution's."""
    for package in PACKAGES:
        found = __import__(package).__file__
        assert found is not None and Path(found).parent == ROOT / package


def test_the_docker_folder_is_no_python_package() -> None:
    """It would shadow the `docker` SDK for everything that runs from the root."""
    assert list((ROOT / "docker").rglob("*.py")) == []


def test_the_wheel_holds_the_four_packages_with_their_data_and_works_elsewhere(
    tmp_path: Path,
) -> None:
    source = tmp_path / "source"
    for path in [
        *(ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE")),
        *(path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file()),
        ROOT / "tests" / "conftest.py",
    ]:
        if "__pycache__" not in path.parts:
            target = source / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", tmp_path, source], check=True, capture_output=True)
    [wheel] = tmp_path.glob("moviola-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
        assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
        archive.extractall(tmp_path / "site")
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path / 'site')!r}]\n"
        "from pipelines.recipe import PACKAGED, TRAINING, load_recipe, packaged_recipes\n"
        "from pipelines.training_recipe import load_training_recipe\n"
        "from curation.models.taxonomy import read_taxonomy\n"
        "from pipelines.asset_lock import read_lock\n"
        f"assert str(PACKAGED).startswith({str(tmp_path)!r}), PACKAGED\n"
        "read_lock(), read_taxonomy(), [load_recipe(name) for name in packaged_recipes()]\n"
        "assert [load_training_recipe(name) for name in packaged_recipes(TRAINING)]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
