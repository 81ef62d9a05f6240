"""The encoder's picture loop: search, learned filter, reconstruction, writing.  Mirror image of decoder.py."""

import dataclasses
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from codecsim.codec.active_tools import resolve_tools
from codecsim.codec.config import EncoderConfig
from codecsim.codec.implementations import make_filters
from codecsim.codec.picture_codec import PictureCodec
from codecsim.codec.reports import PictureReport, bits_by_part
from codecsim.codec.structure import (
    GOPS,
    PictureStructure,
    coding_structure,
    dpb_size,
    picture_lambda,
    picture_qp,
    reference_picture_sets,
)
from codecsim.entropy.cabac import ENCODE, finish_encoder, make_coder, start_encoder
from codecsim.errors import CodecError
from codecsim.kernels.binding import bind
from codecsim.picture.dpb import DecodedPictureBuffer
from codecsim.picture.hashes import hash_picture
from codecsim.picture.metrics import frame_psnr
from codecsim.picture.planes import Frame, VideoFormat, change_bit_depth, planes_from_frame
from codecsim.search.choices import PictureChoices
from codecsim.syntax import nal as nal_units
from codecsim.syntax.bits import BitWriter
from codecsim.syntax.headers import (
    PROFILE_LEARNED,
    PROFILE_MAIN,
    PROFILE_MAIN_10,
    SLICE_B,
    SLICE_I,
    LearnedTools,
    ParameterSets,
    Pps,
    SliceHeader,
    Sps,
    Vui,
    choose_level,
    code_slice_header,
    make_vps,
    write_parameter_sets,
)
from codecsim.syntax.sei import LearnerHash, PictureHash, write_sei
from codecsim.syntax.tool_switches import picture_switches, usable_tools

_USUAL_LISTS = {"ai": (1, 1), "ldp": (4, 1), "ldb": (4, 4), "ra": (2, 2)}  # entries, unless a slice says otherwise
NO_FILTERS: Mapping[str, Any] = MappingProxyType({})
_TEMPORAL_ID = 0  # the test conditions have no temporal sub-layers


@dataclasses.dataclass(frozen=True)
class CodedPicture:
    """One access unit."""

    index: int  # in output order
    data: bytes  # Annex B NAL units, parameter sets included where decoding can begin
    recon: Frame  # what a decoder outputs
    report: PictureReport


def encode(
    config: EncoderConfig,
    video_format: VideoFormat,
    frames: Iterable[Frame],
    trace: Any = None,
    filters: Mapping[str, Any] = NO_FILTERS,
) -> Iterator[CodedPicture]:
    """Encode a sequence, one picture at a time.

    Parameters
    ----------
    config : EncoderConfig
    video_format : VideoFormat of the input
    frames : pictures of that format in output order; they are coded at the bit depth of `internal_format`
    trace : tracing.tracer.Tracer that takes every syntax element that is written, optional
    filters : functions that make filters of one's own, by the tool that they replace, see learned.own_filters; decoders
        refuse the stream unless they are given the like

    Yields
    ------
    CodedPicture, in coding order

    Raises
    ------
    CodecError : an impossible setting, or weights that are missing
    """
    coded_format = internal_format(config, video_format)
    encoder = Encoder(config, coded_format, trace, filters)
    for structure, frame in coding_structure(config.config, frames, intra_period=config.intra_period):
        yield encoder.encode(structure, change_bit_depth(frame, video_format.bit_depth, coded_format.bit_depth))
    if trace is not None:
        trace.finish()


def internal_format(config: EncoderConfig, video_format: VideoFormat) -> VideoFormat:
    """The `VideoFormat` that is coded: the input's, at the internal bit depth."""
    return dataclasses.replace(video_format, bit_depth=config.hevc.internal_bit_depth or video_format.bit_depth)


def make_sps(config: EncoderConfig, video_format: VideoFormat, learned: LearnedTools | None) -> Sps:
    """Sequence parameter set of an encoding.

    Parameters
    ----------
    config : EncoderConfig
    video_format : VideoFormat of the coded samples
    learned : LearnedTools or None
    """
    width, height = video_format.coded_width, video_format.coded_height
    effort = config.search
    fps = video_format.fps
    standard_profile = PROFILE_MAIN if video_format.bit_depth == 8 else PROFILE_MAIN_10
    return Sps(
        width=width,
        height=height,
        crop_right=width - video_format.width,
        crop_bottom=height - video_format.height,
        bit_depth=video_format.bit_depth,
        profile_idc=standard_profile if learned is None else PROFILE_LEARNED,
        level_idc=choose_level(width, height, fps),
        max_dec_pic_buffering=dpb_size(config.config),
        max_num_reorder=GOPS[config.config].max_num_reorder,
        max_transform_hierarchy_depth_inter=effort.transform_depth,
        max_transform_hierarchy_depth_intra=effort.transform_depth,
        amp=effort.amp,
        sao=effort.sao,
        rps_list=reference_picture_sets(config.config),
        vui=Vui(num_units_in_tick=fps.denominator, time_scale=fps.numerator),
        learned=learned,
    )


class Encoder:
    """State from one picture to the next.

    Attributes
    ----------
    codec : PictureCodec, which after `encode` still holds the picture
    """

    def __init__(self, config: EncoderConfig, video_format: VideoFormat, trace: Any = None, filters: Any = NO_FILTERS):
        self._trace = trace
        self._config = config
        self._format = video_format
        tools = resolve_tools(config, own=filters)
        hevc = config.hevc
        self._sps = make_sps(config, video_format, tools.announcement())
        self._pps = Pps(
            init_qp=config.qp,
            sign_data_hiding=True,
            num_ref_idx_default=_USUAL_LISTS[config.config],
            transform_skip=hevc.transform_skip,
            cu_qp_delta=hevc.adaptive_qp > 0,
            diff_cu_qp_delta_depth=int(np.log2(64 // hevc.qp_group)) if hevc.adaptive_qp else 0,
            slice_header_extension_present=self._sps.learned is not None,
        )
        self._sets = ParameterSets(sps=[self._sps], pps=[self._pps])
        self._dpb = DecodedPictureBuffer()
        self.codec = PictureCodec(self._sps, make_filters(tools, self._sps, config.threads, filters))
        if trace is not None and trace.observer is not None:
            self.codec.observers = [trace.observer]
        self._choices = PictureChoices(self.codec, config)
        # more than any slice can need: a coded picture is far smaller than twice its samples
        buffer = np.zeros(self._sps.width * self._sps.height * 4 + 4096, np.uint8)
        self._coder = bind(make_coder(buffer, traced=trace is not None))

    def encode(self, structure: PictureStructure, frame: Frame) -> CodedPicture:
        """Code one picture."""
        started = time.perf_counter()
        codec = self.codec
        if structure.is_idr:
            codec.reset_learners()
        tools = usable_tools(self._sps.tools, structure.slice_type != SLICE_I)
        header = self._header(structure, tools)
        current = self._dpb.begin(structure.nal_type, _TEMPORAL_ID, header, self._sps)
        assert current is not None  # an encoder skips none
        codec.begin(current, header, self._pps, tools)
        orig = planes_from_frame(frame, self._format)
        self._choices.predict(orig, picture_lambda(structure, header.qp, self._sps.bit_depth))
        codec.complete(self._choices.choose)
        payload = self._write_slice_data()
        messages = [hash_picture(current.picture, self._config.hash, self._sps.bit_depth)]
        if codec.learns:
            messages.append(LearnerHash(codec.learner_digest()))
        header = dataclasses.replace(header, **codec.header_fields(tools))
        data, slice_bits, hash_bits = self._assemble(structure, header, payload, messages)
        units = self._choices.units()
        data += b"".join(units.values())
        self._dpb.end(current.picture)
        self._dpb.take_output()
        recon = current.picture.crop(self._format)
        psnr = frame_psnr(frame, recon, self._format.bit_depth)
        report = PictureReport(
            poc=structure.poc,
            type="BPI"[structure.slice_type],
            qp=header.qp,
            bits=8 * len(data) - hash_bits,
            hash_bits=hash_bits,
            psnr_y=psnr[0],
            psnr_u=psnr[1],
            psnr_v=psnr[2],
            parts=bits_by_part(8 * len(data) - hash_bits, slice_bits, self._coder.value.parts),
            picture_hash="".join(value.hex() for value in messages[0].values),
        )
        for part, unit in units.items():
            report.take_from_headers(part, 8 * len(unit))
        codec.report(report)
        report.seconds = time.perf_counter() - started
        return CodedPicture(structure.index, data, recon, report)

    def _header(self, structure: PictureStructure, tools: int) -> SliceHeader:
        is_inter = structure.slice_type != SLICE_I
        list0, list1 = structure.list_pocs
        return SliceHeader(
            slice_type=structure.slice_type,
            poc_lsb=structure.poc % (1 << self._sps.log2_max_poc_lsb),
            rps=structure.rps,
            temporal_mvp=is_inter,
            num_ref_idx=structure.num_ref_idx,
            mvd_l1_zero=is_inter and list0 == list1,
            collocated_from_l0=structure.slice_type != SLICE_B,
            qp=picture_qp(self._config.qp, structure),
            extension=picture_switches(usable_tools(self._sps.tools, is_inter), tools),
        )

    def _write_slice_data(self) -> bytes:
        """Slice data of the picture in the codec's store."""
        codec, coder = self.codec, self._coder
        start_encoder(coder)
        codec.code_slice_data(ENCODE, coder, self._trace)
        size = finish_encoder(coder)
        if coder.value.reg.fault:
            raise CodecError(f"picture {codec.picture.poc}: the slice data do not fit their buffer")
        return coder.value.buf[:size].tobytes()

    def _assemble(
        self,
        structure: PictureStructure,
        header: SliceHeader,
        payload: bytes,
        messages: Sequence[LearnerHash | PictureHash],
    ) -> tuple[bytes, int, int]:
        """Bytes of the access unit, bits of its slice data, bits of its hashes."""
        parameter_sets = b""
        if nal_units.is_irap(structure.nal_type):
            parameter_sets = write_parameter_sets(make_vps(self._sps), self._sps, self._pps, self._trace)
        self._begin_unit(structure.nal_type)
        writer = BitWriter(self._trace)
        code_slice_header(writer, structure.nal_type, self._sets, header)
        if self._trace is not None:
            self._trace.begin_slice_data(structure.poc, writer.bit_position)
        rbsp = writer.to_bytes() + payload
        long_start = not parameter_sets
        coded = nal_units.write_nal_unit(structure.nal_type, rbsp, _TEMPORAL_ID, long_start)
        self._begin_unit(nal_units.SUFFIX_SEI)
        sei = nal_units.write_nal_unit(nal_units.SUFFIX_SEI, write_sei(messages, self._trace), _TEMPORAL_ID)
        return parameter_sets + coded + sei, 8 * len(payload), 8 * len(sei)

    def _begin_unit(self, nal_type: int) -> None:
        if self._trace is not None:
            self._trace.begin_unit(nal_type, temporal_id=_TEMPORAL_ID)
