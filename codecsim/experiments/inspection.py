"""What a stream says about itself, without decoding its pictures."""

from codecsim.errors import BitstreamError, ConfigError
from codecsim.experiments.runs import plain
from codecsim.learned.inter.stream import with_changes
from codecsim.syntax import nal
from codecsim.syntax.headers import TOOL_FILTER, TOOL_INTRA, TOOL_OBMC, ParameterSets

_KINDS = {nal.VPS: "vps", nal.SPS: "sps", nal.PPS: "pps"}


def read_parameter_sets(stream) -> dict:
    """Parameter sets of a stream, each different one once, and the tools that it has beyond the standard.

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
        if fields.pop("learned", None):
            learned = {
                "arithmetic_version": parameter_set.learned.arithmetic_version,
                "prediction_filter": bool(parameter_set.tools & TOOL_FILTER),
                "obmc": bool(parameter_set.tools & TOOL_OBMC),
                "intra_filter": bool(parameter_set.tools & TOOL_INTRA),
            }
            intra = parameter_set.learned.settings_of(TOOL_INTRA)
            if intra:
                learned |= {"intra_weights_digest": plain(intra)["weights_digest"]}
            settings = parameter_set.learned.settings_of(TOOL_FILTER)
            if settings:
                learned |= {"weights_digest": plain(settings)["weights_digest"]}
                learned |= _filter_settings(settings.parameters, unit.byte)
        if fields not in found:
            found.append(fields)
    return {"parameter_sets": found, "learned": learned}


def _filter_settings(parameters, byte):
    """Settings of the prediction filter from what a sequence parameter set at this byte says of it."""
    try:
        return plain(with_changes(parameters))
    except ConfigError as error:
        raise BitstreamError(str(error), "learned_parameters", byte) from None


def bits_per_part(pictures: list[dict]) -> dict[str, int]:
    """Sum over pictures of the bits that each syntax part takes."""
    parts = {}
    for picture in pictures:
        for part, bits in picture["parts"].items():
            parts[part] = parts.get(part, 0) + bits
    return parts
