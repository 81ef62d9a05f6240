"""Streams entered at an open random access point (CRA)."""

import io

import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.codec.decoder import decode
from codecsim.errors import BitstreamError
from codecsim.syntax import nal as nal_units
from tests.conformance.clips import make_clip
from tests.conformance.runs import Run, assert_same_pictures, check_ffmpeg, run_encoder

COUNT = 21  # the last group ends early


def encode_and_cut(poc, **options):
    """(what remains of a stream from the access unit of picture `poc` on, `Run` of all of it)."""
    config = EncoderConfig("ra", 32, preset="fast", intra_period=8, **options)
    run = run_encoder(config, make_clip("texture", 72, 40, COUNT))
    skipped = [report.poc for report in run.reports].index(poc)
    return run.data[sum(report.file_bits for report in run.reports[:skipped]) // 8 :], run


@pytest.mark.parametrize("start", [8, 16])
def test_leading_pictures_are_left_out(start):
    data, run = encode_and_cut(start, filter="off")
    types = [nal.type for nal in nal_units.read_nal_units(io.BytesIO(data)) if nal_units.is_slice(nal.type)]
    assert types[0] == nal_units.CRA and nal_units.RASL_R in types and nal_units.RASL_N in types
    pictures = list(decode(io.BytesIO(data)))
    assert_same_pictures([picture.frame for picture in pictures], run.recon[start:])
    assert [picture.report.poc for picture in pictures] == list(range(start, COUNT))
    assert sum(picture.report.file_bits for picture in pictures) == 8 * len(data)
    check_ffmpeg(Run(data, run.recon[start:], []))


@pytest.mark.parametrize("mode", ["frozen", "online"])
def test_learned_tools_cannot_be_entered(mode):
    """What the filter has learned from the pictures before is missing."""
    data, _ = encode_and_cut(8, filter=mode, settings={"inter_luma": {"channels": 8, "tile_log2": 5}})
    with pytest.raises(BitstreamError, match="can begin at an IDR picture only"):
        list(decode(io.BytesIO(data)))
