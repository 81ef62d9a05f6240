"""Makes stored streams and the digests of their pictures again.  Needed where the format changes; no test runs it.

python -m tests.conformance.make_streams [NAME...]
"""

import hashlib
import json
import pathlib
import sys

from codecsim.codec.config import EncoderConfig
from tests.conformance.clips import make_clip
from tests.conformance.random_syntax import random_stream
from tests.conformance.runs import run_encoder

FOLDER = pathlib.Path(__file__).parent / "streams"
LEARN = {"channels": 8, "tile_log2": 5, "epochs_q2": 16}
STREAMS = {
    "ai.hevc": lambda: run_encoder(EncoderConfig("ai", 32, filter="off", hash="crc"), make_clip("film", 96, 66, 2)),
    "ldp.hevc": lambda: run_encoder(
        EncoderConfig("ldp", 30, filter="off", preset="slow", hash="checksum"), make_clip("edges", 130, 66, 7)
    ),
    "ldb.hevc": lambda: run_encoder(EncoderConfig("ldb", 32, filter="off"), make_clip("film", 96, 66, 6)),
    "ra.hevc": lambda: run_encoder(
        EncoderConfig("ra", 32, filter="off", hash="crc", intra_period=8), make_clip("texture", 66, 50, 20)
    ),
    "random_i.hevc": lambda: random_stream(33, 1),
    "random_p.hevc": lambda: random_stream(40, 3),
    "random_tools.hevc": lambda: random_stream(202, 3),
    "random_b.hevc": lambda: random_stream(25, 6),
    "learned_ra.bin": lambda: run_encoder(
        EncoderConfig("ra", 32, settings={"inter_luma": LEARN}, intra_period=8), make_clip("texture", 72, 66, 11)
    ),
    "adaptive_qp.hevc": lambda: run_encoder(
        EncoderConfig("ldp", 30, filter="off", settings={"hevc": {"adaptive_qp": 8, "qp_group": 8}}),
        make_clip("edges", 104, 72, 5),
    ),
    "obmc.bin": lambda: run_encoder(EncoderConfig("ldb", 27, filter="off", obmc=True), make_clip("film", 98, 66, 6)),
    "obmc_learned.bin": lambda: run_encoder(
        EncoderConfig("ra", 30, obmc=True, settings={"inter_luma": LEARN, "hevc": {"internal_bit_depth": 10}}),
        make_clip("edges", 106, 66, 9),
    ),
    "learned.bin": lambda: run_encoder(
        EncoderConfig("ldp", 30, settings={"inter_luma": LEARN}, intra_period=5), make_clip("texture", 96, 66, 8)
    ),
    "loop_filter.bin": lambda: run_encoder(
        EncoderConfig("ldp", 32, filter="off", loop_filter="loop-filter/2"),
        make_clip("cut", 106, 74, 4),
    ),
    "main10.hevc": lambda: run_encoder(
        EncoderConfig("ldp", 27, filter="off", settings={"hevc": {"internal_bit_depth": 10}}),
        make_clip("cut", 66, 98, 5),
    ),
    "learned_10_bits.bin": lambda: run_encoder(
        EncoderConfig("ldp", 32, settings={"inter_luma": LEARN}), make_clip("texture", 72, 66, 5, bit_depth=10)
    ),
    "learned_switches.bin": lambda: run_encoder(
        EncoderConfig(
            "ldp",
            34,
            settings={
                "inter_luma": {
                    **LEARN,
                    "channels": 16,
                    "loss": "l2",
                    "control": "threshold",
                    "reset": "auto",
                    "replay": 2,
                }
            },
        ),
        make_clip("cut", 72, 72, 8),
    ),
    "intra_filter.bin": lambda: run_encoder(
        EncoderConfig(
            "ldp", 27, filter="off", intra_filter="frozen", settings={"intra": {"model": "prediction-intra/1"}}
        ),
        make_clip("film", 98, 66, 5),
    ),
}


def digest(frames):
    """SHA-256 of the samples of Frames, in hex."""
    total = hashlib.sha256()
    for frame in frames:
        for plane in frame:
            total.update(plane.tobytes())
    return total.hexdigest()


def main(names):
    FOLDER.mkdir(exist_ok=True)
    index = FOLDER / "digests.json"
    digests = json.loads(index.read_text()) if names else {}
    for name in names or STREAMS:
        run = STREAMS[name]()
        (FOLDER / name).write_bytes(run.data)
        digests[name] = {"pictures": len(run.recon), "sha256": digest(run.recon)}
        if run.reports:
            digests[name]["learner"] = run.reports[-1].learner_hash
        print(name, len(run.data), "bytes")
    index.write_text(json.dumps(digests, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
