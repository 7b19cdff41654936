"""A bar for each day, as numbers that an SVG template only has to write down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from .services import Day

STEP, WIDTH, HEIGHT = 10.0, 7.0, 60.0


@dataclass(frozen=True)
class Bar:
    """One day's bar, failed ones on top of completed ones; in the units of the drawing, y downward."""

    date: date
    completed: int
    failed: int
    x: float
    completed_y: float
    completed_height: float
    failed_y: float
    failed_height: float


@dataclass(frozen=True)
class Chart:
    """Bars, and the box that they fill. `tallest` is the count that reaches the top."""

    bars: list[Bar]
    tallest: int
    bar_width: float
    width: float
    height: float


def chart_of(days: list[Day]) -> Chart:
    """The drawing of `days`, to the scale of the fullest of them."""
    tallest = max([1, *(day.completed + day.failed for day in days)])
    unit = HEIGHT / tallest
    bars = [
        Bar(
            date=day.date,
            completed=day.completed,
            failed=day.failed,
            x=number * STEP,
            completed_y=round(HEIGHT - day.completed * unit, 2),
            completed_height=round(day.completed * unit, 2),
            failed_y=round(HEIGHT - (day.completed + day.failed) * unit, 2),
            failed_height=round(day.failed * unit, 2),
        )
        for number, day in enumerate(days)
    ]
    return Chart(bars, tallest, WIDTH, len(days) * STEP, HEIGHT)
