"""The card of a trained model: a Markdown file beside it that says what it is and how it came about."""

import dataclasses
import hashlib
import importlib.metadata
import json
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from codecsim import __version__
from codecsim.errors import ConfigError
from codecsim.formats.output import atomic_output
from codecsim.learned.engine.complexity import block_macs, inference_kmac
from codecsim.learned.model_files import CARD_FILE, INTER_CHROMA, INTER_LUMA, INTRA, LOOP, Model

_BY_ENGINE = "the integer engine that runs the model has trained it"
_BY_TORCH = "on random pictures the integer engine gave what torch gives with the integers' rounding"


class Table(NamedTuple):
    """Figures."""

    title: str  # what they are, in a sentence
    columns: Sequence  # names of all columns but the first
    rows: dict  # name of a row -> values


class Training(NamedTuple):
    """How a model was trained."""

    settings: Any  # a dataclass
    samples: str  # folder
    command: str  # that did it
    figures: Sequence = ()  # of Table
    dropped: Sequence = ()  # of dict: "step", "dropped" of so many "blocks" or "pictures", and "by_kind"


def card_path(output: str | os.PathLike) -> pathlib.Path:
    """Path of the card of the model in a file."""
    path = pathlib.Path(output)
    return path.with_name(f"{path.stem}.{CARD_FILE}")


def check_card(output: str | os.PathLike) -> None:
    """Make sure that the card of the model in a file takes no other card's place.

    Raises
    ------
    ConfigError : there is the card of another model, or something else
    """
    path = card_path(output)
    if path.exists() and not (path.is_file() and path.read_bytes().startswith(f"{_title(output)}\n".encode())):
        raise ConfigError(f"{path}: would be the card of {output}, but is not; move it or name another output")


def write_card(output: str | os.PathLike, model: Model, training: Training) -> pathlib.Path:
    """Write the card of a Model that stands in a file; returns its path.

    Parameters
    ----------
    output : path of the file
    model : Model
    training : Training

    Raises
    ------
    ConfigError : as of `check_card`
    FormatError : it cannot be written
    """
    check_card(output)
    settings = dataclasses.asdict(training.settings)
    about = {
        "kind": f"`{model.kind}`",
        "architecture": str(model.spec),
        "inputs": ", ".join(model.inputs),
        "size": f"{model.spec.n_weights:,} parameters, {_kmac(model)}",
        "digest": model.digest.hex(),
        "sha256 of the file": hashlib.sha256(pathlib.Path(output).read_bytes()).hexdigest(),
        "bit for bit": _BY_ENGINE if model.kind in (INTER_LUMA, INTER_CHROMA) else _BY_TORCH,
        "made by": _versions(model.kind),
        **{name.replace("_", " "): value for name, value in settings.items()},
    }
    parts = [
        _title(output),
        _table(Table("", ("",), {name: (value,) for name, value in about.items()})),
        "## Data",
        _sources(training.samples),
        "Where the material is from and what its terms are, a program cannot know: say it here.",
        "## Command",
        f"```sh\n{training.command}\n```",
    ]
    if training.dropped:
        parts += ["## Sample dropping", *map(_dropped, training.dropped)]
    if training.figures:
        parts += ["## Figures", *map(_table, training.figures)]
    with atomic_output(card_path(output)) as file:
        file.write(("\n\n".join(parts) + "\n").encode())
    return card_path(output)


def _title(output: str | os.PathLike) -> str:
    return f"# {pathlib.Path(output).name}"


def _table(table: Table) -> str:
    lines = [table.title, ""] if table.title else []
    lines += [_row(("", *table.columns)), "|---" * (1 + len(table.columns)) + "|"]
    lines += [_row((name, *values)) for name, values in table.rows.items()]
    return "\n".join(lines)


def _row(cells: Iterable[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _kmac(model: Model) -> str:
    if model.kind == LOOP:
        return f"{model.spec.macs / 1000:.2f} kMAC a luma sample"
    if model.kind == INTRA:
        small, large = (block_macs(model.spec.net, size) / 1000 for size in (4, 32))
        return f"{small:.2f} (blocks of 4x4) to {large:.2f} (32x32) kMAC a luma sample"
    return f"{inference_kmac(model.spec):.2f} kMAC a {'chroma' if model.kind == INTER_CHROMA else 'luma'} sample"


def _versions(kind: str) -> str:
    names = ("numpy",) if kind in (INTER_LUMA, INTER_CHROMA) else ("numpy", "torch")
    return ", ".join([f"codecsim {__version__}", *(f"{name} {importlib.metadata.version(name)}" for name in names)])


def _sources(folder: str) -> str:
    """What a folder of samples is made of, source by source."""
    rows: dict[Any, Any] = {}
    for path in sorted(pathlib.Path(folder).glob("*.json")):
        about = json.loads(path.read_text(encoding="utf-8"))
        if "source" in about:
            row = rows.setdefault(about["source"], ([], set(), set()))
            row[0].append(len(about.get("samples", about.get("pictures", [None]))))
            row[1].add(about.get("config", "ai"))
            row[2].add(about["qp"])
    rows = {
        source: (len(counts), sum(counts), ", ".join(sorted(configs)), ", ".join(map(str, sorted(qps))))
        for source, (counts, configs, qps) in sorted(rows.items())
    }
    title = f"{sum(row[1] for row in rows.values()):,} pictures, by their sources:"
    return _table(Table(title, ("encodings", "pictures", "configurations", "QP"), rows))


def _dropped(note: Mapping[str, Any]) -> str:
    what = next(key for key in ("blocks", "pictures") if key in note)
    when = f"After {note['step']:,} steps" if "step" in note else "Late"
    text = f"{when}, because the filter made them worse: {note['dropped']:,} of {note[what]:,} {what}"
    if not note["by_kind"]:
        return f"{text}."
    return "\n".join([f"{text}:", "", *(f"- {kind}: {count:,}" for kind, count in note["by_kind"].items())])
