"""Normative. What the headers say about a picture, as the kernels take it."""

from collections.abc import Mapping
from typing import NamedTuple

from codecsim.picture.blocks import CTU_LOG2
from codecsim.syntax.headers import Pps, SliceHeader, Sps, num_lists
from codecsim.syntax.slice_data import SliceSyntax

_OFF = {"experts": 0, "obmc_on": 0, "intra_filter_on": 0, "sao_luma": 0, "sao_chroma": 0}


class SliceParameters(NamedTuple):
    """What the headers say about a picture, ready for the kernels."""

    syntax: SliceSyntax
    cabac_init_type: int  # initType: 0 in I slices; 1 in P and 2 in B slices, or the other way round
    qp: int  # SliceQpY
    cb_qp_offset: int  # picture and slice
    cr_qp_offset: int
    pps_cb_qp_offset: int  # of the picture alone
    pps_cr_qp_offset: int
    deblocking: bool
    beta_offset_div2: int
    tc_offset_div2: int


def slice_parameters(header: SliceHeader, sps: Sps, pps: Pps, flags: Mapping[str, int]) -> SliceParameters:
    """`SliceParameters` of a slice.

    flags : fields of SliceSyntax that the stages decide, 0 where there is no such stage: see Stage.begin
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
        bit_depth=sps.bit_depth,
        transform_skip=int(pps.transform_skip),
        qp_delta=int(pps.cu_qp_delta),
        group_log2=CTU_LOG2 - pps.diff_cu_qp_delta_depth,
        **{**_OFF, **flags},
    )
    init_type = 2 - header.slice_type
    return SliceParameters(
        syntax,
        3 - init_type if header.cabac_init_flag else init_type,
        header.qp,
        pps.cb_qp_offset + header.cb_qp_offset,
        pps.cr_qp_offset + header.cr_qp_offset,
        pps.cb_qp_offset,
        pps.cr_qp_offset,
        not header.deblocking_disabled,
        header.beta_offset_div2,
        header.tc_offset_div2,
    )
