"""Settings, each declared once: its type, default, range, unit, bits in a stream, and one line of help.

A group of settings is a frozen dataclass derived from `Settings`.  Each field is declared by `setting`:

    class Example(Settings):
        group = "example"
        rate: float = setting(1e-3, "Step of the optimiser.", low=0, high=1, bits=32)

The command line, TOML files, presets, the sequence parameter set and the tables of the documentation read
`Example.declared()`.
"""

import dataclasses
import enum
import functools
from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple, Self

from codecsim.errors import ConfigError
from codecsim.settings.values import names_of, read_value, similar, written


class Setting(NamedTuple):
    """What is known of one setting."""

    group: str  # the tool or part of the encoder that it belongs to
    name: str
    kind: type  # bool, int, float (float32), str, tuple (of int), or a subclass of IntEnum or IntFlag
    default: Any
    help: str  # one line
    low: float | None = None
    high: float | None = None
    allowed: tuple = ()  # instead of a range
    unit: str = ""
    bits: int = 0  # of its value in a stream (of each, in a tuple); 0: only the encoder knows it
    above: bool = False  # `low` itself is not allowed
    below: bool = False  # nor is `high`
    training: bool = False  # of no use where nothing is trained
    research: bool = False  # seldom needed outside research on the codec itself
    optional: bool = False  # it may be None
    by_mode: bool = False  # follows from how the tool is used, and cannot be set

    @property
    def full_name(self) -> str:
        """Its name among all settings, such as `inter_luma.learning_rate`."""
        return f"{self.group}.{self.name}" if self.group else self.name

    @property
    def choices(self) -> tuple[str, ...]:
        """What it may be, as users write it; nothing for numbers within a range and for texts."""
        if issubclass(self.kind, enum.Enum):
            return names_of(self.kind)
        return ("true", "false") if self.kind is bool else tuple(map(written, self.allowed))

    @property
    def expected(self) -> str:
        """What it may be, in words, for messages and tables."""
        if self.kind is bool:
            return "true or false"
        if issubclass(self.kind, enum.IntFlag):
            return f"some of {', '.join(self.choices)}"
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.low is None:
            return "a text"
        within = f"{written(self.low)}..{written(self.high)}"
        if self.kind is tuple:
            return f"{len(self.default)} whole numbers {within}"
        if self.above or self.below:
            return (
                f"a number {'above' if self.above else 'from'} {self.low} {'below' if self.below else 'to'} {self.high}"
            )
        return within

    @property
    def is_linear(self) -> bool:
        """Whether every number between two of its values is one too."""
        return self.kind in (int, float) and not self.allowed

    def read(self, value: object) -> Any:
        """`value`, which may be as a command line gives it, as what the setting holds.

        Raises
        ------
        ConfigError : it cannot be that
        """
        if value is None and self.optional:
            return None
        try:
            found = read_value(self.kind, value)
        except ValueError:
            found = None
        if found is None or not self._holds(found):
            near = similar(str(value), self.choices) if self.kind is not bool else ""
            raise ConfigError(f"{self.full_name} is {value!r}{near}; expected {self.expected}")
        return found

    def _holds(self, value: Any) -> bool:
        if self.kind is tuple:
            return len(value) == len(self.default) and all(self._within(item) for item in value)
        if self.allowed:
            return value in self.allowed
        return isinstance(value, (bool, str)) or self.low is None or self._within(value)

    def _within(self, number: float) -> bool:
        assert self.low is not None and self.high is not None
        return self.low <= number <= self.high and not (
            (self.above and number == self.low) or (self.below and number == self.high)
        )


def setting(default: Any, help: str, **facts: Any) -> Any:
    """A field of `Settings`.

    Parameters
    ----------
    facts : fields of `Setting`; `kind` where the annotation is not it, as with `int | None`
    """
    return dataclasses.field(default=default, metadata={"help": help, **facts})


@dataclasses.dataclass(frozen=True)
class Settings:
    """Base of all groups of settings.  Values may be given as texts.

    Raises
    ------
    ConfigError : at construction, for a value that a setting cannot have, or for settings that exclude each other
    """

    group: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for declared in self.declared():
            object.__setattr__(self, declared.name, declared.read(getattr(self, declared.name)))
        self._check()

    def _check(self) -> None:
        """Raise ConfigError where settings exclude each other."""

    @classmethod
    @functools.cache
    def declared(cls) -> tuple[Setting, ...]:
        """All settings, in order of declaration."""
        return tuple(_declared(cls))

    @classmethod
    def find(cls, name: str) -> Setting | None:
        """The setting of this name, or None."""
        return next((declared for declared in cls.declared() if declared.name == name), None)

    @classmethod
    def on_wire(cls) -> tuple[Setting, ...]:
        """Those that a stream carries, in its order."""
        return tuple(declared for declared in cls.declared() if declared.bits)

    def with_changes(self, **values: object) -> Self:
        """The same with other values."""
        return dataclasses.replace(self, **values)


def _declared(cls: type[Settings]) -> Iterable[Setting]:
    for field in dataclasses.fields(cls):
        if field.metadata:
            kind = field.metadata.get("kind", field.type)
            facts = {name: fact for name, fact in field.metadata.items() if name != "kind"}
            declared = Setting(cls.group, field.name, kind, field.default, **facts)
            yield declared._replace(default=declared.read(field.default))  # a float as float32 holds it
