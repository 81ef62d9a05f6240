"""What the encoder means is what the decoder reads, and tracing changes nothing."""

import pytest

from codecsim.config import EncoderConfig
from codecsim.encoder import encode
from tests.conformance.clips import make_clip
from tests.tracing.tracing_of import decoder_trace, encoder_trace, without_register

ALL_TOOLS = {"filter": "online", "chroma_filter": "online", "intra_filter": "frozen", "obmc": True, "loop_filter": "on"}
CONFIGS = {
    "ai": EncoderConfig(config="ai", filter="off", qp=27),
    "ldp": EncoderConfig(config="ldp", filter="off", qp=27, adaptive_qp=4, qp_group=16),
    "ra": EncoderConfig(config="ra", filter="off", qp=30),
    "learned": EncoderConfig(config="ldp", qp=30, **ALL_TOOLS),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_both_sides_trace_the_same(name):
    clip = make_clip("film", 136, 72, 9 if name == "ra" else 3)
    data, written = encoder_trace(CONFIGS[name], clip)
    read = decoder_trace(data)
    assert without_register(read) == without_register(written)
    assert len({record.picture for record in read}) == len(clip[1])
    assert len(read) > 500
    lows, offsets = ([r.register for r in records if r.register is not None] for records in (written, read))
    assert max(lows) < 1024 and lows != offsets
    assert all(record.register < record.range for record in read if record.range is not None)
    assert data == b"".join(picture.data for picture in encode(CONFIGS[name], *clip))
