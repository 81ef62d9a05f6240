"""Experiment files: what they mean, and that whatever is wrong is named with its line and with what is allowed."""

import dataclasses
import pathlib
import shlex
import tomllib

import numpy as np
import pytest

from codecsim.codec.active_tools import resolve_tools
from codecsim.codec.config import EncoderConfig
from codecsim.errors import CodecError, ConfigError
from codecsim.experiments.arms import read_arm
from codecsim.experiments.database import run_key
from codecsim.experiments.experiment_file import read_experiment
from codecsim.experiments.option_tables import option_names
from codecsim.experiments.warming import model_files
from codecsim.formats.video import create_video
from codecsim.picture.planes import Frame, VideoFormat
from codecsim.resources import bundled_clip, resource_folder
from codecsim.tools import INTER_CHROMA, INTER_LUMA, INTRA
from codecsim.tools.learner import Control

EXAMPLES = sorted((pathlib.Path(__file__).parents[2] / "benchmarks" / "experiments").glob("*.toml"))
HEAD = 'clips = ["a.y4m"]\n'
ARM = '[arms.off]\nfilter = "off"\n'


@pytest.fixture
def write(clips, tmp_path):
    """Function that writes an experiment beside the clips and returns its path."""
    for name in "ab":
        (tmp_path / f"{name}.y4m").symlink_to(clips / f"{name}.y4m")

    def write(text):
        path = tmp_path / "e.toml"
        path.write_text(text)
        return path

    return write


def test_everything_that_a_file_can_say(write):
    file = read_experiment(
        write(
            """
            name = "all-1"
            clips = ["*.y4m", "a.y4m"]
            configs = ["ai", "ldb"]
            qps = [30, 25, 30]
            frames = {ai = 2}
            reference = "on"
            decode = false
            segments = 3
            metrics = ["ms-ssim", "ssim", "ssim"]

            [common]
            preset = "fast"
            intra-period = 2
            hevc.transform_skip = false

            [arms.off]
            filter = "off"
            obmc = true
            search = {sao = false}

            [arms.on.inter_luma]
            threshold_q8 = [1, 2, 3, 4]
            channels = 8
            """
        )
    )
    assert (file.name, file.configs, file.qps, file.reference) == ("all-1", ("ai", "ldb"), (30, 25), "on")
    assert [clip.name for clip in file.clips] == ["a", "b"]
    assert (file.decode, file.segments, file.frames) == (False, 3, {"ai": 2, "ldb": None})
    assert file.metrics == ("ms-ssim", "ssim")
    off, on = file.arms
    common = {"preset": "fast", "intra_period": 2}
    assert file.encoder_config(off, "ldb", 25, file.clips[0]) == EncoderConfig(
        "ldb", 25, 6, filter="off", obmc=True, settings={"search.sao": False, "hevc.transform_skip": False}, **common
    )
    own = {"hevc": {"transform_skip": False}, "inter_luma": {"threshold_q8": (1, 2, 3, 4), "channels": 8}}
    assert file.encoder_config(on, "ldb", 25, file.clips[0]) == EncoderConfig("ldb", 25, 6, settings=own, **common)
    assert file.encoder_config(on, "ai", 30, file.clips[0]).frames == 2
    for arm in file.arms:  # what is kept as its options is what a command line takes
        assert read_arm(f"{arm.name}: {arm.options}").given == arm.given


def test_what_is_not_said(write):
    file = read_experiment(write('clips = ["bundled"]\narms = {on = {}}'))
    assert (file.name, file.configs, file.qps, file.reference) == ("e", ("ldp",), (22, 27, 32, 37), "on")
    assert (file.decode, file.segments, file.metrics, file.clips[0].path) == (True, 0, (), str(bundled_clip()))
    assert file.encoder_config(file.arms[0], "ldp", 22, file.clips[0]) == EncoderConfig("ldp", 22, file.clips[0].frames)


def test_an_arm_comes_after_what_is_common(write):
    file = read_experiment(write(HEAD + '[common]\nfilter = "off"\n[arms.a]\n[arms.b]\nfilter = "frozen"'))
    assert [arm.given.fields["filter"] for arm in file.arms] == ["off", "frozen"]


COMMON = """
[common]
model = "untrained"
inter_luma = {channels = 8, control = "threshold", threshold_q8 = [512, 512, 512, 512]}
inter-chroma = {replay = 1, learning_rate = 0.1}
intra = {passes = 2}
"""


def test_an_arm_takes_the_common_options_of_tools_that_it_has_on(write):
    all_on = 'chroma-filter = "online"\nintra-filter = "online"\n'
    some = 'filter = "frozen"\nchroma_filter = "frozen"\nintra-filter = "frozen"\n'
    arms = f'[arms.off]\nfilter = "off"\n[arms.all]\n{all_on}[arms.frozen]\n{some}'
    file = read_experiment(write(HEAD + COMMON + arms))
    off, every, frozen = (file.encoder_config(arm, "ldp", 22, file.clips[0]) for arm in file.arms)
    frames = file.clips[0].frames
    assert off == EncoderConfig("ldp", 22, frames, filter="off")
    luma = {"model": "untrained", "channels": 8, "threshold_q8": (512,) * 4}
    assert every == EncoderConfig(
        "ldp", 22, frames, intra_filter="online", chroma_filter="online",
        settings={
            "inter_luma": {**luma, "control": Control.THRESHOLD}, "intra": {"passes": 2},
            "inter_chroma": {"replay": 1, "learning_rate": 0.1},
        },
    )  # fmt: skip
    assert frozen == EncoderConfig(
        "ldp", 22, frames, filter="frozen", settings={"inter_luma": luma, "inter_chroma": {"replay": 1}},
        chroma_filter="frozen", intra_filter="frozen",
    )  # fmt: skip
    assert file.arms[0].options == "--filter off"


def test_truth_is_written_alike_in_all_tables(write):
    text = "inter_luma = {qp_plane = false}\nsearch = {amp = false}\ninter_chroma = {luma_coded = false}\n"
    text += 'intra.inter_pictures = false\nchroma-filter = "online"\nintra-filter = "online"\n'
    file = read_experiment(write(HEAD + "[arms.x]\n" + text))
    config = file.encoder_config(file.arms[0], "ldp", 22, file.clips[0])
    luma, chroma, intra = (resolve_tools(config)[tool].settings for tool in (INTER_LUMA, INTER_CHROMA, INTRA))
    assert (luma.qp_plane, config.search.amp, chroma.luma_coded, intra.inter_pictures) == (False,) * 4


@pytest.mark.parametrize(
    ("option", "tool", "model", "other"),
    [
        ("model", "inter_luma", "prediction-luma", "untrained"),
        ("inter_luma.model", "inter_luma", "prediction-luma", "untrained"),
        ("loop_filter", "loop", "loop-filter-light", "on"),
    ],
)
def test_weights_beside_the_file(write, tmp_path, option, tool, model, other):
    named = tool == "inter_luma"  # as untrained, but "on" names none
    weights = tmp_path / "own.safetensors"
    shipped = next((resource_folder("models") / model).rglob("*.safetensors"))
    weights.write_bytes(shipped.read_bytes())
    (tmp_path / "on").mkdir()  # what has a meaning of its own is no file
    text = HEAD + f'[common]\n{option} = "own.safetensors"\n[arms.a]\n[arms.b]\n{option} = "{other}"\n'
    file = read_experiment(write(text))
    configs = [file.encoder_config(arm, "ldp", 22, file.clips[0]) for arm in file.arms]
    assert [config.named_weights for config in configs] == [{tool: str(weights)}, {tool: other} if named else {}]
    assert [model_files(config) for config in configs] == [[str(weights)], []]
    keys = [run_key(config, "clip", "v") for config in configs]
    weights.write_bytes(weights.read_bytes() + b" ")  # a run with other weights is another run
    changed = [run_key(config, "clip", "v") for config in configs]
    assert changed[0] != keys[0] and changed[1] == keys[1]
    moved = weights.rename(tmp_path / "moved.safetensors")
    own = {"settings": {"inter_luma.model": str(moved)}} if named else {"loop_filter": str(moved)}
    assert run_key(dataclasses.replace(configs[0], **own), "clip", "v") == changed[0]


def test_paths_do_not_depend_on_where_the_reader_is(write, tmp_path, monkeypatch):
    write(HEAD + ARM)
    monkeypatch.chdir(tmp_path)
    assert read_experiment("e.toml").clips[0].path == str(tmp_path / "a.y4m")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_can_be_read(path):
    text = path.read_text()
    if "bundled" in text:
        assert read_experiment(path).arms
    tomllib.loads(text)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (HEAD + "qp = [22]\n" + ARM, 2, r"unknown key 'qp' \(did you mean 'qps'\?\); expected one of name, clips, "),
        (HEAD + 'qps = ["22"]\n' + ARM, 2, r"qps is \['22'\]; expected a list of whole numbers 0..51"),
        (HEAD + "qps = [\n  22,\n  52,\n]\n" + ARM, 2, "QP is 52; expected 0..51"),
        (HEAD + "qps = []\n" + ARM, 2, "qps is"),
        (HEAD + 'configs = ["ldq"]\n' + ARM, 2, r"'ldq' \(did you mean 'ld[pb]'\?\); expected some of ai, "),
        (HEAD + "configs = 3\n" + ARM, 2, "configs is 3; expected some of ai, ldp, ldb, ra"),
        (HEAD + "frames = 0\n" + ARM, 2, "frames is 0; expected a whole number from 1"),
        (HEAD + "frames = true\n" + ARM, 2, "frames is True; expected a whole number from 1"),
        (HEAD + "\n[frames]\nldp = 3\nxx = 2\n" + ARM, 5, "unknown configuration 'xx'; expected one of ai, "),
        (HEAD + "decode = 1\n" + ARM, 2, "decode is 1; expected true or false"),
        (HEAD + "segments = -1\n" + ARM, 2, "segments is -1; expected a whole number from 0"),
        (
            HEAD + 'metrics = ["ms_ssim"]\n' + ARM,
            2,
            r"unknown metric 'ms_ssim' \(did you mean 'ms-ssim'\?\); expected some of ssim, ms-ssim, vmaf",
        ),
        (HEAD + 'metrics = ["psnr"]\n' + ARM, 2, "unknown metric 'psnr'.*; expected some of ssim, ms-ssim, vmaf"),
        (HEAD + 'metrics = "ssim"\n' + ARM, 2, "metrics is 'ssim'; expected a list of some of ssim, ms-ssim, vmaf"),
        (HEAD + 'name = "a b"\n' + ARM, 2, "name is 'a b'; expected letters"),
        (HEAD + 'reference = "of"\n' + ARM, 2, r"no arm 'of' \(did you mean 'off'\?\); expected one of off"),
        ('clips = ["a.y4n"]\n' + ARM, 1, r"no file 'a.y4n' \(did you mean 'a.y4m'\?\)"),
        ('# c\n\nclips = ["*.mkv"]\n' + ARM, 3, "no file '\\*.mkv'"),
        ('clips = ["e.toml"]\n' + ARM, 1, "e.toml: "),
        ("clips = 3\n" + ARM, 1, "clips is 3; expected a list of files and patterns"),
        (HEAD + "arms = 3\n", 2, r"arms is 3; expected a table, such as \[arms\]"),
        (HEAD + "[arms]\noff = 3\n", 3, r"arm 'off' is 3; expected a table of options, such as \[arms.off\]"),
        (HEAD + '[arms."a b"]\n', 2, "arm 'a b': a name is letters"),
        (HEAD + '[arms.x]\n\nfiltre = "off"\n', 4, r"unknown option 'filtre' \(did you mean 'filter'\?\); expect"),
        (HEAD + '[arms.x]\nfilter = "of"\n', 3, r"filter is 'of' \(did you mean 'off'\?\); expected one of off, "),
        (HEAD + "[arms.x]\nfilter = [1]\n", 3, r"filter is \[1\]; expected one of off, frozen, online"),
        (HEAD + "[arms.x]\nobmc = 1\n", 3, "obmc is 1; expected true or false"),
        (HEAD + "[arms.x]\nthreads = true\n", 3, "threads is True; expected 1..256"),
        (HEAD + "[arms.x]\nqp = 1\n", 3, "unknown option 'qp'.*; expected one of "),
        (HEAD + "[arms.x]\nhevc.adaptive_qp = 13\n", 3, "hevc.adaptive_qp is 13; expected 0..12"),
        (HEAD + "[arms.x]\nhevc.qp_group = 9\n", 3, "hevc.qp_group is 9.*; expected one of 8, 16, 32, 64"),
        (
            HEAD + '[arms.x]\ninter_luma = "rls"\n',
            3,
            "inter_luma is 'rls'; expected a table of settings, such as inter_l",
        ),
        (
            HEAD + '[arms.x]\ninter_luma = {expert = "rls"}\n',
            3,
            r"no setting 'inter_luma.expert' \(did you mean 'experts'\?\); inter_luma has model, channels, ",
        ),
        (HEAD + '[arms.x]\ninter_luma.experts = "best"\n', 3, "experts is 'best'; expected .*online, rls"),
        (HEAD + "[arms.x]\n[arms.x.inter_luma]\n\nreplay = 9\n", 5, "inter_luma.replay is 9; expected 1..8"),
        (HEAD + "[arms.x]\ninter_luma = {qp_plane = 7}\n", 3, "inter_luma.qp_plane is 7; expected true or false"),
        (HEAD + "[arms.x]\nintra = {blocks = inf}\n", 3, "intra.blocks is inf; expected 1..4095"),
        (HEAD + "[arms.x]\nintra = {blocks = nan}\n", 3, "intra.blocks is nan; expected 1..4095"),
        (
            HEAD + "[arms.x]\nintra = {online = true}\n",
            3,
            "no setting 'intra.online'; intra has model, inter_pictures, ",
        ),
        (HEAD + "[arms.x]\nsearch = {merge_rd = 9}\n", 3, "search.merge_rd is 9; expected 1..5"),
        (HEAD + "[common]\nhash = 1\n" + ARM, 3, "hash is 1.*; expected one of md5, crc, checksum"),
        (
            HEAD + ARM + "inter_luma = {replay = 1}\n",
            2,
            "arm 'off': .*replay is a setting of the .* filter, which is off",
        ),
        (
            HEAD + ARM + "[common]\n\ninter_luma = {replay = 1}\n",
            6,
            "inter_luma.replay is of no use: no arm has its to",
        ),
        (
            HEAD + '[common]\ninter_luma.learning_rate = 0.1\n[arms.x]\nfilter = "frozen"\n',
            3,
            "inter_luma.learning_rate is of no use: ",
        ),
        (HEAD + 'configs = ["ra"]\n[arms.x]\nintra-period = 3\n', 3, "intra_period is 3; in ra expected a multiple"),
        (HEAD + '[arms.x]\nmodel = "none/such"\n', 2, "arm 'x': .*none/such"),
    ],
)
def test_what_is_wrong_is_named(write, text, line, message):
    with pytest.raises(CodecError, match=rf"e.toml, line {line}: .*{message}") as found:
        read_experiment(write(text))
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no 'clips'; expected at least clips, arms"),
        (HEAD, "has no 'arms'"),
        (HEAD + "[arms]\n", "has no 'arms'"),
        (HEAD + "qps = [22\n" + ARM, r"is no TOML: .*line 3"),
        (HEAD + HEAD + ARM, r"is no TOML: .*line 2"),
    ],
)
def test_what_is_missing_or_no_toml(write, text, message):
    with pytest.raises(CodecError, match=rf"e.toml: {message}"):
        read_experiment(write(text))


def test_clips_must_differ(write, clips, tmp_path):
    (tmp_path / "c.y4m").write_bytes((clips / "a.y4m").read_bytes())
    with pytest.raises(ConfigError, match="line 1: .*a.y4m and .*c.y4m have the same content"):
        read_experiment(write('clips = ["*.y4m"]\n' + ARM))
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.y4m").write_bytes((clips / "b.y4m").read_bytes())
    with pytest.raises(ConfigError, match="line 1: .*have the same name"):
        read_experiment(write('clips = ["a.y4m", "d/*.y4m"]\n' + ARM))


@pytest.mark.parametrize("runs_here", [True, False])
def test_pictures_may_be_too_small_for_a_metric(tmp_path, runs_here):
    with create_video(tmp_path / "tiny.y4m", VideoFormat(32, 8, 25)) as write_picture:
        write_picture(Frame(*(np.zeros((8 // k, 32 // k), np.uint8) for k in (1, 2, 2))))
    (tmp_path / "e.toml").write_text('clips = ["tiny.y4m"]\n\nmetrics = ["ms-ssim"]\n' + ARM)
    with pytest.raises(ConfigError, match="line 3: SSIM has a window of 11x11, .* pictures of 32x8 are too small"):
        read_experiment(tmp_path / "e.toml", runs_here)
    (tmp_path / "e.toml").write_text('clips = ["tiny.y4m"]\n\nmetrics = ["vmaf"]\n' + ARM)
    if runs_here:  # whether an ffmpeg has it or not
        with pytest.raises(ConfigError, match="line 3: (pictures of 32x8: .*could not compute VMAF|vmaf needs an ff)"):
            read_experiment(tmp_path / "e.toml", runs_here)
    else:
        assert read_experiment(tmp_path / "e.toml", runs_here).metrics == ("vmaf",)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="none.toml: cannot be read"):
        read_experiment(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="binary.toml: is no text"):
        read_experiment(tmp_path / "binary.toml")


@pytest.mark.parametrize("name", option_names())
def test_every_option_of_encode_can_be_said(write, name):
    """Each option is known by its name, and what it may be is told when it is something else."""
    expected = "unknown option" if name in ("config", "qp", "frames") else "expected"
    with pytest.raises(ConfigError, match=rf"line 3: .*{expected}"):
        read_experiment(write(HEAD + f"[arms.x]\n{name} = [[1]]\n"))
    assert shlex.split(name) == [name]
