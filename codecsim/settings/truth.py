"""Truth values as users write them: on the command line, in TOML and in Python."""

from types import MappingProxyType

_TRUTH = MappingProxyType({"true": True, "on": True, "1": True, "false": False, "off": False, "0": False})
EXPECTED = "true or false"  # for messages


def read_truth(value: object) -> bool | None:
    """`value` as a bool, from a bool, 0, 1, or a text such as "on", "false", "1"; None where it is none of these."""
    return _TRUTH.get(str(value).lower())
