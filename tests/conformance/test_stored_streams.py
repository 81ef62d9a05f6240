"""Streams made once decode to the same pictures for ever.

If a test fails, normative code has changed what existing streams mean.  For standard streams (.hevc) that is a bug.
For streams with learned tools (.bin) it needs a new ARITHMETIC_VERSION (codec.active_tools); then run make_streams.py.
"""

import io
import json

import pytest

from codecsim.codec.decoder import decode
from tests.conformance.make_streams import FOLDER, STREAMS, digest
from tests.conformance.runs import Run, check_ffmpeg

DIGESTS = json.loads((FOLDER / "digests.json").read_text())


@pytest.mark.parametrize("name", sorted(DIGESTS))
def test_pictures(name):
    data = (FOLDER / name).read_bytes()
    pictures = list(decode(io.BytesIO(data)))
    wanted = DIGESTS[name]
    assert len(pictures) == wanted["pictures"]
    assert digest(picture.frame for picture in pictures) == wanted["sha256"]
    last = max(pictures, key=lambda picture: picture.coding_index)
    assert last.report.learner_hash == wanted.get("learner")
    if name.endswith(".hevc"):
        check_ffmpeg(Run(data, [picture.frame for picture in pictures], []))


def test_all_are_stored():
    assert set(STREAMS) == set(DIGESTS)
