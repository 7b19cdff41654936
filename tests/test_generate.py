"""What the composer takes, and what it refuses: nothing stored, nothing sent."""

import uuid

import pytest
from django.core.files.storage import default_storage

from tests import pictures
from videos.models import Frame, Generation, User

pytestmark = pytest.mark.django_db


def refused(person, answer, *words):
    """The form came back with these words, and nothing was kept."""
    text = answer.content.decode()
    assert answer.status_code == 200
    for word in words:
        assert word in text
    assert not Generation.objects.exists()
    assert not Frame.objects.exists()
    assert not default_storage.exists("frames") or not default_storage.listdir("frames")[1]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prompt": ""}, ["Describe the video that you want."]),
        ({"prompt": "   \n "}, ["Describe the video that you want."]),
        ({"prompt": "a" * 5001}, ["at most 5000 characters"]),
        ({"prompt": "nul\x00"}, ["Null characters are not allowed"]),
        ({"aspect_ratio": "2:1"}, ["2:1 is not one of the available choices"]),
        ({"start_image_url": "javascript:alert(1)"}, ["Give a public web address"]),
        ({"start_image_url": "http://127.0.0.1/x.png"}, ["Give a public web address"]),
        ({"end_image_url": "https://user:password@example.com/x.png"}, ["Give a public web address"]),
        ({"timeout": "59"}, ["greater than or equal to 60"]),
        ({"timeout": "9" * 40}, ["less than or equal to 1800"]),
        ({"timeout": "soon"}, ["Enter a whole number"]),
        ({"submission": "1"}, ["Enter a valid UUID"]),
        ({"loop": "on", "end_image_url": "https://example.com/x.png"}, ["A loop ends where it starts"]),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_kept(ada, provider, work, fields, words):
    sent = {"prompt": "a film", "aspect_ratio": "16:9", "submission": str(uuid.uuid4()), **fields}
    refused(ada, ada.post("/generations/", sent), *words)
    work()
    assert provider.created == []


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"not an image at all", "frame.png", "can&#x27;t be read as an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "frame.svg", "can&#x27;t be read as an image"),
        (pictures.bomb(), "frame.png", "too many pixels"),
        (b"\x89PNG" + b"0" * 26 * 1024 * 1024, "frame.png", "The most is 25 MB"),
        (b"", "frame.png", "empty"),
    ],
    ids=["text", "svg", "bomb", "heavy", "empty"],
)
def test_a_bad_frame_is_named_and_nothing_is_kept(ada, content, name, words):
    refused(ada, ada.generate(start_image=pictures.upload(content, name)), words)


def test_a_file_and_an_address_for_one_frame_are_too_much(ada):
    answer = ada.generate(start_image=pictures.upload(), start_image_url="https://example.com/x.png")
    refused(ada, answer, "Give either a file or an address")


def test_the_request_reaches_the_provider_as_set(ada, provider, work):
    ada.generate(
        "line one\r\nline two",
        loop="on",
        enhancement=None,
        timeout="600",
        start_image_url="https://example.com/start.png",
    )
    work()
    body = provider.created[0]
    callback = f"https://studio.example.com/callbacks/luma/{ada.only().callback_token}/"
    assert body == {
        "action": "generate",
        "prompt": "line one\nline two",
        "aspect_ratio": "16:9",
        "loop": True,
        "enhancement": False,
        "timeout": 600,
        "start_image_url": "https://example.com/start.png",
        "callback_url": callback,
    }
    assert ada.only().request_body == body


@pytest.mark.usefixtures("local_files")
def test_an_uploaded_frame_reaches_the_provider_as_a_link_that_it_can_fetch(ada, provider, work, client):
    ada.generate(start_image=pictures.upload(), end_image=pictures.upload(pictures.image(colour="red")))
    work()
    for name in ("start_image_url", "end_image_url"):
        link = provider.created[0][name]
        assert link.startswith("https://studio.example.com/files/frames/")
        fetched = client.get(link.removeprefix("https://studio.example.com"))
        assert fetched.status_code == 200
        assert fetched["Content-Type"] == "image/jpeg"


@pytest.mark.usefixtures("local_files")
def test_without_a_public_address_frames_go_up_to_the_provider_and_results_are_polled(ada, provider, work, settings):
    import responses

    settings.PUBLIC_BASE_URL = ""
    settings.ACEDATACLOUD_PLATFORM_TOKEN = "platform-1"
    settings.ACEDATACLOUD_PLATFORM_BASE_URL = "https://platform.provider.example"
    with responses.RequestsMock() as mock:
        from tests.provider import FakeProvider

        provider = FakeProvider(mock)
        mock.assert_all_requests_are_fired = False
        upload = mock.post(
            "https://platform.provider.example/api/v1/files/", json={"file_url": "https://cdn.provider.example/f.jpg"}
        )
        ada.generate(start_image=pictures.upload())
        work()
        assert upload.calls[0].request.headers["Authorization"] == "Bearer platform-1"
    assert provider.created[0]["start_image_url"] == "https://cdn.provider.example/f.jpg"
    assert provider.created[0]["async"] is True
    assert "callback_url" not in provider.created[0]


@pytest.mark.usefixtures("local_files")
def test_where_frames_have_no_way_to_the_provider_the_form_says_what_to_set(ada, settings):
    settings.PUBLIC_BASE_URL = ""
    refused(ada, ada.generate(start_image=pictures.upload()), "ACEDATACLOUD_PLATFORM_TOKEN")


def test_the_same_form_sent_again_makes_one_row_and_an_edited_one_another(ada):
    submission = str(uuid.uuid4())
    first = ada.generate("a", submission=submission)
    again = ada.generate("a", submission=submission)
    assert first["Location"] == again["Location"]
    assert Generation.objects.count() == 1
    ada.generate("b", submission=submission)
    assert Generation.objects.count() == 2


def test_the_same_submission_of_two_people_makes_two_rows(ada, bob):
    submission = str(uuid.uuid4())
    ada.generate("a", submission=submission)
    bob.generate("a", submission=submission)
    assert ada.only().pk != bob.only().pk


def test_the_daily_limit_is_an_error_in_the_form_and_counts_deleted_ones(ada, settings):
    settings.GENERATIONS_PER_DAY = 1
    ada.generate("one")
    ada.post(f"/generations/{ada.only().pk}/delete/")
    answer = ada.generate("two")
    assert answer.status_code == 200
    assert b"used up your generations" in answer.content
    assert Generation.objects.count() == 1


def test_a_users_own_limit_overrules_the_sites_and_0_means_none(ada, settings):
    settings.GENERATIONS_PER_DAY = 1
    User.objects.filter(pk=ada.user.pk).update(generations_per_day=0)
    ada.generate("one")
    assert ada.generate("two").status_code == 302


def test_the_sites_limit_holds_over_all_users(ada, bob, settings):
    settings.GENERATIONS_PER_DAY_SITE = 1
    ada.generate("one")
    assert b"This site has used up" in bob.generate("two").content


def test_sending_needs_the_csrf_token(ada):
    assert ada.client.post("/generations/", {"prompt": "x"}).status_code == 403
    assert not Generation.objects.exists()


def test_htmx_gets_fragments_the_errors_or_the_new_card(ada):
    headers = {"HX-Request": "true"}
    bad = ada.post("/generations/", {"prompt": ""}, headers=headers)
    assert bad.status_code == 200
    assert b"<html" not in bad.content
    assert b"Describe the video" in bad.content
    good = ada.post(
        "/generations/",
        {"prompt": "a", "aspect_ratio": "1:1", "submission": str(uuid.uuid4())},
        headers=headers,
    )
    assert good.status_code == 200
    assert b"<html" not in good.content
    assert f'id="generation-{ada.only().pk}"'.encode() in good.content
