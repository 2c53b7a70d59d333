"""A decoded frame as the picture a viewer sees: upright, square pixels, 8-bit RGB, BT.709 / sRGB.

The normalisations, in order:

* interlaced frames: the first field, its missing lines interpolated (no combing, half the vertical
  detail);
* untagged colour: BT.601 up to 576 lines, BT.709 above, as players assume; limited range unless
  tagged;
* PQ and HLG: to display light, BT.2020 to BT.709 primaries, diffuse white of 203 cd/m2 (ITU-R
  BT.2408) at white, highlights rolled off above 60 % of it;
* alpha: over black;
* scaling: area averages down, bicubic up; then the turn that the container asks for.
"""

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

Picture = npt.NDArray[np.uint8]
"""RGB, full range, `[height, width, 3]`."""

PQ, HLG = 16, 18
"""Transfer characteristics as ITU-T H.273 numbers them."""

DIFFUSE_WHITE_NITS = 203.0
HIGHLIGHT_KNEE = 0.6

BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
"""Linear-light primaries, ITU-R BT.2087 section 4 inverted."""

_UNSPECIFIED = 2
_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
_EXACT = Interpolation.ACCURATE_RND | Interpolation.BITEXACT | Interpolation.FULL_CHR_H_INT

_reformatter = VideoReformatter()


def render(frame: av.VideoFrame, width: int, height: int, rotation_deg: int = 0) -> Picture:
    """The frame as RGB `[height, width, 3]`, 0 to 255, sizes meant as the viewer sees them."""
    turned = rotation_deg in (90, 270)
    size = (height, width) if turned else (width, height)
    picture = _picture(frame, *size)
    if rotation_deg:
        picture = np.asarray(cv2.rotate(picture, _TURNS[rotation_deg]), np.uint8)
    return picture


def _picture(frame: av.VideoFrame, width: int, height: int) -> Picture:
    if frame.color_trc in (PQ, HLG):
        signal = _converted(frame, width, height, "rgb48le").astype(np.float32) / 65535.0
        return tone_mapped(signal, frame.color_trc)
    if frame.interlaced_frame:
        first_field = _converted(frame, frame.width, frame.height, "rgb24")[::2]
        shrinks = width * height < first_field.shape[0] * first_field.shape[1]
        kernel = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        resized = cv2.resize(first_field, (width, height), interpolation=kernel)
        return np.asarray(resized, np.uint8)
    if any(component.is_alpha for component in frame.format.components):
        rgba = _converted(frame, width, height, "rgba").astype(np.uint16)
        return ((rgba[..., :3] * rgba[..., 3:] + 127) // 255).astype(np.uint8)
    return _converted(frame, width, height, "rgb24").astype(np.uint8, copy=False)


def tone_mapped(signal: npt.NDArray[np.float32], transfer: int) -> Picture:
    """SDR RGB of a PQ or HLG signal.

    Args:
        signal: non-linear BT.2020 RGB, `[H, W, 3]`, 0 to 1.
        transfer: `PQ` (SMPTE ST 2084) or `HLG` (ITU-R BT.2100, shown at 1000 cd/m2).
    """
    nits = _pq_nits(signal) if transfer == PQ else _hlg_nits(signal)
    linear = np.maximum(nits / DIFFUSE_WHITE_NITS @ BT2020_TO_BT709.T, 0.0)
    peak = linear.max(axis=-1, keepdims=True)
    room = 1.0 - HIGHLIGHT_KNEE
    rolled = HIGHLIGHT_KNEE + room * (
        1.0 - np.exp(-(np.maximum(peak, HIGHLIGHT_KNEE) - HIGHLIGHT_KNEE) / room)
    )
    linear *= np.where(peak > HIGHLIGHT_KNEE, rolled / np.maximum(peak, 1e-6), 1.0)
    srgb = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-8) ** (1 / 2.4) - 0.055
    )
    return (srgb * 255.0 + 0.5).clip(0, 255).astype(np.uint8)


def _pq_nits(signal: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """SMPTE ST 2084 EOTF: display light in cd/m2."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    power = np.maximum(signal, 0.0) ** np.float32(1 / m2)
    result = 10000.0 * (np.maximum(power - c1, 0.0) / (c2 - c3 * power)) ** np.float32(1 / m1)
    return np.asarray(result, np.float32)


def _hlg_nits(signal: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """ITU-R BT.2100 HLG: inverse OETF and the OOTF of a 1000 cd/m2 display (gamma 1.2)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3.0, (np.exp((signal - c) / a) + b) / 12.0)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593], np.float32)
    result = 1000.0 * np.maximum(luminance, 1e-6)[..., None] ** 0.2 * scene
    return np.asarray(result, np.float32)


def _converted(
    frame: av.VideoFrame, width: int, height: int, pixels: str
) -> npt.NDArray[np.uint8 | np.uint16 | np.float16 | np.float32]:
    space = frame.colorspace
    if space == _UNSPECIFIED:
        space = Colorspace.ITU709 if frame.height > 576 else Colorspace.ITU601
    shrinks = width * height < frame.width * frame.height
    converted = _reformatter.reformat(
        frame,
        width,
        height,
        pixels,
        src_colorspace=space,
        interpolation=(Interpolation.AREA if shrinks else Interpolation.BICUBIC) | _EXACT,
        dst_color_range="JPEG",
        threads=1,
    )
    return np.asarray(converted.to_ndarray())
