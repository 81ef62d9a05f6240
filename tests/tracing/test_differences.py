"""The first difference is found where it was made."""

import io
import itertools

import numpy as np
import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.codec.picture_codec import PictureCodec
from codecsim.codec.stages import deblocking
from codecsim.entropy.cabac import ENCODE
from codecsim.errors import BitstreamError, MismatchError
from codecsim.experiments.traces import compare_traces, trace_stream, write_trace
from codecsim.picture.planes import PAD_C
from codecsim.tracing.differences import as_object, explain, first_difference
from codecsim.tracing.files import Selection, trace_reader, trace_writer
from codecsim.tracing.records import DECODER, ENCODER, TraceHeader
from tests.conformance.clips import make_clip
from tests.tracing.tracing_of import decoder_trace, encoder_trace, without_register

CONFIG = EncoderConfig(config="ldp", filter="off", qp=28)
CLIP = make_clip("film", 136, 72, 3)


@pytest.fixture(scope="module")
def coded():
    return encoder_trace(CONFIG, CLIP)


@pytest.fixture(scope="module")
def stream(coded, tmp_path_factory):
    path = tmp_path_factory.mktemp("streams") / "s.bin"
    path.write_bytes(coded[0])
    return path


def test_equal_traces(coded, stream, tmp_path):
    with trace_writer(tmp_path / "encoder.gz", TraceHeader(ENCODER)) as write:
        write(coded[1])
    assert compare_traces(tmp_path / "encoder.gz", stream) == (None, len(coded[1]))
    difference, count = compare_traces(stream, stream)
    assert difference is None
    assert count > len(coded[1])  # digests of samples


def test_an_element_written_otherwise_is_found(coded, monkeypatch):
    """The encoder writes another predictor in one block of the last picture than its search has chosen."""
    plain, changed = PictureCodec.code_slice_data, []

    def code_slice_data(codec, mode, coder, trace=None):
        if mode == ENCODE and codec.picture.poc == 2:
            blocks = codec.blocks
            predicted = (blocks.pred_mode == 2) & (blocks.merge == 0)
            y, x = np.argwhere(predicted)[0]
            blocks.mvp_idx[y, x, 0] ^= 1
            changed.append((4 * int(x), 4 * int(y)))
        return plain(codec, mode, coder, trace)

    monkeypatch.setattr(PictureCodec, "code_slice_data", code_slice_data)
    _, records = encoder_trace(CONFIG, CLIP)
    difference, equal = first_difference(coded[1], records, same_side=True, context=3)
    first, second = difference.records
    assert (first.element, first.poc) == ("mvp_l0_flag", 2)
    assert first.value == 1 - second.value
    assert (first.x, first.y) == (second.x, second.y)
    (at,) = changed
    assert (first.x, first.y) == at
    assert difference.fields == ["value", "bins"]
    assert coded[1][:equal] == records[:equal]
    assert difference.before == records[equal - 3 : equal]
    assert difference.after[1] == records[equal + 1 : equal + 4]
    text = "\n".join(explain(difference))
    assert "picture 2 (POC 2), TRAIL_R, CTU" in text and "another value" in text
    assert as_object(difference)["records"][0]["element"] == "mvp_l0_flag"


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_flipped_bit_is_found_when_the_decoder_sees_it(coded, stream, tmp_path, part):
    """A decoder holds nine bits of the stream: the first state that differs is of the element that gets the bit."""
    data, records = coded[0], decoder_trace(coded[0])
    start = data.rindex(b"\x00\x00\x01", 0, data.rindex(b"\x00\x00\x01")) + 3  # the last slice; its hash follows
    unit = [record for record in records if record.poc == 2 and record.range is not None]
    byte = int(unit[0].position + 24 + part * (unit[-1].position - unit[0].position)) // 8
    while 0 in data[start + byte - 3 : start + byte + 4]:  # no start code or emulation prevention may come or go
        byte += 1
    damaged = bytearray(data)
    damaged[start + byte] ^= 0x80
    (tmp_path / "damaged.bin").write_bytes(damaged)
    skipped = data[start : start + byte].count(b"\x00\x00\x03")
    wanted = next(record for record in unit if record.position + 9 > 8 * (byte - skipped))
    difference, _ = compare_traces(stream, tmp_path / "damaged.bin")
    assert difference.records[0] == wanted
    assert difference.fields == ["register"] or {"value", "register"} <= set(difference.fields)
    assert "offset or low: " in "\n".join(explain(difference))


def test_a_trace_that_ends(coded, tmp_path):
    data = coded[0]
    (tmp_path / "whole.bin").write_bytes(data)
    (tmp_path / "cut.bin").write_bytes(data[:-20])
    difference, equal = compare_traces(tmp_path / "whole.bin", tmp_path / "cut.bin")
    assert equal > len(coded[1]) // 2
    assert difference.errors[0] is None and difference.errors[1]
    assert "(stopped: " in "\n".join(explain(difference))
    with pytest.raises(BitstreamError):
        write_trace(tmp_path / "cut.bin", tmp_path / "cut.trace.xz")
    with trace_reader(tmp_path / "cut.trace.xz") as (header, records):
        kept = list(records)
    assert header == TraceHeader(DECODER) and len(kept) > 0.9 * len(coded[1])


def test_files_keep_records(coded, tmp_path):
    rounded = [record._replace(bits=round(record.bits, 3)) for record in coded[1]]
    for name in ("a.txt", "a.gz", "a.xz", "a.jsonl", "a.jsonl.gz"):
        with trace_writer(tmp_path / name, TraceHeader(ENCODER)) as write:
            write(coded[1])
        with trace_reader(tmp_path / name) as (header, records):
            assert list(records) == rounded
        assert header == TraceHeader(ENCODER)
    with trace_writer(tmp_path / "b.txt", TraceHeader(ENCODER), as_json=True) as write:
        write(coded[1])
    assert (tmp_path / "b.txt").read_bytes() == (tmp_path / "a.jsonl").read_bytes()


def test_selection(stream, tmp_path):
    write_trace(stream, tmp_path / "t", selection=Selection(poc=1, ctu=0, element="*_cb*"))
    with trace_reader(tmp_path / "t") as (_, records):
        found = list(records)
    assert found and {(r.picture, r.poc, r.ctu) for r in found} == {(1, 1, 0)}
    assert {r.element for r in found} <= {"cbf_cb", "rqt_root_cbf"}


def test_a_trace_comes_picture_by_picture(coded):
    """No more than what has been asked for is decoded."""
    seen = []
    records = trace_stream(io.BytesIO(coded[0]), on_picture=seen.append)
    wanted = without_register(coded[1])
    assert without_register(itertools.islice(records, 200)) == wanted[:200]
    assert len(seen) < 3


def test_samples_that_become_others_are_found_at_their_step(stream, tmp_path, monkeypatch):
    """The decoder's deblocking leaves another sample in the second CTU of the last picture."""
    deblock, errors = deblocking.deblock_picture, {}

    def wrong(blocks, motion, ref_poc, planes, params):
        deblock(blocks, motion, ref_poc, planes, params)
        if motion.value.ref_idx.max() >= 0 and ref_poc[0, 0] == 1:
            planes.value.u[PAD_C + 5, PAD_C + 40] ^= 1

    for name, function in (("wrong", wrong), ("right", deblock)):
        monkeypatch.setattr(deblocking, "deblock_picture", function)
        with trace_writer(tmp_path / name, TraceHeader(DECODER, samples=True)) as write:
            try:
                write(trace_stream(io.BytesIO(stream.read_bytes()), samples=True))
            except MismatchError as error:
                errors[name] = error
    assert errors["wrong"].poc == 2 and "right" not in errors
    difference, _ = compare_traces(tmp_path / "right", tmp_path / "wrong")
    first, second = difference.records
    assert (first.element, first.poc, first.ctu, first.component) == ("deblocked_samples", 2, 1, "Cb")
    assert difference.fields == ["value"]
    assert "what this step makes of it differs" in "\n".join(explain(difference))
    assert compare_traces(tmp_path / "wrong", stream)[0].records[1] == first
