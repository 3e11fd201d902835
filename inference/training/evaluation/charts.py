"""Reliability charts as SVG files."""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

_SIDE = 260
_LEFT, _TOP, _BELOW = 44, 30, 40
_STYLE = 'font-family="system-ui, sans-serif" font-size="11"'


def draw_reliability(bins: Sequence[Mapping[str, Any]], *, title: str) -> str:
    """The share of right answers over confidence, a bar a bin, as dark as it holds photos.

    The dashed diagonal is what a calibrated model gives; the line in a bar is its mean confidence.
    `bins` as calibration.Bin has them.
    """
    most = max((b["count"] for b in bins), default=1)
    parts = [_frame(title)]
    for b in bins:
        left, right = _x(b["low"]), _x(b["high"])
        top = _y(b["right"])
        parts.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
            f'height="{_y(0) - top:.1f}" fill="#5b5bd6" '
            f'fill-opacity="{0.2 + 0.7 * (b["count"] / most) ** 0.5:.2f}">'
            f"<title>{b['count']} photos: confidence {b['confidence']:.3f}, "
            f"right {b['right']:.3f}</title></rect>"
        )
        level = _y(b["confidence"])
        parts.append(
            f'<path d="M{left:.1f} {level:.1f}H{right:.1f}" stroke="#b3261e" stroke-width="2"/>'
        )
    parts.append(
        f'<path d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}" stroke="#555" stroke-dasharray="4 3"/>'
    )
    width, height = _LEFT + _SIDE + 16, _TOP + _SIDE + _BELOW
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="{escape(title)}">\n'
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _frame(title: str) -> str:
    lines = [
        f'<text x="{_LEFT}" y="18" {_STYLE} font-weight="600">{escape(title)}</text>',
        f'<text x="{_x(0.5)}" y="{_y(0) + 34}" {_STYLE} text-anchor="middle">confidence</text>',
    ]
    lines += [
        f'<path d="M{_x(0)} {_y(tick)}H{_x(1)}" stroke="#ddd"/>'
        f'<text x="{_LEFT - 6}" y="{_y(tick) + 4}" {_STYLE} text-anchor="end">{tick:g}</text>'
        f'<text x="{_x(tick)}" y="{_y(0) + 16}" {_STYLE} text-anchor="middle">{tick:g}</text>'
        for tick in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    return "\n".join(lines)


def _x(share: float) -> float:
    return _LEFT + share * _SIDE


def _y(share: float) -> float:
    return _TOP + (1 - share) * _SIDE
