"""The front door: what `import codecsim` gives.  See `codecsim/__init__.py`."""

from codecsim.api.coding import Decoded, Encoded, decode, encode
from codecsim.api.comparing import Comparison, Sweep, compare, sweep
from codecsim.api.inspecting import Inspection, inspect
from codecsim.api.video import Video, read_video
from codecsim.errors import CodecError, ConfigError

__all__ = [
    "CodecError",
    "Comparison",
    "ConfigError",
    "Decoded",
    "Encoded",
    "Inspection",
    "Sweep",
    "Video",
    "compare",
    "decode",
    "encode",
    "inspect",
    "read_video",
    "sweep",
]
