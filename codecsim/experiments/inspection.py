"""What a stream says about itself, without decoding its pictures."""

from typing import Any, BinaryIO

from codecsim.errors import BitstreamError, ConfigError
from codecsim.experiments.runs import plain
from codecsim.syntax import nal
from codecsim.syntax.headers import ParameterSets
from codecsim.syntax.headers_sequence import LearnedTools, Sps
from codecsim.tools import tools_of

_KINDS = {nal.VPS: "vps", nal.SPS: "sps", nal.PPS: "pps"}


def read_parameter_sets(stream: BinaryIO) -> dict:
    """Parameter sets of a stream, each different one once, and the tools that it has beyond the standard.

    Parameters
    ----------
    stream : binary file of NAL units (Annex B)

    Returns
    -------
    {'parameter_sets': [{'kind': 'vps' | 'sps' | 'pps', field: value, ...}],
     'learned': {'arithmetic_version': ..., 'tools': {name: {'weights_digest': ..., 'settings': {...}}}} or None}

    Raises
    ------
    BitstreamError : damaged, or something that is not supported
    """
    found, learned, parameter_sets = [], None, ParameterSets()
    for unit in nal.read_nal_units(stream):
        if unit.layer_id or unit.type not in _KINDS:
            continue
        parameter_set = parameter_sets.receive(unit)
        fields = {"kind": _KINDS[unit.type]} | plain(parameter_set)
        fields.pop("learned", None)
        if isinstance(parameter_set, Sps) and parameter_set.learned:
            learned = _announced(parameter_set.learned, unit.byte)
        if fields not in found:
            found.append(fields)
    return {"parameter_sets": found, "learned": learned}


def _announced(announced: LearnedTools, byte: int) -> dict[str, Any]:
    """What a sequence parameter set at this byte says of the tools beyond the standard."""
    found = {}
    for tool in tools_of(announced.tools):
        said = announced.settings_of(tool)
        found[tool.name] = {} if said is None else {"weights_digest": said.weights_digest.hex()}
        if said is not None and tool.settings:
            try:
                settings = tool.settings.from_stream(said.parameters)
            except ConfigError as error:
                raise BitstreamError(str(error), "learned_parameters", byte) from None
            on_wire = {declared.name: getattr(settings, declared.name) for declared in settings.on_wire()}
            found[tool.name]["settings"] = plain(on_wire)
    return {"arithmetic_version": announced.arithmetic_version, "tools": found}


def bits_per_part(pictures: list[dict]) -> dict[str, int]:
    """Sum over pictures of the bits that each syntax part takes."""
    parts: dict[Any, Any] = {}
    for picture in pictures:
        for part, bits in picture["parts"].items():
            parts[part] = parts.get(part, 0) + bits
    return parts
