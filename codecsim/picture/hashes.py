"""Normative. Hashes of a decoded picture: MD5, CRC and checksum (H.265 clause D.3.19).

They cover the decoded planes at coded size, before cropping; a sample is one byte at bit depth 8, else two, low first.
"""

import hashlib

import numpy as np

from codecsim.kernels.jit import kernel
from codecsim.syntax.sei import PictureHash

_CRC_POLYNOMIAL = 0x1021


@kernel
def crc_plane(plane, two_bytes):
    """CRC of a plane, 0..65535: CCITT polynomial, started with ones, followed by 16 zero bits.

    Parameters
    ----------
    plane : (h, w) uint16
    two_bytes : int, 1 if samples have more than 8 bits
    """
    crc = 0xFFFF
    height, width = plane.shape
    for y in range(height):
        for x in range(width):
            sample = int(plane[y, x])
            for bit in range(16 if two_bytes else 8):
                # The low byte comes first; within a byte the high bit.
                shift = 7 - bit if bit < 8 else 23 - bit
                top = crc >> 15 & 1
                crc = (crc << 1 | (sample >> shift & 1)) & 0xFFFF
                if top:
                    crc ^= _CRC_POLYNOMIAL
    for _ in range(16):
        top = crc >> 15 & 1
        crc = crc << 1 & 0xFFFF
        if top:
            crc ^= _CRC_POLYNOMIAL
    return crc


@kernel
def checksum_plane(plane, two_bytes):
    """Checksum of a plane, 0..2**32-1: sum of bytes, each crossed with the low bits of its position.

    Parameters
    ----------
    plane : (h, w) uint16
    two_bytes : int, 1 if samples have more than 8 bits
    """
    total = 0
    height, width = plane.shape
    for y in range(height):
        for x in range(width):
            mask = (x & 255) ^ (y & 255) ^ (x >> 8) ^ (y >> 8)
            sample = int(plane[y, x])
            total += (sample & 255) ^ mask
            if two_bytes:
                total += (sample >> 8) ^ mask
    return total & 0xFFFFFFFF


def _hash_plane(plane, method, two_bytes):
    if method == "md5":
        return hashlib.md5(plane.astype("<u2" if two_bytes else np.uint8).tobytes(), usedforsecurity=False).digest()
    if method == "crc":
        return crc_plane(plane, two_bytes).to_bytes(2, "big")
    if method == "checksum":
        return checksum_plane(plane, two_bytes).to_bytes(4, "big")
    raise ValueError(f"unknown hash method {method!r}, expected md5, crc or checksum")


def hash_picture(picture, method, bit_depth=8):
    """Hash of a reconstructed `Picture`.

    Parameters
    ----------
    picture : Picture
    method : "md5", "crc" or "checksum"
    bit_depth : int

    Returns
    -------
    PictureHash
    """
    two_bytes = int(bit_depth > 8)
    planes = [np.ascontiguousarray(plane) for plane in picture.inner()]
    return PictureHash(method, tuple(_hash_plane(plane, method, two_bytes) for plane in planes))
