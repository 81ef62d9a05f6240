"""The decoder's picture loop: parsing, learned filter, reconstruction, checking.  Mirror image of encoder.py."""

import dataclasses
import fractions
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np

from codecsim.codec.active_tools import read_tools
from codecsim.codec.implementations import make_filters
from codecsim.codec.picture_codec import PictureCodec
from codecsim.codec.recon import derive_motion
from codecsim.codec.reports import PictureReport, bits_by_part
from codecsim.entropy.cabac import DECODE, make_coder, start_decoder
from codecsim.errors import BitstreamError, MismatchError
from codecsim.kernels.binding import bind
from codecsim.picture.dpb import DecodedPictureBuffer
from codecsim.picture.hashes import hash_picture
from codecsim.picture.planes import Frame, Picture, VideoFormat
from codecsim.syntax import nal as nal_units
from codecsim.syntax.headers import SLICE_I, ParameterSets, read_slice_header, refuse_missing_tools
from codecsim.syntax.headers_sequence import Sps
from codecsim.syntax.nal import NalUnit
from codecsim.syntax.sei import LearnerHash, PictureHash, read_sei
from codecsim.syntax.tool_switches import read_switches, usable_tools

NO_FILTERS: Mapping[str, Any] = MappingProxyType({})
DEFAULT_FPS = fractions.Fraction(25)  # of a stream that does not say
_PLANES = ("Y", "Cb", "Cr")
_LEARNED_HASHES = (PictureHash, LearnerHash)  # what streams with learned tools carry for every picture


@dataclasses.dataclass(frozen=True)
class DecodedPicture:
    """One picture in output order."""

    coding_index: int  # in coding order
    frame: Frame
    video_format: VideoFormat
    report: PictureReport


def decode(
    stream: BinaryIO,
    check: bool = True,
    threads: int = 1,
    models: Sequence[str | os.PathLike] = (),
    observer: Any = None,
    trace: Any = None,
    filters: Mapping[str, Any] = NO_FILTERS,
) -> Iterator[DecodedPicture]:
    """Decode an Annex B stream, one picture at a time.

    Parameters
    ----------
    stream : binary file, read forward
    check : bool, compare the hashes that the stream carries
    threads : int, of the prediction filter; results do not depend on it
    models : files and folders where weights may be, beside those that ship with codecsim
    observer : inspection.observer.PictureObserver that looks on, or None; it changes nothing
    trace : tracing.tracer.Tracer that takes every syntax element, optional
    filters : functions that make the filters of one's own with which the stream was encoded: see learned.own_filters

    Yields
    ------
    DecodedPicture, in output order

    Raises
    ------
    BitstreamError : damaged, truncated or unsupported
    MismatchError : a picture or the learner's state is not what the encoder had
    ModelError : initial weights that are not here
    """
    decoder = _Decoder(check, threads, models, observer, trace, filters)
    try:
        for nal in nal_units.read_nal_units(stream):
            yield from decoder.receive(nal)
        yield from decoder.finish()
    finally:
        if trace is not None:
            trace.finish()


class _Decoder:
    """State from one NAL unit to the next.  A picture waits for the messages behind its slice before it is checked."""

    def __init__(
        self,
        check: bool,
        threads: int,
        models: Sequence[Any],
        observer: Any,
        trace: Any,
        filters: Any,
    ):
        self._filters = filters
        self._trace = trace
        self._check = check
        self._threads = threads
        self._models = models
        self._observer = observer
        self._sets = ParameterSets()
        self._dpb = DecodedPictureBuffer()
        self._codec: PictureCodec | None = None
        self._waiting: tuple[Picture, PictureReport] | None = None  # (picture, report) decoded but not yet checked
        self._expected_hashes: set[Any] = set()  # kinds of hashes that pictures have carried
        self._missing_hashes: set[Any] = set()  # those of the waiting picture that have not come yet
        self._reports: dict[Any, Any] = {}  # (place in coding order, report) by picture, until it is output
        self._decoded = 0  # pictures
        self._loose_bits = 0  # of units before the next slice
        self._last_byte = 0

    def receive(self, nal: NalUnit) -> Iterator[DecodedPicture]:
        """Take one NAL unit; yields the pictures that it completes."""
        self._last_byte = nal.byte
        if self._trace is not None:
            self._trace.begin_unit(nal.type, nal.layer_id, nal.temporal_id, nal.byte)
        if nal.layer_id > 0:
            return
        if nal_units.is_slice(nal.type):
            yield from self._complete()
            self._decode_slice(nal)
            return
        if nal.type == nal_units.SUFFIX_SEI and self._waiting:
            self._take_messages(nal)
            return
        if nal.type in (nal_units.VPS, nal_units.SPS, nal_units.PPS):
            yield from self._complete()
            self._sets.receive(nal, self._trace)
        elif nal.type == nal_units.EOS:
            yield from self._complete()
            self._dpb.end_of_sequence()
        self._loose_bits += 8 * nal.size

    def finish(self) -> Iterator[DecodedPicture]:
        """The stream has ended."""
        yield from self._complete(ended=True)
        self._dpb.flush()
        yield from self._output()
        if self._codec is None:
            raise BitstreamError("the stream holds no picture", byte=self._last_byte)

    def _activate(self, sps: Sps) -> None:
        """Make the codec ready for pictures of a sequence."""
        if self._codec is not None and self._codec.sps == sps:
            return
        tools = read_tools(sps, self._models, own=self._filters)
        self._codec = PictureCodec(sps, make_filters(tools, sps, self._threads, self._filters))
        self._codec.observers = [
            observer for observer in (self._observer, self._trace and self._trace.observer) if observer is not None
        ]

    def _decode_slice(self, nal: NalUnit) -> None:
        started = time.perf_counter()
        header, data_start = read_slice_header(nal, self._sets, self._trace)
        pps = self._sets.pps[header.pps_id]
        sps = self._sets.sps[pps.sps_id]
        refuse_missing_tools(pps)
        if nal_units.is_irap(nal.type):
            self._activate(sps)
        if self._codec is None or self._codec.sps != sps:
            raise BitstreamError("the sequence does not begin with a random access picture", "nal_unit_type", nal.byte)
        codec = self._codec
        usable = usable_tools(sps.tools, header.slice_type != SLICE_I)
        tools, order = read_switches(usable, header.extension, codec.takes_orders)
        if codec.learns and self._dpb.is_entered and not nal_units.is_idr(nal.type):
            raise BitstreamError(
                "decoding with learned tools can begin at an IDR picture only", "nal_unit_type", nal.byte
            )
        current = self._dpb.begin(nal.type, nal.temporal_id, header, sps)
        if current is None:
            self._loose_bits += 8 * nal.size
            return
        if nal_units.is_idr(nal.type):
            codec.reset_learners()
        codec.begin(current, header, pps, tools, order)
        parts = self._parse(codec, nal, data_start)
        derive_motion(codec.rc, codec.motion_context)
        codec.predict()
        codec.complete()
        self._dpb.end(current.picture)
        bits = self._loose_bits + 8 * nal.size
        self._loose_bits = 0
        report = PictureReport(
            poc=current.picture.poc,
            type="BPI"[header.slice_type],
            qp=header.qp,
            bits=bits,
            parts=bits_by_part(bits, 8 * (len(nal.rbsp) - data_start), parts),
        )
        codec.report(report)
        report.seconds = time.perf_counter() - started
        self._waiting = (current.picture, report)
        self._missing_hashes = set(_LEARNED_HASHES if codec.learns else self._expected_hashes)
        self._reports[id(current.picture)] = (self._decoded, report)
        self._decoded += 1

    def _parse(self, codec: PictureCodec, nal: NalUnit, data_start: int) -> np.ndarray:
        """Slice data into the codec's store; returns the model cost of their parts."""
        marks = None if self._observer is None else self._observer.begin(codec, 8 * data_start, 8 * len(nal.rbsp))
        coder = bind(make_coder(np.frombuffer(nal.rbsp, np.uint8).copy(), marks, self._trace is not None))
        if self._trace is not None:
            self._trace.begin_slice_data(codec.picture.poc)
        start_decoder(coder, data_start, len(nal.rbsp))
        for plane in codec.levels:
            plane[:] = 0
        codec.blocks.pred_mode[:] = 0
        codec.picture.motion.ref_idx[:] = -1
        done = codec.code_slice_data(DECODE, coder, self._trace)
        if done != codec.num_ctus or coder.value.reg.fault:
            raise BitstreamError(
                f"the slice data break at CTU {done} of {codec.num_ctus}",
                "slice_segment_data",
                nal.byte + 2 + int(coder.value.reg.pos),
                codec.picture.poc,
            )
        return coder.value.parts

    def _take_messages(self, nal: NalUnit) -> None:
        """Check the hashes in an SEI unit behind the waiting picture."""
        assert self._codec is not None and self._waiting is not None
        picture, report = self._waiting
        report.hash_bits += 8 * nal.size
        if not self._check:
            return
        for message in read_sei(nal, self._trace):
            self._expected_hashes.add(type(message))
            self._missing_hashes.discard(type(message))
            if isinstance(message, PictureHash):
                found = hash_picture(picture, message.method, self._codec.sps.bit_depth)
                wrong = [name for name, a, b in zip(_PLANES, found.values, message.values, strict=True) if a != b]
                if wrong:
                    raise MismatchError(
                        f"plane {wrong[0]} differs from the encoder's ({message.method})",
                        "decoded_picture_hash",
                        nal.byte,
                        picture.poc,
                    )
            elif self._codec.learns and self._codec.learner_digest() != message.digest:
                raise MismatchError(
                    "the learner's state differs from the encoder's", "learner_hash", nal.byte, picture.poc
                )

    def _complete(self, ended: bool = False) -> Iterator[DecodedPicture]:
        """The waiting picture, if any, has been checked: output what may be."""
        learns = self._codec is not None and self._codec.learns
        if self._check and self._waiting and self._missing_hashes and (ended or learns):
            raise BitstreamError(
                "the picture's hash is missing: the stream has been cut", byte=self._last_byte, poc=self._waiting[0].poc
            )
        self._waiting = None
        yield from self._output()

    def _output(self) -> Iterator[DecodedPicture]:
        for picture in self._dpb.take_output():
            coding_index, report = self._reports.pop(id(picture))
            sps = picture.sps
            width, height = sps.true_size
            fps = sps.vui.fps if sps.vui and sps.vui.fps else DEFAULT_FPS
            video_format = VideoFormat(width, height, fps, sps.bit_depth)
            yield DecodedPicture(coding_index, picture.crop(video_format), video_format, report)
