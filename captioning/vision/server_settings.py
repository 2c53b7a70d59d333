"""Where a caption server is, and how it is asked."""

from urllib.parse import urlsplit

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from curation.settings import Settings


class ServerSettings(Settings):
    """A vision-language model behind a server of OpenAI's chat completions.

    `vllm serve`, or any other with `/v1/chat/completions` and `/v1/models`.
    """

    url: str
    """Where it is, without `/v1`, such as `http://gpu-1:8000`."""

    model: str = Field(min_length=1)
    """What the server calls the model."""

    version: str = ""
    """What you call the weights behind that name, which says nothing of them: another version makes
    the captions again."""

    prompt: str = "describe"
    """What is asked: a prompt that comes with Moviola, or the path of a `.txt` file. It may name
    `{{times}}`, `{{duration}}` and `{{facts}}`."""

    max_frames: PositiveInt = 8
    """Frames sent of a clip, evenly in time. `vllm serve` has to take as many:
    `--limit-mm-per-prompt`."""

    max_new_tokens: PositiveInt = 256
    """Where a caption is cut off; a hundred words take about 140."""

    temperature: float = Field(default=0.0, ge=0, le=2)
    """0 takes the likeliest token each time. A caption that was flagged is drawn again, at 0.7 or
    this, whatever is more."""

    timeout_s: PositiveFloat = 120.0
    """How long one request may take in all."""

    max_tries: PositiveInt = 4
    """How often a request is sent, at most."""

    max_backoff_s: PositiveFloat = 30.0
    """The longest pause between two tries; they grow from one second. A server that asks for a
    pause by `Retry-After` gets it, up to this."""

    parallel: PositiveInt = 8
    """Requests at a time, per worker."""

    api_key_env: str | None = Field(default=None, pattern=r"^[A-Z_][A-Z0-9_]*$")
    """The environment variable that holds the server's key, if it wants one. The key itself belongs
    in no recipe."""

    @field_validator("url")
    @classmethod
    def _place(cls, url: str) -> str:
        place = urlsplit(url)
        if place.username is not None or place.password is not None:
            raise ValueError("a URL holds no name and no password; see `api_key_env`")
        if place.scheme not in ("http", "https") or not place.hostname:
            raise ValueError("it should begin with http:// or https:// and a host")
        # A port that is none is refused when it is looked at.
        if place.port == 0 or place.query or place.fragment or not url.isprintable() or " " in url:
            raise ValueError("it should be a host, perhaps with a port and a path")
        plain = url.rstrip("/")
        if plain.endswith("/v1"):
            raise ValueError("it is named without /v1")
        return plain
