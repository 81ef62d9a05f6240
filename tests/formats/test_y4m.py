import contextlib
import fractions
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecsim.errors import FormatError
from codecsim.formats.video import InputOptions, create_video, open_video
from codecsim.formats.y4m import read_y4m_frames, read_y4m_header, write_y4m_frame, write_y4m_header
from codecsim.picture.planes import Frame, VideoFormat

HEADER = b"YUV4MPEG2 W4 H2 F25:1 Ip A1:1 C420jpeg XYSCSS=420JPEG\n"
PICTURE = b"FRAME\n" + bytes(range(12))
TEN_BITS = b"FRAME\n" + b"\1\2" * 11 + b"\xff\3"


def random_frames(width, height, count, seed=0, bit_depth=8):
    dtype = np.uint8 if bit_depth == 8 else np.uint16
    rng = np.random.default_rng(seed)
    shapes = ((height, width), (height // 2, width // 2), (height // 2, width // 2))
    return [Frame(*(rng.integers(0, 1 << bit_depth, shape, dtype) for shape in shapes)) for _ in range(count)]


def same_frames(first, second):
    return len(first) == len(second) and all(
        np.array_equal(a, b) for one, other in zip(first, second, strict=True) for a, b in zip(one, other, strict=True)
    )


def read_file(path, **options):
    with open_video(path, InputOptions(**options)) as video:
        return video, list(video.frames)


@given(
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(0, 4),
    st.fractions(min_value="1/1000", max_value=1000, max_denominator=2000),
    st.sampled_from([8, 10]),
)
def test_round_trip(half_width, half_height, count, fps, bit_depth):
    video_format = VideoFormat(2 * half_width, 2 * half_height, fps, bit_depth)
    frames = random_frames(video_format.width, video_format.height, count, bit_depth=bit_depth)
    file = io.BytesIO()
    write_y4m_header(file, video_format)
    for frame in frames:
        write_y4m_frame(file, frame)
    file.seek(0)
    assert read_y4m_header(file, "x") == video_format
    assert same_frames(list(read_y4m_frames(file, video_format, "x")), frames)


def test_parameters_of_pictures_and_comments_are_skipped(tmp_path):
    path = tmp_path / "a.y4m"
    path.write_bytes(HEADER + PICTURE.replace(b"FRAME", b"FRAME Ip XQ") + PICTURE)
    video, frames = read_file(path)
    assert video.format == VideoFormat(4, 2, fractions.Fraction(25))
    assert [frame.v.tolist() for frame in frames] == [[[10, 11]]] * 2
    assert frames[0].y.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_samples_of_10_bits_are_little_endian(tmp_path):
    path = tmp_path / "a.y4m"
    path.write_bytes(HEADER.replace(b"420jpeg", b"420p10") + TEN_BITS)
    video, (frame,) = read_file(path)
    assert video.format.bit_depth == 10
    assert frame.y.tolist() == [[513] * 4] * 2
    assert frame.v.tolist() == [[513, 1023]]


def test_the_users_rate_wins(tmp_path):
    path = tmp_path / "a.y4m"
    path.write_bytes(HEADER.replace(b"F25:1", b"F0:0") + PICTURE)
    assert read_file(path, fps=fractions.Fraction(30000, 1001))[0].format.fps == fractions.Fraction(30000, 1001)
    with pytest.raises(FormatError, match="--fps"):
        read_file(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (HEADER, "no pictures"),
        (HEADER[:-1], "cut short"),
        (HEADER + PICTURE[:-1], "within picture 0, after 11 of its 12 bytes"),
        (HEADER + PICTURE + b"FRAME\n", "within picture 1, after 0 of its 12 bytes"),
        (HEADER + PICTURE + b"FRA", "before picture 1"),
        (HEADER + PICTURE + b"junk\n" + bytes(100), "expected a FRAME line before picture 1"),
        (HEADER + b"FRAME" + bytes(5000), "longer than"),
        (HEADER.replace(b"W4", b"W3"), "3x2 is odd"),
        (HEADER.replace(b"H2", b"H3"), "4x3 is odd"),
        (HEADER.replace(b"W4", b"W0"), "no samples"),
        (HEADER.replace(b"W4", b"W-4"), "'-4'"),
        (HEADER.replace(b"W4", b"W99999998"), "beyond"),
        (HEADER.replace(b"W4 ", b""), "no W field"),
        (HEADER.replace(b"420jpeg", b"422"), "'422' is not supported"),
        (HEADER.replace(b"420jpeg", b"444"), "'444' is not supported"),
        (HEADER.replace(b"420jpeg", b"420p12"), "12 bits a sample"),
        (HEADER.replace(b"420jpeg", b"420p10") + PICTURE, "within picture 0, after 12 of its 24 bytes"),
        (HEADER.replace(b"420jpeg", b"420p10") + TEN_BITS + TEN_BITS[:-1] + b"\4", "picture 1 has a sample of 1279"),
        (HEADER.replace(b"F25:1", b"Fx:1"), "frame rate"),
        (HEADER.replace(b"F25:1", b"F25"), "frame rate"),
    ],
)
def test_damaged_files_are_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "bad.y4m"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=message) as caught:
        read_file(path)
    assert "\n" not in str(caught.value)
    assert "bad.y4m" in str(caught.value)


@given(st.binary(max_size=200))
def test_any_bytes_end_in_frames_or_a_format_error(data):
    file = io.BytesIO(b"YUV4MPEG2 W2 H2 F1:1" + data)
    with contextlib.suppress(FormatError):
        list(read_y4m_frames(file, read_y4m_header(file, "x"), "x"))


def test_nothing_is_left_when_writing_fails(tmp_path):
    path = tmp_path / "out.y4m"
    video_format = VideoFormat(4, 2, fractions.Fraction(25))
    with pytest.raises(RuntimeError), create_video(path, video_format) as write:
        write(random_frames(4, 2, 1)[0])
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with create_video(path, video_format) as write:
        write(random_frames(4, 2, 1)[0])
        assert not path.exists()
    assert [file.name for file in tmp_path.iterdir()] == ["out.y4m"]
