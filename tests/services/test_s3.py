"""Media in a bucket: frames, films and posters go there and come back by presigned links."""

from __future__ import annotations

import uuid
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
import urllib3
from botocore.exceptions import ClientError
from django.core.files.storage import default_storage, storages
from moto.server import ThreadedMotoServer

from lumasite.bucket import Bucket
from tests import pictures
from tests.people import call_back, card
from tests.provider import completed
from videos import services
from videos.models import Frame, Video

pytestmark = pytest.mark.django_db


@pytest.fixture
def bucket(settings, monkeypatch):
    """A bucket of an S3 look-alike on this machine, as the site's storage."""
    name = f"films-{uuid.uuid4()}"
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"access_key": "key", "secret_key": "secret"}
    settings.AWS_STORAGE_BUCKET_NAME = name
    settings.AWS_S3_ENDPOINT_URL = f"http://{host}:{port}"
    settings.AWS_S3_REGION_NAME = "us-east-1"
    options = {"bucket_name": name, "endpoint_url": settings.AWS_S3_ENDPOINT_URL, "region_name": "us-east-1"}
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "lumasite.bucket.Bucket",
            "OPTIONS": {**options, **keys, "file_overwrite": False, "default_acl": None, "signature_version": "s3v4"},
        },
    }
    client = boto3.client(
        "s3",
        endpoint_url=settings.AWS_S3_ENDPOINT_URL,
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )
    client.create_bucket(Bucket=name)
    yield client
    server.stop()


def test_a_frame_is_kept_in_the_bucket_and_the_provider_gets_a_presigned_link(ada, bucket, provider, work, settings):
    ada.generate(start_image=pictures.upload())
    work()
    link = provider.created[0]["start_image_url"]
    assert "X-Amz-Signature=" in link
    assert Frame.objects.get().file.name in link
    assert (
        bucket.get_object(Bucket=settings.AWS_STORAGE_BUCKET_NAME, Key=Frame.objects.get().file.name)["ContentLength"]
        > 0
    )


def test_a_film_comes_home_to_the_bucket_and_plays_for_its_owner_alone(
    ada, bob, bucket, provider, work, result_server, mp4
):
    result_server.expect_request("/film.mp4").respond_with_data(mp4)
    ada.generate("into the bucket")
    work()
    call_back(ada.only(), completed(video_url=result_server.url_for("/film.mp4")))
    work()
    video = Video.objects.get()
    assert video.stored_at is not None
    assert 'src="/files/videos/' in card(ada.get("/"), ada.only())
    sent_on = ada.get(video.play_url)
    assert sent_on.status_code == 302
    assert bob.get(video.play_url).status_code == 404
    assert ada.get(video.poster_url).status_code == 302
    moment = ada.post(f"/videos/{video.pk}/frame/", {"at": "0.5", "side": "start"})
    assert moment["Location"].startswith("/?start_frame=")


def test_while_the_bucket_is_away_a_film_waits_and_a_frame_is_an_error_in_the_form(
    ada, bucket, provider, work, result_server, mp4, settings
):
    result_server.expect_request("/film.mp4").respond_with_data(mp4)
    ada.generate("no bucket")
    work()
    call_back(ada.only(), completed(video_url=result_server.url_for("/film.mp4")))
    bucket.delete_bucket(Bucket=settings.AWS_STORAGE_BUCKET_NAME)
    work()
    video = Video.objects.get()
    assert video.stored_at is None
    assert "bucket" in video.store_error
    answer = ada.generate("with a frame", start_image=pictures.upload())
    assert b"could not be stored just now" in answer.content


def test_the_presigned_link_of_a_film_can_be_read(ada, bucket, provider, work, result_server, mp4):
    result_server.expect_request("/film.mp4").respond_with_data(mp4)
    ada.generate("to be read")
    work()
    call_back(ada.only(), completed(video_url=result_server.url_for("/film.mp4")))
    work()
    link = ada.get(Video.objects.get().play_url)["Location"]
    assert urllib3.request("GET", link).data == mp4


def test_where_the_bucket_has_a_public_address_links_lead_there_and_hold_there():
    private = {"endpoint_url": "http://minio.internal:9000", "region_name": "us-east-1", "signature_version": "s3v4"}
    keys = {"bucket_name": "films", "access_key": "key", "secret_key": "secret"}
    bucket = Bucket(public_endpoint_url="https://studio.example.com", **private, **keys)
    link = urlsplit(bucket.url("videos/a film.mp4"))
    assert (link.scheme, link.netloc, link.path) == ("https", "studio.example.com", "/films/videos/a%20film.mp4")
    # The signature holds for this host: it is one of the headers that were signed.
    assert parse_qs(link.query)["X-Amz-SignedHeaders"] == ["host"]
    assert bucket.endpoint_url == "http://minio.internal:9000"


def test_while_the_bucket_takes_nothing_a_film_that_is_stored_again_stays(
    ada, bucket, provider, work, result_server, mp4, monkeypatch
):
    result_server.expect_request("/film.mp4").respond_with_data(mp4)
    ada.generate("to be stored again")
    work()
    call_back(ada.only(), completed(video_url=result_server.url_for("/film.mp4")))
    work()
    before = Video.objects.get()

    def refuse(*args, **options):
        raise ClientError({"Error": {"Code": "SlowDown"}}, "PutObject")

    services.store_again([ada.only()])
    with monkeypatch.context() as storage:
        storage.setattr(type(storages["default"]), "_save", refuse)
        work()
    assert Video.objects.get().store_tries == 1
    assert urllib3.request("GET", ada.get(f"/files/{before.file}")["Location"]).data == mp4
    services.store_again([ada.only()])
    work()
    after = Video.objects.get()
    assert after.stored_at is not None
    assert urllib3.request("GET", ada.get(after.play_url)["Location"]).data == mp4
    assert not default_storage.exists(before.file.name)
