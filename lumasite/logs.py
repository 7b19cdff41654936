"""How log lines look, and what must never stand in one."""

from __future__ import annotations

import json
import logging
import re

_SECRET = re.compile(r"(/callbacks/luma/|signature=|Bearer |/accounts/reset/[^/]+/)[^\s/\"'&]+")

_PLAIN = logging.Formatter()


class RedactSecrets(logging.Filter):
    """Takes callback tokens, signatures and API tokens out of a record, Django's request log included."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = _SECRET.sub(r"\1…", record.getMessage())
        record.args = None
        if record.exc_info and not record.exc_text:
            # Formatters take the text of a fault from here.
            record.exc_text = _SECRET.sub(r"\1…", _PLAIN.formatException(record.exc_info))
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        found = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            found["exception"] = _SECRET.sub(r"\1…", self.formatException(record.exc_info))
        return json.dumps(found, ensure_ascii=False)
