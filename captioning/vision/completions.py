"""The chat completions of OpenAI, as vLLM and others serve them: what is sent, and what comes."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import cv2

from captioning.captioner import Draft, TimedFrame
from curation.media.rendering import Picture

JPEG_QUALITY = 90

MAX_SAID_CHARS = 200


class Unusable(Exception):
    """An answer that is no chat completion; the message says what it is."""


def request(
    model: str,
    frames: Sequence[TimedFrame],
    text: str,
    *,
    max_tokens: int,
    temperature: float,
    seed: int,
) -> bytes:
    """The body of a request: the frames as JPEG, then the text."""
    content: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": _data_url(frame.picture)}} for frame in frames
    ]
    content.append({"type": "text", "text": text})
    wanted = {
        "model": model,
        "messages": [{"role": "user", "content": content}],
        "max_tokens": max_tokens,
        "temperature": temperature,
        "seed": seed,
    }
    return json.dumps(wanted).encode()


def draft(body: bytes) -> Draft:
    """The text of the first choice, whether it was finished or cut off at `max_tokens`.

    Raises:
        Unusable: there is none.
    """
    answer = _parsed(body)
    try:
        content = answer["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError) as error:
        raise Unusable("JSON without choices[0].message.content") from error
    if not isinstance(content, str) or not content.strip():
        raise Unusable("an empty text" if content in ("", None) else "a text that is none")
    try:
        # JSON can name half a character, which no table can hold.
        content.encode()
    except UnicodeEncodeError as error:
        raise Unusable("a text that is no Unicode") from error
    return Draft(content.strip(), "model", _num_tokens(answer))


def model_names(body: bytes) -> list[str]:
    """The models of an answer to `/v1/models`.

    Raises:
        Unusable: it is no such list.
    """
    try:
        return [str(model["id"]) for model in _parsed(body)["data"]]
    except (KeyError, TypeError) as error:
        raise Unusable("JSON that lists no models") from error


def said(body: bytes, secret: str | None) -> str:
    """What an error's body says, as one short printable line; empty if nothing.

    Args:
        body: of the answer.
        secret: a key that some servers repeat, and that is not to be seen.
    """
    try:
        answer = _parsed(body)
    except Unusable:
        answer = body.decode(errors="replace")
    for name in ("error", "message", "detail"):
        if isinstance(answer, dict) and name in answer:
            answer = answer[name]
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return shortened(text.replace(secret, "***") if secret else text)


def shortened(text: str) -> str:
    """The text on one printable line of at most `MAX_SAID_CHARS` characters."""
    # A little more than is kept is enough to look at.
    line = " ".join(text[: 4 * MAX_SAID_CHARS].split())
    plain = "".join(char if char.isprintable() else "?" for char in line)
    return plain if len(plain) <= MAX_SAID_CHARS else plain[: MAX_SAID_CHARS - 1] + "…"


def _parsed(body: bytes) -> Any:  # noqa: ANN401 - anything may come
    try:
        return json.loads(body)
    # Brackets can be nested deeper than Python goes.
    except (ValueError, RecursionError) as error:
        raise Unusable("what is no JSON") from error


def _num_tokens(answer: dict[str, Any]) -> int:
    usage = answer.get("usage")
    count = usage.get("completion_tokens") if isinstance(usage, dict) else None
    return count if type(count) is int and 0 <= count < 1 << 31 else 0


def _data_url(picture: Picture) -> str:
    swapped = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".jpg", swapped, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert done
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()
