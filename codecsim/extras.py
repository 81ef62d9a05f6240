"""Packages that only some commands use.  They are imported where they are used, and named where they are missing."""

import importlib
from types import MappingProxyType
from typing import Any

from codecsim.errors import ConfigError

EXTRAS = MappingProxyType(  # of setup.cfg, by the module that is imported
    {
        "optuna": "tune",
        "tomlkit": "tune",
        "torch": "train",
        "distributed": "cluster",
        "pandas": "notebook",
        "openpyxl": "xlsx",
        "imageio_ffmpeg": "vmaf",
    }
)
_DISTRIBUTIONS = MappingProxyType({"cv2": "opencv-python-headless"})  # where it has another name than the module


def install_command(module: str) -> str:
    """The command that installs what a module comes from, in the folder of a checkout."""
    if module in EXTRAS:
        return f"pip install '.[{EXTRAS[module]}]'"
    return f"pip install {_DISTRIBUTIONS.get(module, module)}"


def needed(module: str, user: str) -> Any:
    """Import an optional module.

    Parameters
    ----------
    module : its name
    user : who needs it, for the message

    Raises
    ------
    ConfigError : it cannot be imported
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name in (module, None)
        reason = "which is not installed" if missing else f"which cannot be imported ({error})"
        raise ConfigError(f"{user} needs {module}, {reason}: {install_command(module)}") from error
