"""Initial weights of the chroma filter, one for U and V: `codecsim train chroma CLIP... -o OUT`."""

from codecsim.config import EncoderConfig
from codecsim.learned.chroma_params import ChromaParams
from codecsim.learned.model_files import INTER_CHROMA
from codecsim.learned.stream import UNTRAINED
from codecsim.training import by_engine


def collect(path, qp, count):
    """Samples of one encoding, as `by_engine.collect` yields them."""
    config = EncoderConfig("ldp", qp, preset="fast", model=UNTRAINED, chroma_filter="frozen", chroma_model=UNTRAINED)
    return by_engine.collect(
        path, config, count, lambda codec: [(net.state, k) for k, net in enumerate(codec.chroma_filter.components, 1)]
    )


command = by_engine.make_command(INTER_CHROMA, collect, lambda channels: ChromaParams(channels=channels))
