"""Normative.  What a stream says about its intra prediction filter."""

from dataclasses import dataclass, fields

from codecsim.errors import ConfigError


@dataclass(frozen=True)
class IntraParams:
    """Signalled parameters of the intra prediction filter.

    Raises
    ------
    ConfigError : at construction, for a value out of range
    """

    inter_pictures: bool = True  # intra coding units of inter pictures may use it too

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if str(value).lower() not in _TRUTH:
                raise ConfigError(f"intra filter: {field.name} is {value!r}; expected 0 or 1")
            object.__setattr__(self, field.name, _TRUTH[str(value).lower()])

    def pack(self):
        """Tuple of integers, one for each field."""
        return tuple(int(getattr(self, field.name)) for field in fields(self))

    @classmethod
    def unpack(cls, values):
        """Parameters from the integers of `pack`.

        Raises
        ------
        ConfigError : for a wrong number of values or a value out of range
        """
        if len(values) != len(fields(cls)):
            raise ConfigError(f"intra filter: {len(values)} parameters; expected {len(fields(cls))}")
        return cls(*values)


_TRUTH = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
