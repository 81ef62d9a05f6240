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
from codecsim.tools import tool_named
from tests.conformance.clips import make_clip

FILE = pathlib.Path(__file__).with_name("matrix.json")


def read_cases():
    """{name: case} of the file."""
    return json.loads(FILE.read_text())


def write_cases(cases):
    """Replace the file: one line a case."""
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items())
    FILE.write_text(f"{{\n{lines}\n}}\n")


def config_of(case):
    """The EncoderConfig of a case."""
    names = ("config", "qp", "preset", "intra_period", "hash", "oracle")
    options = {name: case[name] for name in names if name in case}
    for name, mode in case.get("tools", {}).items():
        tool = tool_named(name)
        options[tool.option] = tool.value(mode)
    models = {f"{name}.model": model for name, model in case.get("models", {}).items()}
    return EncoderConfig(**{"filter": "off", **options}, settings={**models, **case.get("settings", {})})


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
