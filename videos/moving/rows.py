"""Every row, as it is: keys, times and tokens stay. Streamed by PostgreSQL's COPY, so that memory is bounded."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from graphlib import TopologicalSorter
from itertools import islice
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management.color import no_style
from django.db import connection, models
from psycopg import sql
from psycopg.types.json import Jsonb

from ..models import Site
from .old import OLD, Refused, is_migrated

READ_AT_ONCE = 500
"""Rows in memory: each callback may have 64 KiB."""
SENT_AT_ONCE = 10_000
"""Rows in one COPY: until its end PostgreSQL remembers what to check of them."""

_UNHELD = re.compile("[\0\ud800-\udfff]")
_INSTEAD = "\ufffd"

Keys = dict[type[models.Model], dict[int, int]]


def check_target() -> None:
    """Raise `Refused` unless this site is on PostgreSQL, migrated and without rows."""
    if connection.vendor != "postgresql":
        raise Refused("This site is not on PostgreSQL: set DATABASE_URL, as postgres://user:password@host/name.")
    if not is_migrated(connection):
        raise Refused("The new database is not set up: run manage.py migrate first.")
    _check_empty()


def copy(tell: Callable[[str], None]) -> int:
    """Copy all rows of the open site within the present transaction; how many texts had to be changed.

    Content types and permissions were made anew by `migrate`, and are found by their names. Everything else moves,
    sessions and the logs of sign-ins and of the admin too. Raises `Refused` where a row can't be moved.
    """
    # Of two moves at once the second waits here, and then finds rows.
    Site.objects.select_for_update().first()
    _check_empty()
    Site.objects.all().delete()
    keys = {ContentType: _content_types(), Permission: _permissions()}
    texts = _Texts()
    with connection.cursor() as cursor:
        # Else all that is to be checked piles up until the commit.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for model in _models():
            count = _copy_table(cursor, model, keys, texts)
            if count:
                tell(f"{model._meta.db_table}: {count}")
        for statement in connection.ops.sequence_reset_sql(no_style(), _models()):
            cursor.execute(statement)
        # Without it the first pages would be slow: the planner would take all tables for empty.
        cursor.execute("ANALYZE")
    return texts.changed


def _models() -> list[type[models.Model]]:
    """All whose rows move; those first that others point to."""
    every = [model for model in apps.get_models(include_auto_created=True) if model._meta.can_migrate(connection)]
    pointed = {
        model: {field.related_model for field in model._meta.concrete_fields if field.related_model} for model in every
    }
    order: Iterable[Any] = TopologicalSorter(pointed).static_order()
    return [model for model in order if model not in (ContentType, Permission)]


def _check_empty() -> None:
    found = [model._meta.db_table for model in _models() if model is not Site and model._base_manager.exists()]
    if found:
        raise Refused(
            f"The new database is not empty (there are rows in {', '.join(sorted(found))}): a site moves into a new "
            "one, that has been migrated and nothing else. If it was this site that moved here before, it is done."
        )


def _copy_table(cursor: Any, model: type[models.Model], keys: Keys, texts: _Texts) -> int:
    fields = model._meta.concrete_fields
    prepared = [(at, how) for at, field in enumerate(fields) if (how := _how(field, keys, texts)) is not None]
    columns = sql.SQL(", ").join([sql.Identifier(str(field.column)) for field in fields])
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(model._meta.db_table), columns)
    rows = model._base_manager.using(OLD).order_by().values_list(*(field.attname for field in fields))
    left: Any = rows.iterator(chunk_size=READ_AT_ONCE)
    total, sent = 0, -1
    try:
        with closing(left):
            while sent != 0:
                sent = 0
                with connection.wrap_database_errors, cursor.copy(statement) as target:
                    for row in islice(left, SENT_AT_ONCE):
                        values = list(row)
                        for at, how in prepared:
                            if values[at] is not None:
                                values[at] = how(values[at])
                        target.write_row(values)
                        sent += 1
                total += sent
    except (ValueError, TypeError, KeyError) as fault:
        raise Refused(
            f"A row of {model._meta.db_table} can't be read, at about number {total + sent + 1}: {fault!r}. Mend it in "
            "the old database; no row was moved."
        ) from fault
    return total


def _how(field: models.Field[Any, Any], keys: Keys, texts: _Texts) -> Callable[[Any], Any] | None:
    """What a value of `field` has to go through on its way; None: nothing."""
    if field.related_model in keys:
        return keys[field.related_model].__getitem__
    if isinstance(field, models.JSONField):
        return lambda value: Jsonb(texts.within(value))
    if isinstance(field, models.GenericIPAddressField):
        return _address
    if isinstance(field, models.CharField) and not field.unique:
        return partial(texts.held, most=field.max_length)
    if isinstance(field, models.CharField | models.TextField | models.FileField):
        return texts.held
    return None


class _Texts:
    """Makes texts such that PostgreSQL can hold them; SQLite holds any."""

    def __init__(self) -> None:
        self.changed = 0

    def held(self, value: str, most: int | None = None) -> str:
        """`value` with U+FFFD for what is no character there, and no longer than its column."""
        fit = _UNHELD.sub(_INSTEAD, value)[:most]
        self.changed += fit != value
        return fit

    def within(self, value: Any) -> Any:
        """The same for all texts in a JSON value."""
        if isinstance(value, str):
            return self.held(value)
        if isinstance(value, list):
            return [self.within(entry) for entry in value]
        if isinstance(value, dict):
            return {self.held(key): self.within(entry) for key, entry in value.items()}
        return value


def _address(value: str) -> str | None:
    try:
        return str(ipaddress.ip_address(value.partition("%")[0]))
    except ValueError:
        return None


def _content_types() -> dict[int, int]:
    rows = ContentType.objects.using(OLD).values_list("pk", "app_label", "model")
    return {pk: ContentType.objects.get_or_create(app_label=app, model=model)[0].pk for pk, app, model in rows}


def _permissions() -> dict[int, int]:
    content_types = _content_types()
    return {
        pk: Permission.objects.get_or_create(
            content_type_id=content_types[content_type], codename=codename, defaults={"name": name}
        )[0].pk
        for pk, content_type, codename, name in Permission.objects.using(OLD).values_list(
            "pk", "content_type", "codename", "name"
        )
    }
