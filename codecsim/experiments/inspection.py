"""What a stream says about itself, without decoding its pictures."""

from codecsim.errors import BitstreamError, ConfigError
from codecsim.experiments.runs import plain
from codecsim.learned.stream import with_changes
from codecsim.syntax import nal
from codecsim.syntax.headers import ParameterSets

_KINDS = {nal.VPS: "vps", nal.SPS: "sps", nal.PPS: "pps"}


def read_parameter_sets(stream) -> dict:
    """Parameter sets of a stream, each different one once, and the settings of its learned tools.

    Parameters
    ----------
    stream : binary file of NAL units (Annex B)

    Returns
    -------
    {'parameter_sets': [{'kind': 'vps' | 'sps' | 'pps', field: value, ...}], 'learned': {...} or None}

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
        tools = fields.pop("learned", None)
        if tools:
            try:
                settings = plain(with_changes(parameter_set.learned.parameters))
            except ConfigError as error:
                raise BitstreamError(str(error), "learned_parameters", unit.byte) from None
            learned = {name: value for name, value in tools.items() if name != "parameters"} | settings
        if fields not in found:
            found.append(fields)
    return {"parameter_sets": found, "learned": learned}


def bits_per_part(pictures: list[dict]) -> dict[str, int]:
    """Sum over pictures of the bits that each syntax part takes."""
    parts = {}
    for picture in pictures:
        for part, bits in picture["parts"].items():
            parts[part] = parts.get(part, 0) + bits
    return parts
