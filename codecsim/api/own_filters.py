"""Filters of one's own as a program gives them: objects, classes and torch modules."""

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from codecsim.errors import ConfigError
from codecsim.extras import needed
from codecsim.learned.own_filters import Maker
from codecsim.tools import check_own_filter, own_filter_method

if TYPE_CHECKING:
    from codecsim.api.torch_adaptor import TorchFilter


def split_tools(tools: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Maker]]:
    """Modes of tools that ship, and functions that make the filters of one's own, by name of the tool.

    A text or a truth value is a mode; anything else is a filter.

    Raises
    ------
    ConfigError : no filter for its tool
    """
    if not isinstance(tools, Mapping):
        raise ConfigError(f"tools is {tools!r}; expected a dict of names and modes")
    modes = {name: value for name, value in tools.items() if isinstance(value, (str, bool))}
    return modes, {name: filter_maker(name, value) for name, value in tools.items() if name not in modes}


def own_makers(tools: Mapping[str, Any] | None) -> dict[str, Maker]:
    """Functions that make the filters that a stream needs.

    Raises
    ------
    ConfigError : no filter for its tool, or the mode of one, which streams tell themselves
    """
    modes, makers = split_tools(tools or {})
    if modes:
        raise ConfigError(f"the stream itself says how {', '.join(modes)} is used; give only filters of one's own")
    return makers


def filter_maker(tool: str, given: Any) -> Maker:
    """A function that makes a fresh filter each time, from what a user gives for a tool.

    given : an object, which is copied, so that it stays as it is; or a class or function that makes one

    Raises
    ------
    ConfigError : no filter for that tool
    """
    method = own_filter_method(tool)
    if _is_module(given):
        name = type(given).__name__
        raise ConfigError(f"{tool}: {name} is a torch module; codecsim.torch_filter(module) makes a filter of it")
    if isinstance(given, type) or (callable(given) and not hasattr(given, method)):
        check_own_filter(tool, given())
        return given
    check_own_filter(tool, given)
    try:
        kept = copy.deepcopy(given)
    except Exception as error:
        name = type(given).__name__
        raise ConfigError(f"{tool}: {name} cannot be copied ({error}); give a function that makes it instead") from None
    return lambda: copy.deepcopy(kept)


def _is_module(given: object) -> bool:
    """Whether it is a torch.nn.Module; torch is not imported for that."""
    return any(f"{kind.__module__}.{kind.__name__}" == "torch.nn.modules.module.Module" for kind in type(given).__mro__)


def torch_filter(module: Any, *, learning_rate: float = 1e-3, steps: int = 4) -> "TorchFilter":
    """A filter of inter luma prediction out of a torch module; it learns while coding.

    The module is called with a (1, 4, h, w) float32 tensor of `FilterInputs.features`: prediction, overlapped and
    further prediction, QP.  It returns (1, 1, h, w): what is to be added to the prediction, in units of 16 8-bit
    samples.  Let its last layer begin with zeros: then it changes nothing until it has learnt.

    Parameters
    ----------
    module : torch.nn.Module; it is not changed, for `encode` works on a copy
    learning_rate : of Adam
    steps : of the optimiser after each picture, each on the whole picture; 0: it never learns

    Raises
    ------
    ConfigError : torch is not installed, or settings that cannot be

    Examples
    --------
    >>> mine = codecsim.torch_filter(torch.nn.Conv2d(4, 1, 3, padding=1))
    >>> codecsim.encode(video, tools={"inter_luma": mine})
    """
    needed("torch", "torch_filter")
    from codecsim.api.torch_adaptor import TorchFilter

    return TorchFilter(module, learning_rate, steps)
