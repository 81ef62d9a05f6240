"""Normative. Context variables of CABAC and their initial values (9.3.2.2, tables 9-5 to 9-37 of H.265).

A context is one byte: pStateIdx << 1 | valMps.  Each syntax element owns a run of contexts starting at its constant.
"""

import numpy as np

from codecsim.kernels.jit import kernel

# name, then initValue for initType 0 (I), 1 (P), 2 (B); None where the slice type has no such element
_LAST_PREFIX = (
    (110, 110, 124, 125, 140, 153, 125, 127, 140, 109, 111, 143, 127, 111, 79, 108, 123, 63),
    (125, 110, 94, 110, 95, 79, 125, 111, 110, 78, 110, 111, 111, 95, 94, 108, 123, 108),
    (125, 110, 124, 110, 95, 94, 125, 111, 111, 79, 125, 126, 111, 111, 79, 108, 123, 93),
)
_ELEMENTS = (
    ("SAO_MERGE", (153,), (153,), (153,)),
    ("SAO_TYPE", (200,), (185,), (160,)),
    ("SPLIT_CU", (139, 141, 157), (107, 139, 126), (107, 139, 126)),
    ("CU_SKIP", None, (197, 185, 201), (197, 185, 201)),
    ("PRED_MODE", None, (149,), (134,)),
    ("PART_MODE", (184, 154, 154, 154), (154, 139, 154, 154), (154, 139, 154, 154)),
    ("PREV_INTRA", (184,), (154,), (183,)),
    ("INTRA_CHROMA", (63,), (152,), (152,)),
    ("ROOT_CBF", None, (79,), (79,)),
    ("MERGE_FLAG", None, (110,), (154,)),
    ("MERGE_IDX", None, (122,), (137,)),
    ("INTER_PRED_IDC", None, (95, 79, 63, 31, 31), (95, 79, 63, 31, 31)),
    ("REF_IDX", None, (153, 153), (153, 153)),
    ("MVP_FLAG", None, (168,), (168,)),
    ("MVD_GREATER0", None, (140,), (169,)),
    ("MVD_GREATER1", None, (198,), (198,)),
    ("SPLIT_TRANSFORM", (153, 138, 138), (124, 138, 94), (224, 167, 122)),
    ("CBF_LUMA", (111, 141), (153, 111), (153, 111)),
    ("CBF_CHROMA", (94, 138, 182, 154), (149, 107, 167, 154), (149, 92, 167, 154)),
    ("QP_DELTA", (154, 154), (154, 154), (154, 154)),
    ("TRANSFORM_SKIP", (139, 139), (139, 139), (139, 139)),
    ("LAST_X", *_LAST_PREFIX),
    ("LAST_Y", *_LAST_PREFIX),
    ("CODED_SUB_BLOCK", (91, 171, 134, 141), (121, 140, 61, 154), (121, 140, 61, 154)),
    (
        "SIG_COEFF",
        (111, 111, 125, 110, 110, 94, 124, 108, 124, 107, 125, 141, 179, 153, 125, 107, 125, 141, 179, 153, 125)
        + (107, 125, 141, 179, 153, 125, 140, 139, 182, 182, 152, 136, 152, 136, 153, 136, 139, 111, 136, 139, 111),
        (155, 154, 139, 153, 139, 123, 123, 63, 153, 166, 183, 140, 136, 153, 154, 166, 183, 140, 136, 153, 154)
        + (166, 183, 140, 136, 153, 154, 170, 153, 123, 123, 107, 121, 107, 121, 167, 151, 183, 140, 151, 183, 140),
        (170, 154, 139, 153, 139, 123, 123, 63, 124, 166, 183, 140, 136, 153, 154, 166, 183, 140, 136, 153, 154)
        + (166, 183, 140, 136, 153, 154, 170, 153, 138, 138, 122, 121, 122, 121, 167, 151, 183, 140, 151, 183, 140),
    ),
    (
        "GREATER1",
        (140, 92, 137, 138, 140, 152, 138, 139, 153, 74, 149, 92)
        + (139, 107, 122, 152, 140, 179, 166, 182, 140, 227, 122, 197),
        (154, 196, 196, 167, 154, 152, 167, 182, 182, 134, 149, 136)
        + (153, 121, 136, 137, 169, 194, 166, 167, 154, 167, 137, 182),
        (154, 196, 167, 167, 154, 152, 167, 182, 182, 134, 149, 136)
        + (153, 121, 136, 122, 169, 208, 166, 167, 154, 152, 167, 182),
    ),
    ("GREATER2", (138, 153, 136, 167, 152, 152), (107, 167, 91, 122, 107, 167), (107, 167, 91, 107, 107, 167)),
    # of each choice: of the picture, per block; if not, everywhere; then three a bin of what a 32x32 takes, by how many
    # of those to the left and above have the bin set
    ("FILTER_CHOICE", None, *((154, 154, 152, 153, 155) + (153, 154, 155) * 3,) * 2),
    ("OBMC_CHOICE", None, (154, 154, 153, 154, 155), (154, 154, 153, 154, 155)),
    ("INTRA_FILTER", (154, 154, 154), (154, 154, 154), (154, 154, 154)),  # by those of the left and upper unit
    # of luma, then of chroma: per block; if not, everywhere; then by the flags to the left and above
    ("LOOP_CHOICE", *((154, 154, 139, 154, 168) * 2,) * 3),
)


def _lay_out():
    """First context of each element and the (3, count) table of initial values."""
    start, columns = {}, ([], [], [])
    for name, *values in _ELEMENTS:
        start[name] = len(columns[0])
        size = max(len(v) for v in values if v)
        for column, value in zip(columns, values, strict=True):
            column.extend(value or (154,) * size)
    return start, np.array(columns, np.int64)


_START, INIT_VALUES = _lay_out()
NUM_CONTEXTS = INIT_VALUES.shape[1]
NAMES = [
    f"{name}+{k - first}"
    for (name, first), end in zip(_START.items(), [*list(_START.values())[1:], NUM_CONTEXTS], strict=True)
    for k in range(first, end)
]  # of the contexts: that of their run, and the place in it
# Behind the contexts stand two bytes about the quantisation group (see syntax.quantisation_group).  Like contexts they
# follow from what has been coded, so whoever keeps and recalls contexts has to keep and recall them too.
GROUP_QP, GROUP_CODED = NUM_CONTEXTS, NUM_CONTEXTS + 1
STATE_SIZE = NUM_CONTEXTS + 2
QP_BIAS = 64  # added to a QP, which may be negative, to make it a byte

SAO_MERGE, SAO_TYPE, SPLIT_CU, CU_SKIP = (_START[n] for n in ("SAO_MERGE", "SAO_TYPE", "SPLIT_CU", "CU_SKIP"))
PRED_MODE, PART_MODE, PREV_INTRA = (_START[n] for n in ("PRED_MODE", "PART_MODE", "PREV_INTRA"))
INTRA_CHROMA, ROOT_CBF, MERGE_FLAG = (_START[n] for n in ("INTRA_CHROMA", "ROOT_CBF", "MERGE_FLAG"))
MERGE_IDX, INTER_PRED_IDC, REF_IDX = (_START[n] for n in ("MERGE_IDX", "INTER_PRED_IDC", "REF_IDX"))
MVP_FLAG, MVD_GREATER0, MVD_GREATER1 = (_START[n] for n in ("MVP_FLAG", "MVD_GREATER0", "MVD_GREATER1"))
SPLIT_TRANSFORM, CBF_LUMA, CBF_CHROMA = (_START[n] for n in ("SPLIT_TRANSFORM", "CBF_LUMA", "CBF_CHROMA"))
QP_DELTA, TRANSFORM_SKIP = (_START[n] for n in ("QP_DELTA", "TRANSFORM_SKIP"))
LAST_X, LAST_Y, CODED_SUB_BLOCK = (_START[n] for n in ("LAST_X", "LAST_Y", "CODED_SUB_BLOCK"))
SIG_COEFF, GREATER1, GREATER2 = (_START[n] for n in ("SIG_COEFF", "GREATER1", "GREATER2"))
FILTER_CHOICE, OBMC_CHOICE, INTRA_FILTER = (_START[n] for n in ("FILTER_CHOICE", "OBMC_CHOICE", "INTRA_FILTER"))
LOOP_CHOICE, LOOP_CONTEXTS = _START["LOOP_CHOICE"], 5  # of each of its halves
CHOICE_TAKEN = 2  # from the first context of a choice to those of its blocks


@kernel
def init_contexts(ctx, init_type, slice_qp):
    """Set the (STATE_SIZE,) uint8 `ctx` for a slice: initType 0 for I, 1 for P, 2 for B (9.3.2.2)."""
    ctx[GROUP_QP] = slice_qp + QP_BIAS
    ctx[GROUP_CODED] = 0
    qp = min(max(slice_qp, 0), 51)
    for i in range(NUM_CONTEXTS):
        value = INIT_VALUES[init_type, i]
        slope = (value >> 4) * 5 - 45
        offset = ((value & 15) << 3) - 16
        state = min(max(((slope * qp) >> 4) + offset, 1), 126)
        mps = 1 if state > 63 else 0
        ctx[i] = ((state - 64 if mps else 63 - state) << 1) | mps
