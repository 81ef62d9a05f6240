"""Online-learning prediction-filter codec simulator on a standard HEVC host.

>>> import codecsim
>>> video = codecsim.read_video("clip.y4m")
>>> encoded = codecsim.encode(video, qp=32)
>>> codecsim.decode(encoded.data).video.save("decoded.y4m")

The names in `__all__` are public; each is imported when it is first used.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codecsim.api.coding import Decoded as Decoded
    from codecsim.api.coding import Encoded as Encoded
    from codecsim.api.coding import decode as decode
    from codecsim.api.coding import encode as encode
    from codecsim.api.comparing import Comparison as Comparison
    from codecsim.api.comparing import Sweep as Sweep
    from codecsim.api.comparing import compare as compare
    from codecsim.api.comparing import sweep as sweep
    from codecsim.api.inspecting import Inspection as Inspection
    from codecsim.api.inspecting import inspect as inspect
    from codecsim.api.own_filters import torch_filter as torch_filter
    from codecsim.api.video import Video as Video
    from codecsim.api.video import read_video as read_video
    from codecsim.errors import CodecError as CodecError
    from codecsim.errors import ConfigError as ConfigError
    from codecsim.learned.own_filters import FilterInputs as FilterInputs
    from codecsim.learned.own_filters import FilterLesson as FilterLesson
    from codecsim.learned.own_filters import LoopPlanes as LoopPlanes

__version__ = "0.1.0"
_PLACES = {
    "Decoded": "api.coding",
    "Encoded": "api.coding",
    "decode": "api.coding",
    "encode": "api.coding",
    "Comparison": "api.comparing",
    "Sweep": "api.comparing",
    "compare": "api.comparing",
    "sweep": "api.comparing",
    "Inspection": "api.inspecting",
    "inspect": "api.inspecting",
    "torch_filter": "api.own_filters",
    "Video": "api.video",
    "read_video": "api.video",
    "CodecError": "errors",
    "ConfigError": "errors",
    "FilterInputs": "learned.own_filters",
    "FilterLesson": "learned.own_filters",
    "LoopPlanes": "learned.own_filters",
}
__all__ = list(_PLACES)


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"codecsim.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *(name for name in __all__ if name not in globals())]
