"""Files that hold the weights of networks: reading, writing, finding.

A model is a safetensors file.  Its tensors are the float32 parameters of the layers, named and shaped as `ModelKind`
says; its metadata hold one JSON object under the key `codecsim`:

    format        1
    kind          which tool the model is for, a key of `KINDS`
    architecture  the network's shape, as the kind writes it
    inputs        names of the input planes, in order, without the plane of zeros that makes their number even
    digest        32 hexadecimal digits that name the weights; optional, checked where present
    learner       settings of the tool that the weights work best with: an object of names to values; optional.  They
                  are defaults of an encoding that starts from the weights

Models that ship with codecsim are `models/<name>/<version>/weights.safetensors`.
"""

import dataclasses
import functools
import hashlib
import json
import math
import os
import pathlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from codecsim.errors import ConfigError, ModelError
from codecsim.formats.output import atomic_output, output_errors
from codecsim.learned.engine.spec import SKIP, NetSpec
from codecsim.learned.engine.update import MASTER_LIMIT
from codecsim.learned.engine.weights import InitialWeights
from codecsim.learned.intra.spec import IntraSpec
from codecsim.learned.loop.spec import LoopSpec
from codecsim.resources import resource_folder
from codecsim.tools import tool_named
from codecsim.tools.learner import LearnerSettings

FORMAT = 1
WEIGHTS_FILE, CARD_FILE = "weights.safetensors", "card.md"
INTER_LUMA, INTER_CHROMA, INTRA, LOOP = "inter_luma", "inter_chroma", "intra", "loop"


class ModelKind(NamedTuple):
    """What a kind of model is made of."""

    read: Callable  # architecture (a JSON value) -> spec; raises KeyError, TypeError or ValueError
    write: Callable  # spec -> architecture
    tensors: Callable  # spec -> ((name, shape), ...) in canonical order
    digest: Callable  # (spec, (n,) float32 weights) -> 16 bytes


def _read_net(architecture: Mapping[str, Any]) -> NetSpec:
    return NetSpec(int(architecture["n_inputs"]), architecture["hidden"], int(architecture.get("n_outputs", 1)))


def _write_net(spec: NetSpec) -> dict[str, Any]:
    return {"n_inputs": spec.n_inputs, "hidden": [list(layer) for layer in spec.hidden], "n_outputs": spec.n_outputs}


def _net_tensors(spec: NetSpec) -> tuple[tuple[str, tuple[int, ...]], ...]:
    found = []
    for i, layer in enumerate(spec.layers[:-1]):
        found += [(f"hidden.{i}.weight", layer.weight_shape), (f"hidden.{i}.bias", (layer.n_out,))]
    last = spec.layers[-1]
    found.append(("output.weight", last.weight_shape))
    found.append(("output.skip", (last.n_out, spec.n_inputs, SKIP, SKIP)))
    return (*found, ("output.bias", (last.n_out,)))


_NET = ModelKind(_read_net, _write_net, _net_tensors, lambda spec, weights: InitialWeights(spec, weights).digest())
_INTRA = ModelKind(
    lambda architecture: IntraSpec(_read_net(architecture), architecture.get("split", "none")),
    lambda spec: {**_write_net(spec.net), "split": spec.split},
    lambda spec: tuple(
        (f"net.{k}.{name}", shape) for k in range(spec.n_nets) for name, shape in _net_tensors(spec.net)
    ),
    lambda spec, weights: spec.digest(weights),
)
_LOOP = ModelKind(
    lambda architecture: LoopSpec(**architecture),
    dataclasses.asdict,
    lambda spec: spec.tensors,
    lambda spec, weights: spec.digest(weights),
)
KINDS = MappingProxyType({INTER_LUMA: _NET, INTER_CHROMA: _NET, INTRA: _INTRA, LOOP: _LOOP})


@dataclass(frozen=True, eq=False)
class Model:
    """Weights of one network.

    Parameters
    ----------
    kind : str, a key of KINDS
    spec : shape of the network: a NetSpec, or what the kind has instead
    weights : (n,) float32 in canonical order, within +-MASTER_LIMIT
    inputs : tuple of str, names of the input planes
    name : str, for messages
    learner : settings of the tool that the weights work best with, by name

    Raises
    ------
    ModelError : for weights that do not fit the shape or are out of range
    """

    kind: str
    spec: Any
    weights: np.ndarray
    inputs: tuple
    name: str = ""
    learner: Mapping[str, object] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        wanted = sum(math.prod(shape) for _, shape in self.tensors)
        weights = np.array(self.weights, np.float32)
        if weights.shape != (wanted,):
            raise ModelError(f"{self.name or 'model'}: weights of shape {weights.shape}; {self.spec} needs ({wanted},)")
        if not (np.abs(weights) <= MASTER_LIMIT).all():
            raise ModelError(f"{self.name or 'model'}: weights that are no numbers within +-{MASTER_LIMIT:.5f}")
        weights.flags.writeable = False
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "inputs", tuple(self.inputs))

    @property
    def tensors(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """((name, shape), ...) of the parameters, in canonical order."""
        return KINDS[self.kind].tensors(self.spec)

    @functools.cached_property
    def digest(self) -> bytes:
        """16 bytes that name the weights in a stream, and input planes of which the stream's settings say nothing."""
        digest = KINDS[self.kind].digest(self.spec, self.weights)
        settings: Any = tool_named(self.kind).settings
        if not issubclass(settings or object, LearnerSettings) or all(map(settings.can_switch, self.inputs)):
            return digest
        return hashlib.blake2b(digest + " ".join(self.inputs).encode(), digest_size=16).digest()

    def initial(self) -> InitialWeights:
        """`InitialWeights` of a network that learns (whose spec is a NetSpec)."""
        return InitialWeights(self.spec, self.weights)


def save_model(path: str | os.PathLike, model: Model) -> None:
    """Write a model to a file; its folder is made.

    Raises
    ------
    FormatError : the file cannot be written
    """
    tensors, at = {}, 0
    for name, shape in model.tensors:
        size = math.prod(shape)
        tensors[name] = model.weights[at : at + size].reshape(shape)
        at += size
    header = {
        "format": FORMAT,
        "kind": model.kind,
        "architecture": KINDS[model.kind].write(model.spec),
        "inputs": list(model.inputs),
        "digest": model.digest.hex(),
    }
    if model.learner:
        header["learner"] = dict(model.learner)
    with output_errors(str(path)):
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    with atomic_output(path) as file:
        file.write(save(tensors, metadata={"codecsim": json.dumps(header)}))


def load_model(name: str | os.PathLike, kind: str | None = None) -> Model:
    """Read a model.

    Parameters
    ----------
    name : str or path: `name` or `name/version` of a model that ships (without version the newest), at least 8
        hexadecimal digits of the digest of such a one, or the path of a file or of its folder
    kind : str, optional: the kind that it must be of

    Raises
    ------
    ConfigError : there is no such model, or it is of another kind
    ModelError : the file is damaged, or not a model of this version of codecsim
    """
    model = read_model(_path_of(str(name)), str(name))
    if kind is not None and model.kind != kind:
        raise ConfigError(f"model {name!r} is of kind {model.kind}; expected {kind}")
    return model


def find_model(digest: bytes, kind: str, places: Sequence = ()) -> Model:
    """The model whose weights have a digest.

    Parameters
    ----------
    digest : 16 bytes, as a stream names weights
    kind : str, a key of KINDS
    places : further files and folders to look in, after the models that ship

    Raises
    ------
    ModelError : it is not there
    ConfigError : a place that does not exist
    """
    files = [path for paths in shipped_models().values() for path in paths.values()]
    for place in places:
        folder = pathlib.Path(place)
        inside = sorted(folder.rglob("*.safetensors")) if folder.is_dir() else None
        files += [_path_of(str(place))] if inside is None else filter(_is_model, inside)
    for path in files:
        header = _header(path, str(path))
        if header["kind"] == kind and header.get("digest", digest.hex()) == digest.hex():
            model = read_model(path, str(path))
            if model.digest == digest:
                return model
    raise ModelError(
        f"the stream needs weights of kind {kind} with the digest {digest.hex()}, which are in none of the "
        f"{len(files)} model files known here; name their file with --model"
    )


def shipped_models() -> dict[str, dict[str, pathlib.Path]]:
    """{name: {version: path}} of the models that ship with codecsim, versions from the oldest to the newest."""
    found: dict[Any, Any] = {}
    for path in sorted(resource_folder("models").glob(f"*/*/{WEIGHTS_FILE}"), key=_age):
        found.setdefault(path.parts[-3], {})[path.parts[-2]] = path
    return found


def _age(path: pathlib.Path) -> tuple[str, list[tuple[int, str]]]:
    """Order of models and versions: "v10" behind "v9"."""
    return path.parts[-3], [
        (int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|\D+", path.parts[-2])
    ]


def _path_of(name: str) -> pathlib.Path:
    """Path of the file that `name` means."""
    path = pathlib.Path(name)
    shipped = shipped_models()
    model, _, version = name.partition("/")
    if model in shipped and (not version or version in shipped[model]):
        return shipped[model][version or list(shipped[model])[-1]]
    if path.is_dir() and (path / WEIGHTS_FILE).is_file():
        return path / WEIGHTS_FILE
    if path.is_file():
        return path
    if re.fullmatch("[0-9a-f]{8,32}", name):
        for path in (path for paths in shipped.values() for path in paths.values()):
            if _header(path, str(path)).get("digest", "").startswith(name):
                return path
    known = ", ".join(f"{model}/{version}" for model, paths in shipped.items() for version in paths) or "none"
    raise ConfigError(f"no model {name!r}: neither a file nor a model that ships; those are: {known}")


def _is_model(path: pathlib.Path) -> bool:
    try:
        return bool(_header(path, str(path)))
    except ModelError:
        return False


def _header(path: pathlib.Path, name: str) -> dict[str, Any]:
    """The JSON object in a model's metadata, checked as far as it says what the file is."""
    try:
        with safe_open(path, "np") as file:
            header = json.loads((file.metadata() or {})["codecsim"])
    except OSError as error:
        raise ModelError(f"{name}: cannot be read: {error.strerror or error}") from None
    except (SafetensorError, KeyError, ValueError):
        raise ModelError(f"{name}: no model of codecsim (a safetensors file with metadata 'codecsim')") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT or header.get("kind") not in KINDS:
        raise ModelError(
            f"{name}: not a model of format {FORMAT} and a kind of {', '.join(KINDS)}, but "
            f"{ {key: header.get(key) for key in ('format', 'kind')} if isinstance(header, dict) else header }"
        )
    return header


def _is_value(value: object) -> bool:
    """Whether a setting can have it: a number, a word, true or false, or a list of numbers."""
    if isinstance(value, list):
        return all(isinstance(item, int | float) for item in value)
    return isinstance(value, bool | int | float | str)


def read_model(path: pathlib.Path, name: str) -> Model:
    """Read and check the model in a file.

    Raises
    ------
    ModelError : the file is damaged, or not a model of this version of codecsim
    """
    header = _header(path, name)
    kind = KINDS[header["kind"]]
    try:
        spec = kind.read(header["architecture"])
        inputs = header["inputs"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{name}: an architecture that cannot be: {error}") from None
    if not isinstance(inputs, list) or not all(isinstance(item, str) and item for item in inputs):
        raise ModelError(f"{name}: inputs are {inputs!r}; expected a list of names")
    learner = header.get("learner", {})
    if not isinstance(learner, dict) or not all(_is_value(value) for value in learner.values()):
        raise ModelError(f"{name}: learner is {learner!r}; expected an object of settings to numbers, words or truth")
    parts = []
    with safe_open(path, "np") as file:
        expected = dict(kind.tensors(spec))
        if {*file.keys()} != {*expected}:
            odd = ", ".join(sorted({*file.keys()} ^ {*expected}))
            raise ModelError(f"{name}: tensors missing, or too many, for {spec}: {odd}")
        for tensor_name, shape in expected.items():
            tensor = file.get_tensor(tensor_name)
            if tensor.shape != tuple(shape) or tensor.dtype != np.float32:
                raise ModelError(
                    f"{name}: {tensor_name} is {tensor.dtype} {tensor.shape}; expected float32 {tuple(shape)}"
                )
            parts.append(tensor.ravel())
    model = Model(header["kind"], spec, np.concatenate(parts), tuple(inputs), name, learner)
    if header.get("digest", model.digest.hex()) != model.digest.hex():
        raise ModelError(f"{name}: the weights have the digest {model.digest.hex()}, the file says {header['digest']}")
    return model
