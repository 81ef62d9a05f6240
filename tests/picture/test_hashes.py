"""Picture hashes against hashlib and against the standard's pseudo code."""

import hashlib

import numpy as np
import pytest

from codecsim.picture.hashes import checksum_plane, crc_plane, hash_picture
from codecsim.picture.planes import Picture


def naive_crc(plane, bit_depth):
    """D.3.19 as it reads."""
    height, width = plane.shape
    data = []
    for sample in plane.reshape(-1).tolist():
        data.append(sample & 255)
        if bit_depth > 8:
            data.append(sample >> 8)
    data += [0, 0]
    crc = 0xFFFF
    for index in range(len(data) * 8):
        msb = crc >> 15 & 1
        bit = data[index >> 3] >> (7 - (index & 7)) & 1
        crc = ((crc << 1) + bit & 0xFFFF) ^ (msb * 0x1021)
    return crc


def naive_checksum(plane, bit_depth):
    total = 0
    for (y, x), sample in np.ndenumerate(plane):
        xor_mask = (x & 0xFF) ^ (y & 0xFF) ^ (x >> 8) ^ (y >> 8)
        total = total + ((int(sample) & 0xFF) ^ xor_mask) & 0xFFFFFFFF
        if bit_depth > 8:
            total = total + ((int(sample) >> 8) ^ xor_mask) & 0xFFFFFFFF
    return total


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_crc_and_checksum_equal_pseudo_code(bit_depth):
    plane = np.random.default_rng(bit_depth).integers(0, 1 << bit_depth, (16, 280), np.uint16)
    assert crc_plane(plane, int(bit_depth > 8)) == naive_crc(plane, bit_depth)
    assert checksum_plane(plane, int(bit_depth > 8)) == naive_checksum(plane, bit_depth)


def test_hash_covers_the_coded_planes_without_borders():
    picture = Picture(24, 16)
    rng = np.random.default_rng(2)
    for plane in picture.inner():
        plane[:] = rng.integers(0, 256, plane.shape)
    before = {method: hash_picture(picture, method) for method in ("md5", "crc", "checksum")}
    picture.pad()
    for method, value in before.items():
        assert hash_picture(picture, method) == value
    inner = picture.inner()
    assert before["md5"].values == tuple(hashlib.md5(plane.astype(np.uint8).tobytes()).digest() for plane in inner)
    assert before["crc"].values[2] == naive_crc(inner.v, 8).to_bytes(2, "big")
    assert before["checksum"].values[1] == naive_checksum(inner.u, 8).to_bytes(4, "big")
    assert hashlib.md5(inner.y.astype("<u2").tobytes()).digest() == hash_picture(picture, "md5", 10).values[0]


def test_unknown_method():
    with pytest.raises(ValueError, match="sha1"):
        hash_picture(Picture(8, 8), "sha1")
