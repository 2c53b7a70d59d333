import importlib.util
from pathlib import Path

import pytest

from pipelines.engine import EngineSettings, Run, StageResources, run_stage
from pipelines.ray_session import start_session
from pipelines.workspace import Workspace
from tests.toys import GpuShare, SquareSettings, numbers


def test_a_dashboard_without_its_packages_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"moviola\[ray-dashboard\]"):
        start_session(dashboard=True)


def test_a_worker_gets_its_share_of_a_gpu(tmp_path: Path, monkeypatch):
    # Ray is told of a GPU that need not be there: it counts shares, and that is what is tested.
    monkeypatch.setenv("RAY_OVERRIDE_RESOURCES", '{"GPU": 1}')
    workspace = Workspace(tmp_path)
    table = workspace.table("squares")
    with Run(workspace, EngineSettings()) as run:
        run_stage(
            GpuShare(SquareSettings()), numbers(1), table, run,
            StageResources(num_cpus=0.5, num_gpus=0.25, batch_size=1),
        )  # fmt: skip
        assert table.read()["square"].to_pylist() == [25]
        with pytest.raises(ValueError, match=r"asks for 0.5 CPUs and 2 GPUs, and Ray has"):
            run_stage(
                GpuShare(SquareSettings(add=1)), numbers(1), table, run,
                StageResources(num_cpus=0.5, num_gpus=2),
            )  # fmt: skip
