"""Digests of what a picture's samples, motion and learners are after each step, CTU by CTU.

Syntax that is read alike can still be understood differently.  Then the first digest that differs says which step has
done it, and where.
"""

import zlib
from collections.abc import Iterable, Iterator

import numpy as np

from codecsim.codec.picture_codec import PictureCodec
from codecsim.codec.stages.compensation import Compensation
from codecsim.codec.stages.inter_filter import InterLearning
from codecsim.codec.stages.stage import Stage
from codecsim.picture.blocks import CTU_SIZE, MODE_INTER

_COMPONENTS = ("Y", "Cb", "Cr")
Entry = tuple[int | None, int | None, int | None, str | None, str | None, str, bytes]


def digests(stage: Stage, codec: PictureCodec) -> Iterator[Entry]:
    """What a stage that has been applied has left.

    Yields
    ------
    (ctu, x, y, size, component, name, value) : fields of a Record; the value is bytes
    """
    if stage.name == Compensation.name and codec.is_inter:
        yield from _motion(codec)
    for name, planes in stage.samples(codec):
        yield from _planes(name, planes)
    if isinstance(stage, InterLearning) and stage.has_learnt:
        yield None, None, None, None, None, "learner_state", codec.learner_digest()


def _planes(name: str, planes: Iterable[np.ndarray]) -> Iterator[Entry]:
    for component, plane in zip(_COMPONENTS, planes, strict=False):
        scale = 0 if component == "Y" else 1
        for ctu, (y, x, area) in enumerate(_ctus(plane.shape, CTU_SIZE >> scale)):
            block = plane[area]
            size = f"{block.shape[1] << scale}x{block.shape[0] << scale}"
            yield ctu, x << scale, y << scale, size, component, name, _crc(block)


def _motion(codec: PictureCodec) -> Iterator[Entry]:
    motion = codec.picture.motion
    used = (codec.blocks.pred_mode >= MODE_INTER)[..., np.newaxis] & (motion.ref_idx >= 0)
    vectors = np.where(used[..., np.newaxis], motion.mv, 0)
    indices = np.where(used, motion.ref_idx, -1)
    for ctu, (y, x, area) in enumerate(_ctus(used.shape[:2], CTU_SIZE // 4)):
        height, width = used[area].shape[:2]
        value = _crc(np.concatenate([vectors[area].ravel(), indices[area].ravel()]).astype(np.int16))
        yield ctu, 4 * x, 4 * y, f"{4 * width}x{4 * height}", None, "motion_field", value


def _ctus(shape: tuple[int, ...], side: int) -> Iterator[tuple[int, int, tuple[slice, slice]]]:
    """(y, x, slices) of the CTUs of an array, in raster scan."""
    for y in range(0, shape[0], side):
        for x in range(0, shape[1], side):
            yield y, x, (slice(y, y + side), slice(x, x + side))


def _crc(block: np.ndarray) -> bytes:
    return zlib.crc32(np.ascontiguousarray(block).tobytes()).to_bytes(4, "big")
