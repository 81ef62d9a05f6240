"""SEI messages: round trips, strangers, damage; hashes of a foreign encoder for what a foreign decoder decodes."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecsim.errors import BitstreamError
from codecsim.picture.hashes import hash_picture
from codecsim.picture.planes import Picture
from codecsim.syntax.nal import SUFFIX_SEI, NalUnit, read_nal_units, write_nal_unit
from codecsim.syntax.sei import HASH_TYPES, LearnerHash, PictureHash, read_sei, write_sei
from tests.syntax.test_headers import foreign_stream


def unit(rbsp):
    return NalUnit(SUFFIX_SEI, 0, 0, rbsp, 0, len(rbsp))


@st.composite
def picture_hashes(draw):
    method = draw(st.sampled_from(list(HASH_TYPES)))
    size = HASH_TYPES[method][1]
    return PictureHash(method, tuple(draw(st.binary(min_size=size, max_size=size)) for _ in range(3)))


MESSAGES = st.lists(
    st.one_of(picture_hashes(), st.builds(LearnerHash, st.binary(min_size=16, max_size=16))), max_size=4
)


@given(MESSAGES)
def test_round_trip(messages):
    data = write_nal_unit(SUFFIX_SEI, write_sei(messages))
    (nal,) = read_nal_units(io.BytesIO(data))
    assert read_sei(nal) == messages


def test_other_messages_are_ignored():
    long = bytes([255, 3, 255, 255, 10]) + bytes(520)  # type 258, 520 bytes
    stranger = bytes([5, 20]) + bytes(20)  # user data of somebody else
    short = bytes([5, 3]) + bytes(3)
    later = bytes([132, 4, 9]) + bytes(3)  # a hash type of a later edition
    ours = write_sei([LearnerHash(bytes(range(16)))])
    assert read_sei(unit(long + stranger + short + later + ours)) == [LearnerHash(bytes(range(16)))]


def test_messages_beyond_their_unit_are_refused():
    data = write_sei([PictureHash("md5", (bytes(16),) * 3)])
    with pytest.raises(BitstreamError, match="payload_size"):
        read_sei(unit(data[:20] + b"\x80"))
    with pytest.raises(BitstreamError, match="picture_md5"):
        read_sei(unit(bytes([132, 10, 0]) + bytes(9) + b"\x80"))


@given(st.binary(max_size=50))
def test_garbage_ends_in_messages_or_an_error(data):
    with contextlib.suppress(BitstreamError):
        read_sei(unit(data))


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("number,method", [(1, "md5"), (2, "crc"), (3, "checksum")])
def test_hashes_agree_with_foreign_encoder_and_decoder(number, method, bit_depth):
    # One row of CTUs: with more, x265's CRC of chroma is not that of the standard.
    stream = foreign_stream(f"bframes=0:hash={number}", height=64, bit_depth=bit_depth)
    av = pytest.importorskip("av")
    with av.open(io.BytesIO(stream), format="hevc") as container:
        frames = [frame.to_ndarray() for frame in container.decode(video=0)]
    units = read_nal_units(io.BytesIO(stream))
    hashes = [message for nal in units if nal.type == SUFFIX_SEI for message in read_sei(nal)]
    assert len(hashes) == len(frames) > 0
    for frame, wanted in zip(frames, hashes, strict=True):
        height, width = frame.shape[0] * 2 // 3, frame.shape[1]
        picture = Picture(width, height)
        luma, chroma = frame[:height], frame[height:].reshape(2, height // 2, width // 2)
        for plane, samples in zip(picture.inner(), (luma, *chroma), strict=True):
            plane[:] = samples
        assert hash_picture(picture, method, bit_depth) == wanted
    assert not np.array_equal(frames[0], frames[-1])
