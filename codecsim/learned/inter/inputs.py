"""Normative.  Input planes of the prediction filter, and the errors that it learns from."""

import numpy as np

from codecsim.kernels.jit import kernel
from codecsim.learned.engine.spec import ACT_CLIP
from codecsim.learned.engine.update import LIGHT, MASKED

# Integer Gaussian of standard deviation 2; the taps of both directions sum to 64.
BLUR = (14, 11, 8, 4, 2)
QP_MIDDLE = 32
AREA_MIDDLE_X2 = 17  # twice the middle of the log2 of areas
CODED, UNCODED = 1, 2  # of a unit of an inter block: its luma residual is coded, is not


@kernel
def fill_prediction(pred, margin, bit_depth, planes, plane):
    """planes[plane] = (pred - mid-grey), 8 per 8-bit sample."""
    middle = np.int32(1 << (bit_depth - 1))
    for y in range(pred.shape[0]):
        row, to = pred[y], planes[plane, y + margin][margin:]
        for x in range(pred.shape[1]):
            to[x] = ((np.int32(row[x]) - middle) << 11) >> bit_depth


@kernel
def fill_high_pass(pred, margin, bit_depth, rows, planes, plane):
    """planes[plane] = pred - blurred pred, 64 per 8-bit sample, rounded, clipped.

    rows : (h, w) int32 scratch; sums stay below 2**12 * 2**12
    """
    h, w = pred.shape
    t0, t1, t2, t3, t4 = BLUR
    for y in range(h):
        for x in range(w):
            if 4 <= x < w - 4:
                continue
            total = t0 * np.int32(pred[y, x])
            for k, tap in enumerate((t1, t2, t3, t4)):
                left, right = max(x - k - 1, 0), min(x + k + 1, w - 1)
                total += tap * (np.int32(pred[y, left]) + np.int32(pred[y, right]))
            rows[y, x] = total
        row, sums = pred[y], rows[y][4:]
        for x in range(w - 8):
            sums[x] = (
                t0 * np.int32(row[x + 4])
                + t1 * (np.int32(row[x + 3]) + np.int32(row[x + 5]))
                + t2 * (np.int32(row[x + 2]) + np.int32(row[x + 6]))
                + t3 * (np.int32(row[x + 1]) + np.int32(row[x + 7]))
                + t4 * (np.int32(row[x]) + np.int32(row[x + 8]))
            )
    shift = bit_depth - 2  # 64 samples of 8 bits are 4096 sums of taps
    half = np.int32(1 << (shift - 1))
    for y in range(h):
        r0, a1, b1 = rows[y], rows[max(y - 1, 0)], rows[min(y + 1, h - 1)]
        a2, b2, a3, b3 = rows[max(y - 2, 0)], rows[min(y + 2, h - 1)], rows[max(y - 3, 0)], rows[min(y + 3, h - 1)]
        a4, b4, row, to = rows[max(y - 4, 0)], rows[min(y + 4, h - 1)], pred[y], planes[plane, y + margin][margin:]
        for x in range(w):
            total = t0 * r0[x] + t1 * (a1[x] + b1[x]) + t2 * (a2[x] + b2[x]) + t3 * (a3[x] + b3[x])
            total += t4 * (a4[x] + b4[x])
            difference = np.int32((np.int32(row[x]) << 12) - total + half) >> shift
            to[x] = min(max(difference, -ACT_CLIP), ACT_CLIP)


@kernel
def fill_difference(aux, pred, margin, bit_depth, planes, plane):
    """planes[plane] = aux - pred, 64 per 8-bit sample, clipped."""
    scale = np.int32(1 << (14 - bit_depth))
    for y in range(pred.shape[0]):
        one, two, to = aux[y], pred[y], planes[plane, y + margin][margin:]
        for x in range(pred.shape[1]):
            difference = (np.int32(one[x]) - np.int32(two[x])) * scale
            to[x] = min(max(difference, -ACT_CLIP), ACT_CLIP)


@kernel
def fill_qp(qp, planes, plane):
    """planes[plane] = 128 per step of QP."""
    value = np.int16((qp - QP_MIDDLE) * 128)
    for y in range(planes.shape[1]):
        for x in range(planes.shape[2]):
            planes[plane, y, x] = value


@kernel
def fill_block_size(areas, margin, planes, plane):
    """planes[plane] = 256 a doubling of the area of a sample's block, 0 between 16x16 and 16x32.

    areas : (h // 4, w // 4) uint8, log2 of areas in samples
    """
    for y in range(4 * areas.shape[0]):
        row, to = areas[y >> 2], planes[plane, y + margin][margin:]
        for x in range(4 * areas.shape[1]):
            to[x] = (2 * np.int32(row[x >> 2]) - AREA_MIDDLE_X2) * 128


@kernel
def extend_plane(planes, plane, margin, h, w):
    """Repeat the outermost of (h, w) samples over the rest of a plane."""
    for y in range(margin, margin + h):
        for x in range(margin):
            planes[plane, y, x] = planes[plane, y, margin]
        for x in range(margin + w, planes.shape[2]):
            planes[plane, y, x] = planes[plane, y, margin + w - 1]
    for x in range(planes.shape[2]):
        for y in range(margin):
            planes[plane, y, x] = planes[plane, margin, x]
        for y in range(margin + h, planes.shape[1]):
            planes[plane, y, x] = planes[plane, margin + h - 1, x]


@kernel
def measure_error(pred, filtered, recon, coded, uncoded, error, sums):
    """Error of the prediction where it teaches, and the absolute errors of both predictions there.

    Parameters
    ----------
    pred, filtered, recon : (h, w) uint16
    coded : (h // 4, w // 4) uint8 CODED, UNCODED or 0
    uncoded : int, not zero: units marked UNCODED teach too
    error : (>= h, >= w) int16, written: pred - recon where coded, plus LIGHT where uncoded, MASKED elsewhere in (h, w)
    sums : (2,) int64, written: sum of abs(filtered - recon), sum of abs(pred - recon) over coded samples
    """
    online, offline = np.int64(0), np.int64(0)
    for y in range(pred.shape[0]):
        for x4 in range(coded.shape[1]):
            unit = coded[y >> 2, x4]
            if unit == CODED:
                for x in range(4 * x4, 4 * x4 + 4):
                    difference = np.int32(pred[y, x]) - np.int32(recon[y, x])
                    error[y, x] = difference
                    offline += abs(difference)
                    online += abs(np.int32(filtered[y, x]) - np.int32(recon[y, x]))
            elif unit == UNCODED and uncoded:
                for x in range(4 * x4, 4 * x4 + 4):
                    error[y, x] = np.int32(pred[y, x]) - np.int32(recon[y, x]) + LIGHT
            else:
                for x in range(4 * x4, 4 * x4 + 4):
                    error[y, x] = MASKED
    sums[0], sums[1] = online, offline


@kernel
def add_tile_losses(filtered, recon, coded, tile_log2, losses):
    """Add each tile's sum of abs(filtered - recon) over coded samples to `losses`.

    Parameters
    ----------
    filtered, recon : (h, w) uint16
    coded : (h // 4, w // 4) uint8 CODED, UNCODED or 0
    losses : (rows, columns) int64 of the grid of tiles, mutated
    """
    for y in range(recon.shape[0]):
        for x4 in range(coded.shape[1]):
            if coded[y >> 2, x4] == CODED:
                total = np.int64(0)
                for x in range(4 * x4, 4 * x4 + 4):
                    total += abs(np.int32(filtered[y, x]) - np.int32(recon[y, x]))
                losses[y >> tile_log2, 4 * x4 >> tile_log2] += total


@kernel
def add_output(y, rs, pred, at, size, shift, largest, filtered):
    """filtered = clip(pred + output, 0..largest) over a tile.

    y : flat int16 output, rows of `rs`; shift : one sample is 2**shift of the output
    at, size : (row, column) where the tile begins, (rows, columns) of it
    """
    y0, x0 = at
    half = np.int32(1 << (shift - 1))
    for i in range(size[0]):
        outputs, row, to = y[i * rs :], pred[y0 + i][x0:], filtered[y0 + i][x0:]
        for j in range(size[1]):
            value = np.int32(row[j]) + ((np.int32(outputs[j]) + half) >> shift)
            to[j] = min(max(value, np.int32(0)), np.int32(largest))
