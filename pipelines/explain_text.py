"""What `moviola explain` found out, as lines for people."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from curation import tables
from pipelines.escaping import printable
from pipelines.explain import VideoExplanation
from pipelines.explain_clip import ClipExplanation, SubsetVerdict


def as_lines(found: ClipExplanation | VideoExplanation) -> list[str]:
    """The explanation for people, each line safe to print whatever names the files have."""
    lines = _clip_lines(found) if isinstance(found, ClipExplanation) else _video_lines(found)
    return [printable(line) for line in lines]


def _clip_lines(clip: ClipExplanation) -> list[str]:
    place = clip.place
    lines = [f"clip {clip.clip_id}"]
    lines += [f"  source     {uri}" for uri in clip.video["uris"]]
    lines += [
        f"  licence    {clip.video['licence'] or 'not stated'}",
        f"  time       {place['start_s']:.3f} to {place['end_s']:.3f} s "
        f"({place['duration_s']:.3f} s, {place['num_frames']} frames from {place['start_frame']})",
        f"  shot       {place['shot_start_s']:.3f} to {place['shot_end_s']:.3f} s "
        f"(from {place['cut_before']} to {place['cut_after']})",
        "",
        "measures",
        *(f"  {name:<22} {_value(value)}" for name, value in clip.measures.items()),
        "",
        *_score_lines(clip.scores),
    ]
    for caption in clip.captions:
        lines += ["", *_caption_lines(caption)]
    for subset in clip.subsets:
        lines += ["", *_subset_lines(subset)]
    if not clip.subsets:
        lines += ["", f"in no selection: its video is {clip.video['status']}"]
    return lines


def _score_lines(scores: Mapping[str, Any]) -> list[str]:
    if not scores:
        return ["scores: no model looked at it"]
    if scores["status"] != tables.OK:
        return [f"scores: {_state(scores)}"]
    values = {name: scores[name] for name in scores if name not in ("models", "status")}
    said = [f"  {name:<22} {_value(value)}" for name, value in values.items() if value is not None]
    return [f"scores by {', '.join(scores['models'])}", *said]


def _caption_lines(caption: Mapping[str, Any]) -> list[str]:
    if caption["status"] != tables.OK:
        return [f"caption by {caption['captioner']}: {_state(caption)}"]
    camera = caption["camera"] or "not told"
    lines = [
        f"caption by {caption['captioner']} ({caption['model']}, {caption['prompt_version']})",
        f"  {caption['caption']}",
        f"  camera     {camera}, {_value(caption['camera_confidence'])}",
        f"  {caption['origin']}, {caption['attempts']} made, {caption['num_tokens']} tokens",
    ]
    lines += [f"  flagged    {', '.join(caption['flags'])}"] if caption["flags"] else []
    lines += _review_lines(caption["review"]) if caption["review"] else []
    return lines + [f"  fact       {fact}" for fact in caption["facts"] or []]


def _review_lines(review: Mapping[str, Any]) -> list[str]:
    said = {"accept": "accepted", "reject": "rejected", "edit": "edited"}[review["verdict"]]
    said += f" by {review['reviewer']}" if review["reviewer"] else ""
    said += f" on {review['reviewed_at'].astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    said += "" if review["holds"] else ", when it had other words: no longer holds"
    said += f" ({review['note']})" if review["note"] else ""
    lines = [f"  reviewed   {said}"]
    return lines + ([f"  now reads  {review['caption']}"] if review["verdict"] == "edit" else [])


def _subset_lines(subset: SubsetVerdict) -> list[str]:
    why = f" by {subset.reason}" if subset.reason else ""
    lines = [
        f"subset {subset.subset}: {'kept' if subset.status == tables.OK else subset.status}{why}"
    ]
    if subset.audit:
        lines.append("  in the audit share: later stages process it all the same")
    if subset.selected.get("duplicate_of"):
        alike = _value(subset.selected["cosine"])
        lines.append(f"  shows what {subset.selected['duplicate_of']} shows, alike {alike}")
    for rule in subset.rules:
        name = rule.rule if rule.rule == rule.measure else f"{rule.rule} ({rule.measure})"
        lines.append(f"  {name:<22} {_value(rule.value):<12} {rule.condition:<20} {rule.verdict}")
    sample = subset.sample or {}
    if sample.get("status") == tables.OK:
        lines.append(
            f"  sample     {sample['file']}, row {sample['row']}: bucket {sample['bucket']}, "
            f"{sample['fps_token'] or 'image'}, {sample['start_s']:.3f} to {sample['end_s']:.3f} s"
        )
        lines.append(f"  prompt     {sample['prompt'] or '-'}")
    elif sample.get("status") == tables.REJECTED:
        by = "`refused_flags`, `caption_reviews`"
        lines.append(f"  no sample: the subset takes none of its captions ({by})")
    elif sample.get("status") == tables.FAILED:
        lines.append(f"  no sample: {sample['reason']}: {sample['error']}")
    elif sample:
        lines.append("  no sample yet: run the command again")
    return lines + _latents_lines(subset.latents or {})


def _latents_lines(latents: Mapping[str, Any]) -> list[str]:
    match latents.get("status"):
        case None:
            return []
        case tables.OK:
            shape = "x".join(map(str, latents["latent_shape"]))
            return [
                f"  latents    {latents['num_frames']} frames of {latents['width']}x"
                f"{latents['height']} px as {shape}, encoder {latents['encoder_hash']}",
                f"  read as    {latents['prompt']}",
            ]
        case tables.REJECTED:
            return ["  no latents: without a prompt it cannot teach what a prompt means"]
        case tables.FAILED:
            return [f"  no latents: {latents['reason']}: {latents['error']}"]
    return ["  no latents yet: run `moviola encode` again"]


def _video_lines(found: VideoExplanation) -> list[str]:
    lines = [f"video {found.video_id}" if found.video_id else "no video"]
    for source in found.sources:
        lines.append(f"  source     {source['uri']}: {_state(source)}")
    if found.video:
        video = found.video
        lines.append(
            f"  video      {video['codec']}, {video['width']}x{video['height']}, "
            f"{_value(video['fps'])} fps, {_value(video['duration_s'])} s: {_state(video)}"
        )
    if found.decoded:
        decoded = found.decoded
        lines.append(
            f"  decoded    {_value(decoded['decoded_frames'])} frames, "
            f"{_value(decoded['decode_failures'])} failures, {_value(decoded['num_cuts'])} cuts: "
            f"{_state(decoded)}"
        )
    elif found.video and found.video["status"] == tables.OK:
        lines.append("  decoded    not yet: run the command again")
    lines += [
        f"  clip {clip['clip_id']}  {clip['start_s']:.2f} to {clip['end_s']:.2f} s  "
        f"{', '.join(filter(None, clip['verdicts'])) or 'not selected yet'}"
        for clip in found.clips
    ]
    if found.decoded and found.decoded["status"] == tables.OK and not found.clips:
        lines.append("  no clips: no shot is long enough for one (`clips.windows` of the recipe)")
    return lines


def _state(row: Mapping[str, Any]) -> str:
    details = [row["reason"], row["error"]]
    return ": ".join([str(row["status"]), *(str(detail) for detail in details if detail)])


def _value(value: Any) -> str:  # noqa: ANN401 - a cell of any type
    if value is None:
        return "-"
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    if isinstance(value, dict):
        return " ".join(map(_value, value.values()))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
