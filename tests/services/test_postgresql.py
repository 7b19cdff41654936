"""What PostgreSQL does that SQLite never would: it goes away, and comes again."""

import psycopg
import pytest
from django.db import connection

from tests import rows
from tests.people import call_back
from tests.provider import failed
from videos.luma import schema
from videos.states import State

pytestmark = [pytest.mark.service, pytest.mark.django_db(transaction=True)]


def test_a_callback_that_is_cut_by_a_restart_is_taken_all_the_same(ada, monkeypatch):
    row = rows.generation(ada.user, State.PROCESSING, task_id="task-1")
    real, cuts = schema.load, []

    def cut(body: bytes) -> object:
        if not cuts:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                cuts.append(cursor.fetchone()[0])
            known = connection.settings_dict
            settings = {name: known[name.upper()] for name in ("host", "port", "user", "password")}
            with psycopg.connect(dbname=known["NAME"], **settings) as other:
                other.execute("SELECT pg_terminate_backend(%s)", cuts)
        return real(body)

    monkeypatch.setattr(schema, "load", cut)
    assert call_back(row, failed()).status_code == 200
    assert cuts
    assert ada.only().state == State.FAILED
    assert row.callbacks.count() == 1
