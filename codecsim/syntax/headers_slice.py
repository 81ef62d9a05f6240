"""Normative. Slice segment header (H.265 clause 7.3.6.1): one slice a picture, no weighted prediction."""

import dataclasses
from typing import TYPE_CHECKING, Any

from codecsim.syntax.bits import Coder
from codecsim.syntax.headers_picture import Pps
from codecsim.syntax.headers_rps import ReferencePictureSet, code_rps
from codecsim.syntax.headers_sequence import Sps
from codecsim.syntax.nal import is_idr, is_irap

if TYPE_CHECKING:
    from codecsim.syntax.headers import ParameterSets

SLICE_B, SLICE_P, SLICE_I = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class SliceHeader:
    """Header of the one slice of a picture. Fields that its slice type lacks keep their default."""

    slice_type: int = SLICE_I  # 0 B, 1 P, 2 I
    pps_id: int = 0  # 0..63
    no_output_of_prior_pics: bool = False  # random access pictures only
    pic_output: bool = True
    poc_lsb: int = 0  # 0 in an IDR picture
    rps: ReferencePictureSet = ReferencePictureSet()  # empty in an IDR picture
    temporal_mvp: bool = False
    sao_luma: bool = False
    sao_chroma: bool = False
    num_ref_idx: tuple[int, int] = (0, 0)  # active entries of each list, 1..15 where the slice type has the list
    list_entries: tuple[tuple[int, ...] | None, tuple[int, ...] | None] = (None, None)  # modified order, if it is
    mvd_l1_zero: bool = False
    cabac_init_flag: bool = False
    collocated_from_l0: bool = True
    collocated_ref_idx: int = 0
    five_minus_max_num_merge_cand: int = 0  # 0..4
    qp: int = 26  # SliceQpY, -QpBdOffset..51
    cb_qp_offset: int = 0  # of the slice, beside the one of the picture parameter set
    cr_qp_offset: int = 0
    deblocking_disabled: bool = False
    beta_offset_div2: int = 0
    tc_offset_div2: int = 0
    loop_filter_across_slices: bool = False
    extension: bytes = b""  # with learned tools: their switches for this picture


def num_lists(slice_type: int) -> int:
    """Reference picture lists that a slice type has."""
    return 2 - slice_type


def _code_order_count(coder: Coder, header: SliceHeader, sps: Sps) -> dict[str, Any]:
    """POC and reference picture set of a picture that is no IDR, as fields of SliceHeader."""
    out: dict[str, Any] = {"poc_lsb": coder.u(sps.log2_max_poc_lsb, header.poc_lsb, "slice_pic_order_cnt_lsb")}
    listed = header.rps in sps.rps_list
    if coder.flag(listed, "short_term_ref_pic_set_sps_flag"):
        if not sps.rps_list:
            coder.fail("no reference picture set to choose from", "short_term_ref_pic_set_sps_flag")
        index = sps.rps_list.index(header.rps) if listed else 0
        bits = (len(sps.rps_list) - 1).bit_length()
        index = coder.u(bits, index, "short_term_ref_pic_set_idx", 0, len(sps.rps_list) - 1)
        out["rps"] = sps.rps_list[index]
    else:
        out["rps"] = code_rps(coder, header.rps, sps.rps_list, sps.max_dec_pic_buffering - 1, in_slice=True)
    if sps.temporal_mvp:
        out["temporal_mvp"] = coder.flag(header.temporal_mvp, "slice_temporal_mvp_enabled_flag")
    return out


def _code_lists(coder: Coder, header: SliceHeader, pps: Pps, num_used: int) -> dict[str, Any]:
    """Sizes of the lists and modifications of their order, as fields of SliceHeader."""
    count = num_lists(header.slice_type)
    default = pps.num_ref_idx_default[:count] + (0,) * (2 - count)
    num_ref_idx = default
    if coder.flag(header.num_ref_idx != default, "num_ref_idx_active_override_flag"):
        sizes = [
            coder.ue(n - 1, f"num_ref_idx_l{side}_active_minus1", 0, 14) + 1
            for side, n in enumerate(header.num_ref_idx[:count])
        ]
        num_ref_idx = (*sizes, *(0,) * (2 - count))
    if num_used == 0:
        coder.fail("an inter slice without reference pictures", "num_ref_idx_active_override_flag")
    entries: list[tuple[int, ...] | None] = [None, None]
    if pps.lists_modification_present and num_used > 1:
        bits = (num_used - 1).bit_length()
        for side in range(count):
            order = header.list_entries[side]
            if coder.flag(order is not None, f"ref_pic_list_modification_flag_l{side}"):
                order = order if order is not None and not coder.reading else (0,) * num_ref_idx[side]
                entries[side] = tuple(coder.u(bits, entry, f"list_entry_l{side}", 0, num_used - 1) for entry in order)
    return {"num_ref_idx": num_ref_idx, "list_entries": tuple(entries)}


def _code_inter(coder: Coder, header: SliceHeader, pps: Pps, temporal_mvp: bool, num_used: int) -> dict[str, Any]:
    """What only P and B slices have, as fields of SliceHeader; `header.slice_type` is already the slice's."""
    is_b = header.slice_type == SLICE_B
    out: dict[str, Any] = _code_lists(coder, header, pps, num_used)
    if is_b:
        out["mvd_l1_zero"] = coder.flag(header.mvd_l1_zero, "mvd_l1_zero_flag")
    if pps.cabac_init_present:
        out["cabac_init_flag"] = coder.flag(header.cabac_init_flag, "cabac_init_flag")
    if temporal_mvp:
        from_l0 = True
        if is_b:
            from_l0 = out["collocated_from_l0"] = coder.flag(header.collocated_from_l0, "collocated_from_l0_flag")
        size = out["num_ref_idx"][0 if from_l0 else 1]
        if size > 1:
            out["collocated_ref_idx"] = coder.ue(header.collocated_ref_idx, "collocated_ref_idx", 0, size - 1)
    out["five_minus_max_num_merge_cand"] = coder.ue(
        header.five_minus_max_num_merge_cand, "five_minus_max_num_merge_cand", 0, 4
    )
    return out


def _code_deblocking(coder: Coder, header: SliceHeader, pps: Pps) -> dict[str, Any]:
    """Deblocking of the slice, as fields of SliceHeader: those of the picture parameter set or overriding them."""
    names = ("deblocking_disabled", "beta_offset_div2", "tc_offset_div2")
    out: dict[str, Any] = {name: getattr(pps, name) for name in names}
    if not pps.deblocking_override_enabled:
        return out
    if coder.flag(any(getattr(header, name) != out[name] for name in names), "deblocking_filter_override_flag"):
        disabled = coder.flag(header.deblocking_disabled, "slice_deblocking_filter_disabled_flag")
        out["deblocking_disabled"] = disabled
        if not disabled:
            out["beta_offset_div2"] = coder.se(header.beta_offset_div2, "slice_beta_offset_div2", -6, 6)
            out["tc_offset_div2"] = coder.se(header.tc_offset_div2, "slice_tc_offset_div2", -6, 6)
    return out


def code_slice_header(
    coder: Coder, nal_type: int, parameter_sets: "ParameterSets", header: SliceHeader = SliceHeader()
) -> SliceHeader:
    """Write `header`, or read one, up to the start of the slice data: see codecsim.syntax.bits.

    Parameters
    ----------
    coder : BitWriter or BitReader
    nal_type : int, type of the slice's NAL unit
    parameter_sets : ParameterSets that the slice may refer to
    header : SliceHeader, ignored when reading

    Returns
    -------
    SliceHeader; with a BitReader the slice data begin at `coder.byte_position`
    """
    coder.only_u(1, 1, "first_slice_segment_in_pic_flag", "more than one slice in a picture")
    out: dict[str, Any] = {}
    if is_irap(nal_type):
        name = "no_output_of_prior_pics_flag"
        out["no_output_of_prior_pics"] = coder.flag(header.no_output_of_prior_pics, name)
    out["pps_id"] = coder.ue(header.pps_id, "slice_pic_parameter_set_id", 0, 63)
    pps, sps = parameter_sets.find(coder, out["pps_id"])
    coder.u(pps.num_extra_slice_header_bits, 0, "slice_reserved_flag")
    slice_type = out["slice_type"] = coder.ue(header.slice_type, "slice_type", 0, 2)
    if slice_type != SLICE_I and is_irap(nal_type):
        coder.fail("an inter slice in a random access picture", "slice_type")
    if pps.output_flag_present:
        out["pic_output"] = coder.flag(header.pic_output, "pic_output_flag")
    if not is_idr(nal_type):
        out |= _code_order_count(coder, header, sps)
    if sps.sao:
        out["sao_luma"] = coder.flag(header.sao_luma, "slice_sao_luma_flag")
        out["sao_chroma"] = coder.flag(header.sao_chroma, "slice_sao_chroma_flag")
    if slice_type != SLICE_I:
        typed = dataclasses.replace(header, slice_type=slice_type)
        num_used = out["rps"].num_used
        out |= _code_inter(coder, typed, pps, out.get("temporal_mvp", False), num_used)
    low, high = sps.min_qp - pps.init_qp, 51 - pps.init_qp
    out["qp"] = coder.se(header.qp - pps.init_qp, "slice_qp_delta", low, high) + pps.init_qp
    if pps.slice_chroma_qp_offsets_present:
        out["cb_qp_offset"] = coder.se(header.cb_qp_offset, "slice_cb_qp_offset", -12, 12)
        out["cr_qp_offset"] = coder.se(header.cr_qp_offset, "slice_cr_qp_offset", -12, 12)
        for kind in ("cb", "cr"):
            if abs(out[f"{kind}_qp_offset"] + getattr(pps, f"{kind}_qp_offset")) > 12:
                coder.fail("the chroma QP offsets of picture and slice sum to more than 12", f"slice_{kind}_qp_offset")
    out |= _code_deblocking(coder, header, pps)
    out["loop_filter_across_slices"] = pps.loop_filter_across_slices
    sao = out.get("sao_luma") or out.get("sao_chroma")
    if pps.loop_filter_across_slices and (sao or not out["deblocking_disabled"]):
        name = "slice_loop_filter_across_slices_enabled_flag"
        out["loop_filter_across_slices"] = coder.flag(header.loop_filter_across_slices, name)
    if pps.slice_header_extension_present:
        length = coder.ue(len(header.extension), "slice_segment_header_extension_length", 0, 256)
        out["extension"] = coder.octets(length, header.extension, "slice_segment_header_extension_data_byte")
    coder.trailing_bits("byte_alignment")
    return SliceHeader(**out)
