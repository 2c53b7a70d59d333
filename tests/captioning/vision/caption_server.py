"""A server of chat completions on this machine that misbehaves as it is told."""

import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "tiny-vlm"


@dataclass
class Script:
    """What to do, and what was asked."""

    actions: dict[str, list["Action"]] = field(default_factory=dict)
    """What each clip gets, try by try, and the last of it from then on; `answer` if none is named.
    Clips say their id on screen."""

    always: "Action | None" = None
    """What every clip gets."""

    models: "Action | None" = None
    """What `/v1/models` gets, if not the list."""

    asked: list[tuple[str, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    """Clip, body and headers of every request for a completion."""

    num_probes: int = 0
    most_at_once: int = 0
    at_once: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""
    server: ThreadingHTTPServer | None = None

    def tries(self, clip_id: str) -> int:
        return sum(asked == clip_id for asked, _, _ in self.asked)

    def die(self) -> None:
        """Refuses every connection from now on."""
        assert self.server is not None
        self.server.shutdown()
        self.server.server_close()


class Handler(BaseHTTPRequestHandler):
    script: Script
    clip_id = ""
    counted = False

    def do_GET(self) -> None:
        self.script.num_probes += 1
        if self.script.models is not None:
            self.script.models(self)
        else:
            self.send(200, json.dumps({"data": [{"id": MODEL}, {"id": "other"}]}).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = body["messages"][0]["content"][-1]["text"]
        found = re.search(r'"(clip-\d+)"', text)
        self.clip_id = found[1] if found else ""
        script = self.script
        with script.lock:
            number = script.tries(self.clip_id)
            script.asked.append((self.clip_id, body, dict(self.headers)))
            self.counted = True
            script.at_once += 1
            script.most_at_once = max(script.most_at_once, script.at_once)
        actions = script.actions.get(self.clip_id) or [script.always or answer]
        try:
            actions[min(number, len(actions) - 1)](self)
        except OSError:  # the client has gone
            pass
        finally:
            self.leave()

    def leave(self) -> None:
        """Counts the request as done, which has to be before its client knows."""
        with self.script.lock:
            self.script.at_once -= self.counted
            self.counted = False

    def send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.leave()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


Action = Callable[[Handler], None]


def completion(text: object, **more: Any) -> bytes:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return json.dumps({"choices": [choice], "usage": {"completion_tokens": 7}} | more).encode()


def answer(handler: Handler) -> None:
    handler.send(200, completion(f"The scene of {handler.clip_id}."))


def body(content: bytes) -> Action:
    return lambda handler: handler.send(200, content)


def status(code: int, said: bytes = b"", **headers: str) -> Action:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.send(code, said, named)


def late(seconds: float) -> Action:
    def act(handler: Handler) -> None:
        handler.script.over.wait(seconds)
        answer(handler)

    return act


def hang(handler: Handler) -> None:
    handler.script.over.wait(60)


def drip(start: bytes) -> Action:
    """A byte every 50 ms, for ever."""

    def act(handler: Handler) -> None:
        handler.wfile.write(start)
        while not handler.script.over.wait(0.05):
            handler.wfile.write(b"a")

    return act


def drop(handler: Handler) -> None:
    """Closes the connection without a word."""
    handler.close_connection = True


def break_off(handler: Handler) -> None:
    """Sends less than it promises."""
    content = completion("half")
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content) + 10))
    handler.end_headers()
    handler.wfile.write(content)


def die(handler: Handler) -> None:
    """Takes the server down, and this connection with it."""
    handler.script.die()
    handler.close_connection = True


@contextmanager
def caption_server(
    port: int = 0, context: ssl.SSLContext | None = None, **script: Any
) -> Iterator[Script]:
    """A server that listens while the block lasts."""
    made = Script(**script)
    handler = type("Handler", (Handler,), {"script": made})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads, server.block_on_close = True, False
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    made.server = server
    made.url = f"http{'s' if context else ''}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def within(limit_s: float, since_s: float) -> bool:
    """Whether less than `limit_s` has passed; machines are slow, so tests leave room."""
    return time.monotonic() - since_s < limit_s
