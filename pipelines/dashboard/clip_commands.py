"""Commands to copy that show a clip outside the dashboard, whatever its file is called."""

import os
import shlex

from curation import storage
from pipelines.explain_clip import ClipExplanation


def commands(workspace: str, clip: ClipExplanation) -> list[dict[str, str]]:
    """What to type: `title` and `text` each, safe to paste into a POSIX shell with `$'…'`."""
    explained = f"moviola explain {shell_quoted(workspace)} {shell_quoted(clip.clip_id)}"
    found = [{"title": "explain", "text": explained}]
    local = next((uri for uri in clip.video["uris"] if not storage.is_remote(uri)), None)
    if local is not None:
        source = shell_quoted(os.fspath(storage.path_of(local)))
        place, target = clip.place, shell_quoted(clip.clip_id)
        if clip.measures["is_image"]:
            text = f"ffmpeg -i {source} {target}.png"
        else:
            times = f"-ss {place['start_s']:.6f} -to {place['end_s']:.6f}"
            text = f"ffmpeg {times} -i {source} -an {target}.mp4"
        found.append({"title": "cut", "text": text})
    return found


def shell_quoted(text: str) -> str:
    """The text as one word of a shell, as ASCII or what can be printed; no byte of it is lost."""
    if text.isprintable():
        return shlex.quote(text)
    plain = {"\\": "\\\\", "'": "\\'"}
    written = (
        plain.get(char, char)
        if char.isprintable()
        else "".join(f"\\{byte:03o}" for byte in os.fsencode(char))
        for char in text
    )
    return f"$'{''.join(written)}'"
