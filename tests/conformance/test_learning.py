"""With learned tools on, decoder and encoder hold the same pictures and the same learner, on every machine."""

import dataclasses
import hashlib
import io
import os
import pathlib
import subprocess
import sys

import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.codec.decoder import decode
from tests.conformance.clips import make_clip
from tests.conformance.runs import check_own_decoder, run_encoder

HERE = pathlib.Path(__file__).parent
SWITCHES = [
    {"channels": 8},
    {"channels": 16, "hidden_layers": 1},
    {"channels": 32, "hidden_layers": 3},
    {"loss": "l2"},
    {"huber_bound_q4": 4},
    {"method": "sgd", "learning_rate": "0.02"},
    {"beta1": 0.5, "beta2": 0.9, "epsilon": 1e-6},
    {"average_q8": 0},
    {"average_q8": 0},
    {"average_q8": 255},
    {"control": "threshold", "threshold_q8": "8,16,32,64"},
    {"control": "never"},
    {"reset": "auto", "reset_margin_q8": 0, "learning_rate": 0.5},
    {"reset": "idr"},
    {"reset": "never"},
    {"replay": 1},
    {"replay": 1},
    {"replay": 3},
    {"jitter": 0},
    {"jitter": 31},
    {"hot_share_q8": 128},
    {"high_pass": False},
    {"qp_plane": False},
    {"overlapped": False},
    {"further": 0},
    {"further": 3},
    {"high_pass": False, "qp_plane": False, "overlapped": False, "further": 0},
    {"tile_log2": 4},
    {"tile_log2": 7},
    {"block_size": "input"},
    {"block_size": "two_classes"},
    {"block_size": "three_classes", "experts": "initial,online,rls,mix", "control": "signalled"},
    {"epochs_q2": 1},
    {"epochs_q2": 0},
]
SMALL = {"channels": 8, "tile_log2": 5}


def encode_learning(learn, count=5, size=(72, 40), **options):
    """`Run` over a small clip."""
    options = {"preset": "fast", "intra_period": 3, "filter": "online", **options}
    return run_encoder(
        EncoderConfig("ldp", 30, **options).with_settings({"inter_luma": learn}), make_clip("texture", *size, count)
    )


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: "-".join(f"{k}={v}" for k, v in switch.items()))
def test_switches(switch):
    run = encode_learning({**SMALL, **switch})
    check_own_decoder(run)
    steps = [report.trained_steps for report in run.reports if report.type == "P"]
    assert all(step is not None for step in steps)
    if switch.get("control") != "never" and switch.get("epochs_q2") != 0:
        assert any(steps)


@pytest.mark.parametrize("config", ["ldp", "ldb", "ra"])
@pytest.mark.parametrize("block_size", ["input", "two_classes", "three_classes"])
def test_block_sizes(config, block_size):
    """With the weights that ship, over asymmetric partitions, intra blocks and overlap, in pictures of odd size."""
    learn = {"tile_log2": 4, "block_size": block_size, "experts": "online,rls"}
    options = {
        "obmc": True,
        "settings": {"hevc": {"internal_bit_depth": 10}, "search": {"amp": True, "filter_passes": 2}},
    }
    run = run_encoder(
        EncoderConfig(config, 24, preset="fast", **options).with_settings({"inter_luma": learn}),
        make_clip("zoom", 74, 54, 9),
    )
    check_own_decoder(run)
    assert any(report.filtered_share for report in run.reports)
    assert sum(bool(report.trained_steps) for report in run.reports) > 1


def test_switches_are_exercised():
    """The clip makes the learner train, filter, wait and reset, so that the test above means something."""
    always = encode_learning(SMALL, count=6, intra_period=0)
    assert any(report.filtered_share for report in always.reports)
    waits = encode_learning({**SMALL, "control": "threshold", "threshold_q8": (600,) * 4}, count=6, intra_period=0)
    trained = [bool(report.trained_steps) for report in waits.reports[1:]]
    assert any(trained) and not all(trained)
    resets = encode_learning({**SMALL, "reset": "auto", "reset_margin_q8": 0, "learning_rate": 0.5})
    assert any(report.reset for report in resets.reports)
    for run in (always, waits, resets):
        check_own_decoder(run)


@pytest.mark.parametrize("config", ["ldb", "ra"])
def test_b_pictures(config):
    run = run_encoder(
        EncoderConfig(config, 30, preset="fast", settings={"inter_luma": {**SMALL, "further": 3}}, intra_period=0),
        make_clip("texture", 72, 40, 11),
    )
    check_own_decoder(run)
    types = [report.type for report in run.reports]
    assert types == ["I"] + 10 * ["B"]
    assert any(report.filtered_share for report in run.reports)
    assert sum(bool(report.trained_steps) for report in run.reports) > 1


@pytest.mark.parametrize("mode", ["off", "frozen", "online"])
@pytest.mark.parametrize("config", ["ldp", "ldb", "ra"])
def test_overlapped_motion_compensation(config, mode):
    """With and below the learned filter, in samples of 8 and of 10 bits, in pictures that end within blocks."""
    for bit_depth, passes in ((8, 1), (10, 2)):
        options = {
            "obmc": True,
            "filter": mode,
            "settings": {"hevc": {"internal_bit_depth": bit_depth}, "search": {"filter_passes": passes}},
        }
        learn = {} if mode == "off" else SMALL
        run = run_encoder(
            EncoderConfig(config, 27, preset="fast", **options).with_settings({"inter_luma": learn}),
            make_clip("zoom", 106, 54, 9),
        )
        check_own_decoder(run)
        shares = [report.overlapped_share for report in run.reports]
        assert shares[0] is None and 0 < max(shares[1:]) <= 1
        assert mode != "online" or any(report.filtered_share for report in run.reports)


def test_overlapped_motion_compensation_saves_bits():
    """Where the blocks move differently, at no loss of quality."""
    clip = make_clip("zoom", 176, 112, 5)
    plain, overlapped = (run_encoder(EncoderConfig("ldp", 27, filter="off", obmc=on), clip) for on in (False, True))
    assert sum(report.psnr_y for report in overlapped.reports) >= sum(report.psnr_y for report in plain.reports)
    assert len(overlapped.data) < len(plain.data)


def test_all_intra_streams_stay_standard():
    config = EncoderConfig("ai", 32, filter="off", preset="fast")
    clip = make_clip("texture", 72, 40, 2)
    assert run_encoder(dataclasses.replace(config, obmc=True), clip).data == run_encoder(config, clip).data


def test_frozen():
    run = encode_learning(SMALL, filter="frozen")
    check_own_decoder(run)
    assert {report.trained_steps for report in run.reports} == {None, 0}


def test_reset_at_idr_makes_it_a_random_access_point():
    """The pictures from an IDR on are a stream of their own."""
    run = encode_learning(SMALL, count=6)
    starts = [k for k, report in enumerate(run.reports) if report.type == "I"]
    assert starts == [0, 3]
    sizes = [report.file_bits // 8 for report in run.reports]
    rest = run._replace(data=run.data[sum(sizes[:3]) :], recon=run.recon[3:], reports=run.reports[3:])
    check_own_decoder(rest)


@pytest.fixture(scope="module")
def long_stream(tmp_path_factory):
    """(path, what decode_digest.py prints) of a stream with more than 600 training steps."""
    run = encode_learning(
        {"channels": 8, "tile_log2": 4, "epochs_q2": 80, "replay": 2, "hot_share_q8": 0}, count=16, intra_period=0
    )
    assert sum(report.trained_steps or 0 for report in run.reports) >= 600
    check_own_decoder(run)
    path = tmp_path_factory.mktemp("stream") / "long.bin"
    path.write_bytes(run.data)
    digest = hashlib.sha256()
    for frame in run.recon:
        for plane in frame:
            digest.update(plane.tobytes())
    return path, f"{digest.hexdigest()} {run.reports[-1].learner_hash}\n"


def decode_elsewhere(path, threads, **environment):
    """Output of decode_digest.py in a fresh process."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), **environment}
    command = [sys.executable, str(HERE / "decode_digest.py"), str(path), str(threads)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_fresh_process(long_stream):
    path, wanted = long_stream
    assert decode_elsewhere(path, 2) == wanted


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("cpu", ["generic", "x86-64-v2", "x86-64-v3", None])
def test_processors(long_stream, cpu, threads):
    path, wanted = long_stream
    environment = {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": ""} if cpu else {}
    assert decode_elsewhere(path, threads, **environment) == wanted


def test_threads_of_the_encoder_do_not_matter():
    one, two = (encode_learning(SMALL, size=(200, 136), count=3, threads=threads) for threads in (1, 2))
    assert one.data == two.data
    assert len(list(decode(io.BytesIO(one.data), threads=2))) == 3
