"""The encoder writes the streams that it always wrote.

If a test fails, a change that should not have altered what is coded has done so.  Where it was meant to,
encoder_matrix.py makes the digests again; if decoders must change too, see test_stored_streams.py.
"""

import pytest

from tests.conformance.encoder_matrix import read_cases, stream_digest

CASES = read_cases()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_stream(case):
    assert stream_digest(case) == case["sha256"]
