"""Captions by a model behind a server, such as `vllm serve`, one request per clip."""

import os
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import ClassVar, NamedTuple

from captioning.captioner import CaptionClip, Captioner, Draft, NoDraft
from captioning.prompt_files import load_prompt
from captioning.vision import told
from captioning.vision.attempts import seed, temperature
from captioning.vision.completions import Unusable, draft, model_names, request, said, shortened
from captioning.vision.exchange import NoAnswer, Reply, Server
from captioning.vision.patience import RETRIED, asked_for_s, pauses
from captioning.vision.server_settings import ServerSettings
from curation.settings import fingerprint
from curation.stage import CannotGoOn

COMPLETIONS, MODELS = "/v1/chat/completions", "/v1/models"

PROBE_S = 10.0
"""How long a server may take to say which models it has."""

ASKED = {"max_frames", "max_new_tokens", "temperature"}
"""Settings that its words depend on, beside the model and the prompt."""

HOPELESS = {
    401: "put a valid key into the environment variable that `api_key_env` names",
    403: "the key that `api_key_env` names may not use this model",
    404: "see whether `url` and `model` are those of the server",
    405: "see whether `url` is that of a server of chat completions",
}
"""Statuses that every other clip would get as well, and what to do."""


class _Outcome(NamedTuple):
    result: Draft | NoDraft

    alive: bool
    """Whether the last try met a server that does its work."""


class ServerCaptioner(Captioner):
    """Sends frames of a clip to the server and returns what it says.

    A request that fails is sent again a few times, after growing pauses; then its clip has no
    draft, unless the server is gone for all, which ends the run.
    """

    is_remote: ClassVar[bool] = True

    def __init__(self, settings: ServerSettings) -> None:
        """Reads the prompt.

        Args:
            settings: which server and model, and how it is asked.

        Raises:
            ValueError: the prompt cannot be read.
        """
        self._settings = settings
        self.prompt = load_prompt(settings.prompt)
        self.model = f"{settings.model}:{settings.version or 'unversioned'}"
        self.variant = fingerprint(told.VERSION, settings.model_dump(include=ASKED))

    def check(self) -> None:
        """Refuses a prompt that names what is not known, and a server without the model.

        Raises:
            ValueError: as said, or there is no key, or no server answers.
        """
        told.check_prompt(self.prompt)
        url, key = self._settings.url, self._read_key()
        try:
            reply = Server(url, key).exchange(MODELS, None, self._probe_s)
            names = model_names(reply.body) if reply.status == 200 else []
        except (NoAnswer, Unusable) as error:
            raise ValueError(f"there is no caption server at {url}: {error}") from error
        if reply.status != 200:
            why = said(reply.body, key)
            raise ValueError(f"the caption server {url} answers {reply.status} ({why})")
        if self._settings.model not in names:
            known = shortened(", ".join(names)) or "none"
            raise ValueError(
                f"the caption server {url} has no model {self._settings.model!r}; it has {known}"
            )

    def setup(self) -> None:
        """Reads the key, which never leaves this process but to the server."""
        self._key = self._read_key()

    def __call__(self, clips: Sequence[CaptionClip], attempt: int) -> list[Draft | NoDraft]:
        """What the model says of each clip."""
        server = Server(self._settings.url, self._key)
        pool = ThreadPoolExecutor(min(self._settings.parallel, len(clips)))
        try:
            tasks = [
                pool.submit(
                    self._asked, server, self._request(clip, attempt), clip.clip_id, attempt
                )
                for clip in clips
            ]
            done = wait(tasks, return_when=FIRST_EXCEPTION).done
            outcomes = [task.result() for task in tasks if task in done]
            # Gone within a batch, it would fail the clips after it, which another run can do.
            if not all(one.alive for one in outcomes) and (why := self._gone(server)):
                raise CannotGoOn(
                    f"the caption server {self._settings.url} is gone ({why}); start it, and run "
                    "the same command again"
                )
            return [one.result for one in outcomes]
        finally:
            # Also after Ctrl-C: no thread outlives the call.
            server.stop()
            pool.shutdown(cancel_futures=True)

    def complete(self, text: str) -> str:
        """What the model, once set up, says to a text alone; see `captioning.inference`.

        Raises:
            ValueError: the server gave no usable answer.
        """
        settings, server = self._settings, Server(self._settings.url, self._key)
        body = request(
            settings.model,
            (),
            text,
            max_tokens=settings.max_new_tokens,
            temperature=settings.temperature,
            seed=seed(text, 0),
        )
        try:
            answer = self._asked(server, body, text, 0).result
        except CannotGoOn as error:
            raise ValueError(str(error)) from error
        finally:
            server.stop()
        if isinstance(answer, NoDraft):
            raise ValueError(f"the caption server {settings.url}: {answer.error}")
        return answer.text

    def _asked(self, server: Server, body: bytes, asked_of: str, attempt: int) -> _Outcome:
        """The answer to a request, after as many tries as it takes and is allowed."""
        settings = self._settings
        waits = pauses(seed(asked_of, attempt), settings.max_backoff_s)
        for left in reversed(range(settings.max_tries)):
            pause_s = next(waits)
            try:
                reply = server.exchange(COMPLETIONS, body, settings.timeout_s)
                if reply.status == 200:
                    return _Outcome(draft(reply.body), alive=True)
                why, alive = self._refusal(reply), reply.status < 500
                if reply.status not in RETRIED:
                    return _Outcome(NoDraft("server", why), alive=True)
                pause_s = min(max(pause_s, asked_for_s(reply.retry_after)), settings.max_backoff_s)
            except NoAnswer as error:
                why, alive = str(error), False
            except Unusable as error:
                why, alive = f"it answered {error}", True
            if left:
                server.wait(pause_s)
        return _Outcome(NoDraft("server", f"{why}; tried {settings.max_tries} times"), alive)

    def _request(self, clip: CaptionClip, attempt: int) -> bytes:
        frames = told.sampled(clip.frames, 1 if clip.is_image else self._settings.max_frames)
        return request(
            self._settings.model,
            frames,
            told.prompt_text(self.prompt, clip, frames),
            max_tokens=self._settings.max_new_tokens,
            temperature=temperature(self._settings.temperature, attempt),
            seed=seed(clip.clip_id, attempt),
        )

    def _refusal(self, reply: Reply) -> str:
        """What a status other than 200 means for the clip.

        Raises:
            CannotGoOn: it means the same for every other.
        """
        what = f"it answered {reply.status} ({said(reply.body, self._key)})"
        todo = HOPELESS.get(reply.status)
        if 300 <= reply.status < 400:
            what = f"it redirects to {shortened(reply.location or 'nowhere')}"
            todo = "name the server itself in `url`"
        if todo is not None:
            raise CannotGoOn(f"the caption server {self._settings.url}: {what}; {todo}")
        return what

    def _gone(self, server: Server) -> str:
        """Why the server does not even say which models it has; empty if it does."""
        try:
            status = server.exchange(MODELS, None, self._probe_s).status
        except NoAnswer as error:
            return str(error)
        return "" if status == 200 else f"it answers {status}"

    @property
    def _probe_s(self) -> float:
        return min(self._settings.timeout_s, PROBE_S)

    def _read_key(self) -> str | None:
        name = self._settings.api_key_env
        if name is None:
            return None
        key = os.environ.get(name, "").strip()
        # What cannot stand in a header would be quoted by the error that says so.
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError(
                f"the environment variable {name}, which `api_key_env` names, "
                + ("holds no key: one line without spaces" if key else "is not set")
            )
        return key
