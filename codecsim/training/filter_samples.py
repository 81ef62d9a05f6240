"""Samples for the filters of inter prediction: what they see while clips are encoded, and what the prediction lacks.

A folder of samples holds, for each encoding, two int16 arrays and a JSON file

    <name>.planes.npy  (n, inputs, h, w)  the filter's input planes with their margin
    <name>.error.npy   (n, h, w)          prediction minus original; MASKED in intra blocks and outside the picture
    <name>.json                           {"kind", "source", "config", "qp", "inputs", "samples": QP of each}

The JSON file is written last: an encoding that has one is not made again.
"""

import dataclasses
import hashlib
import itertools
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from codecsim.codec.config import EncoderConfig
from codecsim.codec.encoder import Encoder, internal_format
from codecsim.codec.stages.inter_filter import InterFiltering
from codecsim.codec.structure import coding_structure
from codecsim.errors import ConfigError
from codecsim.formats.video import InputOptions, open_video
from codecsim.learned.engine.update import MASKED
from codecsim.learned.model_files import INTER_CHROMA, INTER_LUMA
from codecsim.picture.blocks import MODE_INTER
from codecsim.picture.planes import planes_from_frame
from codecsim.tools.inter_chroma import InterChromaSettings
from codecsim.tools.inter_luma import InterLumaSettings
from codecsim.tools.tool import UNTRAINED

_CONTEXT = {"hidden_layers": 4}  # 3x3 layers that a network trained on the samples may have


@dataclasses.dataclass(frozen=True)
class FilterKind:
    """A filter of inter prediction that the engine trains.

    Its encodings have filters that add nothing and keep their inputs.
    """

    kind: str  # of model_files
    params: type  # InterLumaSettings or InterChromaSettings
    configs: tuple  # structures that samples come from
    settings: dict  # of EncoderConfig
    learners: Callable  # of the stage InterFiltering: the LearnerState of each filter, and the index of its component


KINDS = {
    "luma": FilterKind(
        INTER_LUMA,
        InterLumaSettings,
        ("ldp", "ra"),
        {
            "filter": "frozen",
            "settings": {"inter_luma": {"model": UNTRAINED, "experts": "online", "replay": 1, **_CONTEXT}},
        },
        lambda stage: [(stage.luma.state, 0)],
    ),
    "chroma": FilterKind(
        INTER_CHROMA,
        InterChromaSettings,
        ("ldp",),
        {
            "chroma_filter": "frozen",
            "settings": {"inter_luma": {"model": UNTRAINED}, "inter_chroma": {"model": UNTRAINED, **_CONTEXT}},
        },
        lambda stage: [(net.state, k) for k, net in enumerate(stage.chroma.members, 1)],
    ),
}


def collect(
    path: pathlib.Path, filter_kind: FilterKind, config: EncoderConfig, count: int
) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Samples of one encoding.

    Parameters
    ----------
    path : of a clip; the first `count` pictures of it are encoded
    filter_kind : FilterKind
    config : EncoderConfig

    Yields
    ------
    planes, error, qp : (n_inputs, h, w) int16 with margin; (h, w) int16 prediction minus original, MASKED in intra
        blocks and outside the picture; int

    Raises
    ------
    ConfigError : pictures of more than 8 bits
    """
    with open_video(path, InputOptions(None, None, 8)) as video:
        if video.format.bit_depth != 8:
            raise ConfigError(f"{path}: samples are taken from pictures of 8 bits")
        video_format = internal_format(config, video.format)
        encoder = Encoder(config, video_format)
        for structure, frame in coding_structure(config.config, itertools.islice(video.frames, count)):
            report = encoder.encode(structure, frame).report
            codec = encoder.codec
            if not codec.is_inter:
                continue
            orig = planes_from_frame(frame, video_format)
            for state, c_idx in filter_kind.learners(codec.find(InterFiltering)):
                sample, plane = state.replay[0], codec.pred[c_idx]
                h, w = plane.shape
                unit = h // codec.blocks.pred_mode.shape[0]
                inter = np.kron(codec.blocks.pred_mode >= MODE_INTER, np.ones((unit, unit), bool))
                error = np.full_like(sample.error, MASKED)
                difference = plane.astype(np.int16) - orig[c_idx].astype(np.int16)
                error[:h, :w] = np.where(inter, difference, MASKED)
                yield sample.planes, error, report.qp


def take_samples(
    kind: str,
    clips: Sequence[str | os.PathLike],
    folder: str | os.PathLike,
    qps: tuple[int],
    count: int,
    on_encoding: Callable[..., Any] = lambda name: None,
) -> int:
    """Encode and write what is not there yet.

    Parameters
    ----------
    kind : str, a key of KINDS
    clips : paths
    folder : of the samples, made if it is not there
    qps : of all of them
    count : int, pictures of a clip at most

    Returns
    -------
    int : encodings in the folder now

    Raises
    ------
    CodecError : a clip that cannot be read, or has more than 8 bits
    """
    folder, filter_kind = pathlib.Path(folder), KINDS[kind]
    folder.mkdir(parents=True, exist_ok=True)
    for clip in map(pathlib.Path, clips):
        if not clip.is_file():
            raise ConfigError(f"{clip}: no such clip")
        with clip.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()[:8]
        for config, qp in itertools.product(filter_kind.configs, qps):
            stem = folder / f"{clip.name}-{content}-{count}-{config}-{qp}"
            if not stem.with_name(stem.name + ".json").exists():
                on_encoding(stem.name)
                _take(stem, clip, kind, EncoderConfig(config, qp, preset="fast", **filter_kind.settings), count)
    return len(list(folder.glob("*.json")))


def _take(stem: pathlib.Path, clip: pathlib.Path, kind: str, config: EncoderConfig, count: int) -> None:
    samples = list(collect(clip, KINDS[kind], config, count))
    about = {"kind": kind, "source": clip.name, "config": config.config, "qp": config.qp}
    about |= {"inputs": len(samples[0][0]) if samples else 0, "samples": [qp for *_, qp in samples]}
    if samples:
        np.save(f"{stem}.planes.npy", np.stack([planes for planes, *_ in samples]))
        np.save(f"{stem}.error.npy", np.stack([error for _, error, _ in samples]))
    stem.with_name(stem.name + ".json").write_text(json.dumps(about), encoding="utf-8")


class FilterSamples:
    """Samples in a folder of `take_samples`, mapped into memory: a sequence of (planes, error).

    Parameters
    ----------
    folder : path
    kind : str, a key of KINDS
    margin : int, samples of context around the error that the planes shall have

    Attributes
    ----------
    about : list of (source, config, QP of the encoding, QP of the picture)

    Raises
    ------
    ConfigError : the folder holds none, or those of another kind, or such with less context
    """

    def __init__(self, folder: str | os.PathLike, kind: str, margin: int):
        self.about: list[tuple[str, str, int, int]] = []
        self._arrays: list[tuple[np.ndarray, np.ndarray]] = []
        for file in sorted(pathlib.Path(folder).glob("*.json")):
            about, stem = json.loads(file.read_text(encoding="utf-8")), str(file.with_suffix(""))
            if about.get("kind") != kind:
                raise ConfigError(f"{file}: is no sample of {kind}")
            if about["samples"]:
                planes, error = (np.load(f"{stem}.{name}.npy", mmap_mode="r") for name in ("planes", "error"))
                (height, width), own = error.shape[1:], (planes.shape[2] - error.shape[1]) // 2
                if own < margin:
                    raise ConfigError(f"{file}: has {own} samples of context, the network needs {margin}")
                lead = own - margin
                planes = planes[:, :, lead : lead + height + 2 * margin, lead : lead + width + 2 * margin]
                for k, qp in enumerate(about["samples"]):
                    self.about.append((about["source"], about["config"], about["qp"], qp))
                    self._arrays.append((planes[k], error[k]))
        if not self.about:
            raise ConfigError(f"{folder}: no samples; `codecsim train {kind}-samples` makes them")

    def __len__(self) -> int:
        return len(self._arrays)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return iter(self._arrays)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self._arrays[index]
