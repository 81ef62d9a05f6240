"""Parameter sets and slice headers: round trips, refusals by name, damage, and foreign streams and decoders."""

import contextlib
import dataclasses
import fractions
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codecsim.errors import BitstreamError
from codecsim.syntax import nal as nal_units
from codecsim.syntax.bits import BitReader, BitWriter
from codecsim.syntax.headers import (
    PROFILE_LEARNED,
    PROFILE_MAIN,
    PROFILE_MAIN_10,
    SLICE_B,
    SLICE_I,
    SLICE_P,
    LearnedTools,
    ParameterSets,
    Pps,
    ReferencePictureSet,
    SliceHeader,
    Sps,
    ToolSettings,
    Vui,
    choose_level,
    code_pps,
    code_slice_header,
    code_sps,
    code_vps,
    make_vps,
    read_slice_header,
    refuse_missing_tools,
    write_parameter_sets,
)
from codecsim.syntax.headers_rps import code_rps
from codecsim.tools import OVERLAP, TOOLS, tools_of

BOOLS = st.booleans()


def halves(sign, most):
    steps = st.lists(st.tuples(st.integers(1, 40), BOOLS), max_size=most)

    def accumulate(pairs):
        positions = np.cumsum([step for step, _ in pairs]).tolist()
        return tuple((sign * p, used) for p, (_, used) in zip(positions, pairs, strict=True))

    return steps.map(accumulate)


RPS = st.builds(ReferencePictureSet, negative=halves(-1, 3), positive=halves(1, 2))
VUIS = st.builds(
    Vui,
    overscan=st.none() | st.integers(0, 1),
    chroma_location=st.none() | st.tuples(st.integers(0, 5), st.integers(0, 5)),
    num_units_in_tick=st.integers(1, 2**32 - 1),
    time_scale=st.integers(1, 2**32 - 1),
)
SPSS = st.builds(
    Sps,
    width=st.integers(1, 500).map(lambda n: 8 * n),
    height=st.integers(1, 500).map(lambda n: 8 * n),
    crop_right=st.sampled_from([0, 2, 6]),
    crop_bottom=st.sampled_from([0, 4]),
    bit_depth=st.sampled_from([8, 10]),
    vps_id=st.integers(0, 15),
    sps_id=st.integers(0, 15),
    level_idc=st.integers(0, 255),
    log2_max_poc_lsb=st.integers(4, 16),
    max_dec_pic_buffering=st.integers(6, 16),
    max_num_reorder=st.integers(0, 5),
    max_latency_plus1=st.integers(0, 100),
    max_transform_hierarchy_depth_inter=st.integers(0, 4),
    max_transform_hierarchy_depth_intra=st.integers(0, 4),
    amp=BOOLS,
    sao=BOOLS,
    temporal_mvp=BOOLS,
    strong_intra_smoothing=BOOLS,
    rps_list=st.lists(RPS, max_size=5, unique=True).map(tuple),
    vui=st.none() | VUIS,
)
TOOL_SETTINGS = st.builds(
    ToolSettings,
    parameters=st.lists(st.integers(0, 2**32 - 1), max_size=255).map(tuple),
    weights_digest=st.binary(min_size=16, max_size=16),
)


@st.composite
def learned_tools(draw):
    """LearnedTools with any tools, even unknown ones, and settings of those that have some."""
    tools = draw(st.integers(1, 255))
    count = sum(tool.learned for tool in tools_of(tools))
    settings = draw(st.lists(TOOL_SETTINGS, min_size=count, max_size=count))
    return LearnedTools(draw(st.integers(0, 255)), tools, tuple(settings))


PPSS = st.builds(
    Pps,
    pps_id=st.integers(0, 63),
    output_flag_present=BOOLS,
    num_extra_slice_header_bits=st.integers(0, 7),
    sign_data_hiding=BOOLS,
    cabac_init_present=BOOLS,
    num_ref_idx_default=st.tuples(st.integers(1, 15), st.integers(1, 15)),
    init_qp=st.integers(-12, 51),
    transform_skip=BOOLS,
    cb_qp_offset=st.integers(-6, 6),
    cr_qp_offset=st.integers(-6, 6),
    slice_chroma_qp_offsets_present=BOOLS,
    loop_filter_across_slices=BOOLS,
    deblocking_override_enabled=BOOLS,
    beta_offset_div2=st.integers(-6, 6),
    tc_offset_div2=st.integers(-6, 6),
    lists_modification_present=BOOLS,
    log2_parallel_merge_level=st.integers(2, 6),
    slice_header_extension_present=BOOLS,
)


def round_trip(code, value):
    writer = BitWriter()
    assert code(writer, value) == value
    data = writer.to_bytes()
    assert code(BitReader(data)) == value
    return data


@given(SPSS)
def test_parameter_sets_round_trip(sps):
    round_trip(code_sps, sps)
    round_trip(code_vps, dataclasses.replace(make_vps(sps)))


@given(SPSS, learned_tools())
def test_learned_tools_round_trip(sps, learned):
    round_trip(code_sps, dataclasses.replace(sps, profile_idc=PROFILE_LEARNED, learned=learned))
    found = [learned.settings_of(tool) for tool in TOOLS]
    assert tuple(settings for settings in found if settings) == learned.settings
    assert learned.settings_of(OVERLAP) is None


@given(PPSS, BOOLS, st.integers(0, 3), BOOLS)
def test_picture_parameter_sets_round_trip(pps, cu_qp_delta, depth, deblocking_disabled):
    pps = dataclasses.replace(pps, cu_qp_delta=cu_qp_delta, diff_cu_qp_delta_depth=depth if cu_qp_delta else 0)
    round_trip(code_pps, pps)
    if deblocking_disabled:
        round_trip(code_pps, dataclasses.replace(pps, deblocking_disabled=True, beta_offset_div2=0, tc_offset_div2=0))


@st.composite
def slices(draw):
    """A consistent (nal_type, Sps, Pps, SliceHeader)."""
    sps, pps = draw(SPSS), draw(PPSS)
    pps = dataclasses.replace(pps, sps_id=sps.sps_id)
    nal_type = draw(st.sampled_from([nal_units.IDR_W_RADL, nal_units.TRAIL_N, nal_units.TRAIL_R]))
    fields = {"pps_id": pps.pps_id, "qp": draw(st.integers(0 if sps.bit_depth == 8 else -12, 51))}
    slice_type = SLICE_I
    rps = ReferencePictureSet()
    if nal_type == nal_units.IDR_W_RADL:
        fields["no_output_of_prior_pics"] = draw(BOOLS)
    else:
        rps = draw(st.sampled_from(sps.rps_list)) if sps.rps_list and draw(BOOLS) else draw(RPS)
        slice_type = draw(st.sampled_from([SLICE_B, SLICE_P, SLICE_I])) if rps.num_used else SLICE_I
        fields |= {"rps": rps, "poc_lsb": draw(st.integers(0, 2**sps.log2_max_poc_lsb - 1))}
        fields["temporal_mvp"] = sps.temporal_mvp and draw(BOOLS)
    fields["slice_type"] = slice_type
    if pps.output_flag_present:
        fields["pic_output"] = draw(BOOLS)
    if sps.sao:
        fields |= {"sao_luma": draw(BOOLS), "sao_chroma": draw(BOOLS)}
    if slice_type != SLICE_I:
        count = 2 - slice_type
        sizes = draw(st.lists(st.integers(1, 15), min_size=count, max_size=count))
        fields["num_ref_idx"] = (*sizes, *(0,) * (2 - count))
        entries = [None, None]
        if pps.lists_modification_present and rps.num_used > 1:
            for side, size in enumerate(sizes):
                entry = st.integers(0, rps.num_used - 1)
                entries[side] = draw(st.none() | st.lists(entry, min_size=size, max_size=size).map(tuple))
        fields["list_entries"] = tuple(entries)
        fields["five_minus_max_num_merge_cand"] = draw(st.integers(0, 4))
        if slice_type == SLICE_B:
            fields["mvd_l1_zero"] = draw(BOOLS)
        if pps.cabac_init_present:
            fields["cabac_init_flag"] = draw(BOOLS)
        if fields["temporal_mvp"]:
            from_l0 = fields["collocated_from_l0"] = slice_type == SLICE_P or draw(BOOLS)
            fields["collocated_ref_idx"] = draw(st.integers(0, fields["num_ref_idx"][not from_l0] - 1))
    if pps.slice_chroma_qp_offsets_present:
        fields |= {"cb_qp_offset": draw(st.integers(-6, 6)), "cr_qp_offset": draw(st.integers(-6, 6))}
    fields |= {"beta_offset_div2": pps.beta_offset_div2, "tc_offset_div2": pps.tc_offset_div2}
    if pps.deblocking_override_enabled and draw(BOOLS):
        fields |= {"beta_offset_div2": draw(st.integers(-6, 6)), "tc_offset_div2": draw(st.integers(-6, 6))}
    fields["loop_filter_across_slices"] = pps.loop_filter_across_slices and draw(BOOLS)
    if pps.slice_header_extension_present:
        fields["extension"] = draw(st.binary(max_size=20))
    return nal_type, sps, pps, SliceHeader(**fields)


@settings(max_examples=150)
@given(slices())
def test_slice_headers_round_trip(case):
    nal_type, sps, pps, header = case
    sets = ParameterSets(sps=[sps], pps=[pps])
    writer = BitWriter(trace=[])
    assert code_slice_header(writer, nal_type, sets, header) == header
    reader = BitReader(writer.to_bytes(), trace=[])
    assert code_slice_header(reader, nal_type, sets) == header
    assert reader.trace == writer.trace
    assert reader.byte_position == len(writer.to_bytes())


def predicted_rps_bits(flags, sign, magnitude):
    """Bits of a set predicted from the one before: flags are (used, use_delta) pairs."""
    writer = BitWriter()
    writer.flag(True, "inter_ref_pic_set_prediction_flag")
    writer.u(1, sign, "delta_rps_sign")
    writer.ue(magnitude - 1, "abs_delta_rps_minus1")
    for used, use_delta in flags:
        writer.flag(used, "used_by_curr_pic_flag")
        if not used:
            writer.flag(use_delta, "use_delta_flag")
    writer.trailing_bits()
    return writer.to_bytes()


def test_predicted_reference_picture_set():
    # As in HM's low delay configuration: one picture later.
    first = ReferencePictureSet(((-1, True), (-5, True), (-9, True), (-13, True)))
    flags = [(True, True), (True, True), (True, True), (False, False), (True, True)]
    data = predicted_rps_bits(flags, 1, 1)
    got = code_rps(BitReader(data), ReferencePictureSet(), [first], 4, in_slice=False)
    assert got == ReferencePictureSet(((-1, True), (-2, True), (-6, True), (-10, True)))
    # Towards the past: entries change sides, and the distance zero drops out.
    second = ReferencePictureSet(((-2, True),), ((2, False), (5, True)))
    flags = [(True, True), (True, True), (False, True), (True, True)]
    got = code_rps(BitReader(predicted_rps_bits(flags, 0, 2)), ReferencePictureSet(), [second], 5, in_slice=False)
    assert got == ReferencePictureSet((), ((2, True), (4, True), (7, False)))


def rbsp(code, value):
    writer = BitWriter()
    code(writer, value)
    return writer.to_bytes()


def flip_element(code, value, name, new):
    """Bytes of a header in which the element `name` has the value `new`, which the writer itself would refuse."""

    class Flipper(BitWriter):
        def _element(self, element, got, low, high, start):
            return got

        def _bits(self, bits, got, element):
            return super()._bits(bits, new if element == name else got, element)

        def _golomb(self, got, element):
            if element == name:
                super()._bits(2 * (new + 1).bit_length() - 1, new + 1, "")
                return got
            return super()._golomb(got, element)

        def _fail(self, message, element):
            pass

    writer = Flipper()
    code(writer, value)
    writer._bits(32, 0, "")
    return (writer._value << (-writer.bit_position % 8)).to_bytes(-(-writer.bit_position // 8), "big")


@pytest.mark.parametrize(
    "code,value,name,new,message",
    [
        (code_sps, Sps(), "chroma_format_idc", 2, "chroma format"),
        (code_sps, Sps(), "bit_depth_luma_minus8", 4, "bit depth 12"),
        (code_sps, Sps(), "bit_depth_chroma_minus8", 2, r"bit depth 8 \(luma\), 10 \(chroma\)"),
        (code_sps, Sps(bit_depth=10), "bit_depth_luma_minus8", 0, r"bit depth 8 \(luma\), 10 \(chroma\)"),
        (code_sps, Sps(), "pcm_enabled_flag", 1, "PCM"),
        (code_sps, Sps(), "scaling_list_enabled_flag", 1, "scaling lists"),
        (code_sps, Sps(), "long_term_ref_pics_present_flag", 1, "long-term"),
        (code_sps, Sps(), "log2_diff_max_min_luma_coding_block_size", 1, "coding tree unit other than 64x64"),
        (code_sps, Sps(), "pic_width_in_luma_samples", 12, "12x8"),
        (code_sps, Sps(), "pic_width_in_luma_samples", 100000, "expected 8..16888"),
        (code_sps, Sps(vui=Vui()), "field_seq_flag", 1, "field coding"),
        (code_pps, Pps(), "tiles_enabled_flag", 1, "tiles"),
        (code_pps, Pps(), "entropy_coding_sync_enabled_flag", 1, "wavefront"),
        (code_pps, Pps(), "weighted_pred_flag", 1, "weighted prediction"),
        (code_pps, Pps(), "weighted_bipred_flag", 1, "weighted bi-prediction"),
        (code_pps, Pps(), "dependent_slice_segments_enabled_flag", 1, "dependent slice"),
        (code_pps, Pps(), "constrained_intra_pred_flag", 1, "constrained intra"),
        (code_pps, Pps(), "transquant_bypass_enabled_flag", 1, "lossless"),
        (code_pps, Pps(), "pps_scaling_list_data_present_flag", 1, "scaling list"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(code, value, name, new, message):
    with pytest.raises(BitstreamError, match=message):
        code(BitReader(flip_element(code, value, name, new)))


def test_tools_that_are_read_but_not_decoded():
    refuse_missing_tools(Pps(transform_skip=True, cu_qp_delta=True, diff_cu_qp_delta_depth=3))
    with pytest.raises(BitstreamError, match="parallel merge"):
        refuse_missing_tools(Pps(log2_parallel_merge_level=3))


def test_slices_that_are_refused():
    sets = ParameterSets(sps=[Sps()], pps=[Pps()])
    for data, nal_type, message in (
        (b"\x00", 1, "more than one slice"),
        (b"\x90\x00\x00", 1, "parameter set .* has not been sent"),
        (b"\xd8\x00", nal_units.IDR_W_RADL, "."),
    ):
        with pytest.raises(BitstreamError, match=message):
            code_slice_header(BitReader(data), nal_type, sets)
    orphan = ParameterSets(pps=[Pps()])
    with pytest.raises(BitstreamError, match="sequence parameter set 0 has not been sent"):
        code_slice_header(BitReader(b"\xff\xff"), 1, orphan)


@pytest.mark.parametrize(("bit_depth", "lowest"), [(8, 0), (10, -12)])
def test_lowest_qp_of_a_slice(bit_depth, lowest):
    sets = ParameterSets(sps=[Sps(bit_depth=bit_depth)], pps=[Pps(init_qp=-12)])
    for qp in (lowest, 51):
        writer = BitWriter()
        code_slice_header(writer, nal_units.IDR_W_RADL, sets, SliceHeader(qp=qp))
        assert code_slice_header(BitReader(writer.to_bytes()), nal_units.IDR_W_RADL, sets).qp == qp
    for qp in (lowest - 1, 52):
        with pytest.raises(ValueError, match="slice_qp_delta"):
            code_slice_header(BitWriter(), nal_units.IDR_W_RADL, sets, SliceHeader(qp=qp))
    with pytest.raises(ValueError, match="init_qp_minus26"):
        rbsp(code_pps, Pps(init_qp=-13))


@pytest.mark.parametrize(("profile_idc", "flags"), [(PROFILE_MAIN, {1, 2}), (PROFILE_MAIN_10, {2})])
def test_profiles_and_those_they_are_compatible_with(profile_idc, flags):
    reader = BitReader(rbsp(code_sps, Sps(profile_idc=profile_idc)), trace=[])
    assert code_sps(reader).profile_idc == profile_idc
    values = [value for name, value, *_ in reader.trace if name == "general_profile_compatibility_flag"]
    assert {j for j, value in enumerate(values) if value} == flags


def test_a_writer_refuses_contradictions():
    with pytest.raises(ValueError, match="go together"):
        rbsp(code_sps, Sps(profile_idc=PROFILE_LEARNED))
    with pytest.raises(ValueError, match="cannot carry"):
        write_parameter_sets(make_vps(Sps()), Sps(), Pps(diff_cu_qp_delta_depth=2))
    with pytest.raises(ValueError, match="without reference pictures"):
        header = SliceHeader(slice_type=SLICE_P, num_ref_idx=(1, 0))
        code_slice_header(BitWriter(), 1, ParameterSets(sps=[Sps()], pps=[Pps()]), header)


@settings(max_examples=200)
@given(st.binary(max_size=60), st.data())
def test_garbage_and_damage_end_in_a_bitstream_error(garbage, data):
    sets = ParameterSets(sps=[Sps(rps_list=(ReferencePictureSet(((-1, True),)),))], pps=[Pps(output_flag_present=True)])
    good = [rbsp(code_sps, Sps(vui=Vui(time_scale=25, num_units_in_tick=1))), rbsp(code_pps, Pps())]
    damaged = []
    for payload in good:
        position = data.draw(st.integers(0, 8 * len(payload) - 1))
        flipped = int.from_bytes(payload, "big") ^ 1 << position
        damaged.append(flipped.to_bytes(len(payload), "big"))
    for payload in (garbage, *damaged, good[0][: len(garbage)]):
        for code in (code_vps, code_sps, code_pps, lambda r: code_slice_header(r, 1, sets)):
            with contextlib.suppress(BitstreamError):
                code(BitReader(payload))


@pytest.mark.parametrize(
    "size,fps,level",
    [((176, 144), 15, 30), ((352, 288), 30, 60), ((832, 480), 60, 93), ((1920, 1080), 30, 120), ((8, 8), 10000, 60)],
)
def test_levels(size, fps, level):
    assert choose_level(*size, fractions.Fraction(fps)) == level


def test_level_of_too_large_a_picture():
    with pytest.raises(ValueError, match="larger than any level"):
        choose_level(20000, 20000, 1)


@pytest.mark.parametrize(
    ("bit_depth", "profile_idc", "pixels", "profile"),
    [(8, PROFILE_MAIN, "yuv420p", "Main"), (10, PROFILE_MAIN_10, "yuv420p10le", "Main 10")],
)
def test_a_foreign_decoder_reads_our_parameter_sets(bit_depth, profile_idc, pixels, profile):
    av = pytest.importorskip("av")
    rps_list = (ReferencePictureSet(((-1, True), (-5, True))), ReferencePictureSet(((-1, True),)))
    vui = Vui(num_units_in_tick=1001, time_scale=30000)
    sps = Sps(width=264, height=136, crop_bottom=6, crop_right=2, vui=vui, rps_list=rps_list, sao=True)
    sps = dataclasses.replace(sps, bit_depth=bit_depth, profile_idc=profile_idc)
    context = av.CodecContext.create("hevc", "r")
    context.extradata = write_parameter_sets(make_vps(sps), sps, Pps(sign_data_hiding=True))
    context.open()
    assert (context.width, context.height) == sps.true_size == (262, 130)
    assert (context.pix_fmt, context.profile) == (pixels, profile)
    assert context.framerate == sps.vui.fps == fractions.Fraction(30000, 1001)


def foreign_stream(params, width=96, height=72, pictures=7, bit_depth=8):
    """A small stream by x265; skips the test where it is missing."""
    av = pytest.importorskip("av")
    if "libx265" not in av.codecs_available:
        pytest.skip("no libx265")
    context = av.CodecContext.create("libx265", "w")
    pixels, dtype = ("yuv420p", np.uint8) if bit_depth == 8 else ("yuv420p10le", np.uint16)
    context.width, context.height, context.pix_fmt = width, height, pixels
    context.framerate = fractions.Fraction(25)
    context.time_base = 1 / context.framerate
    context.options = {"x265-params": f"log-level=none:wpp=0:weightp=0:frame-threads=1:pools=1:{params}"}
    ramp = np.add.outer(np.arange(height * 3 // 2) ** 2 // 50, np.arange(width)).astype(np.uint8).astype(dtype)
    ramp *= (1 << bit_depth) // 256
    packets = []
    for i in range(pictures):
        frame = av.VideoFrame.from_ndarray(np.roll(ramp, i, 1), format=pixels)
        frame.pts = i
        packets += context.encode(frame)
    return b"".join(bytes(packet) for packet in [*packets, *context.encode(None)])


@pytest.mark.parametrize("params", ["bframes=0:ref=4", "bframes=3:b-adapt=0:ref=3:cutree=0"])
def test_foreign_headers_are_read(params):
    stream = foreign_stream(params)
    sets, headers, size = ParameterSets(), [], 0
    for nal in nal_units.read_nal_units(io.BytesIO(stream)):
        size += nal.size
        if nal.type in (nal_units.VPS, nal_units.SPS, nal_units.PPS):
            sets.receive(nal)
        elif nal_units.is_slice(nal.type):
            headers.append(read_slice_header(nal, sets)[0])
    assert size == len(stream)
    assert sorted(header.poc_lsb for header in headers) == list(range(7))
    assert headers[0].slice_type == SLICE_I
    assert all(header.rps.num_used for header in headers[1:])
    assert sets.sps[0].true_size == (96, 72) and sets.sps[0].vui.fps == 25
