"""Normative. The arithmetic coding engine: encoder, decoder and exact bit counter behind one interface (9.3.4).

Every syntax element is written once, as a function of `mode`: ENCODE writes the value, DECODE ignores the value passed
and returns the one read, COUNT adds the value's cost.  All three adapt the contexts alike, so a counted decision costs
what it will cost when written, up to the fractions that arithmetic coding carries over.
"""

from typing import NamedTuple

import numpy as np

from codecsim.entropy.contexts import STATE_SIZE
from codecsim.entropy.trace import BYPASS, TERMINATE, begin_bins, end_bins, make_recording, recording
from codecsim.kernels.jit import kernel
from codecsim.kernels.records import make_record

ENCODE, DECODE, COUNT = 0, 1, 2

# parts of the bit budget, for reports
PART_MODES, PART_MOTION, PART_RESIDUAL, PART_LEARNED, PART_FILTER = range(5)
NUM_PARTS = 5
COST_BITS = 15  # costs are in units of 2**-15 bit
# places that `mark` can note at a unit: where its CTU begins and ends, where its CU does
MARK_CTU, MARK_CTU_END, MARK_CU, MARK_CU_END = range(4)

RANGE_LPS = np.array(
    [128, 176, 208, 240, 128, 167, 197, 227, 128, 158, 187, 216, 123, 150, 178, 205, 116, 142, 169, 195, 111, 135]
    + [160, 185, 105, 128, 152, 175, 100, 122, 144, 166, 95, 116, 137, 158, 90, 110, 130, 150, 85, 104, 123, 142, 81]
    + [99, 117, 135, 77, 94, 111, 128, 73, 89, 105, 122, 69, 85, 100, 116, 66, 80, 95, 110, 62, 76, 90, 104, 59, 72]
    + [86, 99, 56, 69, 81, 94, 53, 65, 77, 89, 51, 62, 73, 85, 48, 59, 69, 80, 46, 56, 66, 76, 43, 53, 63, 72, 41, 50]
    + [59, 69, 39, 48, 56, 65, 37, 45, 54, 62, 35, 43, 51, 59, 33, 41, 48, 56, 32, 39, 46, 53, 30, 37, 43, 50, 29, 35]
    + [41, 48, 27, 33, 39, 45, 26, 31, 37, 43, 24, 30, 35, 41, 23, 28, 33, 39, 22, 27, 32, 37, 21, 26, 30, 35, 20, 24]
    + [29, 33, 19, 23, 27, 31, 18, 22, 26, 30, 17, 21, 25, 28, 16, 20, 23, 27, 15, 19, 22, 25, 14, 18, 21, 24, 14, 17]
    + [20, 23, 13, 16, 19, 22, 12, 15, 18, 21, 12, 14, 17, 20, 11, 14, 16, 19, 11, 13, 15, 18, 10, 12, 15, 17, 10, 12]
    + [14, 16, 9, 11, 13, 15, 9, 11, 12, 14, 8, 10, 12, 14, 8, 9, 11, 13, 7, 9, 11, 12, 7, 9, 10, 12, 7, 8, 10, 11, 6]
    + [8, 9, 11, 6, 7, 9, 10, 6, 7, 8, 9, 2, 2, 2, 2],
    np.int64,
).reshape(64, 4)
_NEXT_LPS = (
    [0, 0, 1, 2, 2, 4, 4, 5, 6, 7, 8, 9, 9, 11, 11, 12, 13, 13, 15, 15, 16, 16, 18, 18, 19, 19, 21, 21, 22, 22, 23, 24]
    + [24, 25, 26, 26, 27, 27, 28, 29, 29, 30, 30, 30, 31, 32, 32, 33, 33, 33, 34, 34, 35, 35, 35, 36, 36, 36, 37, 37]
    + [37, 38, 38, 63]
)


def _transitions():
    """Next context byte, [bin, context]."""
    table = np.zeros((2, 128), np.uint8)
    for state in range(64):
        for mps in range(2):
            context = state << 1 | mps
            table[mps, context] = min(state + 1, 62) << 1 | mps if state < 62 else context
            flipped = mps ^ 1 if state == 0 else mps
            table[mps ^ 1, context] = _NEXT_LPS[state] << 1 | flipped
    return table


def _bin_costs():
    """Cost in 2**-15 bit of coding `bin` in a context, [bin, context]: the states model p_LPS = alpha**state / 2."""
    lps = 0.5 * (0.01875 / 0.5) ** (np.arange(64) / 63)
    cost = np.rint(-np.log2(np.stack([1 - lps, lps])) * 2**COST_BITS).astype(np.int64)
    table = np.zeros((2, 128), np.int64)
    for context in range(128):
        for value in range(2):
            table[value, context] = cost[value ^ (context & 1), context >> 1]
    return table


NEXT_CONTEXT = _transitions()
BIN_COST = _bin_costs()


class Registers:
    """Numbers of one arithmetic coder."""

    low: int  # of an encoder
    range: int
    bits_left: int
    pos: int  # byte of the buffer that comes next
    value: int  # of a decoder
    bits_needed: int
    end: int  # one past the last byte that a decoder may read
    cost: int  # of what has been counted, in 2**-15 bit
    part: int  # PART_* that what comes next belongs to
    fault: int  # not zero: the data are damaged, or the buffer is full


class Coder(NamedTuple):
    """State of one arithmetic coder."""

    reg: Registers
    ctx: np.ndarray  # (STATE_SIZE,) uint8: contexts, then what else follows from the bins coded so far
    buf: np.ndarray  # uint8, slice data without emulation prevention: written or read
    parts: np.ndarray  # (NUM_PARTS,) int64: cost by part, in 2**-15 bit, when encoding and decoding
    scratch: np.ndarray  # (64,) int32: levels of a sub-block
    marks: np.ndarray  # (H4, W4, 4, 2) int32 [MARK_*, (bits read, range)] of a decoder, empty where nobody asks


def make_marks(h4, w4):
    """Room for the marks of a picture of `h4` x `w4` units; (0, 0): for none."""
    return np.zeros((h4, w4, 4, 2), np.int32)


class TracedCoder(NamedTuple):
    """A Coder that also records what it codes: see codecsim.entropy.trace."""

    reg: Registers
    ctx: np.ndarray
    buf: np.ndarray
    parts: np.ndarray
    scratch: np.ndarray
    marks: np.ndarray
    record: np.ndarray


def make_coder(buf, marks=None, traced=False):
    """A coder over the uint8 array `buf`; a decoder notes in `marks` how far it has read; if `traced`, it records."""
    coder = Coder(
        reg=make_record(Registers),
        ctx=np.zeros(STATE_SIZE, np.uint8),
        buf=buf,
        parts=np.zeros(NUM_PARTS, np.int64),
        scratch=np.zeros(64, np.int32),
        marks=make_marks(0, 0) if marks is None else marks,
    )
    return TracedCoder(*coder, make_recording()) if traced else coder


@kernel
def start_encoder(cd):
    """Begin a slice at the start of the buffer."""
    cd.reg.low = 0
    cd.reg.range = 510
    cd.reg.bits_left = 23
    cd.reg.pos = 0
    cd.reg.fault = 0
    cd.parts[:] = 0


@kernel
def start_decoder(cd, begin, end):
    """Begin reading slice data at byte `begin` of the buffer; `end` is one past its last byte (9.3.2.5)."""
    reg = cd.reg
    reg.range = 510
    reg.value = 0
    reg.pos = begin
    reg.end = end
    reg.fault = 0
    for _ in range(2):
        reg.value = reg.value << 8 | _next_byte(cd)
    reg.bits_needed = -8
    cd.parts[:] = 0


@kernel(inline=True)
def _next_byte(cd):
    """The next byte, or zero past the end; a few zeros may be looked at, more is a fault."""
    pos = cd.reg.pos
    cd.reg.pos = pos + 1
    if pos < cd.reg.end:
        return np.int64(cd.buf[pos])
    if pos > cd.reg.end + 4:
        cd.reg.fault = 1
    return np.int64(0)


@kernel
def _flush_byte(cd):
    """Move the upper eight bits of low to the buffer, carrying into bytes already there."""
    reg, buf = cd.reg, cd.buf
    lead = reg.low >> (24 - reg.bits_left)
    reg.bits_left += 8
    reg.low &= (1 << (32 - reg.bits_left)) - 1
    _put_byte(reg, buf, lead)


@kernel(inline=True)
def _put_byte(reg, buf, lead):
    pos = reg.pos
    if lead > 255:
        k = pos - 1
        while buf[k] == 255:
            buf[k] = 0
            k -= 1
        buf[k] += 1
    if pos < buf.size:
        buf[pos] = lead & 255
        reg.pos = pos + 1
    else:
        reg.fault = 1


@kernel(inline=True)
def mark(cd, uy, ux, place):
    """Note how far the decoder has read at a MARK_* of unit (uy, ux), if somebody asks.

    The bits are those of the buffer that have entered value; what they leave open is the range, so bits less
    log2(range / 256) is the exact position between any two symbols.
    """
    if cd.marks.size:
        cd.marks[uy, ux, place, 0] = 8 * cd.reg.pos + cd.reg.bits_needed + 1
        cd.marks[uy, ux, place, 1] = cd.reg.range


@recording
def _begin_bins(cd, mode, what, state):
    """Tell a record the state of the coder before some bins; what the decoder has as offset the encoder has as low."""
    reg = cd.reg
    if mode == DECODE:
        register, position = reg.value >> 7, 8 * reg.pos + reg.bits_needed - 8
    else:
        register, position = reg.low & 1023, 8 * reg.pos + 23 - reg.bits_left
    begin_bins(cd.record, what, state, reg.range, register, position)


@kernel
def code_bin(mode, cd, index, value):
    """One context-coded bin (9.3.4.3.2)."""
    reg = cd.reg
    context = np.int64(cd.ctx[index])
    if mode == COUNT:
        reg.cost += BIN_COST[value, context]
        cd.ctx[index] = NEXT_CONTEXT[value, context]
        return value
    _begin_bins(cd, mode, index, context)
    lps = RANGE_LPS[context >> 1, (reg.range >> 6) & 3]
    mps_range = reg.range - lps
    if mode == DECODE:
        scaled = mps_range << 7
        if reg.value < scaled:
            value = context & 1
        else:
            value = 1 - (context & 1)
            reg.value -= scaled
            mps_range = lps
        while mps_range < 256:
            mps_range <<= 1
            reg.value <<= 1
            reg.bits_needed += 1
            if reg.bits_needed == 0:
                reg.bits_needed = -8
                reg.value |= _next_byte(cd)
        reg.range = mps_range
    else:
        if value != (context & 1):
            reg.low += mps_range
            mps_range = lps
        while mps_range < 256:
            mps_range <<= 1
            reg.low <<= 1
            reg.bits_left -= 1
        reg.range = mps_range
        if reg.bits_left < 12:
            _flush_byte(cd)
    cd.parts[reg.part] += BIN_COST[value, context]
    cd.ctx[index] = NEXT_CONTEXT[value, context]
    return end_bins(cd, 1, value)


@kernel
def code_bypass(mode, cd, count, value):
    """`count` (0..32) equiprobable bins, most significant first (9.3.4.3.4)."""
    reg = cd.reg
    if mode == COUNT:
        reg.cost += count << COST_BITS
        return value
    _begin_bins(cd, mode, BYPASS, 0)
    cd.parts[reg.part] += count << COST_BITS
    if mode == DECODE:
        value = 0
        scaled = reg.range << 7
        for _ in range(count):
            reg.value <<= 1
            reg.bits_needed += 1
            if reg.bits_needed == 0:
                reg.bits_needed = -8
                reg.value |= _next_byte(cd)
            value <<= 1
            if reg.value >= scaled:
                reg.value -= scaled
                value |= 1
        return end_bins(cd, count, value)
    for i in range(count - 1, -1, -1):
        reg.low <<= 1
        if (value >> i) & 1:
            reg.low += reg.range
        reg.bits_left -= 1
        if reg.bits_left < 12:
            _flush_byte(cd)
    return end_bins(cd, count, value)


@kernel
def code_terminate(mode, cd, value):
    """end_of_slice_segment_flag (9.3.4.3.5)."""
    reg = cd.reg
    if mode == COUNT:
        return value
    _begin_bins(cd, mode, TERMINATE, 0)
    reg.range -= 2
    if mode == DECODE:
        scaled = reg.range << 7
        if reg.value >= scaled:
            return end_bins(cd, 1, 1)
        if scaled < (256 << 7):
            reg.range <<= 1
            reg.value <<= 1
            reg.bits_needed += 1
            if reg.bits_needed == 0:
                reg.bits_needed = -8
                reg.value |= _next_byte(cd)
        return end_bins(cd, 1, 0)
    if value:
        reg.low = (reg.low + reg.range) << 7
        reg.range = 2 << 7
        reg.bits_left -= 7
    elif reg.range < 256:
        reg.low <<= 1
        reg.range <<= 1
        reg.bits_left -= 1
    if reg.bits_left < 12:
        _flush_byte(cd)
    return end_bins(cd, 1, value)


@kernel
def finish_encoder(cd):
    """Flush after the terminating bin, add the stop bit, align; returns the number of bytes written."""
    reg, buf = cd.reg, cd.buf
    # low holds 32 - bits_left significant bits and a possible carry above them; its lowest 8 bits are surplus
    count = 24 - reg.bits_left
    tail = ((reg.low >> 8) << 1) | 1
    count += 1
    missing = (8 - count % 8) % 8
    tail <<= missing
    count += missing
    while count > 0:
        count -= 8
        _put_byte(reg, buf, tail >> count)
        tail &= (1 << count) - 1
    return reg.pos
