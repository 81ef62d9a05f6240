"""Traces for the tests."""

import io

from codecsim.codec.decoder import decode
from codecsim.codec.encoder import encode
from codecsim.tracing.tracer import Tracer


def encoder_trace(config, clip, samples=False):
    """(stream, list of Record) of an EncoderConfig over what `clips.make_clip` returns."""
    records = []
    pictures = encode(config, *clip, Tracer(lambda found: records.extend(found), samples))
    return b"".join(picture.data for picture in pictures), records


def decoder_trace(data, samples=False):
    """List of Record of a stream."""
    records = []
    for _ in decode(io.BytesIO(data), trace=Tracer(lambda found: records.extend(found), samples)):
        pass
    return records


def without_register(records):
    """What encoder and decoder have in common."""
    return [record._replace(register=None) for record in records]
