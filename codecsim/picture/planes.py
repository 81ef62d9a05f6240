"""Normative. Pictures: what files hold (`Frame`), what the codec reconstructs and predicts from (`Picture`).

Samples are [y, x].  A `Picture` keeps its planes with a border on all sides, filled by repeating the edge samples: so
interpolation reads without bounds tests: sample (x, y) is `plane[y + PAD, x + PAD]`.
"""

import dataclasses
import fractions
from typing import NamedTuple

import numpy as np

from codecsim.kernels.jit import kernel

PAD_Y = 80  # luma border: a 64x64 block clipped to just outside the picture, plus the 8-tap filter, rounded up
PAD_C = 40  # chroma border, 4:2:0
MIN_CB = 8  # the coded luma size is a multiple of the smallest coding block
BIT_DEPTHS = (8, 10)  # of coded samples


class Frame(NamedTuple):
    """Cropped planes as files hold them: y (h, w), u and v (h/2, w/2); uint8 at bit depth 8, else uint16."""

    y: np.ndarray
    u: np.ndarray
    v: np.ndarray


class Planes(NamedTuple):
    """Three uint16 planes, 0..2**bit_depth-1; padded or not as the context says."""

    y: np.ndarray
    u: np.ndarray
    v: np.ndarray


class Motion(NamedTuple):
    """Motion per 4x4 luma unit: the motion data that later pictures and neighbouring blocks predict from.

    mv (H4, W4, 2, 2) int16 : [unit_y, unit_x, list, (x, y)], quarter samples
    ref_idx (H4, W4, 2) int8 : index into the list, -1 where the list is not used; both -1 in intra blocks
    """

    mv: np.ndarray
    ref_idx: np.ndarray


@dataclasses.dataclass(frozen=True)
class VideoFormat:
    """What a file says of its pictures."""

    width: int  # luma samples, even
    height: int  # luma samples, even
    fps: fractions.Fraction  # pictures a second, > 0
    bit_depth: int = 8  # of luma and chroma

    @property
    def coded_width(self):
        """Luma width rounded up to a multiple of the smallest coding block."""
        return -(-self.width // MIN_CB) * MIN_CB

    @property
    def coded_height(self):
        """Luma height rounded up to a multiple of the smallest coding block."""
        return -(-self.height // MIN_CB) * MIN_CB


@kernel
def extend_borders(plane, pad):
    """Repeat the edge samples of the inner picture into the border.

    Parameters
    ----------
    plane : (h + 2 pad, w + 2 pad) uint16, mutated outside its inner (h, w)
    pad : int, >= 0
    """
    height, width = plane.shape
    for y in range(pad, height - pad):
        left = plane[y, pad]
        right = plane[y, width - pad - 1]
        for x in range(pad):
            plane[y, x] = left
        for x in range(width - pad, width):
            plane[y, x] = right
    for y in range(pad):
        for x in range(width):
            plane[y, x] = plane[pad, x]
    for y in range(height - pad, height):
        for x in range(width):
            plane[y, x] = plane[height - pad - 1, x]


def planes_from_frame(frame, video_format):
    """Unpadded planes at the coded size, the frame's right and bottom edges repeated.

    Parameters
    ----------
    frame : Frame of the format's true size
    video_format : VideoFormat

    Returns
    -------
    Planes, C-contiguous uint16: y (coded_height, coded_width), u and v half of that

    Raises
    ------
    ValueError : a plane has another size than the format says
    """
    planes = []
    for plane, shift in zip(frame, (0, 1, 1), strict=True):
        true = (video_format.height >> shift, video_format.width >> shift)
        if plane.shape != true:
            raise ValueError(f"plane of {plane.shape} samples in a frame where {true} were expected")
        coded = (video_format.coded_height >> shift, video_format.coded_width >> shift)
        rows, columns = (np.minimum(np.arange(n), m - 1) for n, m in zip(coded, true, strict=True))
        planes.append(np.ascontiguousarray(plane[rows][:, columns], dtype=np.uint16))
    return Planes(*planes)


def change_bit_depth(frame, source, target):
    """A `Frame` at another bit depth: shifted up exactly, or down with rounding and clipping.

    Parameters
    ----------
    frame : Frame, samples of `source` bits
    source, target : int, bits a sample

    Returns
    -------
    Frame, uint8 at 8 bits, else uint16; `frame` itself where nothing changes
    """
    if source == target:
        return frame
    dtype = np.uint8 if target == 8 else np.uint16
    if target > source:
        return Frame(*(plane.astype(dtype) << (target - source) for plane in frame))
    shift, largest = source - target, (1 << target) - 1
    rounded = ((plane.astype(np.int32) + (1 << (shift - 1))) >> shift for plane in frame)
    return Frame(*(np.minimum(plane, largest).astype(dtype) for plane in rounded))


class Picture:
    """A reconstructed picture with what later pictures need of it: samples, motion, marking.

    Parameters
    ----------
    width, height : int
        Coded luma size, multiples of 8.
    poc : int
        Picture order count.

    Attributes
    ----------
    planes : Planes, padded by PAD_Y and PAD_C
    motion : Motion
    ref_poc : (2, 16) int32, the POC of each entry of its slice's reference lists; 0 beyond their ends
    is_reference : bool, "used for reference" (short term)
    needed_for_output : bool, not yet output
    latency : int, pictures stored since, while it waits for output
    sps : Sps of its sequence, set by the decoded picture buffer
    """

    def __init__(self, width, height, poc=0):
        if width % MIN_CB or height % MIN_CB or width <= 0 or height <= 0:
            raise ValueError(f"coded size {width}x{height} is not a positive multiple of {MIN_CB}")
        self.poc = poc
        self.width = width
        self.height = height
        chroma = (height // 2 + 2 * PAD_C, width // 2 + 2 * PAD_C)
        self.planes = Planes(
            np.zeros((height + 2 * PAD_Y, width + 2 * PAD_Y), np.uint16),
            np.zeros(chroma, np.uint16),
            np.zeros(chroma, np.uint16),
        )
        units = (height // 4, width // 4)
        self.motion = Motion(np.zeros((*units, 2, 2), np.int16), np.full((*units, 2), -1, np.int8))
        self.ref_poc = np.zeros((2, 16), np.int32)
        self.is_reference = False
        self.needed_for_output = False
        self.latency = 0
        self.sps = None

    def pad(self):
        """Fill the borders of all planes from the inner samples."""
        extend_borders(self.planes.y, PAD_Y)
        extend_borders(self.planes.u, PAD_C)
        extend_borders(self.planes.v, PAD_C)

    def inner(self):
        """Views of the planes without their borders, at the coded size (read or write, not for kernels)."""
        y, u, v = self.planes
        chroma = (slice(PAD_C, -PAD_C), slice(PAD_C, -PAD_C))
        return Planes(y[PAD_Y:-PAD_Y, PAD_Y:-PAD_Y], u[chroma], v[chroma])

    def crop(self, video_format):
        """Copy of the true picture as a `Frame`, uint8 at bit depth 8, else uint16."""
        dtype = np.uint8 if video_format.bit_depth == 8 else np.uint16
        height, width = video_format.height, video_format.width
        y, u, v = self.inner()
        return Frame(
            y[:height, :width].astype(dtype),
            u[: height // 2, : width // 2].astype(dtype),
            v[: height // 2, : width // 2].astype(dtype),
        )
