"""Settings of the encoder with the digests of the streams that it must give: cases of `matrix.json`.

A case names its clip as the arguments of `clips.make_clip`, its settings by their full names.  Needed only where the
encoder is meant to choose otherwise: `python -m tests.conformance.encoder_matrix NAME...` makes digests again, of all
cases without a name.
"""

import hashlib
import json
import pathlib
import sys

from codecsim.codec.config import EncoderConfig
from codecsim.codec.encoder import encode
from tests.conformance.clips import make_clip

FILE = pathlib.Path(__file__).with_name("matrix.json")
_TOOLS = {"overlap": "obmc", "inter_luma": "filter", "inter_chroma": "chroma_filter", "intra": "intra_filter"}
_MODELS = {"inter_luma": "model", "inter_chroma": "chroma_model", "intra": "intra_model"}
_SETTINGS = {"inter_luma": "learn", "inter_chroma": "chroma_learn", "intra": "intra_learn", "search": "effort"}


def read_cases():
    """{name: case} of the file."""
    return json.loads(FILE.read_text())


def write_cases(cases):
    """Replace the file: one line a case."""
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items())
    FILE.write_text(f"{{\n{lines}\n}}\n")


def _by_qp(value):
    """A value by QP has numbers for keys, which JSON cannot have."""
    return {int(qp): at for qp, at in value.items()} if isinstance(value, dict) else value


def config_of(case):
    """The EncoderConfig of a case."""
    options = {
        name: case[name] for name in ("config", "qp", "preset", "intra_period", "hash", "oracle") if name in case
    }
    for tool, mode in case.get("tools", {}).items():
        options[_TOOLS.get(tool, "loop_filter")] = mode == "on" if tool == "overlap" else mode
    options |= {_MODELS[tool]: model for tool, model in case.get("models", {}).items()}
    for full_name, value in case.get("settings", {}).items():
        owner, _, name = full_name.partition(".")
        if owner == "hevc":
            options[name] = value
        else:
            options.setdefault(_SETTINGS[owner], {})[name] = _by_qp(value)
    return EncoderConfig(**{"filter": "off", **options})


def stream_digest(case):
    """SHA-256 of the stream of a case, in hex."""
    total = hashlib.sha256()
    for picture in encode(config_of(case), *make_clip(*case["clip"])):
        total.update(picture.data)
    return total.hexdigest()


def main(names):
    cases = read_cases()
    for name in names or cases:
        cases[name]["sha256"] = stream_digest(cases[name])
    write_cases(cases)


if __name__ == "__main__":
    main(sys.argv[1:])
