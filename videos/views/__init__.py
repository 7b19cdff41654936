"""The HTML views, by what a person is doing."""

from .accounts import PasswordReset, signup
from .asking import delete, extend, extend_by_link, generate, retry
from .composing import frames, use_frame
from .files import file
from .gallery import gallery, generation_detail, live
from .health import healthz, status
from .you import you

__all__ = [
    "PasswordReset",
    "delete",
    "extend",
    "extend_by_link",
    "file",
    "frames",
    "gallery",
    "generate",
    "generation_detail",
    "healthz",
    "live",
    "retry",
    "signup",
    "status",
    "use_frame",
    "you",
]
