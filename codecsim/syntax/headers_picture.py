"""Normative. Picture parameter set (H.265 clause 7.3.2.3). What the decoder does not support is refused by name."""

import dataclasses
from typing import Any

from codecsim.picture.planes import BIT_DEPTHS
from codecsim.syntax.bits import Coder
from codecsim.syntax.headers_sequence import Sps

# the sequence's bit depth need not be known yet: the slice's QP is checked against it
_MIN_QP = Sps(bit_depth=max(BIT_DEPTHS)).min_qp


@dataclasses.dataclass(frozen=True)
class Pps:
    """Picture parameter set."""

    pps_id: int = 0  # 0..63
    sps_id: int = 0  # 0..15
    output_flag_present: bool = False
    num_extra_slice_header_bits: int = 0  # 0..7
    sign_data_hiding: bool = False
    cabac_init_present: bool = False
    num_ref_idx_default: tuple[int, int] = (1, 1)  # active entries of each list, 1..15
    init_qp: int = 26  # SliceQpY before its slice's difference, -QpBdOffset..51
    transform_skip: bool = False
    cu_qp_delta: bool = False
    diff_cu_qp_delta_depth: int = 0  # 0..3: quantisation groups are 64 >> this
    cb_qp_offset: int = 0  # -12..12
    cr_qp_offset: int = 0
    slice_chroma_qp_offsets_present: bool = False
    loop_filter_across_slices: bool = False  # nothing to decide with one slice a picture
    deblocking_override_enabled: bool = False
    deblocking_disabled: bool = False
    beta_offset_div2: int = 0  # -6..6
    tc_offset_div2: int = 0
    lists_modification_present: bool = False
    log2_parallel_merge_level: int = 2  # 2..6; 2: off
    slice_header_extension_present: bool = False


def _code_deblocking(coder: Coder, pps: Pps) -> dict[str, Any]:
    """Deblocking control, as fields of Pps."""
    out: dict[str, Any] = {}
    wanted = (
        pps.deblocking_override_enabled,
        pps.deblocking_disabled,
        pps.beta_offset_div2,
        pps.tc_offset_div2,
    )
    if not coder.flag(any(wanted), "deblocking_filter_control_present_flag"):
        return out
    out["deblocking_override_enabled"] = coder.flag(wanted[0], "deblocking_filter_override_enabled_flag")
    out["deblocking_disabled"] = coder.flag(wanted[1], "pps_deblocking_filter_disabled_flag")
    if not out["deblocking_disabled"]:
        out["beta_offset_div2"] = coder.se(wanted[2], "pps_beta_offset_div2", -6, 6)
        out["tc_offset_div2"] = coder.se(wanted[3], "pps_tc_offset_div2", -6, 6)
    return out


def code_pps(coder: Any, pps: Pps = Pps()) -> Pps:
    """Write `pps`, or read one: see codecsim.syntax.bits."""
    out: dict[str, Any] = {
        "pps_id": coder.ue(pps.pps_id, "pps_pic_parameter_set_id", 0, 63),
        "sps_id": coder.ue(pps.sps_id, "pps_seq_parameter_set_id", 0, 15),
    }
    coder.only_u(1, 0, "dependent_slice_segments_enabled_flag", "dependent slice segments")
    out["output_flag_present"] = coder.flag(pps.output_flag_present, "output_flag_present_flag")
    out["num_extra_slice_header_bits"] = coder.u(3, pps.num_extra_slice_header_bits, "num_extra_slice_header_bits")
    out["sign_data_hiding"] = coder.flag(pps.sign_data_hiding, "sign_data_hiding_enabled_flag")
    out["cabac_init_present"] = coder.flag(pps.cabac_init_present, "cabac_init_present_flag")
    out["num_ref_idx_default"] = tuple(
        coder.ue(count - 1, f"num_ref_idx_l{side}_default_active_minus1", 0, 14) + 1
        for side, count in enumerate(pps.num_ref_idx_default)
    )
    out["init_qp"] = coder.se(pps.init_qp - 26, "init_qp_minus26", _MIN_QP - 26, 25) + 26
    coder.only_u(1, 0, "constrained_intra_pred_flag", "constrained intra prediction")
    out["transform_skip"] = coder.flag(pps.transform_skip, "transform_skip_enabled_flag")
    out["cu_qp_delta"] = coder.flag(pps.cu_qp_delta, "cu_qp_delta_enabled_flag")
    if out["cu_qp_delta"]:
        out["diff_cu_qp_delta_depth"] = coder.ue(pps.diff_cu_qp_delta_depth, "diff_cu_qp_delta_depth", 0, 3)
    out["cb_qp_offset"] = coder.se(pps.cb_qp_offset, "pps_cb_qp_offset", -12, 12)
    out["cr_qp_offset"] = coder.se(pps.cr_qp_offset, "pps_cr_qp_offset", -12, 12)
    out["slice_chroma_qp_offsets_present"] = coder.flag(
        pps.slice_chroma_qp_offsets_present, "pps_slice_chroma_qp_offsets_present_flag"
    )
    coder.only_u(1, 0, "weighted_pred_flag", "weighted prediction")
    coder.only_u(1, 0, "weighted_bipred_flag", "weighted bi-prediction")
    coder.only_u(1, 0, "transquant_bypass_enabled_flag", "lossless coding (transform and quantisation bypass)")
    coder.only_u(1, 0, "tiles_enabled_flag", "coding in tiles")
    coder.only_u(1, 0, "entropy_coding_sync_enabled_flag", "wavefront parallel coding")
    out["loop_filter_across_slices"] = coder.flag(
        pps.loop_filter_across_slices, "pps_loop_filter_across_slices_enabled_flag"
    )
    out |= _code_deblocking(coder, pps)
    coder.only_u(1, 0, "pps_scaling_list_data_present_flag", "a scaling list")
    out["lists_modification_present"] = coder.flag(pps.lists_modification_present, "lists_modification_present_flag")
    out["log2_parallel_merge_level"] = (
        coder.ue(pps.log2_parallel_merge_level - 2, "log2_parallel_merge_level_minus2", 0, 4) + 2
    )
    out["slice_header_extension_present"] = coder.flag(
        pps.slice_header_extension_present, "slice_segment_header_extension_present_flag"
    )
    if coder.flag(False, "pps_extension_present_flag"):
        coder.only_u(1, 0, "pps_range_extension_flag", "the range extensions")
        coder.only_u(1, 0, "pps_multilayer_extension_flag", "the multilayer extension")
        coder.only_u(1, 0, "pps_3d_extension_flag", "the 3D extension")
        coder.only_u(1, 0, "pps_scc_extension_flag", "the screen content extensions")
        if coder.u(4, 0, "pps_extension_4bits"):
            return Pps(**out)  # data of a later edition, to be ignored with what follows
    coder.trailing_bits()
    return Pps(**out)
