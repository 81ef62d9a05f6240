"""What the encoder means is what the decoder reads, and tracing changes nothing."""

import io
import zlib

import numpy as np
import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.codec.decoder import decode
from codecsim.codec.encoder import encode
from codecsim.tracing.records import SAMPLES
from tests.conformance.clips import make_clip
from tests.tracing.tracing_of import decoder_trace, encoder_trace, without_register

ALL_TOOLS = {"filter": "online", "chroma_filter": "online", "intra_filter": "frozen", "obmc": True, "loop_filter": "on"}
CONFIGS = {
    "ai": EncoderConfig(config="ai", filter="off", qp=27),
    "ldp": EncoderConfig(config="ldp", filter="off", qp=27, settings={"hevc": {"adaptive_qp": 4, "qp_group": 16}}),
    "ra": EncoderConfig(config="ra", filter="off", qp=30),
    "learned": EncoderConfig(config="ldp", qp=30, **ALL_TOOLS),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_both_sides_trace_the_same(name):
    clip = make_clip("film", 136, 72, 9 if name == "ra" else 3)
    data, written = encoder_trace(CONFIGS[name], clip, samples=True)
    read = decoder_trace(data, samples=True)
    assert without_register(read) == without_register(written)
    assert [record for record in read if record.unit != SAMPLES] == decoder_trace(data)
    assert data == b"".join(picture.data for picture in encode(CONFIGS[name], *clip))
    assert {record.picture for record in read} == set(range(len(clip[1])))
    lows, offsets = ([r.register for r in records if r.register is not None] for records in (written, read))
    assert len(lows) > 500 and max(lows) < 1024 and lows != offsets
    assert all(record.register < record.range for record in read if record.range is not None)
    check_digests(name, data, read)


def check_digests(name, data, records):
    """Every step has its digests, one for each CTU and component, and the last one is of what is output."""
    steps = {"predicted_samples", "motion_field"} if name != "ai" else set()
    steps |= {"reconstructed_samples", "deblocked_samples", "sao_samples", "picture_samples"}
    if name == "learned":
        steps |= {"learner_state", "filtered_samples_online", "filtered_samples_rls"}
    found = [record for record in records if record.unit == SAMPLES]
    assert {record.element for record in found} == steps
    finished = [record for record in found if record.element == "picture_samples"]
    assert len(finished) == 3 * 6 * len({record.picture for record in records})
    for picture in decode(io.BytesIO(data)):
        of_picture = [record for record in finished if record.picture == picture.coding_index]
        for record, plane in zip(of_picture[::6], picture.frame, strict=True):
            block = plane[:64, :64] if record.component == "Y" else plane[:32, :32]
            assert record.value == f"0x{zlib.crc32(block.astype(np.uint16).tobytes()):08x}"
