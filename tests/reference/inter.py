"""Naive twin of codecsim.hevc.inter: every sample from clamped coordinates of the unpadded plane (H.265 8.5.3.3.3)."""

import numpy as np

from codecsim.hevc.tables import CHROMA_TAPS, LUMA_TAPS


def predict_14bit(plane, mvx, mvy, x, y, w, h, is_luma, bit_depth):
    """(h, w) int64 predictions at 14-bit precision from the unpadded `plane`."""
    taps, bits = (LUMA_TAPS, 2) if is_luma else (CHROMA_TAPS, 3)
    taps = taps.astype(np.int64)
    before = taps.shape[1] // 2 - 1
    mask = (1 << bits) - 1
    reach = np.arange(-before, taps.shape[1] - before)
    rows = np.clip(y + (mvy >> bits) + np.arange(h)[:, None] + reach, 0, plane.shape[0] - 1)
    columns = np.clip(x + (mvx >> bits) + np.arange(w)[:, None] + reach, 0, plane.shape[1] - 1)
    samples = plane.astype(np.int64)[rows[:, :, None, None], columns]  # (h, taps, w, taps)
    phase_x, phase_y = mvx & mask, mvy & mask
    if phase_x == 0 and phase_y == 0:
        return samples[:, before, :, before] << 14 - bit_depth
    if phase_y == 0:
        return samples[:, before] @ taps[phase_x] >> bit_depth - 8
    if phase_x == 0:
        return np.einsum("jtik,t->jik", samples, taps[phase_y])[:, :, before] >> bit_depth - 8
    across = samples @ taps[phase_x] >> bit_depth - 8
    return np.einsum("jti,t->ji", across, taps[phase_y]) >> 6


def round_uni(prediction, bit_depth):
    shift = 14 - bit_depth
    return np.clip(prediction + (1 << shift - 1) >> shift, 0, (1 << bit_depth) - 1)


def average_bi(first, second, bit_depth):
    shift = 15 - bit_depth
    return np.clip(first + second + (1 << shift - 1) >> shift, 0, (1 << bit_depth) - 1)


def compensate(planes, motion, uy, ux, block, is_luma, bit_depth):
    """Prediction of a block (x, y, w, h) with the motion of a unit.

    Parameters
    ----------
    planes : for each list, the unpadded planes of one component of its entries
    motion : Motion
    """
    halves = []
    for entries, index, mv in zip(planes, motion.ref_idx[uy, ux], motion.mv[uy, ux], strict=True):
        if index >= 0:
            halves.append(predict_14bit(entries[index], int(mv[0]), int(mv[1]), *block, is_luma, bit_depth))
    return average_bi(*halves, bit_depth) if len(halves) == 2 else round_uni(*halves, bit_depth)
