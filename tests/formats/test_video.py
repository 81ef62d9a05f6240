import fractions
import hashlib
import json
import os
import pathlib
import tracemalloc

import av
import numpy as np
import pytest

from codecsim.errors import CodecError, ConfigError, FormatError
from codecsim.formats.output import atomic_output, check_output
from codecsim.formats.samples import frame_to_bytes
from codecsim.formats.video import InputOptions, create_video, open_video
from codecsim.picture.planes import VideoFormat
from codecsim.resources import bundled_clip
from tests.formats.test_y4m import random_frames, read_file, same_frames

RATE = fractions.Fraction(25)


def write_with_av(path, frames, codec="ffv1", pixel_format="yuv420p"):
    own_format = "yuv420p" if frames[0].y.dtype == np.uint8 else "yuv420p10le"
    height, width = frames[0].y.shape
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        for frame in frames:
            stacked = np.concatenate([plane.reshape(-1, width) for plane in frame])
            picture = av.VideoFrame.from_ndarray(stacked, own_format).reformat(format=pixel_format)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


@pytest.mark.parametrize(("bit_depth", "picture_bytes"), [(8, 36), (10, 72)])
def test_raw_round_trip(tmp_path, bit_depth, picture_bytes):
    frames = random_frames(6, 4, 3, bit_depth=bit_depth)
    path = tmp_path / "a.yuv"
    with create_video(path, VideoFormat(6, 4, RATE, bit_depth)) as write:
        for frame in frames:
            write(frame)
    assert path.stat().st_size == 3 * picture_bytes
    video, back = read_file(path, size=(6, 4), fps=RATE, bit_depth=bit_depth)
    assert (video.frame_count, video.format.bit_depth) == (3, bit_depth)
    assert same_frames(back, frames)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ConfigError, "--size WxH and --fps F"),
        ({"size": (6, 4)}, ConfigError, "--size WxH and --fps F"),
        ({"size": (6, 6), "fps": RATE}, FormatError, "36 bytes are no whole number of 6x6"),
        ({"size": (5, 4), "fps": RATE}, FormatError, "odd"),
        ({"size": (6, 4), "fps": fractions.Fraction(0)}, ConfigError, "--fps"),
        ({"size": (6, 4), "fps": fractions.Fraction(-1)}, FormatError, "no usable frame rate"),
        ({"size": (6, 4), "fps": RATE, "bit_depth": 12}, FormatError, "12 bits"),
        ({"size": (6, 4), "fps": RATE, "bit_depth": 10}, FormatError, "36 bytes are no whole number of 6x4"),
        ({"size": (6, 2), "fps": RATE, "bit_depth": 10}, FormatError, "picture 0 has a sample of 1024, 10 bits allow"),
    ],
)
def test_raw_refusals(tmp_path, options, error, message):
    path = tmp_path / "a.yuv"
    path.write_bytes(bytes(35) + b"\4")
    with pytest.raises(error, match=message):
        read_file(path, **options)


@pytest.mark.parametrize(("bit_depth", "pixel_format"), [(8, "yuv420p"), (10, "yuv420p10le")])
def test_container_samples_are_exact(tmp_path, bit_depth, pixel_format):
    frames = random_frames(50, 36, 4, bit_depth=bit_depth)  # rows are padded in memory at this width
    path = tmp_path / "a.mkv"
    write_with_av(path, frames, pixel_format=pixel_format)
    video, back = read_file(path)
    assert video.format == VideoFormat(50, 36, RATE, bit_depth)
    assert same_frames(back, frames)


@pytest.mark.parametrize(("bit_depth", "pixel_format"), [(8, "nv12"), (8, "nv21"), (10, "yuv420p10be")])
def test_samples_in_another_order_are_put_right(tmp_path, bit_depth, pixel_format):
    frames = random_frames(16, 16, 2, bit_depth=bit_depth)
    path = tmp_path / "a.nut"
    write_with_av(path, frames, "rawvideo", pixel_format)
    video, back = read_file(path)
    assert video.format.bit_depth == bit_depth
    assert same_frames(back, frames)


@pytest.mark.parametrize("pixel_format", ["yuv422p", "yuv444p", "yuv422p10le", "yuv420p12le", "gray"])
def test_other_sampling_is_refused(tmp_path, pixel_format):
    path = tmp_path / "a.mkv"
    write_with_av(path, random_frames(16, 16, 1), pixel_format=pixel_format)
    with pytest.raises(FormatError, match=f"'{pixel_format}' is not supported"):
        read_file(path)


def test_odd_containers_are_refused(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 15, 15, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(15, 15, "yuv420p")))
        container.mux(stream.encode())
    with pytest.raises(FormatError, match="15x15 is odd"):
        read_file(path)


@pytest.mark.parametrize("content", [b"", b"not a video", bytes(5000), b"\x1aE\xdf\xa3" + bytes(range(256))])
def test_unreadable_containers_are_refused(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(FormatError, match="a.mp4"):
        read_file(path)


def test_missing_files_and_folders_are_refused(tmp_path):
    for path in (tmp_path / "none.y4m", tmp_path):
        with pytest.raises(FormatError, match="cannot be read"):
            read_file(path)


def test_memory_does_not_grow_with_the_length(tmp_path):
    path = tmp_path / "long.y4m"
    frame = random_frames(352, 288, 1)[0]
    with create_video(path, VideoFormat(352, 288, RATE)) as write:
        for _ in range(60):
            write(frame)
    tracemalloc.start()
    with open_video(path, InputOptions()) as video, create_video(tmp_path / "copy.y4m", video.format) as write:
        for frame in video.frames:
            write(frame)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.read_bytes() == (tmp_path / "copy.y4m").read_bytes()
    assert peak < 6 * 352 * 288 * 1.5


def test_outputs_that_cannot_be_written(tmp_path):
    plain = tmp_path / "file"
    plain.write_bytes(b"kept")
    for path, message in ((tmp_path, "is a folder"), (tmp_path / "no" / "x", "no folder"), (plain / "x", "file/x")):
        with pytest.raises(FormatError, match=message), atomic_output(path):
            pytest.fail("must not open")
    with pytest.raises(KeyError), atomic_output(plain) as file:
        file.write(b"new")
        raise KeyError
    assert plain.read_bytes() == b"kept"
    assert os.listdir(tmp_path) == ["file"]


def test_outputs_are_checked_before_long_work(tmp_path):
    plain = tmp_path / "file"
    plain.write_bytes(b"kept")
    nowhere = tmp_path / "no" / "x"
    for path, message in ((tmp_path, "is a folder"), (plain / "x", "file/x"), ("", "empty"), (nowhere, "no folder")):
        with pytest.raises(CodecError, match=message):
            check_output(path)
    check_output(plain)
    check_output(tmp_path / "new")
    assert plain.read_bytes() == b"kept"
    assert os.listdir(tmp_path) == ["file"]


def test_full_disk_is_one_line(tmp_path):
    if not pathlib.Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with pytest.raises(FormatError, match="/dev/full: cannot be written"), atomic_output("/dev/full") as file:
        file.write(bytes(100_000))


def test_links_and_modes_survive(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    with atomic_output(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert real.stat().st_mode & 0o777 == 0o640


def test_the_bundled_clip_is_what_its_manifest_says():
    path = bundled_clip()
    entry = json.loads((path.parent / "manifest.json").read_text())[0]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
    video, frames = read_file(path)
    assert (video.format.width, video.format.height, str(video.format.fps)) == (320, 176, entry["fps"])
    assert len(frames) == entry["frames"]
    samples = hashlib.sha256(b"".join(map(frame_to_bytes, frames)))
    assert samples.hexdigest() == entry["sha256_of_samples"]
