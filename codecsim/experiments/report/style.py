"""How figures look: colours that the colour-blind can tell apart, the same for an arm everywhere, and plotly's layout.

A figure is a dict {'data': [trace, ...], 'layout': {...}} as plotly takes it. The `meta` of a trace say which arm it is
of, {'arm': index}, or each of its points, {'arms': [index, ...]}; the page hides arms by it.

Source: M. Okabe, K. Ito, Color Universal Design (2008), without its yellow; P. Tol, Colour Schemes (SRON, 2021), muted.
"""

import html
from collections.abc import Iterable, Sequence
from typing import Any

REFERENCE = "#222222"
ARMS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "star", "hexagon")
DASHES = ("solid", "dash", "dot", "dashdot")
DARK = {
    REFERENCE: "#E6E6E6",
    "#0072B2": "#4FA3E0",
    "#D55E00": "#F58442",
    "#009E73": "#2FC99B",
    "#CC79A7": "#E5A0C6",
    "#E69F00": "#F2BC4B",
    "#56B4E9": "#9AD6F7",
    "#882255": "#B5477E",
    "#332288": "#8A7FE0",
    "#DDDDDD": "#565656",
    "#C8C8C8": "#505050",
    "#117733": "#1A7F3C",
}
EXPERTS = {
    "off": "#DDDDDD",
    "initial": "#88CCEE",
    "online": "#332288",
    "filtered": "#332288",
    "rls": "#44AA99",
    "mix": "#DDCC77",
}
PARTS = {
    "residual": "#332288",
    "motion": "#44AA99",
    "modes": "#DDCC77",
    "learned_flags": "#CC6677",
    "loop_filter": "#117733",
    "headers": "#88CCEE",
}
OTHER = "#AA4499"  # of what has no colour above
SHORT, TALL = 330, 420  # heights of figures, pixels


def colour_of(arm: int) -> str:
    """Colour of the arm with this index; 0 is the reference."""
    return ARMS[(arm - 1) % len(ARMS)] if arm else REFERENCE


def shown(text: str) -> str:
    """A text as plotly shows it: it would take some of HTML's tags for such."""
    return html.escape(text, quote=False)


def line(arm: int, name: str, x: Iterable[float], y: Sequence[float | None], panel: int = 0, **more: Any) -> dict:
    """Trace of an arm: its colour, and where colours are used again, other symbols and dashes."""
    turn = (arm - 1) // len(ARMS) if arm else 0
    colour = colour_of(arm)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": shown(name),
        "legendgroup": shown(name),
        "showlegend": panel == 0,
        "x": list(x),
        "y": [None if value is None else rounded(value) for value in y],
        "line": {"color": colour, "width": 2, "dash": DASHES[turn % len(DASHES)]},
        "marker": {"color": colour, "size": 7, "symbol": SYMBOLS[arm % len(SYMBOLS)]},
        "meta": {"arm": arm},
        **_axes(panel),
        **more,
    }


def bars(
    name: str, colour: str, x: Sequence[Sequence[str]], y: Sequence[float], arms: Sequence[int], **more: Any
) -> dict:
    """Trace of stacked bars; `arms` are the indices of the arms of the bars."""
    y = [rounded(value) for value in y]
    return {
        "type": "bar",
        "name": shown(name),
        "x": [[shown(text) for text in level] for level in x],
        "y": y,
        "marker": {"color": colour},
        "meta": {"arms": list(arms)},
        **more,
    }


def _axes(panel: int) -> dict[str, str]:
    return {} if panel == 0 else {"xaxis": f"x{panel + 1}", "yaxis": f"y{panel + 1}"}


def panels(
    titles: Sequence[str],
    x_titles: Sequence[str],
    y_titles: Sequence[str],
    height: int = SHORT,
    gap: float = 0.075,
    **axes: Any,
) -> dict:
    """Layout of panels side by side.

    Parameters
    ----------
    titles, x_titles, y_titles : one a panel; a title may be empty
    axes : settings of all axes, `x` and `y`
    """
    count = len(x_titles)
    width = (1 - gap * (count - 1)) / count
    layout: dict[str, Any] = {"height": height, "annotations": []}
    for k in range(count):
        low, suffix = k * (width + gap), str(k + 1) if k else ""
        layout[f"xaxis{suffix}"] = {
            "domain": [round(low, 4), round(low + width, 4)],
            "anchor": f"y{suffix}",
            "title": {"text": x_titles[k]},
            **axes.get("x", {}),
        }
        layout[f"yaxis{suffix}"] = {"anchor": f"x{suffix}", "title": {"text": y_titles[k]}, **axes.get("y", {})}
        if titles[k]:
            layout["annotations"].append(
                {
                    "text": titles[k],
                    "x": round(low + width / 2, 4),
                    "y": 1,
                    "xanchor": "center",
                    "yanchor": "bottom",
                    "xref": "paper",
                    "yref": "paper",
                    "showarrow": False,
                }
            )
    return layout


def rounded(value: float) -> float:
    """A number with as many digits as a plot shows."""
    return None if value is None else float(f"{value:.5g}")
