"""Normative. Parameter sets as a stream activates them, and one place to import all headers from."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from codecsim.errors import BitstreamError
from codecsim.syntax import nal as nal_units
from codecsim.syntax.bits import BitReader, BitWriter, Coder, ElementLog
from codecsim.syntax.headers_picture import Pps, code_pps
from codecsim.syntax.headers_rps import ReferencePictureSet
from codecsim.syntax.headers_sequence import (
    PROFILE_LEARNED,
    PROFILE_MAIN,
    PROFILE_MAIN_10,
    LearnedTools,
    Sps,
    ToolSettings,
    Vps,
    Vui,
    choose_level,
    code_sps,
    code_vps,
)
from codecsim.syntax.headers_slice import SLICE_B, SLICE_I, SLICE_P, SliceHeader, code_slice_header, num_lists
from codecsim.syntax.nal import NalUnit

__all__ = [
    "PROFILE_LEARNED",
    "PROFILE_MAIN",
    "PROFILE_MAIN_10",
    "SLICE_B",
    "SLICE_I",
    "SLICE_P",
    "LearnedTools",
    "ParameterSets",
    "Pps",
    "ReferencePictureSet",
    "SliceHeader",
    "Sps",
    "ToolSettings",
    "Vps",
    "Vui",
    "choose_level",
    "code_pps",
    "code_slice_header",
    "code_sps",
    "code_vps",
    "make_vps",
    "num_lists",
    "read_slice_header",
    "refuse_missing_tools",
    "write_parameter_sets",
]


class ParameterSets:
    """The parameter sets received so far, by number; a later one replaces an earlier one.

    Attributes
    ----------
    vps, sps, pps : dict of int to Vps, Sps, Pps
    """

    def __init__(self, vps: tuple[Any, ...] = (), sps: Sequence[Sps] = (), pps: Sequence[Pps] = ()):
        self.vps = {v.vps_id: v for v in vps}
        self.sps = {s.sps_id: s for s in sps}
        self.pps = {p.pps_id: p for p in pps}

    def receive(self, nal: NalUnit, trace: ElementLog | None = None) -> Pps | Sps | Vps:
        """Read a parameter set from a NalUnit of type VPS, SPS or PPS and keep it; returns it.

        Raises
        ------
        BitstreamError : broken, or something that is not supported
        """
        coder = BitReader(nal.rbsp, nal.byte + 2, trace)
        if nal.type == nal_units.VPS:
            vps = code_vps(coder)
            self.vps[vps.vps_id] = vps
            return vps
        if nal.type == nal_units.SPS:
            sps = code_sps(coder)
            self.sps[sps.sps_id] = sps
            return sps
        if nal.type == nal_units.PPS:
            pps = code_pps(coder)
            self.pps[pps.pps_id] = pps
            return pps
        raise BitstreamError(f"NAL unit type {nal.type} is no parameter set", "nal_unit_type", nal.byte)

    def find(self, coder: Coder, pps_id: int) -> tuple[Pps, Sps]:
        """(Pps, Sps) that a slice names; `coder` reports what is missing."""
        pps = self.pps.get(pps_id)
        if pps is None:
            coder.fail(f"picture parameter set {pps_id} has not been sent", "slice_pic_parameter_set_id")
        sps = self.sps.get(pps.sps_id)
        if sps is None:
            coder.fail(f"sequence parameter set {pps.sps_id} has not been sent", "pps_seq_parameter_set_id")
        return pps, sps


def read_slice_header(
    nal: NalUnit, parameter_sets: ParameterSets, trace: ElementLog | None = None
) -> tuple[SliceHeader, int]:
    """Header of a slice's NalUnit.

    Returns
    -------
    (SliceHeader, int) : the header, and where in `nal.rbsp` the slice data begin, bytes
    """
    coder = BitReader(nal.rbsp, nal.byte + 2, trace)
    header = code_slice_header(coder, nal.type, parameter_sets)
    return header, coder.byte_position


def refuse_missing_tools(pps: Pps) -> None:
    """Raise BitstreamError if a picture uses a tool that can be read from its headers but not yet decoded."""
    if pps.log2_parallel_merge_level > 2:
        raise BitstreamError("parallel merge estimation is not supported", "log2_parallel_merge_level_minus2")


def _rbsp(code: Callable[..., Any], value: Pps | Sps | Vps, trace: ElementLog | None) -> bytes:
    coder = BitWriter(trace)
    if code(coder, value) != value:
        raise ValueError(f"{value} says something that the syntax cannot carry")
    return coder.to_bytes()


def write_parameter_sets(vps: Vps, sps: Sps, pps: Pps, trace: Any = None) -> bytes:
    """Bytes of the three NAL units that precede a picture where decoding can begin.

    trace : tracing.Tracer, optional

    Raises
    ------
    ValueError : a value is out of range
    """
    data = b""
    for nal_type, code, value in (
        (nal_units.VPS, code_vps, vps),
        (nal_units.SPS, code_sps, sps),
        (nal_units.PPS, code_pps, pps),
    ):
        if trace is not None:
            trace.begin_unit(nal_type)
        data += nal_units.write_nal_unit(nal_type, _rbsp(code, value, trace), long_start=True)
    return data


def make_vps(sps: Sps) -> Vps:
    """The video parameter set that goes with a sequence parameter set."""
    fields = [field.name for field in dataclasses.fields(Vps)]
    return Vps(**{name: getattr(sps, name) for name in fields})
