"""Experiments as TOML files: clips, QPs, configurations and arms, checked before anything runs.

```toml
clips = ["bundled", "clips/*.y4m"]  # files and patterns beside this file; `bundled` is the clip that ships
configs = ["ldp"]
qps = [22, 27, 32, 37]
frames = 17                         # of each clip; or by configuration: {ai = 4, ldp = 17}; all if not given
metrics = ["ssim", "vmaf"]          # measured beside PSNR: some of ssim, ms-ssim, vmaf; none if not given
reference = "off"                   # the arm that others are compared with; the first if not given

[common]                            # options of `codecsim encode` of all arms; settings of a tool: where it is on
preset = "fast"

[arms.off]                          # an arm: its name, and its options
filter = "off"

[arms.online]
inter_luma.experts = "online,rls"   # a setting: see `codecsim settings`
```

Weights and settings may be files beside this one, too.  Other keys at the top: `name` (the file's if not
given), `decode = false` to check no streams, and `segments = N` to code a run in up to N pieces at a time, where it has
IDR pictures to cut it at: see segments.py.

What `metrics` are measured does not make a run another one: one that the database holds without them is done again, and
keeps what was measured of it before.
"""

import dataclasses
import glob
import os
import pathlib
from collections.abc import Mapping
from typing import Any, NoReturn

from codecsim.codec.config import CONFIGS, EncoderConfig
from codecsim.errors import CodecError, ConfigError
from codecsim.experiments.arms import NAME, SET_BY_CAMPAIGN, Arm, make_arm
from codecsim.experiments.clips import Clip, read_clip
from codecsim.experiments.compare import METRICS
from codecsim.experiments.encoder_options import EncoderOptions
from codecsim.experiments.option_tables import OptionError, known_key, options_of_table
from codecsim.experiments.quality import check_metrics
from codecsim.formats.toml_file import TomlFile
from codecsim.resources import bundled_clip
from codecsim.settings.values import similar
from codecsim.tools import TOOLS
from codecsim.tools.tool import OFF, ON, UNTRAINED

KEYS = ("name", "clips", "configs", "qps", "frames", "metrics", "reference", "decode", "segments", "common", "arms")
MEASURED = tuple(name for name in METRICS if name != "psnr")
NEEDED = ("clips", "arms")
_FILE_FIELDS = tuple(tool.option for tool in TOOLS if tool.names_model)  # which may name a file
BUNDLED = "bundled"
DEFAULT_CONFIGS, DEFAULT_QPS = ("ldp",), (22, 27, 32, 37)
MAX_QP = 51


@dataclasses.dataclass(frozen=True)
class ExperimentFile:
    """What an experiment file asks for."""

    name: str
    text: str  # of the file
    clips: tuple[Clip, ...]
    configs: tuple[str, ...]
    qps: tuple[int, ...]
    frames: Mapping[str, int | None]  # by configuration; None: all
    arms: tuple[Arm, ...]
    reference: str  # name of an arm
    decode: bool  # check every stream by decoding it
    segments: int  # code a run in at most so many pieces at a time; 0 or 1: in one
    metrics: tuple[str, ...]  # measured beside PSNR, keys of compare.METRICS

    def encoder_config(self, arm: Arm, config: str, qp: int, clip: Clip) -> EncoderConfig:
        """EncoderConfig of one run."""
        return arm.encoder_config(config, qp, min(self.frames[config] or clip.frames, clip.frames))


def read_experiment(path: str | os.PathLike, runs_here: bool = True) -> ExperimentFile:
    """Read and check an experiment file.

    Parameters
    ----------
    path : of the file
    runs_here : bool, this machine will do the runs, so it must be able to measure what is to be measured

    Raises
    ------
    ConfigError : it cannot be read, is no TOML, or something in it is wrong; the text names the line, the key and what
        is allowed
    """
    return _Reader(TomlFile(path), runs_here).read()


class _Reader:
    """Reads one file."""

    def __init__(self, file: TomlFile, runs_here: bool):
        self._file = file
        self._runs_here = runs_here
        self._path = pathlib.Path(file.path)
        self._table = file.data

    def read(self) -> ExperimentFile:
        table = self._table
        for key in table:
            self._at((key,), known_key, key, KEYS, "key")
        for key in NEEDED:
            if not table.get(key):
                raise ConfigError(f"{self._path}: has no {key!r}; expected at least {', '.join(NEEDED)}")
        name = self._get("name", str, "text", self._path.stem)
        if not NAME.fullmatch(name):
            self._fail(("name",), f"name is {name!r}; expected letters, digits and . + -, without spaces")
        configs = self._list("configs", DEFAULT_CONFIGS, str, f"some of {', '.join(CONFIGS)}")
        for config in configs:
            if config not in CONFIGS:
                expected = f"{similar(config, CONFIGS)}; expected some of {', '.join(CONFIGS)}"
                self._fail(("configs",), f"unknown configuration {config!r}{expected}")
        qps = self._list("qps", DEFAULT_QPS, int, f"a list of whole numbers 0..{MAX_QP}")
        for qp in qps:
            if not 0 <= qp <= MAX_QP:
                self._fail(("qps",), f"QP is {qp}; expected 0..{MAX_QP}")
        arms = self._arms(configs, qps)
        reference = self._get("reference", str, "the name of an arm", arms[0].name)
        names = [arm.name for arm in arms]
        if reference not in names:
            expected = f"{similar(reference, names)}; expected one of {', '.join(names)}"
            self._fail(("reference",), f"no arm {reference!r}{expected}")
        clips = self._clips()
        return ExperimentFile(
            name,
            self._file.text,
            clips,
            configs,
            qps,
            self._frames(configs),
            arms,
            reference,
            self._get("decode", bool, "true or false", True),
            self._count("segments", ("segments",), self._table.get("segments", 0), least=0),
            self._metrics(clips),
        )

    def _fail(self, path: tuple[str, ...], message: str) -> NoReturn:
        raise self._file.error(message, *path)

    def _at(self, path: tuple[str, ...], function: Any, *arguments: Any) -> Any:
        """`function(*arguments)`, whose errors are at a key."""
        try:
            return function(*arguments)
        except OptionError as error:
            self._fail((*path, *error.path), str(error))
        except CodecError as error:
            self._fail(path, str(error))

    def _get(self, key: str, kind: type, expected: str, default: Any) -> Any:
        """Value of a key at the top."""
        value = self._table.get(key, default)
        if not isinstance(value, kind):
            self._fail((key,), f"{key} is {value!r}; expected {expected}")
        return value

    def _list(self, key: str, default: tuple[Any, ...], kind: type, expected: str) -> tuple[Any, ...]:
        """Values of a list at the top, each once."""
        values = self._table.get(key, default)
        wrong = not isinstance(values, (list, tuple)) or not values
        if wrong or not all(isinstance(value, kind) and not isinstance(value, bool) for value in values):
            self._fail((key,), f"{key} is {values!r}; expected {expected}")
        return tuple(dict.fromkeys(values))

    def _count(self, what: str, path: tuple[str, ...], value: int, least: int = 1) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            self._fail(path, f"{what} is {value!r}; expected a whole number from {least}")
        return value

    def _frames(self, configs: tuple[str, ...]) -> dict[str, int | None]:
        """Pictures by configuration."""
        frames = self._table.get("frames")
        if not isinstance(frames, Mapping):
            count = None if frames is None else self._count("frames", ("frames",), frames)
            return dict.fromkeys(configs, count)
        for config, count in frames.items():
            self._at(("frames", config), known_key, config, CONFIGS, "configuration")
            self._count(f"frames of {config}", ("frames", config), count)
        return {config: frames.get(config) for config in configs}

    def _metrics(self, clips: tuple[Clip, ...]) -> tuple[str, ...]:
        """What is to be measured, if it can be."""
        expected = f"some of {', '.join(MEASURED)}"
        if self._table.get("metrics") in (None, []):
            return ()
        metrics = self._list("metrics", (), str, f"a list of {expected}")
        for name in metrics:
            if name not in MEASURED:
                self._fail(("metrics",), f"unknown metric {name!r}{similar(name, MEASURED)}; expected {expected}")
        to_try = [name for name in metrics if self._runs_here or name != "vmaf"]  # which needs an ffmpeg
        for size in dict.fromkeys((clip.width, clip.height) for clip in clips):
            self._at(("metrics",), check_metrics, to_try, *size)
        return metrics

    def _clips(self) -> tuple[Clip, ...]:
        """The clips, in the order of their patterns."""
        found: dict[Any, Any] = {}
        for pattern in self._list("clips", (), str, "a list of files and patterns"):
            for path in self._paths(pattern):
                clip = self._at(("clips",), read_clip, path)
                same = [other for other in found.values() if clip.name == other.name or clip.sha256 == other.sha256]
                if same and clip.path != same[0].path:
                    what = "name" if same[0].name == clip.name else "content"
                    self._fail(("clips",), f"{same[0].path} and {clip.path} have the same {what}; name one of them")
                found[clip.path] = clip
        return tuple(found.values())

    def _paths(self, pattern: str) -> list[pathlib.Path]:
        """Files that a pattern stands for."""
        if pattern == BUNDLED:
            return [bundled_clip()]
        folder = self._path.parent.absolute()  # workers of a cluster are in another folder
        found = sorted(glob.glob(os.path.join(glob.escape(str(folder)), pattern), recursive=True))
        matches = [pathlib.Path(path) for path in found if os.path.isfile(path)]
        if not matches:
            beside = (folder / pattern).parent
            names = sorted(path.name for path in beside.iterdir()) if beside.is_dir() else []
            near = similar(pathlib.PurePath(pattern).name, names)
            expected = "expected a file or a pattern, relative to the experiment file"
            self._fail(("clips",), f"no file {pattern!r}{near}; {expected}")
        return matches

    def _with_paths(self, options: EncoderOptions) -> EncoderOptions:
        """Options in which the name of a file beside this one has the folder before it."""
        return EncoderOptions(
            {name: self._beside(value) if name in _FILE_FIELDS else value for name, value in options.fields.items()},
            {n: self._beside(value) if n.endswith(".model") else value for n, value in options.settings.items()},
            None if options.file is None else self._beside(options.file),
        )

    def _beside(self, name: str) -> str:
        is_file = name not in (OFF, ON, UNTRAINED) and (self._path.parent / name).exists()
        return str(self._path.parent.absolute() / name) if is_file else name

    def _options(self, path: tuple[str, ...], table: Mapping[str, Any]) -> EncoderOptions:
        """Options of a table at a path of the file."""
        return self._with_paths(self._at(path, options_of_table, table, SET_BY_CAMPAIGN))

    def _arms(self, configs: tuple[str, ...], qps: tuple[int, ...]) -> tuple[Arm, ...]:
        """The arms, each with the common options before its own."""
        common, arms = self._table.get("common", {}), self._table["arms"]
        for key, value in (("common", common), ("arms", arms)):
            if not isinstance(value, Mapping):
                self._fail((key,), f"{key} is {value!r}; expected a table, such as [{key}]")
        common = self._options(("common",), common)
        found, unused = [], {*common.settings}
        for name, table in arms.items():
            path = ("arms", name)
            if not NAME.fullmatch(name):
                self._fail(path, f"arm {name!r}: a name is letters, digits and . + -, without spaces")
            if not isinstance(table, Mapping):
                self._fail(path, f"arm {name!r} is {table!r}; expected a table of options, such as [arms.{name}]")
            own = self._options(path, table)
            whole = EncoderOptions({**common.fields, **own.fields}, file=own.file or common.file)
            taken = {name: value for name, value in common.settings.items() if whole.takes(name)}
            unused -= {*taken}
            arm = self._at(path, make_arm, name, dataclasses.replace(whole, settings={**taken, **own.settings}))
            for config in configs:
                self._at(path, arm.encoder_config, config, qps[0], 1)
            found.append(arm)
        for name in common.settings:
            if name in unused:
                self._fail(("common", *name.split(".")), f"{name} is of no use: no arm has its tool on, or learning")
        return tuple(found)
