"""Normative. sao(): the sample adaptive offset of a coding tree unit (7.3.8.3), bit depths up to 10.

Whether a CTU takes its parameters from its left or upper neighbour is not stored: it does so wherever they are equal,
which is never dearer than sending them again.  For that, parameters without meaning are zero.
"""

import numpy as np

from codecsim.entropy import contexts as C
from codecsim.entropy import elements as E
from codecsim.entropy.cabac import DECODE, PART_FILTER, code_bin, code_bypass
from codecsim.entropy.trace import named
from codecsim.hevc.sao import SAO_BAND, SAO_EDGE, SAO_OFF
from codecsim.kernels.jit import kernel


@kernel
def sao_limit(bit_depth):
    """Largest magnitude of an offset, cMax of sao_offset_abs (9.3.3.2)."""
    return (1 << (min(bit_depth, 10) - 5)) - 1


@kernel
def copy_sao(sao, from_y, from_x, to_y, to_x):
    """Give CTU (to_y, to_x) the parameters of another, all components."""
    for c_idx in range(3):
        sao.type_idx[c_idx, to_y, to_x] = sao.type_idx[c_idx, from_y, from_x]
        sao.band_position[c_idx, to_y, to_x] = sao.band_position[c_idx, from_y, from_x]
        sao.edge_class[c_idx, to_y, to_x] = sao.edge_class[c_idx, from_y, from_x]
        for k in range(4):
            sao.offsets[c_idx, to_y, to_x, k] = sao.offsets[c_idx, from_y, from_x, k]


@kernel
def clear_sao(sao, c_idx, cy, cx):
    """Switch SAO off in a component of CTU (cy, cx)."""
    sao.type_idx[c_idx, cy, cx] = SAO_OFF
    sao.band_position[c_idx, cy, cx] = 0
    sao.edge_class[c_idx, cy, cx] = 0
    for k in range(4):
        sao.offsets[c_idx, cy, cx, k] = 0


@kernel
def _equal(sao, y, x, other_y, other_x):
    for c_idx in range(3):
        if (
            sao.type_idx[c_idx, y, x] != sao.type_idx[c_idx, other_y, other_x]
            or sao.band_position[c_idx, y, x] != sao.band_position[c_idx, other_y, other_x]
            or sao.edge_class[c_idx, y, x] != sao.edge_class[c_idx, other_y, other_x]
        ):
            return 0
        for k in range(4):
            if sao.offsets[c_idx, y, x, k] != sao.offsets[c_idx, other_y, other_x, k]:
                return 0
    return 1


@kernel
def _code_merge(mode, cd, sao, cy, cx, other_y, other_x):
    """sao_merge_left_flag or sao_merge_up_flag."""
    same = 0 if mode == DECODE else _equal(sao, cy, cx, other_y, other_x)
    same = code_bin(mode, cd, C.SAO_MERGE, same)
    if mode == DECODE and same:
        copy_sao(sao, other_y, other_x, cy, cx)
    return same


@kernel
def _code_offset_abs(mode, cd, limit, value):
    """sao_offset_abs: truncated unary, all bypass."""
    k = 0
    while k < limit and code_bypass(mode, cd, 1, 1 if k < value else 0):
        k += 1
    return named(cd, E.SAO_OFFSET_ABS, k)


@kernel(unit=True)
def code_sao_component(mode, cd, sl, sao, c_idx, cy, cx):
    """Type, offsets, and band position or class of one component; Cr has its type and class from Cb."""
    kind = np.int64(sao.type_idx[c_idx, cy, cx])
    if c_idx == 2:
        kind = np.int64(sao.type_idx[1, cy, cx])
    elif code_bin(mode, cd, C.SAO_TYPE, 0 if kind == SAO_OFF else 1):
        kind = SAO_EDGE if code_bypass(mode, cd, 1, 1 if kind == SAO_EDGE else 0) else SAO_BAND
    else:
        kind = SAO_OFF
    named(cd, E.SAO_TYPE_IDX_LUMA if c_idx == 0 else E.SAO_TYPE_IDX_CHROMA, kind)
    if mode == DECODE:
        clear_sao(sao, c_idx, cy, cx)
        sao.type_idx[c_idx, cy, cx] = kind
    if kind == SAO_OFF:
        return
    for k in range(4):
        size = _code_offset_abs(mode, cd, sao_limit(sl.bit_depth), abs(np.int64(sao.offsets[c_idx, cy, cx, k])))
        if mode == DECODE:
            sao.offsets[c_idx, cy, cx, k] = -size if kind == SAO_EDGE and k > 1 else size
    if kind == SAO_BAND:
        for k in range(4):
            offset = np.int64(sao.offsets[c_idx, cy, cx, k])
            if offset != 0:
                negative = named(cd, E.SAO_OFFSET_SIGN, code_bypass(mode, cd, 1, 1 if offset < 0 else 0))
                if mode == DECODE and negative:
                    sao.offsets[c_idx, cy, cx, k] = -offset
        position = code_bypass(mode, cd, 5, np.int64(sao.band_position[c_idx, cy, cx]))
        named(cd, E.SAO_BAND_POSITION, position)
        if mode == DECODE:
            sao.band_position[c_idx, cy, cx] = position
        return
    edge_class = np.int64(sao.edge_class[1, cy, cx])
    if c_idx != 2:
        edge_class = code_bypass(mode, cd, 2, np.int64(sao.edge_class[c_idx, cy, cx]))
        named(cd, E.SAO_EO_CLASS_LUMA if c_idx == 0 else E.SAO_EO_CLASS_CHROMA, edge_class)
    if mode == DECODE:
        sao.edge_class[c_idx, cy, cx] = edge_class


@kernel(unit=True)
def code_sao(mode, cd, sl, sao, cy, cx):
    """sao() of CTU (cy, cx); nothing where both `sl.sao_luma` and `sl.sao_chroma` are off.

    Parameters
    ----------
    sl : SliceSyntax
    sao : hevc.sao.SaoParams
        When writing and counting, edge offsets 0 and 1 are not negative, 2 and 3 not positive, Cr has the type and edge
        class of Cb, and whatever the type does not use, and components that are off in the slice, are zero.
    """
    if not (sl.sao_luma or sl.sao_chroma):
        return
    cd.reg.part = PART_FILTER
    if cx > 0 and named(cd, E.SAO_MERGE_LEFT_FLAG, _code_merge(mode, cd, sao, cy, cx, cy, cx - 1)):
        return
    if cy > 0 and named(cd, E.SAO_MERGE_UP_FLAG, _code_merge(mode, cd, sao, cy, cx, cy - 1, cx)):
        return
    if sl.sao_luma:
        code_sao_component(mode, cd, sl, sao, 0, cy, cx)
    if sl.sao_chroma:
        code_sao_component(mode, cd, sl, sao, 1, cy, cx)
        code_sao_component(mode, cd, sl, sao, 2, cy, cx)
