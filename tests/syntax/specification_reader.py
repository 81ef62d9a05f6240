"""A second reader of the stream's headers, written from codecsim/syntax/README.md and H.265, in plain Python.

It reads parameter sets, slice headers and messages, what stands before the first coding tree unit of the slice data,
and computes the learners' hash before anything has been learnt.  It shares no code with codecsim; settings and contexts
come from the tables of the specification.
"""

import hashlib
import math
import pathlib
import re
import struct
from typing import NamedTuple

SPECIFICATION = pathlib.Path(__file__).parent.parent.parent / "codecsim" / "syntax" / "README.md"
PER_BLOCK = -1  # value of a "where" in words


def table(title):
    """Rows of the first table below a heading or clause that begins with `title`: lists of cells, without backticks."""
    text = SPECIFICATION.read_text()
    found = re.search(rf"^(?:### )?{re.escape(title)}\b.*?\n((?:.*\n)*?)((?:\|.*\n)+)", text, re.MULTILINE)
    rows = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in found[2].splitlines()]
    return rows[2:]


def settings_table(tool):
    """Rows of the table of a tool's settings: position, name, bits, range, default."""
    title = {"inter_luma": "Table A.1", "inter_chroma": "Table A.2", "intra": "Table A.3"}[tool]
    return [row[:5] for row in table(title)]


def _number(text, is_float):
    return struct.unpack("<f", struct.pack("<f", float(text)))[0] if is_float else int(text)


def settings_of(tool, parameters):
    """Settings of a tool by name from its learned_parameter values (clause 2.4)."""
    rows = settings_table(tool)
    floats = ["float" in row[2] for row in rows]
    found = {row[1]: _number(row[4], is_float) for row, is_float in zip(rows, floats, strict=True)}
    if tool == "intra":
        chosen, values = range(len(parameters)), parameters
    else:
        words = -(-len(rows) // 32) if parameters else 0
        chosen = [k for k in range(32 * words) if parameters[k // 32] >> k % 32 & 1]
        values = parameters[words:]
    for k, value in zip(chosen, values, strict=True):
        found[rows[k][1]] = struct.unpack("<f", struct.pack("<I", value))[0] if floats[k] else value
    return found


class Bits:
    """Bits of an RBSP."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def u(self, n):
        value = 0
        for _ in range(n):
            value = value << 1 | self.data[self.at >> 3] >> 7 - (self.at & 7) & 1
            self.at += 1
        return value

    def ue(self):
        zeros = 0
        while not self.u(1):
            zeros += 1
        return (1 << zeros | self.u(zeros)) - 1

    def se(self):
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)


class Nal(NamedTuple):
    """NAL unit."""

    type: int
    rbsp: bytes


def nal_units(stream):
    for unit in re.split(b"\x00\x00\x01", stream)[1:]:
        unit = unit.rstrip(b"\x00")
        yield Nal(unit[0] >> 1 & 63, unit[2:].replace(b"\x00\x00\x03", b"\x00\x00"))


def _profile_tier_level(bits, sub_layers):
    bits.u(3)
    profile = bits.u(5)
    bits.u(32 + 4 + 43 + 1 + 8)
    assert sub_layers == 1, "this reader knows streams of this project's encoder"
    return profile


def _sets(bits, known):
    """st_ref_pic_set(), explicit: [(delta, used)]."""
    predicted = known and bits.u(1)
    assert not predicted, "this project's encoder does not predict reference picture sets"
    negative, positive = bits.ue(), bits.ue()
    found = []
    for count, sign in ((negative, -1), (positive, 1)):
        delta = 0
        for _ in range(count):
            delta += sign * (bits.ue() + 1)
            found.append((delta, bits.u(1)))
    return found


def read_sps(rbsp):
    bits, sps = Bits(rbsp), {}
    bits.u(4)
    sub_layers = bits.u(3) + 1
    bits.u(1)
    sps["profile"] = _profile_tier_level(bits, sub_layers)
    bits.ue()
    assert bits.ue() == 1
    sps["width"], sps["height"] = bits.ue(), bits.ue()
    if bits.u(1):
        for _ in range(4):
            bits.ue()
    sps["bit_depth"] = 8 + bits.ue()
    bits.ue()
    sps["poc_bits"] = 4 + bits.ue()
    bits.u(1)
    for _ in range(3 + 4 + 2):
        bits.ue()
    assert bits.u(1) == 0  # scaling lists
    bits.u(1)
    sps["sao"] = bits.u(1)
    assert bits.u(1) == 0  # PCM
    sps["sets"] = []
    for _ in range(bits.ue()):
        sps["sets"].append(_sets(bits, sps["sets"]))
    assert bits.u(1) == 0  # long-term pictures
    sps["temporal_mvp"] = bits.u(1)
    bits.u(1)
    if bits.u(1):
        _vui(bits)
    sps["learned"] = None
    if bits.u(1):
        assert bits.u(4) == 0
        assert bits.u(4) != 0
        assert sps["profile"] == 30
        sps["learned"] = _learned_tools_extension(bits)
    assert bits.u(1) == 1
    assert bits.u(-bits.at % 8) == 0
    assert bits.at == 8 * len(rbsp)
    return sps


def _vui(bits):
    assert bits.u(8) == 0
    assert bits.u(1) == 1
    bits.u(64)
    assert bits.u(3) == 0


def _learned_tools_extension(bits):
    """Clause 2.2."""
    found = {"version": bits.u(8), "bits": bits.u(8), "tools": {}}
    for bit, tool, has_settings, *_ in table("Table 2"):
        if found["bits"] & int(bit):
            found["tools"][tool] = None
            if has_settings == "yes":
                parameters = [bits.u(32) for _ in range(bits.u(8))]
                found["tools"][tool] = parameters, bytes(bits.u(8) for _ in range(16))
    return found


def read_pps(rbsp):
    bits, pps = Bits(rbsp), {}
    bits.ue(), bits.ue()
    assert bits.u(1) == 0
    pps["output_flag"], pps["extra"] = bits.u(1), bits.u(3)
    bits.u(1)
    pps["cabac_init"] = bits.u(1)
    pps["lists"] = [bits.ue() + 1, bits.ue() + 1]
    pps["qp"] = 26 + bits.se()
    bits.u(2)
    if bits.u(1):
        bits.ue()
    bits.se(), bits.se()
    pps["chroma_offsets"] = bits.u(1)
    bits.u(5)
    pps["across"] = bits.u(1)
    assert bits.u(1) == 0, "this project's encoder leaves deblocking alone"
    assert bits.u(1) == 0
    pps["modification"] = bits.u(1)
    bits.ue()
    pps["extension"] = bits.u(1)
    return pps


def _inter_header(bits, sps, pps, slice_type, sets, temporal_mvp):
    sizes = pps["lists"][: 2 - slice_type]
    if bits.u(1):
        sizes = [bits.ue() + 1 for _ in sizes]
    assert not pps["modification"]
    assert any(used for _, used in sets)
    if slice_type == 0:
        bits.u(1)
    init = bits.u(1) if pps["cabac_init"] else 0
    if temporal_mvp:
        from_first = bits.u(1) if slice_type == 0 else 1
        if sizes[0 if from_first else 1] > 1:
            bits.ue()
    bits.ue()
    return init


def read_slice(nal, sps, pps):
    """What the header says, and the bytes of the slice data."""
    bits = Bits(nal.rbsp)
    assert bits.u(1) == 1
    if 16 <= nal.type <= 23:
        bits.u(1)
    bits.ue()
    bits.u(pps["extra"])
    slice_type = bits.ue()
    bits.u(pps["output_flag"])
    temporal_mvp, sets = 0, []
    if nal.type not in (19, 20):
        bits.u(sps["poc_bits"])
        listed = bits.u(1)
        sets = sps["sets"][bits.u((len(sps["sets"]) - 1).bit_length())] if listed else _sets(bits, sps["sets"])
        temporal_mvp = bits.u(1) if sps["temporal_mvp"] else 0
    sao = bits.u(2) if sps["sao"] else 0
    init = 0 if slice_type == 2 else _inter_header(bits, sps, pps, slice_type, sets, temporal_mvp)
    qp = pps["qp"] + bits.se()
    assert not pps["chroma_offsets"]
    if pps["across"]:
        assert sao >= 0
        bits.u(1)
    extension = bytes(bits.u(8) for _ in range(bits.ue())) if pps["extension"] else b""
    assert bits.u(1) == 1
    assert bits.u(-bits.at % 8) == 0
    init_type = 2 - slice_type
    init_type = 3 - init_type if init else init_type
    tools, order = _switches(sps, slice_type, extension)
    return {
        "idr": nal.type in (19, 20),
        "slice_type": slice_type,
        "qp": qp,
        "init_type": init_type,
        "tools": tools,
        "order": order,
        "data": nal.rbsp[bits.at // 8 :],
    }


def _switches(sps, slice_type, extension):
    """Tools and order of a picture (clause 2.5)."""
    usable = sps["learned"]["bits"] if sps["learned"] else 0
    if slice_type == 2:
        usable &= ~7
    if not extension or not usable:
        return usable, 0
    assert not extension[0] & ~usable
    if len(extension) == 1:
        assert extension[0] != usable
        return extension[0], 0
    assert len(extension) == 2
    assert extension[0] & 1
    assert extension[1] in (1, 2)
    assert settings_of("inter_luma", sps["learned"]["tools"]["inter_luma"][0])["control"] == 3
    return extension[0], extension[1]


def read_messages(rbsp):
    """{payload type: payload} of an SEI unit, its trailing bits checked."""
    found, at = {}, 0
    assert rbsp[-1] == 0x80
    while at < len(rbsp) - 1:
        numbers = []
        for _ in range(2):
            number = 0
            while rbsp[at] == 255:
                number, at = number + 255, at + 1
            numbers.append(number + rbsp[at])
            at += 1
        found[numbers[0]] = rbsp[at : at + numbers[1]]
        at += numbers[1]
    return found


def learner_hash(messages):
    """Clause 2.6, None where there is none."""
    payload = messages.get(5)
    if payload is None or payload[:16] != bytes.fromhex("5b1ed6c0a34f4c0e9a7bc0dec51e4a9d"):
        return None
    assert len(payload) == 32
    return payload[16:]


class Cabac:
    """Arithmetic decoder of a slice's data, as clause 9.3.4.3 of H.265 has it, with the contexts of Table 4.

    range_lps, next_lps : lists with rangeTabLps and transIdxLps of H.265
    """

    def __init__(self, data, qp, init_type, range_lps, next_lps):
        self._bits, self._range_lps, self._next_lps = Bits(data + bytes(8)), range_lps, next_lps
        self._range, self._offset = 510, self._bits.u(9)
        self.contexts = {}
        for name, *columns in table("Table 4"):
            values = columns[init_type].split() if columns[init_type] != "-" else []
            self.contexts[name] = [self._initial(int(value), qp) for value in values]

    @staticmethod
    def _initial(value, qp):
        """[pStateIdx, valMps] (9.3.2.2)."""
        slope, offset = (value >> 4) * 5 - 45, ((value & 15) << 3) - 16
        state = min(max(((slope * min(max(qp, 0), 51)) >> 4) + offset, 1), 126)
        return [state - 64, 1] if state > 63 else [63 - state, 0]

    def bin(self, name, index):
        context = self.contexts[name][index]
        lps = self._range_lps[context[0]][self._range >> 6 & 3]
        self._range -= lps
        value = context[1]
        if self._offset >= self._range:
            self._offset -= self._range
            self._range, value = lps, 1 - value
            if context[0] == 0:
                context[1] = 1 - context[1]
            context[0] = self._next_lps[context[0]]
        else:
            context[0] = min(context[0] + 1, 62)
        while self._range < 256:
            self._range <<= 1
            self._offset = self._offset << 1 | self._bits.u(1)
        return value

    def bypass(self):
        self._offset = self._offset << 1 | self._bits.u(1)
        if self._offset < self._range:
            return 0
        self._offset -= self._range
        return 1

    def truncated_unary(self, most):
        value = 0
        while value < most and self.bypass():
            value += 1
        return value


def elements_before_first_ctu(cabac, picture, sps):
    """[(element, value)] of clause 3.1, in order."""
    found = []
    if picture["tools"] & 16:
        _loop_filter_choice(cabac, sps, found)
    if picture["tools"] & 2:
        found.append(("obmc_where", _where(cabac, "OBMC_CHOICE", 1)))
    if picture["tools"] & 1:
        found.append(("prediction_filter_where", _where(cabac, "FILTER_CHOICE", len(experts_of(sps)))))
    return found


def _where(cabac, name, count):
    if cabac.bin(name, 0):
        return PER_BLOCK
    return 1 + cabac.truncated_unary(count - 1) if cabac.bin(name, 1) else 0


def _loop_filter_choice(cabac, sps, found):
    per_block = []
    for c in range(3):
        first = 5 * (c > 0)
        per_block.append(cabac.bin("LOOP_CHOICE", first))
        found.append(("loop_filter_where", 2 if per_block[-1] else cabac.bin("LOOP_CHOICE", first + 1)))
    if not any(per_block):
        return
    size = cabac.truncated_unary(2)
    found.append(("loop_filter_size", size))
    rows, columns = ((sps[side] - 1 >> 5 + size) + 1 for side in ("height", "width"))
    for c in range(3):
        flags = {}
        for y in range(rows if per_block[c] else 0):
            for x in range(columns):
                context = 2 + flags.get((y, x - 1), 0) + flags.get((y - 1, x), 0) + 5 * (c > 0)
                flags[y, x] = cabac.bin("LOOP_CHOICE", context)
                found.append(("loop_filter_flag", flags[y, x]))


def luma_settings(sps):
    """Settings of inter_luma by name, and the digest of its weights."""
    parameters, digest = sps["learned"]["tools"]["inter_luma"]
    return settings_of("inter_luma", parameters), digest


def shape_of(settings):
    """Inputs, channels and layers of the network of the settings (clauses 6.5, 7.2)."""
    count = 1 + settings["high_pass"] + settings["overlapped"] + settings["further"] + settings["qp_plane"]
    count += settings["block_size"] == 1
    return count + count % 2, settings["channels"], settings["hidden_layers"]


def has_builtin_weights(sps):
    """Whether inter_luma starts from the weights of clause 6.5."""
    settings, digest = luma_settings(sps)
    return digest == weights_digest(shape_of(settings), builtin_weights(settings))


def experts_of(sps):
    """Numbers of the experts in order (clause 7.1); weights of a model are taken for adding something."""
    settings, _ = luma_settings(sps)
    named = [number for number in (1, 2, 4, 8) if settings["experts"] & number]
    dropped = has_builtin_weights(sps) or (2 in named and settings["control"] == 2)
    return [number for number in named if number != 1 or not dropped] or named


def builtin_weights(settings):
    """Canonical vector of clause 6.5, list of floats."""
    n, channels, layers = shape_of(settings)
    mask, weights = 2**64 - 1, []

    def drawn():
        z = (0x636F64656373696D + (len(weights) + 1) * 0x9E3779B97F4A7C15) & mask
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & mask
        return z ^ z >> 31

    for layer in range(layers):
        inputs = channels if layer else n
        a = math.isqrt((6 << 26) // (inputs * 9))
        for _ in range(channels * inputs * 9):
            weights.append((((drawn() >> 40) * (2 * a + 1) >> 24) - a) / 8192)
        weights += [0.0] * channels
    return weights + [0.0] * (channels * 9 + n * 25 + 1)


def weights_digest(shape, weights):
    """Clause 6.6, of a network of equal layers of 3x3; shape : inputs, channels, layers."""
    return _digest(struct.pack("<3i", *shape) + struct.pack(f"<{len(weights)}f", *weights))


def fresh_hash(sps):
    """learner_hash before anything is learnt, of a stream with inter_luma alone and built-in weights (clause 11)."""
    settings, _ = luma_settings(sps)
    weights = builtin_weights(settings)
    zeros = [0.0] * len(weights)
    floats = [*weights, *zeros, *zeros, 1.0, 1.0, *(weights if settings["average_q8"] else [])]
    tiles = 0
    if settings["control"] == 1:
        tile = 1 << settings["tile_log2"]
        tiles = -(-sps["height"] // tile) * -(-sps["width"] // tile)
    state = _digest(struct.pack(f"<{len(floats)}f", *floats) + bytes(8 * (7 + tiles)))
    parts = [state]
    further = settings["overlapped"] + settings["further"]
    for expert in experts_of(sps):
        if expert >= 4:
            n = 24 + 9 * further + (expert == 8) + 1
            r = -(-(n + 1) // 8) * 8
            parts.append(_digest(bytes(8 * r * r + 4 * n)))
    if settings["control"] == 3:
        parts.append(b"\x00")
    luma = parts[0] if len(parts) == 1 else _digest(b"".join(parts))
    return _digest(luma * (settings["block_size"] or 1)) if settings["block_size"] > 1 else luma


def _digest(data):
    return hashlib.blake2b(data, digest_size=16).digest()


def read_stream(stream):
    """[(sps, picture, learner_hash or None)] of all pictures, in coding order."""
    sps = pps = None
    found = []
    for nal in nal_units(stream):
        if nal.type == 33:
            sps = read_sps(nal.rbsp)
        elif nal.type == 34:
            pps = read_pps(nal.rbsp)
        elif nal.type < 32:
            found.append([sps, read_slice(nal, sps, pps), None])
        elif nal.type == 40:
            found[-1][2] = learner_hash(read_messages(nal.rbsp))
    return found
