"""What a grounded caption states, and whether frames and measures bear it out.

This knows nothing of how captions are made: it reads the words, names colours by a rule of its own
(hue, saturation and value, with borders that overlap), measures light in the frames, and takes the
camera's way from the sum of its path. Whatever is said that it has no pattern for counts as
unsupported, so a word that was made up does too.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]
Frame = npt.NDArray[np.uint8]
"""RGB, `[H, W, 3]`."""

COLOURS: dict[str, Callable[[Plane, Plane, Plane], npt.NDArray[np.bool_]]] = {
    "black": lambda h, s, v: v < 0.24,
    "white": lambda h, s, v: (v > 0.78) & (s < 0.13),
    "grey": lambda h, s, v: (s < 0.36) & (v > 0.1) & (v < 0.97),
    "red": lambda h, s, v: ((h < 24) | (h > 330)) & (s > 0.35),
    "orange": lambda h, s, v: (h > 10) & (h < 52) & (s > 0.4) & (v > 0.45),
    "brown": lambda h, s, v: ((h < 64) | (h > 335)) & (s > 0.12) & (v < 0.8),
    "beige": lambda h, s, v: (h > 12) & (h < 80) & (s < 0.55) & (v > 0.45),
    "yellow": lambda h, s, v: (h > 36) & (h < 80) & (s > 0.18) & (v > 0.3),
    "green": lambda h, s, v: (h > 55) & (h < 190) & (s > 0.08),
    "teal": lambda h, s, v: (h > 135) & (h < 225) & (s > 0.08),
    "blue": lambda h, s, v: (h > 175) & (h < 280) & (s > 0.05),
    "purple": lambda h, s, v: (h > 225) & (h < 345) & (s > 0.05),
    "pink": lambda h, s, v: ((h > 285) | (h < 24)) & (s > 0.06) & (v > 0.55),
}

COLOUR = rf"(?:(?:dark|light) )?(?:{'|'.join(COLOURS)})"
LIST = rf"{COLOUR}(?:,? (?:and )?{COLOUR})*"
PLACE = r"above|below|on the left|on the right|in the middle|throughout"
PART = r"in the middle|on the left|on the right|in the upper part|in the lower part"

FIRST = re.compile(r"at first|begins? with")
LAST = re.compile(r"by the end|ends? with")

FILLERS = frozenset(
    re.findall(
        r"\w+",
        "a an and are as is it its of the there while with at first by end begins ends view what "
        "then later throughout in",
    )
)
"""Words that may be left over: they bind."""


class Shown(NamedTuple):
    """A clip as it was stored."""

    frames: Sequence[Frame]
    """In time order."""

    path: Sequence[dict[str, float]]
    """Steps of the camera's path."""

    labels: Sequence[tuple[str, float]]
    text: str

    motion: float
    """VMAF motion."""


class Statement(NamedTuple):
    """One thing that a caption says."""

    words: str

    is_supported: bool


Check = Callable[[re.Match[str], Shown, Sequence[Frame]], bool]
"""Whether what was matched is so, of the clip, and of the frames that the sentence speaks of."""


def statements(caption: str, shown: Shown) -> list[Statement]:
    """Everything that the caption says; words that no pattern knows are unsupported."""
    read = " ".join(shown.text.casefold().split())
    found = [
        Statement(f'"{quote}"', quote.casefold() in read)
        for quote in re.findall(r'"([^"]*)"', caption)
    ]
    plain = re.sub(r'"[^"]*"(?:, | and )?', '"', caption).lower()
    for sentence in re.split(r"(?<=\.)\s+", plain):
        found += _of_sentence(sentence, shown)
    return found


def _of_sentence(sentence: str, shown: Shown) -> Iterator[Statement]:
    rest = sentence
    for pattern, check in PATTERNS:
        while match := re.search(pattern, rest):
            told = _told_of(sentence[: match.end()], shown.frames)
            yield Statement(match[0], check(match, shown, told))
            rest = rest[: match.start()] + "|" + " " * (len(match[0]) - 1) + rest[match.end() :]
    left = [word for word in re.findall(r"[a-z0-9-]+", rest) if word not in FILLERS]
    if left:
        yield Statement(" ".join(left), False)


def _told_of(before: str, frames: Sequence[Frame]) -> Sequence[Frame]:
    """The frames that a sentence speaks of, by the last word on time in it so far."""
    first = max((match.end() for match in FIRST.finditer(before)), default=-1)
    last = max((match.end() for match in LAST.finditer(before)), default=-1)
    if first < 0 and last < 0:
        return frames
    return frames[:1] if first > last else frames[-1:]


def _hsv(frame: Frame) -> Plane:
    small = np.asarray(cv2.resize(frame, (96, 54), interpolation=cv2.INTER_AREA), np.float32)
    return np.asarray(cv2.cvtColor(small / 255, cv2.COLOR_RGB2HSV), np.float32)


def _points(colour: str, frame: Frame) -> tuple[npt.NDArray[np.bool_], float]:
    """Where the colour is, and the mean value there."""
    hue, saturation, value = np.moveaxis(_hsv(frame), -1, 0)
    mask = COLOURS[colour.split()[-1]](hue, saturation, value)
    return mask, float(value[mask].mean()) if mask.any() else 0.0


def _is_there(colour: str, frames: Sequence[Frame], share: float) -> bool:
    """Whether some frame has so much of the colour, as dark or light as it is called."""
    mask, value = max((_points(colour, one) for one in frames), key=lambda found: found[0].mean())
    fits = {"dark": value < 0.65, "light": value > 0.5}.get(colour.split()[0], True)
    return bool(mask.mean() >= share and fits)


def _colours(share: float) -> Check:
    def check(match: re.Match[str], shown: Shown, told: Sequence[Frame]) -> bool:
        return all(_is_there(one, told, share) for one in re.findall(COLOUR, match["colours"]))

    return check


def _placed(match: re.Match[str], shown: Shown, told: Sequence[Frame]) -> bool:
    """Whether each of the colours has its middle on the side that is said."""
    for colour in re.findall(COLOUR, match["colours"]):
        if not _is_there(colour, told, 0.02):
            return False
        there = np.mean([_points(colour, frame)[0] for frame in told], axis=0)
        rows, columns = np.mgrid[0:54, 0:96]
        y, x = (float((there * at).sum() / there.sum()) for at in (rows / 53, columns / 95))
        fits = {
            "above": y < 0.52,
            "below": y > 0.48,
            "on the left": x < 0.52,
            "on the right": x > 0.48,
            "in the middle": max(abs(x - 0.5), abs(y - 0.5)) < 0.2,
            "throughout": True,
        }
        if not fits[match["place"]]:
            return False
    return True


def _lumas(frames: Sequence[Frame]) -> npt.NDArray[np.float64]:
    small = [cv2.resize(one, (96, 54), interpolation=cv2.INTER_AREA) for one in frames]
    greys = [cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in small]
    return np.stack(greys).astype(np.float64) / 255


def _brighter_part(match: re.Match[str], shown: Shown, told: Sequence[Frame]) -> bool:
    lumas = _lumas(shown.frames)
    parts = {
        "upper": lumas[:, :18].mean(),
        "lower": lumas[:, 36:].mean(),
        "left": lumas[:, :, :32].mean(),
        "right": lumas[:, :, 64:].mean(),
    }
    return bool(parts[match["one"]] > parts[match["other"]])


def _light_changes(match: re.Match[str], shown: Shown, told: Sequence[Frame]) -> bool:
    lumas = _lumas(shown.frames)
    brighter = bool(lumas[-1].mean() > lumas[0].mean())
    return brighter == (match["how"] == "brighter")


def _way(name: str, sign: int) -> Check:
    return lambda match, shown, told: sign * sum(step[name] for step in shown.path) > 0


def _camera_stays(match: re.Match[str], shown: Shown, told: Sequence[Frame]) -> bool:
    axes = [np.median([step[name] for step in shown.path]) for name in ("pan", "tilt", "zoom")]
    return bool(np.abs(axes).max() < 0.02)


def _camera_goes(match: re.Match[str], shown: Shown, told: Sequence[Frame]) -> bool:
    return not _camera_stays(match, shown, told)


def _subject_goes(match: re.Match[str], shown: Shown, told: Sequence[Frame]) -> bool:
    across, up = ("subject_right", "subject_up")
    name, sign = {"left": (across, -1), "right": (across, 1), "top": (up, 1), "bottom": (up, -1),
                  "upwards": (up, 1), "downwards": (up, -1)}[match["way"]]  # fmt: skip
    return sign * sum(step[name] for step in shown.path) > 0


def _subject_size(match: re.Match[str], shown: Shown, told: Sequence[Frame]) -> bool:
    shares = [step["subject_share"] for step in shown.path if step["subject_share"] > 0.01]
    return bool(shares) and (float(np.median(shares)) > 0.15) == (match["size"] == "large")


def _half_that_moves(later: bool) -> Check:
    def check(match: re.Match[str], shown: Shown, told: Sequence[Frame]) -> bool:
        half = len(shown.path) // 2
        first, second = (
            sum(step["subject_share"] for step in part)
            for part in (shown.path[:half], shown.path[half:])
        )
        return second > first if later else first > second

    return check


def _liveliest(match: re.Match[str], shown: Shown, told: Sequence[Frame]) -> bool:
    thirds = np.array_split([step["residual"] for step in shown.path], 3)
    said = ("at the start", "halfway through", "towards the end").index(match["when"])
    return int(np.argmax([third.mean() for third in thirds])) == said


def _changes_there(match: re.Match[str], shown: Shown, told: Sequence[Frame]) -> bool:
    """Whether the part has more of the change than its area, from frame to frame or by vectors."""
    place = match["place"]
    change = np.abs(np.diff(_lumas(shown.frames), axis=0)).sum(axis=0)
    parts = {
        "in the middle": change[:, 24:72],
        "on the left": change[:, :48],
        "on the right": change[:, 48:],
        "in the upper part": change[:27],
        "in the lower part": change[27:],
    }
    own = [step for step in shown.path if step["subject_share"] > 0.01]
    x, y = (
        float(np.mean([step[name] for step in own])) if own else 0.0
        for name in ("subject_x", "subject_y")
    )
    by_vectors = {
        "in the middle": max(abs(x), abs(y)) < 0.2,
        "on the left": x < -0.1,
        "on the right": x > 0.1,
        "in the upper part": y > 0.1,
        "in the lower part": y < -0.1,
    }
    return bool(parts[place].sum() > 0.5 * change.sum() or (own and by_vectors[place]))


def _amount(match: re.Match[str], shown: Shown, told: Sequence[Frame]) -> bool:
    bounds = {"hardly any": (0, 0.6), "gentle": (0.4, 2.4), "steady": (1.7, 7), "quick": (5, 99)}
    least, most = bounds[match["amount"]]
    return least <= shown.motion < most


def _between(
    measure: Callable[[Sequence[Frame]], float], bounds: dict[str, tuple[float, float]]
) -> Check:
    def check(match: re.Match[str], shown: Shown, told: Sequence[Frame]) -> bool:
        least, most = bounds[match["how"]]
        return least <= measure(shown.frames) <= most

    return check


def _light(frames: Sequence[Frame]) -> float:
    return float(_lumas(frames).mean())


def _contrast(frames: Sequence[Frame]) -> float:
    return float(_lumas(frames).std(axis=(1, 2)).mean())


def _colour(frames: Sequence[Frame]) -> float:
    """Mean distance of the three channels from their mean."""
    spread = [np.asarray(one, np.float64).std(axis=2).mean() for one in frames]
    return float(np.mean(spread))


def _detail(frames: Sequence[Frame]) -> float:
    greys = [cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in frames]
    return float(np.mean([np.abs(cv2.Laplacian(grey, cv2.CV_64F)).mean() for grey in greys]))


def _is_label(match: re.Match[str], shown: Shown, told: Sequence[Frame]) -> bool:
    last = match["noun"].split()[-1]
    return sum(score for label, score in shown.labels if label.lower().split()[-1] == last) > 0.75


def _is_read(match: re.Match[str], shown: Shown, told: Sequence[Frame]) -> bool:
    return bool(shown.text.strip())


def _nothing(match: re.Match[str], shown: Shown, told: Sequence[Frame]) -> bool:
    """Whether the frames are alike, whatever the measure of motion says."""
    return float((np.abs(np.diff(_lumas(shown.frames), axis=0)) > 0.1).mean()) < 0.01


MOSTLY = "most of the view is|what can be seen is mostly"
ADVERB = r"(?:slowly |quickly )?"
PATTERNS: list[tuple[str, Check]] = [
    (r"(?:the words|written in view is|lettering reads) \"+(?: can be read)?", _is_read),
    (r"everything is in black and white|there is no colour but black and white",
     lambda match, shown, told: _colour(shown.frames) < 6),
    (rf"(?P<colours>{LIST}) (?P<place>{PLACE})", _placed),
    (rf"almost everything is (?P<colours>{COLOUR})|(?P<colours2>{COLOUR}) covers nearly the whole",
     lambda match, shown, told: _is_there(match["colours"] or match["colours2"], told, 0.6)),
    (rf"(?:a touch of|small touches of) (?P<colours>{LIST})(?: stand out)?", _colours(0.005)),
    (rf"(?:{MOSTLY}|begins? with|ends? with) (?P<colours>{LIST})",
     _colours(0.06)),
    (r"the (?P<one>upper|lower|left|right) part is brighter than the (?P<other>\w+)",
     _brighter_part),
    (r"brighter in the (?P<one>\w+) part than in the (?P<other>\w+)", _brighter_part),
    (r"(?:grows|it is) (?P<how>darker|brighter) (?:towards the end|than at the start)",
     _light_changes),
    (r"(?:the camera |it )?holds still", _camera_stays),
    (r"(?:the camera |it )?is hand-held and sways a little", _camera_stays),
    (rf"(?:the camera |it ){ADVERB}(?:pans right|glides to the right)", _way("pan", 1)),
    (rf"(?:the camera |it ){ADVERB}(?:pans left|glides to the left)", _way("pan", -1)),
    (rf"(?:the camera |it ){ADVERB}(?:tilts up|rises)", _way("tilt", 1)),
    (rf"(?:the camera |it ){ADVERB}(?:tilts down|sinks)", _way("tilt", -1)),
    (rf"(?:the camera |it ){ADVERB}(?:zooms in|moves forward)", _way("zoom", 1)),
    (rf"(?:the camera |it ){ADVERB}(?:zooms out|moves backward)", _way("zoom", -1)),
    (rf"(?:the camera |it ){ADVERB}(?:circles|follows) its subject", _camera_goes),
    (r"view (?:moves|shifts) to the right", _way("pan", 1)),
    (r"view (?:moves|shifts) to the left", _way("pan", -1)),
    (r"view (?:moves|shifts) upwards", _way("tilt", 1)),
    (r"view (?:moves|shifts) downwards", _way("tilt", -1)),
    (r"view (?:moves|shifts) closer", _way("zoom", 1)),
    (r"view (?:moves|shifts) farther away", _way("zoom", -1)),
    (r"nothing moves|everything stays still", _nothing),
    (rf"most of it (?P<place>{PART})", _changes_there),
    (rf"(?P<place>{PART})(?= there is (?:hardly|gentle|steady|quick))", _changes_there),
    (r"(?P<amount>hardly any|gentle|steady|quick) movement(?: can be seen)?", _amount),
    (r"something moves from the \w+ to the (?P<way>\w+)", _subject_goes),
    (r"from the \w+ to the (?P<way>\w+), something moves across", _subject_goes),
    (r"(?:something moves|what moves goes) (?:to the )?(?P<way>\w+)", _subject_goes),
    (r"what moves takes up a (?P<size>large|small) part", _subject_size),
    (r"a (?P<size>large|small) part of the view is what moves", _subject_size),
    (r"the movement starts only after a while", _half_that_moves(later=True)),
    (r"the movement comes to rest before the end", _half_that_moves(later=False)),
    (r"(?:is liveliest|most of it happens) (?P<when>at the start|halfway through|towards the end)",
     _liveliest),
    (r"light is (?P<how>very dark|dim|bright|very bright)(?: overall)?",
     _between(_light, {"very dark": (0, 0.16), "dim": (0.08, 0.35), "bright": (0.52, 0.86),
                       "very bright": (0.74, 1)})),
    (r"contrast is (?P<how>strong|soft)",
     _between(_contrast, {"strong": (0.2, 1), "soft": (0, 0.14)})),
    (r"colours are (?P<how>vivid|muted)",
     _between(_colour, {"vivid": (16, 128), "muted": (0, 16)})),
    (r"(?:details are|fine detail is) (?P<how>crisp|soft)",
     _between(_detail, {"crisp": (1.5, 255), "soft": (0, 6)})),
    (r"(?:an? )(?P<noun>[a-z' -]+?) (?:is in view|can be seen)", _is_label),
    (r"in view is an? (?P<noun>[a-z' -]+)", _is_label),
]  # fmt: skip
"""What may be said, the longer first, and whether it is so."""
