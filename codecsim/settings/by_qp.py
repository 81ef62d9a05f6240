"""Settings whose value depends on the base QP: a mapping of QPs to values."""

import bisect
from collections.abc import Mapping
from typing import Any

from codecsim.errors import ConfigError
from codecsim.settings.setting import Setting

QP_RANGE = range(52)


def read_by_qp(declared: Setting, value: object) -> Any:
    """What a setting holds, or a dict of int QPs to that, from a value or a mapping of QPs to values.

    Raises
    ------
    ConfigError : a key that is no QP, no keys, or a value that the setting cannot have
    """
    if not isinstance(value, Mapping):
        return declared.read(value)
    if not value:
        raise ConfigError(f"{declared.full_name} has no values; {_expected()}")
    found = {}
    for qp, own in value.items():
        if not (str(qp).isdecimal() and int(qp) in QP_RANGE):
            raise ConfigError(f"{declared.full_name} has the key {qp!r}; {_expected()}")
        found[int(qp)] = declared.read(own)
    return dict(sorted(found.items()))


def _expected() -> str:
    return f"expected values by QP, such as {{{QP_RANGE[22]} = ..., {QP_RANGE[37]} = ...}}, within 0..{QP_RANGE[-1]}"


def value_at(declared: Setting, value: Any, qp: int) -> Any:
    """Value of a setting at a base QP.

    A mapping of QPs is linear between them where the setting is a number, whole ones rounded to the nearest and halves
    up; where it is not, that of the nearest QP counts, of two the lower one.  Beyond the QPs it is constant.

    Parameters
    ----------
    declared : Setting
    value : of `read_by_qp`
    """
    return interpolated(value, qp, declared.kind if declared.is_linear else None) if isinstance(value, dict) else value


def interpolated(by_qp: Mapping[int, Any], qp: int, kind: type | None) -> Any:
    """Value at `qp` of a mapping of QPs; linear where `kind` is int or float."""
    qps = sorted(by_qp)
    above = bisect.bisect_left(qps, qp)
    if above == len(qps):
        return by_qp[qps[-1]]
    if above == 0 or qps[above] == qp:
        return by_qp[qps[above]]
    low, high = qps[above - 1], qps[above]
    if kind not in (int, float):
        return by_qp[low if qp - low <= high - qp else high]
    start, end = by_qp[low], by_qp[high]
    if kind is int:
        return int(start) + (2 * (int(end) - int(start)) * (qp - low) + (high - low)) // (2 * (high - low))
    return float(start) + (float(end) - float(start)) * (qp - low) / (high - low)
