"""VMAF of a whole video, by an ffmpeg that has libvmaf, where there is one.

The model is Netflix's `vmaf_v0.6.1` with its usual settings; scores are 0..100, one a picture, luma only.
"""

import functools
import importlib
import json
import os
import pathlib
import re
import shutil
import subprocess

from codecsim.errors import CodecError, ConfigError
from codecsim.extras import install_command

MODEL = "vmaf_v0.6.1"


def find_ffmpeg() -> str:
    """Path of an ffmpeg with libvmaf: the one on PATH, else that of the package imageio-ffmpeg.

    Raises
    ------
    ConfigError : neither is there with libvmaf
    """
    candidates = [path for path in (shutil.which("ffmpeg"), _packaged_ffmpeg()) if path]
    for path in candidates:
        if _has_libvmaf(path):
            return path
    found = f"{' and '.join(candidates)} cannot" if candidates else "there is none"
    raise ConfigError(f"vmaf needs an ffmpeg with libvmaf: {found}; {install_command('imageio_ffmpeg')} brings one")


def _packaged_ffmpeg() -> str | None:
    try:
        return importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        return None


@functools.cache
def _has_libvmaf(ffmpeg: str) -> bool:
    try:
        listed = subprocess.run([ffmpeg, "-hide_banner", "-filters"], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return re.search(r"^\s*\S+\s+libvmaf\s", listed.stdout, re.MULTILINE) is not None


def vmaf_scores(ffmpeg: str, reference: str | os.PathLike, distorted: str | os.PathLike) -> list[float]:
    """Score of each picture.

    Parameters
    ----------
    ffmpeg : what `find_ffmpeg` found
    reference, distorted : y4m files of the same size and number of pictures, in a folder where a file may be written

    Raises
    ------
    CodecError : ffmpeg fails, as it does on pictures that are too small
    """
    original, coded = (pathlib.Path(path).resolve() for path in (reference, distorted))
    log = original.parent / "vmaf.json"
    # named without its folder, whose name the filter's syntax might not bear
    graph = f"[0:v][1:v]libvmaf=model=version={MODEL}:log_fmt=json:log_path={log.name}"
    inputs = ["-i", str(coded), "-i", str(original)]
    command = [ffmpeg, "-v", "error", "-nostdin", *inputs, "-lavfi", graph, "-f", "null", "-"]
    done = subprocess.run(command, cwd=log.parent, capture_output=True, text=True, check=False)
    if done.returncode or not log.exists():
        said = done.stderr.strip().splitlines()
        raise CodecError(f"{ffmpeg} could not compute VMAF: {said[0] if said else 'it wrote no scores'}")
    return [picture["metrics"]["vmaf"] for picture in json.loads(log.read_text(encoding="utf-8"))["frames"]]
