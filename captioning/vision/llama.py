"""Captions by a vision-language model of transformers, such as those that Llama reads for."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pydantic import Field, PositiveInt

from captioning.captioner import CaptionClip, Captioner, Draft, NoDraft
from captioning.prompt_files import load_prompt
from captioning.vision import told
from captioning.vision.attempts import seed, temperature
from captioning.vision.conversations import (
    FramesAs,
    Question,
    accepted,
    batches,
    freeze_date,
    prepared,
)
from captioning.vision.vision_models import FILES, OPTIONAL, WEIGHTS, loaded
from curation.models.devices import Device, Precision, ready, required
from curation.models.hub import ModelFiles
from curation.settings import Settings, fingerprint

ASKED = {"frames_as", "max_frames", "max_new_tokens", "temperature"}
"""Settings that its words depend on, beside the model and the prompt."""


class LlamaSettings(Settings):
    """A vision-language model of transformers, run in the worker.

    Llama 3.2 Vision, Perception LM, LLaVA and whatever else transformers has of
    `image-text-to-text` with a chat template.
    """

    transformers: str
    """A folder, or with `revision` the id of a repository, that holds `config.json`, the files of a
    processor, and `model.safetensors` or its shards and their index."""

    revision: str | None = None
    """The commit of the repository, 40 hex digits."""

    prompt: str = "describe"
    """What is asked: a prompt that comes with Moviola, or the path of a `.txt` file. It may name
    `{{times}}`, `{{duration}}` and `{{facts}}`."""

    frames_as: FramesAs | None = None
    """How frames are shown. `null`: as one video where the model takes videos, else as images."""

    max_frames: PositiveInt = 8
    """Frames shown of a clip, evenly in time."""

    max_new_tokens: PositiveInt = 256
    """Where a caption is cut off; a hundred words take about 140."""

    temperature: float = Field(default=0.0, ge=0, le=2)
    """0 takes the likeliest token each time. A caption that was flagged is drawn again, at 0.7 or
    this, whatever is more."""

    batch_size: PositiveInt = 4
    """Clips at a time."""

    device: Device = "cpu"
    """On `cuda`, each worker needs a share of a GPU."""

    dtype: Precision | None = None
    """`null`: bfloat16 on `cuda`, float32 on `cpu`."""


class LlamaCaptioner(Captioner):
    """Shows frames of a clip to the model and returns what it says.

    The likeliest answer is the same in any batch but for rounding, and a drawn one is drawn for its
    clip alone.
    """

    def __init__(self, settings: LlamaSettings) -> None:
        """Reads the prompt, and remembers what to load.

        Args:
            settings: which model, and how it is asked.

        Raises:
            ValueError: the prompt cannot be read.
        """
        self._settings = settings
        self._files = ModelFiles(
            settings.transformers, settings.revision, FILES, optional=OPTIONAL, weights=WEIGHTS
        )
        self.prompt = load_prompt(settings.prompt)
        self._dtype: Precision = settings.dtype or (
            "bfloat16" if settings.device == "cuda" else "float32"
        )
        self.model = f"llama:{self._files.version}-{self._dtype}"
        asked = settings.model_dump(include=ASKED)
        self.variant = fingerprint(told.VERSION, asked)

    def sources(self) -> list[ModelFiles]:
        """The files of the model."""
        return [self._files]

    def check(self) -> None:
        """Refuses missing files, and a prompt that names what is not known."""
        told.check_prompt(self.prompt)
        super().check()

    def setup(self) -> None:
        """Loads the model.

        Raises:
            ValueError: as `check`; transformers does not know it, weights are missing, it has no
                chat template, or it does not take frames as it should.
        """
        folder, self._device = self._files.folder(), ready(self._settings.device)
        self._processor, network = loaded(folder, self._dtype)
        self._network = network.eval().to(self._device)
        freeze_date(self._processor)
        try:
            known = accepted(self._processor)
        except ValueError as error:
            raise ValueError(f"{folder}: {error}") from error
        wanted = self._settings.frames_as or next(iter(known), "images")
        if wanted not in known:
            raise ValueError(
                f"the model of {folder} takes no frames as {wanted}; it takes "
                f"{' and '.join(known) or 'neither images nor a video'}"
            )
        self._known, self._frames_as = known, wanted

    def __call__(self, clips: Sequence[CaptionClip], attempt: int) -> list[Draft | NoDraft]:
        """What the model says of each clip."""
        heat = temperature(self._settings.temperature, attempt)
        questions = [self._question(clip) for clip in clips]
        drafts: dict[int, Draft] = {}
        for batch in batches(questions, 1 if heat else self._settings.batch_size):
            asked = [questions[index] for index in batch]
            with self._named():
                drafts.update(zip(batch, self._answers(asked, heat, attempt), strict=True))
        return [drafts[index] for index in range(len(clips))]

    def _question(self, clip: CaptionClip) -> Question:
        frames = told.sampled(clip.frames, 1 if clip.is_image else self._settings.max_frames)
        return Question(clip, frames, told.prompt_text(self.prompt, clip, frames))

    def _answers(self, asked: Sequence[Question], heat: float, attempt: int) -> list[Draft]:
        """Answers to a batch; where they are drawn, to one question."""
        torch, clip = required("torch"), asked[0].clip
        one_picture = clip.is_image and "images" in self._known
        inputs = prepared(self._processor, asked, "images" if one_picture else self._frames_as)
        inputs = inputs.to(self._device, getattr(torch, self._dtype))
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.inference_mode(), torch.random.fork_rng(devices):
            torch.manual_seed(seed(clip.clip_id, attempt))
            made = self._network.generate(
                **inputs,
                max_new_tokens=self._settings.max_new_tokens,
                do_sample=heat > 0,
                temperature=heat or None,
                remove_invalid_values=True,
            )
        return [self._draft(row) for row in made[:, inputs["input_ids"].shape[1] :].tolist()]

    def _draft(self, tokens: list[int]) -> Draft:
        """The text up to the token that ends it; after that comes padding."""
        ends = self._network.generation_config.eos_token_id
        last = [ends] if isinstance(ends, int) else ends or []
        length = next((at for at, token in enumerate(tokens) if token in last), len(tokens))
        text = self._processor.tokenizer.decode(tokens[:length], skip_special_tokens=True)
        return Draft(text.strip(), "model", length)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """What goes wrong inside the model, memory included, as one line that names it."""
        try:
            yield
        except (RuntimeError, MemoryError, ValueError, LookupError, TypeError) as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise ValueError(f"{self.model} failed: {said[0]}") from error
