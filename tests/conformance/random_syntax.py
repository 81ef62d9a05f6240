"""Streams whose every decision is random: what arithmetic decoding makes of random bytes, written again properly.

They reach what no encoder chooses: all partitions, vectors far outside the picture, lists in any order, levels of any
size, all header options that this decoder supports.
"""

import dataclasses

import numpy as np

from codecsim.codec.active_tools import ActiveTool, ActiveTools
from codecsim.codec.implementations import make_filters
from codecsim.codec.picture_codec import PictureCodec
from codecsim.codec.recon import derive_motion
from codecsim.entropy.cabac import DECODE, ENCODE, finish_encoder, make_coder, start_decoder, start_encoder
from codecsim.entropy.contexts import init_contexts
from codecsim.kernels.binding import bind
from codecsim.kernels.jit import kernel
from codecsim.picture.areas import Square
from codecsim.picture.blocks import CHOICE_EVERYWHERE, choose_nowhere
from codecsim.picture.dpb import DecodedPictureBuffer
from codecsim.picture.hashes import hash_picture
from codecsim.picture.planes import VideoFormat
from codecsim.syntax import nal as nal_units
from codecsim.syntax.bits import BitWriter
from codecsim.syntax.headers import (
    PROFILE_LEARNED,
    SLICE_B,
    SLICE_I,
    SLICE_P,
    ParameterSets,
    Pps,
    ReferencePictureSet,
    SliceHeader,
    Sps,
    code_slice_header,
    make_vps,
    write_parameter_sets,
)
from codecsim.syntax.sao import code_sao
from codecsim.syntax.sei import LearnerHash, write_sei
from codecsim.syntax.slice_data import code_quadtree, has_inter
from codecsim.syntax.tool_switches import picture_switches, usable_tools
from codecsim.tools import INTER_LUMA, INTRA, OVERLAP
from tests.conformance.clips import FPS
from tests.conformance.runs import Run

HELD = 4  # reference pictures at most
MAX_FILLED = 2  # pictures that follow the latest one in coding order and precede it in output order


def draw_sps(rng):
    """A sequence of small pictures."""
    width, height = (int(8 * rng.integers(1, 20)) for _ in range(2))
    reorder = MAX_FILLED * int(rng.integers(2))
    return Sps(
        width=width,
        height=height,
        crop_right=2 * int(rng.integers(0, 4)),
        crop_bottom=2 * int(rng.integers(0, 4)),
        bit_depth=int(rng.choice([8, 10])),
        log2_max_poc_lsb=int(rng.integers(4, 17)),
        max_num_reorder=reorder,
        max_dec_pic_buffering=HELD + reorder + 1,
        max_transform_hierarchy_depth_inter=int(rng.integers(0, 5)),
        max_transform_hierarchy_depth_intra=int(rng.integers(0, 5)),
        amp=bool(rng.integers(2)),
        sao=bool(rng.integers(2)),
        temporal_mvp=bool(rng.integers(4)),
        strong_intra_smoothing=bool(rng.integers(2)),
    )


def draw_pps(rng, sps):
    """Options of pictures."""
    disabled = bool(rng.integers(3) == 0)
    qp_delta = bool(rng.integers(2))
    return Pps(
        sign_data_hiding=bool(rng.integers(2)),
        cabac_init_present=bool(rng.integers(2)),
        num_ref_idx_default=(int(rng.integers(1, 16)), int(rng.integers(1, 16))),
        init_qp=int(rng.integers(sps.min_qp, 52)),
        transform_skip=bool(rng.integers(2)),
        cu_qp_delta=qp_delta,
        diff_cu_qp_delta_depth=int(rng.integers(4)) if qp_delta else 0,
        cb_qp_offset=int(rng.integers(-6, 7)),
        cr_qp_offset=int(rng.integers(-6, 7)),
        slice_chroma_qp_offsets_present=bool(rng.integers(2)),
        deblocking_override_enabled=bool(rng.integers(2)),
        deblocking_disabled=disabled,
        beta_offset_div2=0 if disabled else int(rng.integers(-6, 7)),
        tc_offset_div2=0 if disabled else int(rng.integers(-6, 7)),
        lists_modification_present=bool(rng.integers(2)),
    )


def draw_order_counts(rng, sps, count):
    """POC of pictures in coding order: ascending by leaps, some of which are filled before the next."""
    pocs, gap = [0], []
    while len(pocs) < count:
        if gap and rng.integers(3):
            pocs.append(gap.pop(int(rng.integers(len(gap)))))
            continue
        latest = max(pocs)
        largest = (1 << (sps.log2_max_poc_lsb - 2)) - 1
        pocs.append(latest + int(rng.integers(1, largest + 1) if rng.integers(2) else min(2, largest)))
        gap = list(range(latest + 1, pocs[-1]))
        gap = [int(poc) for poc in rng.permutation(gap)[: sps.max_num_reorder]]
    return pocs


def draw_lists(rng, sps, pps, slice_type, used, temporal_mvp):
    """What a header says of its reference picture lists: sizes, order, and which entry motion is taken from."""
    counts = pps.num_ref_idx_default if rng.integers(2) else tuple(int(n) for n in rng.integers(1, 16, 2))
    counts = (counts[0], counts[1] if slice_type == SLICE_B else 0)
    out = {"num_ref_idx": counts}
    if pps.lists_modification_present and used > 1:
        out["list_entries"] = tuple(
            tuple(int(n) for n in rng.integers(0, used, size)) if size and rng.integers(2) else None for size in counts
        )
    side = 0
    if slice_type == SLICE_B:
        out["mvd_l1_zero"] = bool(rng.integers(3) == 0)
        side = int(temporal_mvp and rng.integers(2))
        out["collocated_from_l0"] = side == 0
    if temporal_mvp:
        out["collocated_ref_idx"] = int(rng.integers(counts[side]))
    return out


def draw_header(rng, sps, pps, poc, held):
    """Header of the picture `poc`; held: POC of the pictures in the buffer."""
    out = {
        "qp": int(rng.integers(sps.min_qp, 52)),
        "beta_offset_div2": pps.beta_offset_div2,
        "tc_offset_div2": pps.tc_offset_div2,
    }
    out["deblocking_disabled"] = pps.deblocking_disabled
    if pps.deblocking_override_enabled and rng.integers(2):
        out["deblocking_disabled"] = bool(rng.integers(2))
        if not out["deblocking_disabled"]:
            out["beta_offset_div2"], out["tc_offset_div2"] = (int(n) for n in rng.integers(-6, 7, 2))
    if pps.slice_chroma_qp_offsets_present:
        out["cb_qp_offset"], out["cr_qp_offset"] = (int(n) for n in rng.integers(-6, 7, 2))
    if sps.sao:
        out["sao_luma"], out["sao_chroma"] = (bool(n) for n in rng.integers(0, 2, 2))
    if poc == 0:
        return SliceHeader(**out)
    out["poc_lsb"] = poc % (1 << sps.log2_max_poc_lsb)
    kept = [(ref - poc, bool(rng.integers(4))) for ref in sorted(held)]
    out["rps"] = ReferencePictureSet(
        tuple(entry for entry in reversed(kept) if entry[0] < 0), tuple(entry for entry in kept if entry[0] > 0)
    )
    used = out["rps"].num_used
    out["temporal_mvp"] = sps.temporal_mvp and bool(rng.integers(4))
    if used == 0 or rng.integers(8) == 0:
        return SliceHeader(**out)
    slice_type = out["slice_type"] = (SLICE_B, SLICE_P)[rng.integers(2)]
    out |= draw_lists(rng, sps, pps, slice_type, used, out["temporal_mvp"])
    out["cabac_init_flag"] = pps.cabac_init_present and bool(rng.integers(2))
    out["five_minus_max_num_merge_cand"] = int(rng.integers(0, 5))
    return SliceHeader(**out)


@kernel
def _read_units(cd, sl, blocks, motion, levels, sao):
    """slice_segment_data() as if it said nowhere that the slice ends."""
    h4, w4 = blocks.cu_log2.shape
    for uy in range(0, h4, 16):
        for ux in range(0, w4, 16):
            code_sao(DECODE, cd, sl, sao, uy >> 4, ux >> 4)
            code_quadtree(DECODE, cd, sl, blocks, motion, levels, Square(uy, ux, 6))


def draw_slice_data(rng, codec):
    """Fill the codec's store with what random bytes mean."""
    blocks, motion, levels = codec.blocks, codec.picture.motion, codec.levels
    bound = [bind(item) for item in (codec.slice.syntax, blocks, motion, levels, codec.sao)]
    size = codec.sps.width * codec.sps.height * 8 + 1024
    for attempt in range(20):
        random = rng.integers(0, 256, size, np.uint8)
        # runs of zeros and ones make long codes, and large blocks; too many make codes that are too long
        for start in rng.integers(0, size, size // 50 >> attempt):
            random[start : start + rng.integers(12)] = 255 * rng.integers(2)
        coder = bind(make_coder(random))
        start_decoder(coder, 0, size)
        init_contexts(coder.value.ctx, codec.slice.cabac_init_type, codec.slice.qp)
        _clear(codec)
        _read_units(coder, *bound)
        for plane in levels:  # -32768 and its opposite are not alike
            np.clip(plane, -32767, 32767, out=plane)
        far = rng.random(blocks.mvd.shape) < rng.choice([0, 0.05])
        blocks.mvd[far] = rng.integers(-32768, 32768, np.count_nonzero(far))
        if not coder.value.reg.fault:
            return
    raise AssertionError("random bytes ended in an error twenty times")


def _clear(codec):
    """Make the store ready to be read into."""
    choose_nowhere(codec.blocks.filtering)
    choose_nowhere(codec.blocks.overlap)
    codec.blocks.pred_mode[:], codec.picture.motion.ref_idx[:], codec.sao.type_idx[:] = 0, -1, 0
    for plane in codec.levels:
        plane[:] = 0


def random_stream(seed, count=4, watch=lambda codec, header: None, learn=None, obmc=False, intra=None):
    """`Run` of `count` pictures, all decisions from the seed; no reports.

    watch : function that is given the codec and the SliceHeader after each picture
    learn : InterLumaSettings, for a stream with the prediction filter
    obmc : bool, for a stream with overlapped motion compensation
    intra : ActiveTool, for a stream with the intra prediction filter
    """
    rng = np.random.default_rng(seed)
    sps = draw_sps(rng)
    pps = draw_pps(rng, sps)
    on = [ActiveTool(INTER_LUMA, learn)] if learn else []
    on += [ActiveTool(OVERLAP)] if obmc else []
    active = ActiveTools([*on, intra] if intra else on)
    if len(active):
        sps = dataclasses.replace(sps, profile_idc=PROFILE_LEARNED, learned=active.announcement())
        pps = dataclasses.replace(pps, slice_header_extension_present=True)
    width, height = sps.true_size
    video_format = VideoFormat(width, height, FPS, sps.bit_depth)
    sets, dpb = ParameterSets(sps=[sps], pps=[pps]), DecodedPictureBuffer()
    filters = make_filters(active, sps)
    codec = PictureCodec(sps, filters)
    data, recon = write_parameter_sets(make_vps(sps), sps, pps), []
    held = []
    for poc in draw_order_counts(rng, sps, count):
        nal_type = nal_units.TRAIL_R if poc else nal_units.IDR_W_RADL
        header = draw_header(rng, sps, pps, poc, held)
        tools = 0
        usable = usable_tools(sps.tools, header.slice_type != SLICE_I)
        if usable:
            tools = sum(tool.bit for tool in (INTER_LUMA, OVERLAP, INTRA) if usable & tool.bit and rng.integers(4))
            header = dataclasses.replace(header, extension=picture_switches(usable, tools))
        current = dpb.begin(nal_type, 0, header, sps)
        codec.begin(current, header, pps, tools)
        draw_slice_data(rng, codec)
        syntax = codec.slice.syntax
        for count, choice in ((syntax.experts, codec.blocks.filtering), (syntax.obmc_on, codec.blocks.overlap)):
            choice.where[0] = rng.integers(3)
            everywhere = rng.integers(count) + 1 if count else 0
            for place in np.ndindex(choice.taken.shape if count else (0, 0)):
                drawn = everywhere if choice.where[0] == CHOICE_EVERYWHERE else rng.integers(count + 1)
                choice.taken[place] = has_inter(codec.blocks, *place) and drawn
        payload = write_slice_data(codec)
        read_slice_data(codec, payload)
        derive_motion(codec.rc, codec.motion_context)
        codec.predict()
        codec.complete()
        watch(codec, header)
        writer = BitWriter()
        code_slice_header(writer, nal_type, sets, header)
        data += nal_units.write_nal_unit(nal_type, writer.to_bytes() + payload, long_start=True)
        messages = [hash_picture(current.picture, "md5", sps.bit_depth)]
        if learn:
            messages.append(LearnerHash(filters["inter_luma"].digest()))
        data += nal_units.write_nal_unit(nal_units.SUFFIX_SEI, write_sei(messages))
        dpb.end(current.picture)
        recon += [picture.crop(video_format) for picture in dpb.take_output()]
        held = [poc, *held][:HELD]
        if max(held) - min(held) > 60:
            held = held[:1]
    dpb.flush()
    recon += [picture.crop(video_format) for picture in dpb.take_output()]
    return Run(data, recon, [])


def write_slice_data(codec):
    """Bytes of the slice data in the codec's store."""
    coder = bind(make_coder(np.zeros(codec.sps.width * codec.sps.height * 16 + 4096, np.uint8)))
    start_encoder(coder)
    codec.code_slice_data(ENCODE, coder)
    size = finish_encoder(coder)
    assert not coder.value.reg.fault
    return coder.value.buf[:size].tobytes()


def read_slice_data(codec, payload):
    """What was written becomes what is stored: a hidden sign changes with the parity where a level was clipped."""
    _clear(codec)
    coder = bind(make_coder(np.frombuffer(payload, np.uint8).copy()))
    start_decoder(coder, 0, len(payload))
    codec.code_slice_data(DECODE, coder)
    assert not coder.value.reg.fault and write_slice_data(codec) == payload
