"""The captions stage: one caption per clip by one captioner, checked, with its camera motion."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import pyarrow as pa

from captioning import checks
from captioning.captioner import CaptionClip, Captioner, Draft, NoDraft
from captioning.cleaning import Cleaned, cleaned
from captioning.inputs import CLIP_FIELDS, caption_clip
from curation.settings import fingerprint
from curation.stage import Stage
from curation.stored_clips import stored_clips
from curation.tables import CAPTIONS, OK, failed_row


@dataclass
class _Kept:
    """The best caption of a clip so far."""

    draft: Draft
    form: Cleaned
    flags: list[str]


class CaptionsStage(Stage):
    """Has clips captioned; what is flagged is tried again, and the least flawed caption kept."""

    name: ClassVar[str] = "captions"
    key: ClassVar[str] = "clip_id"
    version: ClassVar[int] = 1
    schema: ClassVar[pa.Schema] = CAPTIONS

    def __init__(
        self,
        captioner_name: str,
        captioner: Captioner,
        clips_uri: str,
        upstream: str,
        *,
        max_retries: int = 2,
        max_words: int = 200,
    ) -> None:
        """Says what to do; `setup` loads the captioner.

        Args:
            captioner_name: as the recipe calls it.
            captioner: who writes.
            clips_uri: where the table `clips` lies.
            upstream: names what made the clips, their frames and their scores.
            max_retries: times that a flagged caption is tried again.
            max_words: more are too many.
        """
        self._name, self._captioner, self._clips_uri = captioner_name, captioner, clips_uri
        self._upstream, self._max_retries, self._max_words = upstream, max_retries, max_words

    @property
    def fingerprint(self) -> str:
        """Changes with the captioner, its prompt, and what made clips and scores.

        Not with the checks or the camera's classes: a later version of these leaves what a large
        model has written as it was judged.
        """
        who = self._captioner
        made = (who.model, who.prompt.version, who.variant)
        return fingerprint(self.name, self.version, made, self._upstream)

    def setup(self) -> None:
        """Loads the captioner."""
        cv2.setNumThreads(1)
        self._captioner.setup()

    def __call__(self, batch: pa.Table) -> pa.Table:
        """One row per clip: its caption with what is wrong with it, or why there is none."""
        start_s = time.process_time()
        videos = dict(
            zip(*(batch[name].to_pylist() for name in ("clip_id", "video_id")), strict=True)
        )
        parts = batch["part"].unique().to_pylist()
        stored = stored_clips(self._clips_uri, parts, [*videos.values()], [*videos], CLIP_FIELDS)
        clips, failed = [], []
        for row in batch.to_pylist():
            outcome = caption_clip(row, stored.get(row["clip_id"]))
            if isinstance(outcome, CaptionClip):
                clips.append(outcome)
            else:
                failed.append(self._failed(row, outcome))
        rows = self._captioned(clips) if clips else []
        share_s = (time.process_time() - start_s) / max(1, batch.num_rows)
        done = []
        for clip, row in zip(clips, rows, strict=True):
            if isinstance(row, NoDraft):
                key = {"clip_id": clip.clip_id, "video_id": videos[clip.clip_id]}
                failed.append(self._failed(key, row))
            else:
                done.append(row | {"video_id": videos[clip.clip_id], "cpu_s": share_s})
        return pa.concat_tables([pa.Table.from_pylist(done, schema=CAPTIONS), *failed])

    def _captioned(self, clips: list[CaptionClip]) -> list[dict[str, Any] | NoDraft]:
        kept: dict[str, _Kept] = {}
        none: dict[str, NoDraft] = {}
        attempts, tokens = Counter[str](), Counter[str]()
        waiting = clips
        for attempt in range(1 + self._max_retries):
            again = []
            for clip, answer in zip(waiting, self._answers(waiting, attempt), strict=True):
                attempts[clip.clip_id] += 1
                if isinstance(answer, NoDraft):
                    none[clip.clip_id] = answer
                    continue
                tokens[clip.clip_id] += answer.num_tokens
                form = cleaned(answer.text)
                # What is built of facts has seen no prompt, and what is rewritten was compared.
                told = self._captioner.prompt.text if answer.origin == "model" else ""
                flags = checks.flags(form, clip, told, self._max_words)
                best = kept.get(clip.clip_id)
                if best is None or len(flags) < len(best.flags):
                    kept[clip.clip_id] = _Kept(answer, form, flags)
                if flags:
                    again.append(clip)
            waiting = again
            if not waiting:
                break
        return [
            self._row(clip, kept[clip.clip_id], attempts[clip.clip_id], tokens[clip.clip_id])
            if clip.clip_id in kept
            else none[clip.clip_id]
            for clip in clips
        ]

    def _answers(self, clips: Sequence[CaptionClip], attempt: int) -> list[Draft | NoDraft]:
        """Of all clips at once; where that fails, of each on its own."""
        try:
            return self._captioner(clips, attempt)
        except ValueError as error:
            if len(clips) == 1:
                return [NoDraft("model", str(error))]
            return [answer for clip in clips for answer in self._answers([clip], attempt)]

    def _row(
        self, clip: CaptionClip, best: _Kept, attempts: int, num_tokens: int
    ) -> dict[str, Any]:
        label = clip.camera
        return {
            "clip_id": clip.clip_id,
            "captioner": self._name,
            "model": self._captioner.model,
            "prompt_version": self._captioner.prompt.version,
            "caption": best.form.text,
            "origin": best.draft.origin,
            "camera": label.name if label else None,
            "camera_confidence": label.confidence if label else None,
            "flags": best.flags,
            "attempts": attempts,
            "num_tokens": num_tokens,
            "facts": list(best.draft.facts),
            "status": OK,
        }

    def _failed(self, row: dict[str, Any], problem: NoDraft) -> pa.Table:
        key = {"clip_id": row["clip_id"], "video_id": row["video_id"], "captioner": self._name}
        words = problem.error.encode("utf-8", "replace").decode()
        return failed_row(CAPTIONS, key, problem.reason, words)
