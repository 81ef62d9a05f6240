"""Tables for pandas, which is optional."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from codecsim.extras import needed

if TYPE_CHECKING:
    import pandas

    from codecsim.codec.reports import PictureReport


def data_frame(data: Any) -> "pandas.DataFrame":
    """A DataFrame of what `pandas.DataFrame` takes.

    Raises
    ------
    ConfigError : there is no pandas
    """
    return needed("pandas", "a table").DataFrame(data)


def reports_frame(reports: "Iterable[PictureReport]") -> "pandas.DataFrame":
    """One row a picture; what a report divides further has a column a part, such as `parts.motion`."""
    from codecsim.experiments.runs import plain

    return data_frame([_flat(plain(report)) for report in reports])


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, dict):
            found |= {f"{name}.{part}": share for part, share in value.items()}
        else:
            found[name] = value
    return found


def units_frame(units: np.ndarray) -> "pandas.DataFrame":
    """One row an element of a structured array; `mv` (2, 2) becomes mv_0_0 to mv_1_1, and so on."""
    columns: dict[str, np.ndarray] = {}
    for name in units.dtype.names or ():
        values = units[name]
        for place in np.ndindex(values.shape[1:]):
            columns["_".join(map(str, (name, *place)))] = values[(slice(None), *place)]
    return data_frame(columns)
