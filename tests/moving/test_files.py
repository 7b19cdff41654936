"""Every file that a row names arrives under its very name; what is there is not sent twice."""

from __future__ import annotations

import shutil

import pytest

pytestmark = pytest.mark.service


def film(old) -> str:
    """The name of the old site's one film."""
    return old.rows("SELECT file FROM videos_video")[0][0]


def test_films_posters_and_frames_arrive_with_their_bytes_and_kinds(old, target):
    assert "3 copied, 0 there already, 0 missing" in target.move(old)
    assert target.files() == old.files()
    assert sorted(name.partition("/")[0] for name in target.files()) == ["frames", "posters", "videos"]
    head = target.s3.head_object(Bucket=target.bucket, Key=film(old))
    assert head["ContentType"] == "video/mp4"


def test_files_can_go_ahead_while_the_old_site_still_runs(old, target):
    old.rows("UPDATE videos_site SET worker_seen_at = '2999-01-01 00:00:00'")
    assert "3 copied" in target.move(old, "--files-only")
    assert target.files() == old.files()
    assert target.rows("SELECT count(*) FROM videos_user") == [(0,)]
    assert not old.marked
    old.rows("UPDATE videos_site SET worker_seen_at = NULL")
    assert "0 copied, 3 there already" in target.move(old)


def test_what_arrived_in_part_is_sent_anew(old, target):
    target.put(film(old), b"a fi")
    assert "3 copied" in target.move(old)
    assert target.files() == old.files()


def test_without_its_bucket_nothing_moves_and_with_it_the_move_goes_on(old, target):
    target.s3.delete_bucket(Bucket=target.bucket)
    said = target.refuse(old)
    assert "The files could not be copied" in said
    assert target.rows("SELECT count(*) FROM videos_user") == [(0,)]
    assert not old.marked
    target.s3.create_bucket(Bucket=target.bucket)
    target.move(old)
    assert target.files() == old.files()


def test_a_file_that_is_missing_is_named_and_all_else_moves(old, target):
    (old.data / "media" / film(old)).unlink()
    said = target.refuse(old)
    assert f"missing: {film(old)}" in said
    assert "1 files are missing or damaged" in said
    assert "The site has moved" in said
    assert target.rows("SELECT count(*) FROM videos_generation") == [(5,)]
    assert target.files() == old.files()
    assert old.marked


def test_a_file_that_was_brought_over_by_other_means_is_not_missing(old, target):
    target.put(film(old), (old.data / "media" / film(old)).read_bytes())
    (old.data / "media" / film(old)).unlink()
    assert "2 copied, 1 there already, 0 missing" in target.move(old)


def test_a_file_that_is_shorter_than_its_row_says_is_named(old, target):
    (old.data / "media" / film(old)).write_bytes(b"a fi")
    assert f"damaged: {film(old)} has 4 bytes, its row says 15" in target.refuse(old)
    assert target.files() == old.files()


def test_a_name_that_leads_out_of_the_folder_is_not_followed(old, target):
    old.rows("UPDATE videos_video SET file = '../secret_key'")
    assert "unreadable: ../secret_key" in target.refuse(old)
    assert sorted(target.files()) == sorted(name for name in old.files() if not name.startswith("videos/"))


def test_with_one_folder_for_both_sites_the_files_stay_where_they_are(old, target):
    before = old.files()
    target.settings["AWS_STORAGE_BUCKET_NAME"] = ""
    target.folder = old.data
    assert "0 copied, 3 there already" in target.move(old)
    assert old.files() == before


def test_without_a_bucket_files_go_into_the_new_folder(old, target):
    target.settings["AWS_STORAGE_BUCKET_NAME"] = ""
    before = old.files()
    target.move(old)
    shutil.rmtree(old.data)
    media = target.folder / "media"
    assert {str(path.relative_to(media)): path.read_bytes() for path in media.rglob("*") if path.is_file()} == before
