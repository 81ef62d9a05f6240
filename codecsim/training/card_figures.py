"""Figures for a model's card, from what its training has found."""

from collections.abc import Mapping, Sequence
from typing import Any

from codecsim.training.card import Table


def engine_figures(found: Mapping[str, Any]) -> tuple[Table]:
    """(Table,) of what `by_engine.train_filter` has measured."""
    columns = [column for column in ("training", "validation") if column in found]
    title = (
        "Share of the squared error of the prediction that is left: everywhere, and where each block of 32x32 takes "
        "the filter only if that is better, in all and by configuration and QP."
    )
    names = [f"{column} samples" for column in columns]
    return (
        Table(title, names, {key: [found[column].get(key, "") for column in columns] for key in _keys(found, columns)}),
    )


def loop_figures(found: Mapping[str, Mapping[str, Any]]) -> tuple[Table, ...]:
    """(Table,) of what `loop.train_loop` has measured, () where it had no validation samples."""
    columns = {"before_dropping": "before dropping", "gains": "at the end"}
    columns = {column: name for column, name in columns.items() if column in found}
    title = "Gain in dB of luma, Cb and Cr on the validation samples, filtered everywhere, by configuration and QP."
    rows = {
        key: [", ".join(f"{gain:+.3f}" for gain in found[column][key]) for column in columns]
        for key in _keys(found, columns)
    }
    return (Table(title, list(columns.values()), rows),) if columns else ()


def intra_figures(left: Mapping[int, Any]) -> tuple[Table, ...]:
    """(Table,) of what `intra.validate` has measured, () where that is nothing."""
    title = "Sum of absolute coefficients on the validation samples, against the unfiltered prediction."
    columns = ["everywhere", "where it helps", "share where it helps"]
    rows = {f"{1 << log2}x{1 << log2}": [f"{100 * share:.2f} %" for share in shares] for log2, shares in left.items()}
    return (Table(title, columns, rows),) if rows else ()


def _keys(found: Mapping[str, Any], columns: Mapping[str, str] | Sequence[str]) -> list[str]:
    return sorted({key for column in columns for key in found[column]})
