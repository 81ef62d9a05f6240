"""Normative. What the headers say about a picture, as the kernels take it."""

from typing import NamedTuple

from codecsim.picture.blocks import CTU_LOG2
from codecsim.syntax.headers import TOOL_FILTER, TOOL_INTRA, TOOL_OBMC, num_lists
from codecsim.syntax.slice_data import SliceSyntax


class SliceTools(NamedTuple):
    """What the headers say about a picture, ready for the kernels."""

    syntax: SliceSyntax
    cabac_init_type: int  # initType: 0 in I slices; 1 in P and 2 in B slices, or the other way round
    qp: int  # SliceQpY
    cb_qp_offset: int  # picture and slice
    cr_qp_offset: int
    deblocking: bool
    beta_offset_div2: int
    tc_offset_div2: int


def slice_tools(header, sps, pps, tools, experts):
    """`SliceTools` of a slice.

    tools : int, TOOL_* bits of what this picture has beyond the standard
    experts : int, how many the prediction filter of the sequence has
    """
    syntax = SliceSyntax(
        slice_type=header.slice_type,
        max_merge_cand=5 - header.five_minus_max_num_merge_cand,
        num_ref_l0=header.num_ref_idx[0] if num_lists(header.slice_type) > 0 else 0,
        num_ref_l1=header.num_ref_idx[1] if num_lists(header.slice_type) > 1 else 0,
        mvd_l1_zero=int(header.mvd_l1_zero),
        sign_hiding=int(pps.sign_data_hiding),
        max_depth_intra=sps.max_transform_hierarchy_depth_intra,
        max_depth_inter=sps.max_transform_hierarchy_depth_inter,
        amp=int(sps.amp),
        experts=experts if tools & TOOL_FILTER else 0,
        obmc_on=int(tools & TOOL_OBMC > 0),
        intra_filter_on=int(tools & TOOL_INTRA > 0),
        sao_luma=int(header.sao_luma),
        sao_chroma=int(header.sao_chroma),
        bit_depth=sps.bit_depth,
        transform_skip=int(pps.transform_skip),
        qp_delta=int(pps.cu_qp_delta),
        group_log2=CTU_LOG2 - pps.diff_cu_qp_delta_depth,
    )
    init_type = 2 - header.slice_type
    return SliceTools(
        syntax,
        3 - init_type if header.cabac_init_flag else init_type,
        header.qp,
        pps.cb_qp_offset + header.cb_qp_offset,
        pps.cr_qp_offset + header.cr_qp_offset,
        not header.deblocking_disabled,
        header.beta_offset_div2,
        header.tc_offset_div2,
    )
