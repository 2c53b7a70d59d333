"""Training samples back to frames, and generated frames to files that anything plays."""

import json
import subprocess
from fractions import Fraction

import cv2
import imageio_ffmpeg
import numpy as np
import pytest

from curation.media.encoding import h264
from curation.media.errors import MediaError
from curation.media.samples import decode_sample, encode_video, stored_videos
from tests import media
from tests.workspaces import small_workspace


def smooth(num_frames=20, height=48, width=80, seed=0):
    """Frames of coloured blobs that change."""
    small = np.random.default_rng(seed).integers(0, 256, (num_frames, 4, 6, 3), np.uint8)
    return np.stack([cv2.resize(f, (width, height), interpolation=cv2.INTER_LINEAR) for f in small])


def ffmpeg_frames(content, shape):
    """What the FFmpeg program shows of a video."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    exact = "scale=in_color_matrix=bt709:flags=bicubic+accurate_rnd+full_chroma_int"
    shown = ["-vf", exact, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    path = media.broken("shown.mp4", content)
    raw = subprocess.run([program, "-i", path, *shown], capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(shape)


def psnr(one, other):
    return 10 * np.log10(255**2 / np.square(one.astype(float) - other).mean())


def test_what_was_encoded_comes_back_in_number_size_and_colour():
    frames = smooth()
    back = decode_sample(encode_video(frames, 12.5))
    assert (back.shape, back.dtype) == (frames.shape, np.uint8)
    assert psnr(back, frames) > 38
    assert np.abs((back.astype(float) - frames).mean((0, 1, 2))).max() < 0.3


@pytest.mark.parametrize(
    "colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)]
)
def test_colours_are_bt709_as_ffmpeg_reads_them(colour):
    frames = np.full((4, 32, 32, 3), colour, np.uint8)
    content = encode_video(frames, 8, crf=4)
    for back in (decode_sample(content), ffmpeg_frames(content, frames.shape)):
        assert np.abs(back.astype(int) - frames).max() <= 3


def test_the_samples_of_a_shard_are_decoded_as_ffmpeg_shows_them():
    shards = small_workspace().table("shards/256p")
    row = shards.read(["clip_id", "num_frames", "width", "height"]).to_pylist()[0]
    parts = shards.delta().get_add_actions()["path"].to_pylist()
    found = [stored_videos(shards.uri, part, [row["clip_id"], "another"]) for part in parts]
    [content] = [videos[row["clip_id"]] for videos in found if videos]
    frames = decode_sample(content)
    assert frames.shape == (row["num_frames"], row["height"], row["width"], 3)
    assert psnr(frames, ffmpeg_frames(content, frames.shape)) > 42


def test_an_image_is_a_video_of_one_frame():
    picture = smooth(1)[0]
    options = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111]
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    frames = decode_sample(jpeg.tobytes())
    assert frames.shape == (1, *picture.shape)
    other = cv2.cvtColor(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert np.abs(frames[0].astype(int) - other).max() <= 4
    with pytest.raises(MediaError) as raised:
        decode_sample(jpeg.tobytes()[: len(jpeg) // 2])
    assert raised.value.reason in ("frames", "no_frames")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.4, 0.7, 0.99])
def test_a_sample_that_is_cut_off_is_refused_wherever_that_is(share):
    whole = encode_video(smooth(), 10)
    with pytest.raises(MediaError) as raised:
        decode_sample(whole[: int(share * len(whole))])
    assert raised.value.reason in ("empty", "not_media", "no_frames", "frames")


def test_garbage_is_refused_and_so_is_damage_inside():
    with pytest.raises(MediaError) as raised:
        decode_sample(np.random.default_rng(0).bytes(100_000))
    assert raised.value.reason == "not_media"
    whole = bytearray(encode_video(smooth(), 10))
    start = whole.index(b"mdat") + len(whole) // 2
    whole[start : start + 2000] = bytes(2000)
    with pytest.raises(MediaError, match="frames can be decoded"):
        decode_sample(bytes(whole))


@pytest.mark.parametrize(
    "path",
    [lambda: media.declares_samples(), lambda: media.declares_size(15360, 8640)],
    ids=["a billion frames", "15360x8640"],
)
def test_what_declares_absurd_sizes_is_refused_before_memory_is_taken(path, monkeypatch):
    monkeypatch.setattr("curation.media.samples.MAX_BYTES", 1 << 26)
    with pytest.raises(MediaError) as raised:
        decode_sample(path().read_bytes())
    assert raised.value.reason in ("too_large", "frames", "no_frames")


def ffprobed(path):
    """Metadata of a file as FFmpeg writes it out."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    said = subprocess.run(
        [program, "-loglevel", "error", "-i", path, "-f", "ffmetadata", "-"],
        capture_output=True,
        check=True,
    )
    return said.stdout.decode()


def test_metadata_is_in_the_file_and_may_be_anything():
    about = json.dumps({"seed": 7, "guidance": 7.5})
    content = encode_video(smooth(4), 8, {"title": "A grey rabbit", "comment": about})
    shown = ffprobed(media.broken("said.mp4", content))
    assert "title=A grey rabbit\n" in shown
    assert f"comment={about}\n" in shown.replace("\\", "")
    for text in ("=;#\\\n\r", "\x1b[2J\x00 end", "\ud800", "日本 🐰" * 1000, "%s%n", "", "‮"):
        content = encode_video(smooth(4), 8, {"comment": text})
        assert decode_sample(content).shape[0] == 4
    assert b"\x00 end" not in content


def test_a_single_frame_and_the_same_bytes_again():
    frames = smooth(1)
    assert decode_sample(encode_video(frames, 24)).shape == frames.shape
    assert encode_video(frames, 24) == encode_video(frames, 24)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frames": smooth(2)[:, :47]}, "even size"),
        ({"frames": smooth(2)[0]}, r"uint8 \[T, H, W, 3\]"),
        ({"frames": smooth(2)[:0]}, r"uint8 \[T, H, W, 3\]"),
        ({"frames": smooth(2) / 255}, r"uint8 \[T, H, W, 3\]"),
        ({"fps": 0}, "no frame rate"),
        ({"fps": float("nan")}, "no frame rate"),
        ({"crf": 0}, "1 to 51"),
        ({"metadata": {"seed": "1"}}, "MP4 does not keep metadata seed"),
    ],
)
def test_what_cannot_be_encoded_is_said(arguments, message):
    with pytest.raises(ValueError, match=message):
        encode_video(**({"frames": smooth(2), "fps": 8} | arguments))


def test_clips_are_encoded_as_before_there_was_metadata():
    frames = smooth(3)
    plain = h264(frames, Fraction(10), 18, "veryfast")
    assert plain == h264(frames, Fraction(10), 18, "veryfast", {})
    assert b"\xa9too" not in plain


def test_a_part_that_is_gone_or_no_parquet_is_said(tmp_path):
    with pytest.raises(MediaError, match="is gone") as raised:
        stored_videos(str(tmp_path), "part-x.parquet", ["a"])
    assert raised.value.reason == "changed"
    (tmp_path / "part-y.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(MediaError) as raised:
        stored_videos(str(tmp_path), "part-y.parquet", ["a"])
    assert raised.value.reason == "unreadable"
