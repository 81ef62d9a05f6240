"""The luma QP of coding units as 8.6.1 words it: slow and obvious."""

import numpy as np

from codecsim.picture.blocks import MODE_SKIP


def coding_units(blocks):
    """(x, y, size in luma samples) of each coding unit, in decoding order."""
    height, width = (4 * n for n in blocks.cu_log2.shape)

    def visit(x, y, size):
        if x >= width or y >= height:
            return
        if x + size > width or y + size > height or 1 << blocks.cu_log2[y // 4, x // 4] < size:
            for k in range(4):
                yield from visit(x + size // 2 * (k & 1), y + size // 2 * (k >> 1), size // 2)
        else:
            yield x, y, size

    for y in range(0, height, 64):
        for x in range(0, width, 64):
            yield from visit(x, y, 64)


def derive_qp(blocks, wanted, slice_qp, group_size, bit_depth=8):
    """QpY per 4x4 unit where each unit that can code a difference gets the QP it wants, and the differences coded.

    Parameters
    ----------
    blocks : Blocks, without its qp
    wanted : (H4, W4) int array

    Returns
    -------
    (H4, W4) int array, list of CuQpDeltaVal
    """
    offset = 6 * (bit_depth - 8)
    qp = np.full(blocks.cu_log2.shape, 99)
    differences = []
    group, last_of_previous_group, last_qp = None, slice_qp, slice_qp
    delta, is_coded = 0, False
    for x, y, size in coding_units(blocks):
        xg, yg = x - x % group_size, y - y % group_size
        if (xg, yg) != group or size > group_size:
            group, last_of_previous_group = (xg, yg), last_qp
            delta, is_coded = 0, False
        in_ctb = [(xn, yn) for xn, yn in ((xg - 1, yg), (xg, yg - 1)) if xn >= 0 and yn >= 0]
        in_ctb = [(xn, yn) for xn, yn in in_ctb if (xn // 64, yn // 64) == (x // 64, y // 64)]
        neighbours = [int(qp[yn // 4, xn // 4]) for xn, yn in in_ctb]
        neighbours += [last_of_previous_group] * (2 - len(neighbours))
        predicted = (sum(neighbours) + 1) >> 1
        area = slice(y // 4, (y + size) // 4), slice(x // 4, (x + size) // 4)
        residual = blocks.pred_mode[area][0, 0] != MODE_SKIP and blocks.cbf[area].any()
        if residual and not is_coded:
            is_coded = True
            for delta in range(-26 - offset // 2, 26 + offset // 2):
                if (predicted + delta + 52 + 2 * offset) % (52 + offset) - offset == wanted[area][0, 0]:
                    break
            else:
                raise AssertionError("no difference leads to the wanted QP")
            differences.append(delta)
        last_qp = (predicted + delta + 52 + 2 * offset) % (52 + offset) - offset
        qp[area] = last_qp
    return qp, differences
