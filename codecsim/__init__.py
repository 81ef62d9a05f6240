"""Online-learning prediction-filter codec simulator on a standard HEVC host.

>>> import codecsim
>>> video = codecsim.read_video("clip.y4m")
>>> encoded = codecsim.encode(video, qp=32)
>>> codecsim.decode(encoded.data).video.save("decoded.y4m")

The names in `__all__` are what is public; they are imported when they are first used.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codecsim.api import (
        CodecError,
        Comparison,
        ConfigError,
        Decoded,
        Encoded,
        FilterInputs,
        FilterLesson,
        Inspection,
        LoopPlanes,
        Sweep,
        Video,
        compare,
        decode,
        encode,
        inspect,
        read_video,
        sweep,
        torch_filter,
    )

__version__ = "0.1.0"
__all__ = [
    "CodecError",
    "Comparison",
    "ConfigError",
    "Decoded",
    "Encoded",
    "FilterInputs",
    "FilterLesson",
    "Inspection",
    "LoopPlanes",
    "Sweep",
    "Video",
    "compare",
    "decode",
    "encode",
    "inspect",
    "read_video",
    "sweep",
    "torch_filter",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module("codecsim.api"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *(name for name in __all__ if name not in globals())]
