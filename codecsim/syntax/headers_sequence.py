"""Normative. Video and sequence parameter sets (H.265 clauses 7.3.2.1, 7.3.2.2, 7.3.3, E.2.1).

What the decoder does not support is refused by name.  With learned tools the profile is none of the standard's, and the
tools' parameters follow in the sequence parameter set's extension data.
"""

import dataclasses
import fractions
import math
from typing import Any

from codecsim.picture.planes import BIT_DEPTHS
from codecsim.syntax.bits import Coder
from codecsim.syntax.headers_rps import ReferencePictureSet, code_rps
from codecsim.tools import tools_of
from codecsim.tools.tool import Tool

MAX_LUMA_SAMPLES = 35_651_584  # largest picture of any level (A.4.1): bounds the memory a stream can ask for
MAX_SIDE = 16888  # and the longest side
PROFILE_MAIN = 1
PROFILE_MAIN_10 = 2
PROFILE_LEARNED = 30  # not a profile of the standard: the stream needs this project's decoder

# Table A.8: (general_level_idc, MaxLumaPs, MaxLumaSr), samples and samples a second
_LEVELS = (
    (30, 36_864, 552_960),
    (60, 122_880, 3_686_400),
    (63, 245_760, 7_372_800),
    (90, 552_960, 16_588_800),
    (93, 983_040, 33_177_600),
    (120, 2_228_224, 66_846_720),
    (123, 2_228_224, 133_693_440),
    (150, 8_912_896, 267_386_880),
    (153, 8_912_896, 534_773_760),
    (156, 8_912_896, 1_069_547_520),
    (180, 35_651_584, 1_069_547_520),
    (183, 35_651_584, 2_139_095_040),
    (186, 35_651_584, 4_278_190_080),
)


@dataclasses.dataclass(frozen=True)
class ToolSettings:
    """What the stream carries of one learned tool."""

    parameters: tuple[int, ...]  # 32 bits each, at most 255
    weights_digest: bytes  # of its initial weights, 16 bytes


@dataclasses.dataclass(frozen=True)
class LearnedTools:
    """Tools that the standard does not have, and settings of the learned ones, as the stream carries them."""

    arithmetic_version: int  # of the tools' exact arithmetic, 0..255
    tools: int  # bits of the tools, 1..255
    settings: tuple[ToolSettings, ...] = ()  # of each learned tool, in the order of their bits

    def settings_of(self, tool: Tool) -> ToolSettings | None:
        """`ToolSettings` of a Tool, or None where the stream does not have it or it is not a learned one."""
        announced = learned_tools(self.tools)
        return self.settings[announced.index(tool)] if tool in announced else None


def learned_tools(bits: int) -> list[Tool]:
    """The learned ones of the tools whose bits are set, in the order of their bits."""
    return [tool for tool in tools_of(bits) if tool.learned]


@dataclasses.dataclass(frozen=True)
class Vui:
    """Video usability information: nothing in it changes decoded samples."""

    aspect_ratio_idc: int | None = None  # Table E.1; 255: sar_width and sar_height
    sar_width: int = 0
    sar_height: int = 0
    overscan: int | None = None  # overscan_appropriate_flag
    video_format: int | None = None  # None: no signal type; 5: unspecified
    full_range: bool = False
    colour: tuple[int, int, int] | None = None  # primaries, transfer, matrix
    chroma_location: tuple[int, int] | None = None  # top and bottom field
    num_units_in_tick: int = 0  # 0: no timing
    time_scale: int = 0  # ticks a second

    @property
    def fps(self) -> fractions.Fraction | None:
        """Pictures a second as a Fraction, or None where the stream does not say."""
        if not self.num_units_in_tick or not self.time_scale:
            return None
        return fractions.Fraction(self.time_scale, self.num_units_in_tick)


@dataclasses.dataclass(frozen=True)
class Vps:
    """Video parameter set: repeats what the sequence parameter set says, but for its number."""

    vps_id: int = 0  # 0..15
    max_sub_layers: int = 1  # 1..7
    profile_idc: int = PROFILE_MAIN
    level_idc: int = 93  # 30 times the level
    max_dec_pic_buffering: int = 5  # pictures, current one included
    max_num_reorder: int = 0  # pictures that may precede one in coding order and follow it in output order
    max_latency_plus1: int = 0  # 0: no limit


@dataclasses.dataclass(frozen=True)
class Sps:
    """Sequence parameter set. CTU 64x64, coding blocks from 8x8, transforms 4x4 to 32x32, 4:2:0."""

    width: int = 8  # coded luma samples, multiple of 8
    height: int = 8
    crop_right: int = 0  # luma samples, even, 0..width-2
    crop_bottom: int = 0
    bit_depth: int = 8  # of luma and chroma, one of BIT_DEPTHS
    vps_id: int = 0
    sps_id: int = 0  # 0..15
    max_sub_layers: int = 1
    profile_idc: int = PROFILE_MAIN
    level_idc: int = 93
    log2_max_poc_lsb: int = 8  # 4..16
    max_dec_pic_buffering: int = 5  # of the highest sub-layer
    max_num_reorder: int = 0
    max_latency_plus1: int = 0
    max_transform_hierarchy_depth_inter: int = 2  # 0..4
    max_transform_hierarchy_depth_intra: int = 2
    amp: bool = True
    sao: bool = False
    temporal_mvp: bool = True
    strong_intra_smoothing: bool = True
    rps_list: tuple[ReferencePictureSet, ...] = ()  # at most 64
    vui: Vui | None = None
    learned: LearnedTools | None = None  # set: profile_idc is PROFILE_LEARNED

    @property
    def tools(self) -> int:
        """Bits of the tools that pictures may use beyond the standard's."""
        return self.learned.tools if self.learned else 0

    @property
    def min_qp(self) -> int:
        """Lowest SliceQpY: -QpBdOffset; the highest is 51 at any bit depth (7.4.3.2.1)."""
        return -6 * (self.bit_depth - 8)

    @property
    def true_size(self) -> tuple[int, int]:
        """(width, height) of the pictures that are output."""
        return self.width - self.crop_right, self.height - self.crop_bottom


def choose_level(width: int, height: int, fps: fractions.Fraction) -> int:
    """general_level_idc of the lowest level that holds pictures of this size at this rate; bit rate is not considered.

    Raises
    ------
    ValueError : no level holds them
    """
    for level_idc, max_samples, max_rate in _LEVELS:
        side = math.isqrt(8 * max_samples)
        if width * height <= max_samples and max(width, height) <= side and width * height * fps <= max_rate:
            return level_idc
    if width * height <= MAX_LUMA_SAMPLES and max(width, height) <= MAX_SIDE:
        return _LEVELS[-1][0]  # only the rate is beyond the highest level
    raise ValueError(f"pictures of {width}x{height} are larger than any level of H.265 allows")


def _code_profile_tier_level(coder: Coder, profile_idc: int, level_idc: int, max_sub_layers: int) -> tuple[int, int]:
    """profile_tier_level(1, ...); returns (profile_idc, level_idc)."""
    coder.u(2, 0, "general_profile_space")
    coder.u(1, 0, "general_tier_flag")
    profile_idc = coder.u(5, profile_idc, "general_profile_idc")
    for j in range(32):
        # A Main stream is a Main 10 stream too.
        compatible = j == profile_idc or (profile_idc == PROFILE_MAIN and j == PROFILE_MAIN_10)
        coder.flag(compatible, "general_profile_compatibility_flag")
    coder.flag(True, "general_progressive_source_flag")
    coder.flag(False, "general_interlaced_source_flag")
    coder.flag(True, "general_non_packed_constraint_flag")
    coder.flag(True, "general_frame_only_constraint_flag")
    coder.u(43, 0, "general_reserved_zero_43bits")
    coder.u(1, 0, "general_inbld_flag")
    level_idc = coder.u(8, level_idc, "general_level_idc")
    present = []
    for _ in range(max_sub_layers - 1):
        profile = coder.flag(False, "sub_layer_profile_present_flag")
        present.append((profile, coder.flag(False, "sub_layer_level_present_flag")))
    if max_sub_layers > 1:
        coder.u(2 * (9 - max_sub_layers), 0, "reserved_zero_2bits")
    for profile, level in present:
        if profile:
            coder.u(88, 0, "sub_layer_profile")
        if level:
            coder.u(8, 0, "sub_layer_level_idc")
    return profile_idc, level_idc


def _code_sub_layer_ordering(coder: Coder, values: Sps | Vps, max_sub_layers: int, kind: str) -> dict[str, Any]:
    """Decoded picture buffer limits; returns those of the highest sub-layer, as fields of Vps and Sps.

    kind : 'vps' or 'sps', with which the names begin
    """
    all_layers = coder.flag(True, f"{kind}_sub_layer_ordering_info_present_flag")
    for _ in range(max_sub_layers if all_layers else 1):
        buffering = coder.ue(values.max_dec_pic_buffering - 1, f"{kind}_max_dec_pic_buffering_minus1", 0, 15) + 1
        reorder = coder.ue(values.max_num_reorder, f"{kind}_max_num_reorder_pics", 0, buffering - 1)
        latency = coder.ue(values.max_latency_plus1, f"{kind}_max_latency_increase_plus1")
    return {"max_dec_pic_buffering": buffering, "max_num_reorder": reorder, "max_latency_plus1": latency}


def code_vps(coder: Coder, vps: Vps = Vps()) -> Vps:
    """Write `vps`, or read one: see codecsim.syntax.bits. Layer sets, timing and extensions are not read."""
    vps_id = coder.u(4, vps.vps_id, "vps_video_parameter_set_id")
    coder.flag(True, "vps_base_layer_internal_flag")
    coder.flag(True, "vps_base_layer_available_flag")
    coder.u(6, 0, "vps_max_layers_minus1")
    max_sub_layers = coder.u(3, vps.max_sub_layers - 1, "vps_max_sub_layers_minus1", 0, 6) + 1
    coder.flag(True, "vps_temporal_id_nesting_flag")
    coder.u(16, 0xFFFF, "vps_reserved_0xffff_16bits")
    profile_idc, level_idc = _code_profile_tier_level(coder, vps.profile_idc, vps.level_idc, max_sub_layers)
    ordering = _code_sub_layer_ordering(coder, vps, max_sub_layers, "vps")
    coder.u(6, 0, "vps_max_layer_id")
    more = coder.ue(0, "vps_num_layer_sets_minus1")
    if not (more or coder.flag(False, "vps_timing_info_present_flag") or coder.flag(False, "vps_extension_flag")):
        coder.trailing_bits()
    return Vps(vps_id, max_sub_layers, profile_idc, level_idc, **ordering)


def _code_vui(coder: Coder, vui: Vui) -> Vui:
    """vui_parameters()."""
    out: dict[str, Any] = {}
    if coder.flag(vui.aspect_ratio_idc is not None, "aspect_ratio_info_present_flag"):
        out["aspect_ratio_idc"] = coder.u(8, vui.aspect_ratio_idc or 0, "aspect_ratio_idc")
        if out["aspect_ratio_idc"] == 255:
            out["sar_width"] = coder.u(16, vui.sar_width, "sar_width")
            out["sar_height"] = coder.u(16, vui.sar_height, "sar_height")
    if coder.flag(vui.overscan is not None, "overscan_info_present_flag"):
        out["overscan"] = coder.u(1, vui.overscan or 0, "overscan_appropriate_flag")
    if coder.flag(vui.video_format is not None, "video_signal_type_present_flag"):
        out["video_format"] = coder.u(3, vui.video_format or 0, "video_format")
        out["full_range"] = coder.flag(vui.full_range, "video_full_range_flag")
        if coder.flag(vui.colour is not None, "colour_description_present_flag"):
            colour = vui.colour or (2, 2, 2)
            kinds = ("colour_primaries", "transfer_characteristics", "matrix_coeffs")
            out["colour"] = tuple(coder.u(8, value, name) for value, name in zip(colour, kinds, strict=True))
    if coder.flag(vui.chroma_location is not None, "chroma_loc_info_present_flag"):
        location = vui.chroma_location or (0, 0)
        names = ("chroma_sample_loc_type_top_field", "chroma_sample_loc_type_bottom_field")
        out["chroma_location"] = tuple(coder.ue(value, name, 0, 5) for value, name in zip(location, names, strict=True))
    coder.flag(False, "neutral_chroma_indication_flag")
    coder.only_u(1, 0, "field_seq_flag", "field coding")
    coder.flag(False, "frame_field_info_present_flag")
    if coder.flag(False, "default_display_window_flag"):
        for side in ("left", "right", "top", "bottom"):
            coder.ue(0, f"def_disp_win_{side}_offset")
    if coder.flag(vui.num_units_in_tick > 0, "vui_timing_info_present_flag"):
        out["num_units_in_tick"] = coder.u(32, vui.num_units_in_tick, "vui_num_units_in_tick")
        out["time_scale"] = coder.u(32, vui.time_scale, "vui_time_scale")
        if coder.flag(False, "vui_poc_proportional_to_timing_flag"):
            coder.ue(0, "vui_num_ticks_poc_diff_one_minus1")
        coder.only_u(1, 0, "vui_hrd_parameters_present_flag", "the hypothetical reference decoder's parameters")
    if coder.flag(False, "bitstream_restriction_flag"):
        for name in ("tiles_fixed_structure", "motion_vectors_over_pic_boundaries", "restricted_ref_pic_lists"):
            coder.flag(False, f"{name}_flag")
        for name in ("min_spatial_segmentation_idc", "max_bytes_per_pic_denom", "max_bits_per_min_cu_denom"):
            coder.ue(0, name)
        coder.ue(0, "log2_max_mv_length_horizontal")
        coder.ue(0, "log2_max_mv_length_vertical")
    return Vui(**out)


def _code_learned_tools(coder: Coder, learned: LearnedTools | None) -> LearnedTools:
    """This project's own extension data of a sequence parameter set."""
    learned = learned if not coder.reading and learned is not None else LearnedTools(0, 0)
    arithmetic_version = coder.u(8, learned.arithmetic_version, "learned_arithmetic_version")
    tools = coder.u(8, learned.tools, "learned_tools")
    settings = learned.settings if not coder.reading else (ToolSettings((), b""),) * len(learned_tools(tools))
    return LearnedTools(arithmetic_version, tools, tuple(_code_tool_settings(coder, each) for each in settings))


def _code_tool_settings(coder: Coder, settings: ToolSettings) -> ToolSettings:
    count = coder.u(8, len(settings.parameters), "learned_parameter_count")
    values = settings.parameters if not coder.reading else (0,) * count
    parameters = tuple(coder.u(32, value, "learned_parameter") for value in values)
    return ToolSettings(parameters, coder.octets(16, settings.weights_digest, "learned_weights_digest"))


def _code_size(coder: Coder, sps: Sps) -> dict[str, Any]:
    """Picture size, conformance window and bit depth, as fields of Sps."""
    coder.only_ue(1, "chroma_format_idc", "a chroma format other than 4:2:0")
    width = coder.ue(sps.width, "pic_width_in_luma_samples", 8, MAX_SIDE)
    height = coder.ue(sps.height, "pic_height_in_luma_samples", 8, MAX_SIDE)
    if width % 8 or height % 8 or width * height > MAX_LUMA_SAMPLES:
        coder.fail(f"coded size {width}x{height} is no multiple of 8 or too large", "pic_width_in_luma_samples")
    right = bottom = 0
    if coder.flag(sps.crop_right or sps.crop_bottom, "conformance_window_flag"):
        coder.only_ue(0, "conf_win_left_offset", "a conformance window that starts inside the picture")
        right = 2 * coder.ue(sps.crop_right // 2, "conf_win_right_offset", 0, width // 2 - 1)
        coder.only_ue(0, "conf_win_top_offset", "a conformance window that starts inside the picture")
        bottom = 2 * coder.ue(sps.crop_bottom // 2, "conf_win_bottom_offset", 0, height // 2 - 1)
    bit_depth = 8 + coder.ue(sps.bit_depth - 8, "bit_depth_luma_minus8", 0, 8)
    chroma = 8 + coder.ue(bit_depth - 8, "bit_depth_chroma_minus8", 0, 8)
    if bit_depth not in BIT_DEPTHS or chroma != bit_depth:
        coder.fail(f"bit depth {bit_depth} (luma), {chroma} (chroma) is not supported", "bit_depth_luma_minus8")
    return {"width": width, "height": height, "crop_right": right, "crop_bottom": bottom, "bit_depth": bit_depth}


def _code_extension(coder: Coder, sps: Sps, profile_idc: int) -> LearnedTools | None:
    """Extension flags and data; returns LearnedTools or None."""
    learned = None
    if not coder.reading and (sps.learned is None) == (profile_idc == PROFILE_LEARNED):
        coder.fail("learned tools and PROFILE_LEARNED go together", "general_profile_idc")
    if coder.flag(sps.learned is not None, "sps_extension_present_flag"):
        coder.only_u(1, 0, "sps_range_extension_flag", "the range extensions")
        coder.only_u(1, 0, "sps_multilayer_extension_flag", "the multilayer extension")
        coder.only_u(1, 0, "sps_3d_extension_flag", "the 3D extension")
        coder.only_u(1, 0, "sps_scc_extension_flag", "the screen content extensions")
        extension = coder.u(4, 1, "sps_extension_4bits")
        if extension and profile_idc == PROFILE_LEARNED:
            learned = _code_learned_tools(coder, sps.learned)
        elif extension:
            return None  # data of a later edition, to be ignored with what follows
    if profile_idc == PROFILE_LEARNED and learned is None:
        coder.fail("the profile says learned tools, but their parameters are missing", "sps_extension_4bits")
    coder.trailing_bits()
    return learned


def code_sps(coder: Coder, sps: Sps = Sps()) -> Sps:
    """Write `sps`, or read one: see codecsim.syntax.bits."""
    out: dict[str, Any] = {"vps_id": coder.u(4, sps.vps_id, "sps_video_parameter_set_id")}
    max_sub_layers = coder.u(3, sps.max_sub_layers - 1, "sps_max_sub_layers_minus1", 0, 6) + 1
    coder.flag(True, "sps_temporal_id_nesting_flag")
    profile_idc, level_idc = _code_profile_tier_level(coder, sps.profile_idc, sps.level_idc, max_sub_layers)
    out |= {"max_sub_layers": max_sub_layers, "profile_idc": profile_idc, "level_idc": level_idc}
    out["sps_id"] = coder.ue(sps.sps_id, "sps_seq_parameter_set_id", 0, 15)
    out |= _code_size(coder, sps)
    out["log2_max_poc_lsb"] = coder.ue(sps.log2_max_poc_lsb - 4, "log2_max_pic_order_cnt_lsb_minus4", 0, 12) + 4
    ordering = _code_sub_layer_ordering(coder, sps, max_sub_layers, "sps")
    out |= ordering
    coder.only_ue(0, "log2_min_luma_coding_block_size_minus3", "a smallest coding block other than 8x8")
    coder.only_ue(3, "log2_diff_max_min_luma_coding_block_size", "a coding tree unit other than 64x64")
    coder.only_ue(0, "log2_min_luma_transform_block_size_minus2", "a smallest transform other than 4x4")
    coder.only_ue(3, "log2_diff_max_min_luma_transform_block_size", "a largest transform other than 32x32")
    for kind in ("inter", "intra"):
        name = f"max_transform_hierarchy_depth_{kind}"
        out[name] = coder.ue(getattr(sps, name), name, 0, 4)
    coder.only_u(1, 0, "scaling_list_enabled_flag", "scaling lists")
    out["amp"] = coder.flag(sps.amp, "amp_enabled_flag")
    out["sao"] = coder.flag(sps.sao, "sample_adaptive_offset_enabled_flag")
    coder.only_u(1, 0, "pcm_enabled_flag", "PCM coding")
    count = coder.ue(len(sps.rps_list), "num_short_term_ref_pic_sets", 0, 64)
    rps_list: list[ReferencePictureSet] = []
    for i in range(count):
        rps = ReferencePictureSet() if coder.reading else sps.rps_list[i]
        rps_list.append(code_rps(coder, rps, rps_list, ordering["max_dec_pic_buffering"] - 1, in_slice=False))
    out["rps_list"] = tuple(rps_list)
    coder.only_u(1, 0, "long_term_ref_pics_present_flag", "long-term reference pictures")
    out["temporal_mvp"] = coder.flag(sps.temporal_mvp, "sps_temporal_mvp_enabled_flag")
    out["strong_intra_smoothing"] = coder.flag(sps.strong_intra_smoothing, "strong_intra_smoothing_enabled_flag")
    if coder.flag(sps.vui is not None, "vui_parameters_present_flag"):
        out["vui"] = _code_vui(coder, sps.vui or Vui())
    out["learned"] = _code_extension(coder, sps, profile_idc)
    return Sps(**out)
