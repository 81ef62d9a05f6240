"""The front door: what `import codecsim` gives.  See `codecsim/__init__.py`."""

from codecsim.api.coding import Decoded, Encoded, decode, encode
from codecsim.api.comparing import Comparison, Sweep, compare, sweep
from codecsim.api.inspecting import Inspection, inspect
from codecsim.api.own_filters import torch_filter
from codecsim.api.video import Video, read_video
from codecsim.errors import CodecError, ConfigError
from codecsim.learned.own_filters import FilterInputs, FilterLesson, LoopPlanes

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
