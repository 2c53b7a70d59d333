"""Captions from a server that times out, drips, lies, redirects and dies, over real sockets."""

import base64
import ipaddress
import json
import os
import pickle
import signal
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from captioning.captioner import CaptionClip, Draft, NoDraft, TimedFrame
from captioning.inference import training_prompt
from captioning.vision.server import ServerCaptioner
from captioning.vision.server_settings import ServerSettings
from curation.stage import CannotGoOn
from tests.captioning.vision import caption_server as served
from tests.captioning.vision.caption_server import MODEL, Action, Script, caption_server

KEY = "sk-" + "0123456789" * 3


def clip(number: int, is_image: bool = False) -> CaptionClip:
    random = np.random.default_rng(number)
    # Smooth, so that JPEG keeps it.
    small = [random.integers(0, 256, (3, 4, 3), dtype=np.uint8) for _ in range(6)]
    pictures = [cv2.resize(one, (32, 24), interpolation=cv2.INTER_LINEAR) for one in small]
    return CaptionClip(
        clip_id=f"clip-{number}",
        is_image=is_image,
        duration_s=0 if is_image else 3.0,
        frames=tuple(
            TimedFrame(index / 2, one) for index, one in enumerate(pictures[: 1 if is_image else 6])
        ),
        camera=None,
        camera_segments=(),
        measures={},
        path=(),
        labels=(),
        attributes=(),
        text=f"clip-{number}",
        text_lines=(),
    )


def settings(url: str, **changes: Any) -> ServerSettings:
    chosen = {"model": MODEL, "timeout_s": 5.0, "max_tries": 3, "max_backoff_s": 0.02} | changes
    return ServerSettings(url=url, **chosen)


def captioner(script: Script | str, **changes: Any) -> ServerCaptioner:
    url = script if isinstance(script, str) else script.url
    # As a worker gets it.
    made = pickle.loads(pickle.dumps(ServerCaptioner(settings(url, **changes))))  # noqa: S301
    made.setup()
    return made


def texts(drafts: list[Draft | NoDraft]) -> list[str]:
    return [draft.text for draft in drafts if isinstance(draft, Draft)]


def expected(*numbers: int) -> list[str]:
    return [f"The scene of clip-{number}." for number in numbers]


def test_frames_and_prompt_are_sent_as_openai_has_it() -> None:
    with caption_server() as script:
        [draft] = captioner(script, max_frames=3, max_new_tokens=99)([clip(1)], 0)
    assert draft == Draft("The scene of clip-1.", "model", 7)
    [(_, body, headers)] = script.asked
    *images, text = body["messages"][0]["content"]
    assert (body["model"], body["max_tokens"], body["temperature"]) == (MODEL, 99, 0)
    assert "0.0, 1.0, 2.5" in text["text"] and '"clip-1"' in text["text"]
    shown = [clip(1).frames[index].picture for index in (0, 2, 5)]
    for image, picture in zip(images, shown, strict=True):
        kind, _, data = image["image_url"]["url"].partition(",")
        assert (image["type"], kind) == ("image_url", "data:image/jpeg;base64")
        decoded = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        assert np.abs(decoded[..., ::-1].astype(int) - picture).mean() < 4
    assert "Authorization" not in headers


def test_of_an_image_one_picture_is_sent() -> None:
    with caption_server() as script:
        captioner(script)([clip(1, is_image=True)], 0)
    [(_, body, _)] = script.asked
    image, text = body["messages"][0]["content"]
    assert image["type"] == "image_url"
    assert "a single still picture" in text["text"] and "seconds" not in text["text"]


def test_answers_are_in_the_order_of_the_clips_and_each_is_asked_for_once() -> None:
    numbers = range(40)
    slow = {f"clip-{number}": [served.late(0.02 * (number % 5))] for number in numbers}
    with caption_server(actions=slow) as script:
        drafts = captioner(script, parallel=6)([clip(number) for number in numbers], 0)
    assert texts(drafts) == expected(*numbers)
    assert [script.tries(f"clip-{number}") for number in numbers] == [1] * 40
    assert 1 < script.most_at_once <= 6


UNUSABLE = {
    "no JSON": b"The scene",
    "half JSON": served.completion("x")[:-9],
    "HTML": b"<html><body>502 Bad Gateway</body></html>",
    "nothing": b"",
    "a list": b"[]",
    "a number": b"1",
    "no choices": b'{"choices": []}',
    "choices of another kind": b'{"choices": {"0": 1}}',
    "no text": served.completion(None),
    "an empty text": served.completion("  \n"),
    "a text that is a list": served.completion(["x"]),
    "half a character": served.completion("\ud800"),
    "no UTF-8": b'{"choices": [{"message": {"content": "\xff"}}]}',
    "deep JSON": b"[" * 200_000,
    "too much": served.completion("x" * (1 << 21)),
}
HICCUPS: dict[str, Action] = {
    **{name: served.body(content) for name, content in UNUSABLE.items()},
    **{str(code): served.status(code) for code in (408, 409, 425, 429, 500, 502, 503, 504, 529)},
    "dropped": served.drop,
    "broken off": served.break_off,
    "no HTTP": lambda handler: handler.wfile.write(b"SSH-2.0\r\n\r\n") and None,
}


def test_after_one_hiccup_a_clip_gets_its_caption() -> None:
    actions = {
        f"clip-{number}": [action, served.answer] for number, action in enumerate(HICCUPS.values())
    }
    with caption_server(actions=actions) as script:
        drafts = captioner(script)([clip(number) for number in range(len(actions))], 0)
    assert texts(drafts) == expected(*range(len(actions)))
    assert [script.tries(clip_id) for clip_id in actions] == [2] * len(actions)
    bodies = [body for asked, body, _ in script.asked if asked == "clip-0"]
    assert bodies[0] == bodies[1]


def test_a_clip_that_never_gets_an_answer_costs_its_tries_and_no_other_clip() -> None:
    actions = {f"clip-{2 * number}": [action] for number, action in enumerate(HICCUPS.values())}
    clips = [clip(number) for number in range(2 * len(HICCUPS))]
    with caption_server(actions=actions) as script:
        drafts = captioner(script)(clips, 0)
    assert texts(drafts[1::2]) == expected(*range(1, len(clips), 2))
    for (name, _), draft in zip(HICCUPS.items(), drafts[::2], strict=True):
        assert isinstance(draft, NoDraft) and draft.reason == "server", name
        assert draft.error.endswith("; tried 3 times") and len(draft.error) < 300
    assert [script.tries(one.clip_id) for one in clips] == [3, 1] * len(HICCUPS)


def test_what_the_server_says_is_told_short_and_printable() -> None:
    said = json.dumps({"error": {"message": "too many\nimages\x1b[31m " + "x" * 5000}}).encode()
    actions = {
        "clip-1": [served.status(400, said)],
        "clip-2": [served.status(422, b'{"detail": [{"msg": "no such field"}]}')],
        "clip-3": [served.status(413, b"<html>\xff\x00</html>")],
    }
    with caption_server(actions=actions) as script:
        first, second, third = captioner(script)([clip(1), clip(2), clip(3)], 0)
    assert len(script.asked) == 3
    assert isinstance(first, NoDraft) and isinstance(second, NoDraft) and isinstance(third, NoDraft)
    assert first.error.startswith("it answered 400 (too many images?[31m xxx")
    assert len(first.error) < 250
    assert second.error == 'it answered 422 ([{"msg": "no such field"}])'
    assert all(one.reason == "server" and one.error.isprintable() for one in (first, second, third))


@pytest.mark.parametrize(
    ("code", "todo"),
    [(401, "valid key"), (403, "may not use"), (404, "`url` and `model`"), (405, "`url`")],
)
def test_what_every_clip_would_get_ends_the_run(code: int, todo: str) -> None:
    with (
        caption_server(
            actions={"clip-3": [served.status(code, b"no")]}, always=served.late(0.1)
        ) as script,
        pytest.raises(CannotGoOn, match=rf": it answered {code} \(no\); ") as error,
    ):
        captioner(script, parallel=2)([clip(number) for number in range(50)], 0)
    assert todo in str(error.value) and script.url in str(error.value)
    # Those under way are ended, those that wait are not begun.
    assert len(script.asked) < 30


def test_a_redirect_is_not_followed() -> None:
    with caption_server() as other:
        moved = served.status(307, Location=f"{other.url}/v1/chat/completions")
        with (
            caption_server(always=moved) as script,
            pytest.raises(CannotGoOn, match=rf"redirects to {other.url}/v1/chat/comp"),
        ):
            captioner(script)([clip(1)], 0)
    assert other.asked == [] and other.num_probes == 0 and len(script.asked) == 1


@pytest.mark.parametrize(
    "action",
    [
        served.hang,
        served.drip(b""),
        served.drip(b"HTTP/1.1 200 OK\r\n"),
        served.drip(b"HTTP/1.1 200 OK\r\n\r\n"),
        served.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
        served.drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9999\r\n"),
    ],
    ids=["hang", "status", "headers", "body", "length", "chunk"],
)
def test_a_request_takes_no_longer_than_it_may(action: Action) -> None:
    with caption_server(actions={"clip-1": [action]}) as script:
        start_s = time.monotonic()
        drafts = captioner(script, timeout_s=0.3, max_tries=2)([clip(0), clip(1), clip(2)], 0)
        assert 0.5 < time.monotonic() - start_s < 2
    assert drafts[1] == NoDraft("server", "no answer within 0.3 s; tried 2 times")
    assert texts(drafts) == expected(0, 2)
    assert script.tries("clip-1") == 2


def pause_s(headers: dict[str, str], max_backoff_s: float) -> float:
    limited = served.status(429, b"slow down", **headers)
    with caption_server(actions={"clip-1": [limited, served.answer]}) as script:
        start_s = time.monotonic()
        assert texts(captioner(script, max_backoff_s=max_backoff_s)([clip(1)], 0)) == expected(1)
        return time.monotonic() - start_s


def test_a_server_that_asks_for_a_pause_gets_it_up_to_a_limit() -> None:
    assert pause_s({}, 0.01) < 0.5
    assert 1 <= pause_s({"Retry_After": "1"}, 5) < 3
    date = datetime.now(UTC) + timedelta(seconds=3600)
    for value in ("3600", "9" * 400, f"{date:%a, %d %b %Y %H:%M:%S} GMT"):
        assert 0.4 <= pause_s({"Retry_After": value}, 0.4) < 2
    for value in ("-1", "soon", "", "1e9", "Sat, 01 Jan 2000 00:00:00 GMT", "²"):
        assert pause_s({"Retry_After": value}, 0.01) < 0.5


def test_a_server_that_dies_ends_the_run_and_the_same_command_goes_on() -> None:
    clips = [clip(number) for number in range(12)]
    batches = [clips[start : start + 4] for start in range(0, 12, 4)]
    committed: dict[str, str] = {}

    def run(script: Script) -> None:
        for batch in batches:
            left = [one for one in batch if one.clip_id not in committed]
            if left:
                drafts = captioner(script, parallel=2)(left, 0)
                assert len(texts(drafts)) == len(left)
                committed.update(zip((one.clip_id for one in left), texts(drafts), strict=True))

    with caption_server(actions={"clip-6": [served.die]}) as script:
        with pytest.raises(CannotGoOn, match=rf"{script.url} is gone \(.*efused.*; start it"):
            run(script)
        assert len(committed) == 4
        port = int(script.url.rpartition(":")[2])
    with caption_server(port) as script:
        run(script)
    assert list(committed.values()) == expected(*range(12))
    assert all(script.tries(f"clip-{number}") == (number >= 4) for number in range(12))


@pytest.mark.parametrize("models", [served.status(503), served.drop, served.hang])
def test_a_gateway_without_its_server_ends_the_run(models: Action) -> None:
    with (
        caption_server(always=served.status(502), models=models) as script,
        pytest.raises(CannotGoOn, match="is gone"),
    ):
        captioner(script, timeout_s=0.3)([clip(1), clip(2)], 0)


def test_nobody_there_ends_the_run_after_the_tries() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        start_s = time.monotonic()
        with pytest.raises(CannotGoOn, match="is gone"):
            captioner(f"http://127.0.0.1:{taken.getsockname()[1]}")([clip(1), clip(2)], 0)
        assert served.within(2, start_s)


def test_ctrl_c_does_not_wait_for_the_server() -> None:
    with caption_server(always=served.hang) as script:
        made = captioner(script, timeout_s=60, parallel=4)
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        start_s = time.monotonic()
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            made([clip(number) for number in range(9)], 0)
        assert served.within(3, start_s)
        script.over.set()
        assert not [one for one in threading.enumerate() if one.name.startswith("ThreadPool")]
        assert len(script.asked) == 4


def test_another_attempt_asks_for_another_text_and_the_same_one_for_the_same() -> None:
    with caption_server() as script:
        made = captioner(script)
        for attempt in (0, 1, 2, 1):
            made([clip(1)], attempt)
        made([clip(2)], 1)
    bodies = [body for _, body, _ in script.asked]
    assert [body["temperature"] for body in bodies] == [0, 0.7, 0.7, 0.7, 0.7]
    assert len({body["seed"] for body in bodies}) == 4 and bodies[1] == bodies[3]
    assert all(0 <= body["seed"] < 1 << 31 for body in bodies)


def test_a_text_that_was_cut_off_is_given_as_it_is_and_odd_counts_are_none() -> None:
    cut = json.dumps({"choices": [{"message": {"content": " A man w"}, "finish_reason": "length"}]})
    actions = {
        "clip-0": [served.body(cut.encode())],
        **{
            f"clip-{number}": [served.body(served.completion("x", usage=usage))]
            for number, usage in enumerate(
                ({"completion_tokens": count} for count in (-1, "7", True, 1e9, 1 << 40, None)), 1
            )
        },
        "clip-7": [served.body(served.completion("x", usage=[]))],
    }
    with caption_server(actions=actions) as script:
        drafts = captioner(script)([clip(number) for number in range(8)], 0)
    assert drafts == [Draft("A man w", "model", 0), *[Draft("x", "model", 0)] * 7]


def test_the_driver_sees_whether_server_and_model_are_there() -> None:
    with caption_server() as script:
        captioner(script).check()
        with pytest.raises(ValueError, match="has no model 'big'; it has tiny-vlm, other"):
            captioner(script, model="big").check()
        script.models = served.status(401, b'{"error": "who are you"}')
        with pytest.raises(ValueError, match=r"answers 401 \(who are you\)"):
            captioner(script).check()
        for action in (
            served.body(b"<html>"),
            served.body(b"{}"),
            served.body(b"[1]"),
            served.hang,
        ):
            script.models = action
            with pytest.raises(ValueError, match=f"there is no caption server at {script.url}: "):
                captioner(script, timeout_s=0.3).check()
    with pytest.raises(ValueError, match=r"there is no caption server at .*efused"):
        captioner(script).check()


def test_a_prompt_that_names_what_is_not_known_is_refused_before(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("Tell {{what}}")
    with pytest.raises(ValueError, match=r"names \{\{what\}\}"):
        captioner("http://localhost:1", prompt=str(tmp_path / "p.txt")).check()


def test_the_key_goes_to_the_server_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPTION_KEY", f" {KEY}\n")

    def echo(code: int) -> Action:
        def act(handler: served.Handler) -> None:
            said = "x" * 180 + handler.headers["Authorization"]
            handler.send(code, json.dumps({"error": {"message": said}}).encode())

        return act

    with caption_server(actions={"clip-1": [echo(400)], "clip-2": [echo(401)]}) as script:
        made = captioner(script, api_key_env="CAPTION_KEY")
        [refused] = made([clip(1)], 0)
        with pytest.raises(CannotGoOn) as forbidden:
            made([clip(2)], 0)
        script.models = echo(500)
        with pytest.raises(ValueError, match="answers 500") as unknown:
            made.check()
    assert all(headers["Authorization"] == f"Bearer {KEY}" for _, _, headers in script.asked)
    for said in (str(refused), str(forbidden.value), str(unknown.value), repr(made)):
        assert KEY[:6] not in said
    fresh = ServerCaptioner(settings(script.url, api_key_env="CAPTION_KEY"))
    assert KEY.encode() not in pickle.dumps(fresh)
    assert KEY not in repr(fresh._settings)


@pytest.mark.parametrize("value", ["", "  ", "two words", f"{KEY}\nX-Other: 1", "schlüssel"])
def test_a_key_that_is_none_is_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("CAPTION_KEY", value)
    with pytest.raises(ValueError, match="the environment variable CAPTION_KEY, which") as error:
        captioner("http://localhost:1", api_key_env="CAPTION_KEY")
    assert not value.strip() or value.strip() not in str(error.value)
    monkeypatch.delenv("CAPTION_KEY")
    with pytest.raises(ValueError, match="CAPTION_KEY, which `api_key_env` names, is not set"):
        ServerCaptioner(settings("http://localhost:1", api_key_env="CAPTION_KEY")).check()


@pytest.mark.parametrize(
    "url",
    ["localhost:8000", "ftp://host", "file:///etc/passwd", "http://", "http://me:pw@host",
     "http://me@host", "http://host:port", "http://host:99999", "http://host?key=1", "http://host#x",
     "http://host/v1", "http://host/v1/", "http://ho st", "http://host\r\nX: 1", "http://[::1"],
)  # fmt: skip
def test_a_url_that_is_no_servers_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        settings(url)


def test_urls_of_servers_are_taken() -> None:
    for url in ("http://host", "https://host:8000/llm", "http://[::1]:8000", "http://127.0.0.1:1/"):
        assert settings(url).url == url.rstrip("/")


def test_a_server_may_lie_under_a_path() -> None:
    with caption_server() as script:
        assert len(captioner(f"{script.url}/llm")([clip(1)], 0)) == 1


def test_the_version_is_what_the_user_calls_it() -> None:
    plain, named = (
        ServerCaptioner(settings("http://host", version=version)) for version in ("", "2026-11")
    )
    assert (plain.model, named.model) == ("tiny-vlm:unversioned", "tiny-vlm:2026-11")
    assert plain.prompt.version.startswith("describe-")
    variants = {
        ServerCaptioner(settings(url, **one)).variant
        for url in ("http://host", "http://other")
        for one in ({}, {"parallel": 2}, {"max_frames": 3}, {"temperature": 0.2})
    }
    assert len(variants) == 3


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_https_is_checked_and_limited_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with caption_server(context=context) as script:
        with pytest.raises(ValueError, match=r"no caption server at https.*certificate"):
            captioner(script).check()
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        made = captioner(script, timeout_s=0.5, max_tries=1)
        made.check()
        script.actions["clip-1"] = [served.drip(b"HTTP/1.1 200 OK\r\n\r\n")]
        start_s = time.monotonic()
        drafts = made([clip(0), clip(1)], 0)
        assert served.within(2, start_s)
    assert drafts[0] == Draft("The scene of clip-0.", "model", 7)
    assert drafts[1] == NoDraft("server", "no answer within 0.5 s; tried 1 times")


def test_a_text_alone_is_completed_for_prompts_of_inference() -> None:
    written = "A spotted dog races over a sandy beach beside the sea, and the light is soft."
    always = served.body(served.completion(written))
    with caption_server(always=always) as script:
        made = training_prompt("a dog on the beach", captioner(script).complete)
    assert (made.origin, made.caption) == ("rewritten", written)
    [(_, body, _)] = script.asked
    [text] = body["messages"][0]["content"]
    assert "Request: a dog on the beach" in text["text"]


@pytest.mark.parametrize("status", [400, 401, 500])
def test_a_server_that_completes_nothing_is_one_clear_error(status: int) -> None:
    with caption_server(always=served.status(status, b"no")) as script:
        with pytest.raises(ValueError, match=f"{script.url}.*it answered {status}"):
            captioner(script, max_tries=2, max_backoff_s=0.01).complete("a dog")
        assert script.tries("") == (2 if status == 500 else 1)
