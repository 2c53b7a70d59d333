"""A run: one command at work in one workspace: its identity, lease, signals and Ray session."""

import logging
import secrets
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from types import FrameType
from typing import Any, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from curation.settings import Settings
from pipelines.cluster import Cluster
from pipelines.lease import Lease
from pipelines.recipe_history import keep_recipe
from pipelines.workspace import Metadata, Workspace

logger = logging.getLogger(__name__)


class StageResources(Settings):
    """What one worker of a stage gets, and how many rows it is handed at a time."""

    num_cpus: PositiveFloat = 1.0
    """CPU cores that Ray reserves per worker; less than 1 packs several workers onto a core."""

    num_gpus: NonNegativeFloat = 0.0
    """GPUs that Ray reserves per worker; 0.25 lets four workers share one."""

    concurrency: PositiveInt | None = None
    """Workers at most; null takes as many as the machine or cluster has room for."""

    batch_size: PositiveInt = 16
    """Rows per batch. A batch becomes visible when all of it is done, and a kill costs the whole of
    it: few rows where a row takes long, more where it is quick (a batch costs about 10 ms)."""


class StagesResources(Settings):
    """Resources stage by stage."""

    sources: StageResources = StageResources()
    """Hashing and probing input files."""

    clips: StageResources = StageResources(batch_size=1)
    """The decode pass: one video at a time."""

    scores: StageResources = StageResources()
    """The models over stored frames; on a GPU, set `num_gpus`."""

    captions: StageResources = StageResources(batch_size=8)
    """Captioning the kept clips; where the model is in the worker and on a GPU, set `num_gpus`."""

    captioners: dict[str, StageResources] = Field(default_factory=dict)
    """Resources of single captioners by name, in place of `captions`."""

    shards: StageResources = StageResources(batch_size=8)
    """Cutting and encoding the kept clips; the rows of a batch share a file of the shard."""


class EngineSettings(Settings):
    """How stages are spread over processes and machines, and how often results are committed."""

    runner: Literal["ray", "inline"] = "ray"
    """`ray`: on this machine, or on the cluster that `RAY_ADDRESS` names. `inline`: in this very
    process, for debugging; a row that kills its process then ends the run."""

    commit_s: PositiveFloat = 3.0
    """Seconds between commits: what a kill can cost at most, beside the rows being worked on."""

    ray_dashboard: bool = False
    """Start Ray's own dashboard, on 127.0.0.1:8265. Local runs only; it needs
    `pip install 'moviola[ray-dashboard]'`."""

    keep_withdrawn_h: NonNegativeInt = 168
    """Hours for which withdrawn rows can still be read from older versions of their table."""

    stages: StagesResources = StagesResources()
    """Resources stage by stage."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM: what was finished is committed; the same command goes on from there."""


class Run:
    """One command at work in a workspace; use it as a `with` block around every stage and commit.

    Entering takes the lease and the signals, and starts nothing else: Ray is started by the first
    stage that has something to do, and serves the rest of the run.

    Raises:
        FencedError: on entry, when another run is alive in the workspace.
    """

    def __init__(
        self,
        workspace: Workspace,
        settings: EngineSettings | None = None,
        *,
        command: str = "",
        recipe: Mapping[str, Any] | None = None,
        recipe_hash: str = "",
    ) -> None:
        """Names the run.

        Args:
            workspace: where it works.
            settings: the recipe's `engine` group.
            command: what the user typed, for whoever meets the run.
            recipe: every value of the recipe as JSON values, kept so that a later run can say
                which keys have changed.
            recipe_hash: names the recipe.
        """
        self.workspace = workspace
        self.settings = settings or EngineSettings()
        self.id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        self.recipe = recipe or {}
        self.metadata: Metadata = {
            "run": self.id,
            "host": socket.gethostname(),
            "command": command,
            "recipe": recipe_hash,
            "code": code_version(),
        }
        self.lease = Lease(workspace, self.id, command)
        self.cluster = Cluster(dashboard=self.settings.ray_dashboard)
        self.stop_asked = False
        self._is_graceful = False
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self.lease.__enter__()
        keep_recipe(self.workspace, self.metadata["recipe"], self.recipe)
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *error: object) -> None:
        self.cluster.stop()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self.lease.__exit__(*error)

    @contextmanager
    def working(self) -> Iterator[None]:
        """While a stage works, the first signal asks it to stop; otherwise it stops at once."""
        self._is_graceful = True
        try:
            yield
        finally:
            self._is_graceful = False

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        # Raised from anywhere, an exception could fall between a commit and our knowing of it.
        if not self._is_graceful or self.stop_asked:
            raise Interrupted(signal.Signals(number).name)
        self.stop_asked = True
        logger.info("stopping: committing what is finished (once more to stop at once)")


def code_version() -> str:
    """The version of the installed distribution."""
    try:
        return version("moviola")
    except PackageNotFoundError:
        return "not installed"
