"""Clips as chats in the form that a processor of transformers takes, with its chat template."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import numpy as np

from captioning.captioner import CaptionClip, TimedFrame
from curation.models.devices import required

if TYPE_CHECKING:
    from transformers import BatchFeature, ProcessorMixin

FramesAs = Literal["video", "images"]

DATE = "{%- macro strftime_now(format) -%}26 Jul 2024{%- endmacro -%}"
"""Put before chat templates that tell the date, or tomorrow's words would be others. It is the date
that those of Llama fall back to."""

TICKS = 1000
"""Frames are numbered by the milliseconds at which they were taken, for whoever divides by it."""


class Question(NamedTuple):
    """What is asked of one clip."""

    clip: CaptionClip

    frames: list[TimedFrame]
    """Those that are shown."""

    text: str


def batches(questions: Sequence[Question], size: int) -> list[list[int]]:
    """The questions by their index, at most so many together, and only such as fit together.

    Some processors cannot put images, or videos, of different sizes or lengths into one tensor.
    """
    alike: dict[tuple[object, ...], list[int]] = {}
    for index, (clip, frames, _) in enumerate(questions):
        shape = frames[0].picture.shape
        alike.setdefault((clip.is_image, len(frames), shape), []).append(index)
    return [
        found[start : start + size]
        for found in alike.values()
        for start in range(0, len(found), size)
    ]


def freeze_date(processor: "ProcessorMixin") -> None:
    """Has its chat template tell the same date every day, if it tells one."""
    template = processor.chat_template
    if isinstance(template, str) and "strftime_now" in template:
        processor.chat_template = DATE + template


def accepted(processor: "ProcessorMixin") -> list[FramesAs]:
    """How frames can be shown: what it has a processor for, and its chat template a place.

    Args:
        processor: what `AutoProcessor` has loaded.

    Raises:
        ValueError: it has no chat template, or one that cannot be used.
    """
    errors = (ValueError, required("jinja2").TemplateError)
    try:
        none, one = _rendered(processor), _rendered(processor, "image")
        video, two = _rendered(processor, "video"), _rendered(processor, "image", "image")
    except errors as error:
        raise ValueError(f"its chat template cannot be used: {error}") from error
    found: list[FramesAs] = []
    if getattr(processor, "video_processor", None) is not None and video != none:
        found.append("video")
    if getattr(processor, "image_processor", None) is not None and len({none, one, two}) == 3:
        found.append("images")
    return found


def prepared(
    processor: "ProcessorMixin", questions: Sequence[Question], frames_as: FramesAs
) -> "BatchFeature":
    """The tensors of a batch, padded on the left: `input_ids` `[B, L]` and what belongs to it.

    Args:
        processor: as for `accepted`.
        questions: with frames of one size, and each with as many.
        frames_as: one of those accepted.
    """
    keywords: dict[str, Any] = {"return_tensors": "pt", "padding": True, "padding_side": "left"}
    if frames_as == "video":
        # Sampled they are already, and a processor would take a second for a few dozen of frames.
        times = {"do_sample_frames": False, "video_metadata": [_times(one) for one in questions]}
        keywords["videos_kwargs"] = times
    chats = [_chat(_shown(one.frames, frames_as), one.text) for one in questions]
    # Annotated as text, which it is without `tokenize`.
    tensors: Any = processor.apply_chat_template(
        chats,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        processor_kwargs=keywords,
    )
    return cast("BatchFeature", tensors)


def _rendered(processor: "ProcessorMixin", *kinds: str) -> str:
    chat = _chat([{"type": kind} for kind in kinds], "?")
    return str(processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False))


def _chat(shown: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [*shown, {"type": "text", "text": text}]}]


def _shown(frames: Sequence[TimedFrame], frames_as: FramesAs) -> list[dict[str, Any]]:
    if frames_as == "video":
        return [{"type": "video", "video": np.stack([frame.picture for frame in frames])}]
    from PIL import Image

    return [{"type": "image", "image": Image.fromarray(frame.picture)} for frame in frames]


def _times(question: Question) -> dict[str, Any]:
    """Fields of `VideoMetadata`: what a processor tells its model of when frames were taken."""
    height, width = question.frames[0].picture.shape[:2]
    numbers = [round(frame.time_s * TICKS) for frame in question.frames]
    return {
        "total_num_frames": max(round(question.clip.duration_s * TICKS), numbers[-1] + 1),
        "fps": float(TICKS),
        "duration": question.clip.duration_s,
        "frames_indices": numbers,
        "height": height,
        "width": width,
    }
