"""Small synthetic videos and images, whole and broken, made once per test session with FFmpeg."""

import atexit
import functools
import shutil
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path

import imageio_ffmpeg


@functools.cache
def folder() -> Path:
    """The session's own folder, removed at its end."""
    made = Path(tempfile.mkdtemp(prefix="moviola-media-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@functools.cache
def ffmpeg(name: str, *arguments: str) -> Path:
    """The file `name` that the FFmpeg command line makes: inputs, filters and encoder options."""
    path = folder() / name
    program = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run(
        [program, "-nostdin", "-loglevel", "error", "-y", *arguments, "-threads", "1", str(path)],
        check=True,
        capture_output=True,
    )
    return path


def broken(name: str, content: bytes) -> Path:
    """A file with this content."""
    path = folder() / name
    path.write_bytes(content)
    return path


def source(
    pattern: str = "testsrc2", size: str = "320x180", rate: str = "25", seconds: float = 2.0
) -> tuple[str, ...]:
    """The arguments of a generated picture as input."""
    return "-f", "lavfi", "-i", f"{pattern}=size={size}:rate={rate}:duration={seconds}"


TONE = ("-f", "lavfi", "-i", "sine=frequency=440:duration=2")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-bf", "0", "-g", "25")


def plain() -> Path:
    """320x180, 25 fps, 50 frames, H.264 in MP4, no sound."""
    return ffmpeg("plain.mp4", *source(), *H264)


def with_sound() -> Path:
    """`plain`, with a tone."""
    return ffmpeg("sound.mp4", *source(), *TONE, *H264, "-c:a", "aac", "-shortest")


def audio_only() -> Path:
    """A tone in MP4."""
    return ffmpeg("audio.mp4", *TONE, "-c:a", "aac")


def cover_art() -> Path:
    """A tone with a cover picture, which FFmpeg lists as a video stream."""
    cover = ("-map", "0:a", "-map", "1:v", "-c:v", "mjpeg", "-disposition:v", "attached_pic")
    return ffmpeg("cover.m4a", *TONE, "-i", str(image()), *cover, "-c:a", "aac")


def two_videos() -> Path:
    """A small video stream first, a larger one second, and one as large as that third."""
    sizes = ("160x90", "320x180", "320x180")
    inputs = [argument for size in sizes for argument in source(size=size)]
    return ffmpeg("three.mkv", *inputs, "-map", "0", "-map", "1", "-map", "2", *H264)


def image() -> Path:
    """320x180 JPEG."""
    return ffmpeg("plain.jpg", *source(seconds=1.0), "-frames:v", "1")


def rotated(degrees: int) -> Path:
    """`plain`, marked to be shown turned clockwise by `degrees`."""
    turn = ("-display_rotation", str(-degrees), "-i", str(plain()))
    return ffmpeg(f"rotated{degrees}.mp4", *turn, "-c", "copy")


def anamorphic() -> Path:
    """320x180 stored, pixels 4 wide and 3 high: 427x180 shown."""
    return ffmpeg("anamorphic.mp4", *source(), "-vf", "setsar=4/3", *H264)


def interlaced() -> Path:
    """Top field first, flagged so."""
    flags = ("-vf", "tinterlace=interleave_top", "-flags", "+ildct+ilme")
    return ffmpeg("interlaced.mpg", *source(), *flags, "-c:v", "mpeg2video", "-b:v", "1M")


def hdr() -> Path:
    """Ten bits, PQ transfer, BT.2020."""
    tags = "setparams=color_trc=smpte2084:color_primaries=bt2020:colorspace=bt2020nc:range=tv"
    encoder = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le")
    return ffmpeg("hdr.mp4", *source(), "-vf", tags, *encoder)


def variable_rate() -> Path:
    """50 frames, the first 25 at 25 fps, the others at 12.5 fps."""
    times = "setpts='if(lt(N,25),N,25+2*(N-25))/25/TB'"
    return ffmpeg("variable.mkv", *source(), "-vf", times, "-fps_mode", "passthrough", *H264)


def truncated() -> Path:
    """A whole header, then only the first half of the frames."""
    whole = ffmpeg("faststart.mp4", *source(), *H264, "-movflags", "+faststart").read_bytes()
    return broken("truncated.mp4", whole[: len(whole) // 2])


def without_moov() -> Path:
    """Frames without the header, which is to come last: an upload that was cut off."""
    whole = plain().read_bytes()
    return broken("no_moov.mp4", whole[: whole.index(b"moov") - 4])


def damaged_middle() -> Path:
    """Zeros over the middle third of the frames."""
    whole = bytearray(plain().read_bytes())
    start, end = whole.index(b"mdat") + 4, whole.index(b"moov")
    third = (end - start) // 3
    whole[start + third : start + 2 * third] = bytes(third)
    return broken("damaged.mp4", bytes(whole))


def declares_duration(frames: int = 10**9) -> Path:
    """`plain`, whose times are those of so many frames: days of video."""
    whole = bytearray(plain().read_bytes())
    struct.pack_into(">I", whole, whole.index(b"mdhd") + 20, 2**32 - 2)
    struct.pack_into(">I", whole, whole.index(b"stts") + 12, frames)
    return broken("long.mp4", bytes(whole))


def declares_samples(samples: int = 10**9) -> Path:
    """`plain`, whose index declares so many frames of one byte."""
    whole = bytearray(plain().read_bytes())
    struct.pack_into(">II", whole, whole.index(b"stsz") + 8, 1, samples)
    return broken("samples.mp4", bytes(whole))


def declares_size(width: int = 15360, height: int = 8640) -> Path:
    """A MOV whose header declares so large a picture."""
    whole = bytearray(ffmpeg("raw.mov", *source(seconds=0.2), "-c:v", "rawvideo").read_bytes())
    struct.pack_into(">HH", whole, whole.index(b"stsd") + 44, width, height)
    return broken(f"huge{width}.mov", bytes(whole))


def declares_picture_size(width: int = 15360, height: int = 8640) -> Path:
    """A PNG whose header declares so large a picture."""
    whole = bytearray(ffmpeg("p.png", *source(), "-frames:v", "1").read_bytes())
    struct.pack_into(">II", whole, 16, width, height)
    struct.pack_into(">I", whole, 29, zlib.crc32(bytes(whole[12:29])))
    return broken(f"huge{width}.png", bytes(whole))


def text_as_mp4() -> Path:
    """Prose under the name of a video."""
    return broken("text.mp4", b"No video here, just words.\n" * 200)


def playlist(secret: Path) -> Path:
    """An HLS playlist named .mp4 that points at another file."""
    lines = f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    return broken("playlist.mp4", lines.encode())


def concat_script(secret: Path) -> Path:
    """An FFmpeg concat script named .mp4 that points at another file."""
    return broken("script.mp4", f"ffconcat version 1.0\nfile '{secret}'\n".encode())


def data_reference(secret: Path) -> Path:
    """`plain`, whose frames are said to lie in another file (a QuickTime `alis` reference)."""
    whole = plain().read_bytes()
    start = whole.index(b"url \x00\x00\x00\x01") - 4
    name = str(secret).encode()
    path = struct.pack(">hH", 2, len(name)) + name + bytes(len(name) % 2)
    record = bytes(150) + path + struct.pack(">hH", -1, 0)
    box = struct.pack(">I4sI", 12 + len(record), b"alis", 0) + record
    grown = bytearray(whole[:start] + box + whole[start + 12 :])
    for parent in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        at = grown.index(parent) - 4
        (size,) = struct.unpack_from(">I", grown, at)
        struct.pack_into(">I", grown, at, size + len(box) - 12)
    return broken("reference.mov", bytes(grown))


def one_pixel() -> Path:
    """A 1x1 PNG."""
    return ffmpeg("one.png", *source("color", "1x1", seconds=1.0), "-frames:v", "1")


def two_halves() -> Path:
    """A PNG that is black on the left and white on the right."""
    right = "drawbox=x=iw/2:w=iw/2:color=white:thickness=fill"
    return ffmpeg("halves.png", *source("color", seconds=1.0), "-vf", right, "-frames:v", "1")


def single_frame() -> Path:
    """An MP4 of one frame."""
    return ffmpeg("single.mp4", *source(), "-frames:v", "1", *H264)
