"""The clips of a campaign: video files, known by their content."""

import dataclasses
import functools
import hashlib
import os
import pathlib
import platform
from collections.abc import Iterable

from codecsim.errors import ConfigError
from codecsim.formats.video import open_video
from codecsim.resources import bundled_clip


@dataclasses.dataclass(frozen=True)
class Clip:
    """A video file."""

    name: str  # without suffix
    path: str
    sha256: str
    width: int
    height: int
    frames: int  # pictures in the file


@functools.cache
def read_clip(path: str | os.PathLike) -> Clip:
    """Look at a file.

    Raises
    ------
    FormatError : it is no video
    """
    with open_video(path) as video:
        count = video.frame_count or sum(1 for _ in video.frames)
        video_format = video.format
    path = pathlib.Path(path)
    return Clip(path.stem, str(path), _digest(path), video_format.width, video_format.height, count)


CLIP_FOLDERS = "CODECSIM_CLIPS"  # environment: folders where a worker of a cluster finds clips, separated as in PATH


def locate_clip(clip: Clip) -> str:
    """Path of a clip on this machine: where it was, in a folder of CODECSIM_CLIPS under its name, or the bundled one.

    Raises
    ------
    ConfigError : there is no such file with the same content
    """
    path = pathlib.Path(clip.path)
    folders = os.environ.get(CLIP_FOLDERS, "").split(os.pathsep)
    tried = [path, *(pathlib.Path(folder) / path.name for folder in folders if folder), bundled_clip()]
    for candidate in tried:
        if candidate.is_file() and _digest(candidate) == clip.sha256:
            return str(candidate)
    raise ConfigError(
        f"{path}: no file with sha256 {clip.sha256[:16]}... on {platform.node()}, neither there nor under the same "
        f"name in the folders that the environment variable {CLIP_FOLDERS} names"
    )


def _digest(path: str | os.PathLike) -> str:
    """Digest of a file, read once as long as nothing changes it."""
    status = os.stat(path)
    return _digest_of(str(path), status.st_mtime_ns, status.st_size)


@functools.cache
def _digest_of(path: str, changed: int, size: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_clips(folder: str | None, names: Iterable[str] | None = None) -> list[Clip]:
    """Clips of a folder by name, or all its y4m files; without a folder the bundled clip.

    Raises
    ------
    ConfigError : names without a folder, or a folder without clips
    """
    if folder is None:
        if names:
            raise ConfigError("names of clips need --clips FOLDER")
        return [read_clip(bundled_clip())]
    if names is None:
        names = sorted(path.stem for path in pathlib.Path(folder).glob("*.y4m"))
    if not names:
        raise ConfigError(f"{folder}: no clips to code")
    return [read_clip(_find_clip(folder, name)) for name in names]


def _find_clip(folder: str | os.PathLike, name: str) -> pathlib.Path:
    """Path of clip `name` in a folder, whatever its suffix."""
    found = sorted(pathlib.Path(folder).glob(f"{name}.*"))
    if not found:
        raise ConfigError(f"no clip {name}.* in {folder}")
    return found[0]
