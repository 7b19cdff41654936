"""A backup is complete, and restoring it pays nothing twice."""

import sqlite3

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from tests.people import call_back
from tests.provider import completed
from videos.models import Generation, Site
from videos.states import State


@pytest.mark.skipif("sqlite" not in settings.DATABASES["default"]["ENGINE"], reason="PostgreSQL has pg_dump")
@pytest.mark.django_db(transaction=True)
def test_the_copy_holds_rows_media_and_key_and_sends_nothing_by_itself(ada, tmp_path):
    (tmp_path / "secret_key").write_text("key")
    ada.generate("waiting")
    default_storage.save("videos/film.mp4", ContentFile(b"film"))
    call_command("backup", tmp_path / "copy")
    with sqlite3.connect(tmp_path / "copy" / "studio.sqlite3") as copy:
        assert copy.execute("SELECT prompt FROM videos_generation").fetchall() == [("waiting",)]
        assert copy.execute("SELECT stopped FROM videos_site").fetchall() == [(1,)]
    assert (tmp_path / "copy" / "media" / "videos" / "film.mp4").read_bytes() == b"film"
    assert (tmp_path / "copy" / "secret_key").read_text() == "key"
    assert not Site.objects.get().stopped
    with pytest.raises(CommandError, match="there already"):
        call_command("backup", tmp_path / "copy")


@pytest.mark.django_db
def test_what_waited_is_not_sent_after_a_restore_and_a_late_success_still_counts(ada, provider, work):
    ada.generate("waiting")
    Site.objects.update(stopped=True)
    call_command("restored")
    work()
    row = ada.only()
    assert (row.state, row.error_code) == (State.FAILED, "restored")
    assert provider.created == []
    assert b"may be charged a second time" in ada.get("/").content
    call_back(row, completed("task-sent-after-the-backup"))
    assert ada.only().state == State.COMPLETED
    ada.generate("new")
    provider.accept("task-2")
    work()
    assert Generation.objects.get(prompt="new").state == State.PROCESSING
