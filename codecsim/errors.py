"""The exceptions that every part of codecsim raises.

A `CodecError` is something the user can act on: its text is one line that says what is wrong, where, what was
expected and, where it helps, what to do. The command line prints that line and exits with `exit_code`.
Anything else that escapes is a bug of codecsim.
"""


class CodecError(Exception):
    """Base of all errors that codecsim raises on purpose. `str(error)` is one line."""

    exit_code = 1

    def __str__(self) -> str:
        return " ".join(super().__str__().split())


class ConfigError(CodecError):
    """A setting is out of range, unknown, or contradicts another one."""

    exit_code = 2


class FormatError(CodecError):
    """A video file cannot be read or written, or holds what codecsim does not support."""


class ModelError(CodecError):
    """Weights are missing, damaged, or not the ones that the stream asks for."""


class BitstreamError(CodecError):
    """A coded stream is damaged, truncated, or uses something that this decoder does not support.

    Parameters
    ----------
    message : str
        What is wrong, and what was expected.
    element : str, optional
        Name of the syntax element that was being read, spelled as in the standard.
    byte : int, optional
        Position in the stream, in bytes from its start.
    poc : int, optional
        Picture order count of the picture that was being decoded.
    """

    def __init__(self, message: str, element: str | None = None, byte: int | None = None, poc: int | None = None):
        super().__init__(message)
        self.message = message
        self.element = element
        self.byte = byte
        self.poc = poc

    def __str__(self) -> str:
        where = []
        if self.poc is not None:
            where.append(f"picture {self.poc}")
        if self.element is not None:
            where.append(self.element)
        if self.byte is not None:
            where.append(f"byte {self.byte}")
        text = " ".join(str(self.message).split())
        return f"{text} ({', '.join(where)})" if where else text


class MismatchError(BitstreamError):
    """The decoded picture or the learner's state differs from the hash that the stream carries."""
