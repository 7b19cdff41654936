"""The only orchestration: what happens to a generation, step by step.

Services change rows and never enqueue. A row that needs work says so by `next_check_at`; whoever
called a service wakes the worker through `videos.tasks`. Every step may run twice, in several
processes; the paid POST alone may not, and `submitting` guards it.
"""

from .asking import Asked, LimitReached, delete, keep_frame, left_today, resubmit, retry, submit
from .bringing import bring_home
from .confirming import confirm_due
from .counting import Day, by_day, counts_of, places_in_line, usual_wait
from .cutting import NotHome, TooBusy, cut_frame
from .following import ask_due
from .health import prune_callbacks, report, self_test, vitals
from .holding import hold_up, hold_up_beside, with_hold_up
from .mailing import mail_reset, may_reset
from .provider import frame_route
from .reconciling import advance, after_restore, ask_now, beat, due_rows, due_soon, mark_failed, reconcile, store_again
from .results import apply_result, take_callback
from .submitting import anybody_waits, held, submit_due

__all__ = [
    "Asked",
    "Day",
    "LimitReached",
    "NotHome",
    "TooBusy",
    "advance",
    "after_restore",
    "anybody_waits",
    "apply_result",
    "ask_due",
    "ask_now",
    "beat",
    "bring_home",
    "by_day",
    "confirm_due",
    "counts_of",
    "cut_frame",
    "delete",
    "due_rows",
    "due_soon",
    "frame_route",
    "held",
    "hold_up",
    "hold_up_beside",
    "keep_frame",
    "left_today",
    "mail_reset",
    "mark_failed",
    "may_reset",
    "places_in_line",
    "prune_callbacks",
    "reconcile",
    "report",
    "resubmit",
    "retry",
    "self_test",
    "store_again",
    "submit",
    "submit_due",
    "take_callback",
    "usual_wait",
    "vitals",
    "with_hold_up",
]
