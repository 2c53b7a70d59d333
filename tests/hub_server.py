"""A hub of models on this machine: the few endpoints that fetching a repository uses."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LARGE_BYTES = 10_000
"""Files from this size on are described as Git LFS describes them."""


class Hub:
    """Repositories by id; each is a folder, at one commit, which the branch `main` names."""

    def __init__(self) -> None:
        self.folders: dict[str, Path] = {}
        self.licences: dict[str, str] = {}
        self.untrue: set[str] = set()
        """Files whose content is not what the hub states."""
        self.downloads: list[str] = []
        self.url = ""

    def add(self, repository: str, folder: Path, licence: str = "mit") -> str:
        """Offers the folder, and returns its commit."""
        self.folders[repository], self.licences[repository] = folder, licence
        return self.commit(repository)

    def commit(self, repository: str) -> str:
        return hashlib.sha1(repository.encode(), usedforsecurity=False).hexdigest()

    def files(self, repository: str) -> list[dict[str, Any]]:
        return [described(path) for path in sorted(self.folders[repository].iterdir())]


def described(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    entry: dict[str, Any] = {"path": path.name, "size": len(content), "oid": blob}
    if len(content) >= LARGE_BYTES:
        sha256 = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": sha256, "size": len(content), "pointerSize": 134}
    return entry


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        steps = self.path.partition("?")[0].strip("/").split("/")
        if steps[:2] == ["api", "models"]:
            self._describe("/".join(steps[2:4]), *steps[4:6])
        else:
            self._send_file("/".join(steps[:2]), steps[3], "/".join(steps[4:]))

    def _describe(self, repository: str, what: str, revision: str) -> None:
        if not self._knows(repository, revision):
            return
        files = self.hub.files(repository)
        if what == "tree":
            answer: Any = [{"type": "file", **file} for file in files]
        else:
            answer = {
                "id": repository,
                "sha": self.hub.commit(repository),
                "cardData": {"license": self.hub.licences[repository]},
                "siblings": [sibling(file) for file in files],
            }
        self._answer(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _send_file(self, repository: str, revision: str, name: str) -> None:
        if not self._knows(repository, revision):
            return
        path = self.hub.folders[repository] / name
        entry = described(path)
        content = path.read_bytes()
        if name in self.hub.untrue:
            content = content[:-1] + bytes([content[-1] ^ 1])
        if self.command == "GET":
            self.hub.downloads.append(f"{repository}/{name}")
        etag = entry["lfs"]["oid"] if "lfs" in entry else entry["oid"]
        self._answer(
            200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": self.hub.commit(repository)}
        )

    def _knows(self, repository: str, revision: str) -> bool:
        if repository not in self.hub.folders:
            self._answer(404, b"", {"X-Error-Code": "RepoNotFound"})
            return False
        if revision not in ("main", self.hub.commit(repository)):
            self._answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
            return False
        return True

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def sibling(file: dict[str, Any]) -> dict[str, Any]:
    """A file as `/api/models/…?blobs=true` describes it."""
    entry = {"rfilename": file["path"], "size": file["size"], "blobId": file["oid"]}
    if lfs := file.get("lfs"):
        entry["lfs"] = {"sha256": lfs["oid"], "size": lfs["size"], "pointerSize": 134}
    return entry


@contextmanager
def hub() -> Iterator[Hub]:
    """A hub that listens on this machine while the block lasts."""
    offered = Hub()
    handler = type("Handler", (_Handler,), {"hub": offered})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        offered.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield offered
        finally:
            server.shutdown()
            thread.join()
