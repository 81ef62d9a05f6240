"""TOML files: every table and value is found on its line."""

import pytest

from codecsim.errors import ConfigError
from codecsim.formats.toml_file import TomlFile

TEXT = """\
# a comment with a = b
name = "x"

[luma]   # settings
rate = 1
"quoted key" = 2
list = [
    1,
    2,
]
by.qp = 3
[[arm]]
name = "first"
[[arm]]
name = "second"
[arm.sub]
deep = true
[a."b.c"]
d = 1
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file.toml"
    path.write_text(TEXT)
    return TomlFile(path)


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("name",), 2),
        (("luma",), 4),
        (("luma", "rate"), 5),
        (("luma", "quoted key"), 6),
        (("luma", "list"), 7),
        (("luma", "by", "qp"), 11),
        (("arm", 0), 12),
        (("arm", 1), 14),
        (("arm", 1, "name"), 15),
        (("a", "b.c", "d"), 19),
        (("luma", "list", "element"), 7),  # what has no line of its own is where the thing around it is
        (("nothing",), None),
    ],
)
def test_lines(file, keys, line):
    assert file.line(*keys) == line


def test_errors_name_file_and_line(file):
    assert str(file.error("too much", "luma", "rate")) == f"{file.path}, line 5: too much"
    assert str(file.error("too much", "nothing")) == f"{file.path}: too much"


@pytest.mark.parametrize(("content", "message"), [(b"a = \n", "at line 1"), (b"\xff", "UTF-8")])
def test_no_toml(tmp_path, content, message):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as raised:
        TomlFile(path)
    assert str(path) in str(raised.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        TomlFile(tmp_path / "none.toml")
