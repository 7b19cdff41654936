"""Which addresses people may give, which are those of results, and the links that we give out."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.utils import timezone
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from videos import links

PUBLIC = [
    "https://example.com/a.jpg",
    "http://example.com/a.jpg",
    "https://example.com:8443/a.jpg?x=1",
    "HTTPS://EXAMPLE.COM/a.jpg",
    "https://example.com./a.jpg",
    "https://sub_domain.example.com/a.jpg",
    "https://8.8.8.8/a.jpg",
    "https://[2606:4700:4700::1111]/a.jpg",
    "https://bücher.example.com/a.jpg",
    "https://例え.example.com/a.jpg",
    "https://ｅｘａｍｐｌｅ.com/a.jpg",
    "https://xn--bcher-kva.example.com/a.jpg",
    "https://10.example.com/a.jpg",
    "https://localhost.example.com/a.jpg",
]

NOT_PUBLIC = [
    "",
    "example.com/a.jpg",
    "//example.com/a.jpg",
    "javascript:alert(1)",
    "data:image/png;base64,AAAA",
    "file:///etc/passwd",
    "ftp://example.com/a.jpg",
    "gopher://example.com/",
    "https://user:password@example.com/a.jpg",
    "https://user@example.com/a.jpg",
    "https://example.com@127.0.0.1/",
    "https://example.com\\@127.0.0.1/",
    "https://exa mple.com/",
    "https://example.com/\n",
    "https:///a.jpg",
    "https://intranet/a.jpg",
    "https://localhost/a.jpg",
    "https://LOCALHOST/a.jpg",
    "https://localhost./a.jpg",
    "https://localhost。/a.jpg",
    "https://ｌｏｃａｌｈｏｓｔ/a.jpg",
    "https://foo.localhost/a.jpg",
    "https://foo.local/a.jpg",
    "https://foo.local./a.jpg",
    "https://foo。local/a.jpg",
    "https://foo.loc%61l/a.jpg",
    "https://metadata.google.internal/",
    "https://router.home.arpa/",
    "https://nas.lan/",
    "https://x.onion/",
    "https://x.test/",
    "https://x.invalid/",
    "https://exam..ple.com/",
    "https://.example.com/",
    "https://" + "a" * 64 + ".com/",
    "https://" + "a." * 130 + "com/",
    "http://127.0.0.1/",
    "http://127.0.0.1./",
    "http://127.1/",
    "http://127.255.255.254/",
    "http://0.0.0.0/",
    "http://0/",
    "http://10.1.2.3/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://2130706433/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://1.2.3.4.5/",
    "http://999.999.999.999/",
    "http://99999999999/",
    "http://１２７.0.0.1/",
    "http://127。0。0。1/",
    "http://127．0．0．1/",
    "http://127｡0｡0｡1/",
    "http://①②⑦.0.0.1/",
    "http://１２７.0x1/",
    "http://0ｘ7f.0x1/",
    "http://0x7f。0x1/",
    "http://a.0x1/",
    "http://%31%32%37.0.0.1/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::10.0.0.1]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2001:0:7f00:1::]/",
    "http://[2001::1]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fc00::1]/",
    "http://[fd12:3456::1]/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://[::1",
]


@pytest.mark.parametrize("url", PUBLIC)
def test_a_public_address_may_be_given(url):
    assert links.acceptable(url)


@pytest.mark.parametrize("url", NOT_PUBLIC)
def test_an_address_that_is_not_public_may_not_be_given(url, settings):
    settings.LUMA_RESULT_HOSTS = ["cdn.provider.example", "*.provider.example"]
    assert not links.acceptable(url)


def test_judging_an_address_looks_nothing_up(monkeypatch):
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(f"socket.{name}", lambda *args, **options: pytest.fail("it was looked up"))
    assert links.acceptable("https://example.com/a.jpg")


@effort(max_examples=200, deadline=None)
@given(st.text(max_size=40) | st.text("0123456789abcdefx.:[]%@。０１２７/", max_size=20))
def test_no_host_breaks_the_judgement(host):
    assert links.acceptable(f"https://{host}/") in (True, False)


HOSTS = ["cdn.provider.example", "*.films.example", "127.0.0.1:9000", "[::1]:9000"]


@pytest.mark.parametrize(
    ("url", "listed", "with_port"),
    [
        ("https://cdn.provider.example/x.mp4", True, False),
        ("https://CDN.provider.example./x.mp4", True, False),
        ("https://cdn.provider.example:443/x.mp4", True, False),
        ("https://cdn.provider.example:8443/x.mp4", False, False),
        ("http://cdn.provider.example/x.mp4", False, False),
        ("https://evil-cdn.provider.example/x.mp4", False, False),
        ("https://cdn.provider.example.evil.example/x.mp4", False, False),
        ("https://a.films.example/x.mp4", True, False),
        ("https://a.b.films.example/x.mp4", True, False),
        ("https://films.example/x.mp4", False, False),
        ("https://evilfilms.example/x.mp4", False, False),
        ("http://127.0.0.1:9000/x.mp4", True, True),
        ("https://127.0.0.1:9000/x.mp4", True, True),
        ("http://127.0.0.1:9001/x.mp4", False, False),
        ("http://127.0.0.1/x.mp4", False, False),
        ("http://[::1]:9000/x.mp4", True, True),
        ("http://[::1]:9001/x.mp4", False, False),
    ],
)
def test_the_operators_list_means(url, listed, with_port, settings):
    settings.LUMA_RESULT_HOSTS = HOSTS
    assert (links.listed(url), links.listed_with_port(url)) == (listed, with_port)


def test_a_listed_host_with_its_port_may_be_given_though_it_is_private(settings):
    settings.LUMA_RESULT_HOSTS = HOSTS
    assert links.acceptable("http://127.0.0.1:9000/frame.png")
    assert not links.acceptable("http://user@127.0.0.1:9000/frame.png")


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2002:808:808::1"])
def test_an_address_of_the_open_internet_is_told_from_wrapped_private_ones(address):
    assert links.public_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.170",
        "198.18.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
        "2002:c0a8:101::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "2001:db8::1",
        "localhost",
        "example.com",
        "",
        "1.2.3",
    ],
)
def test_a_private_address_is_none_of_the_open_internet(address):
    assert not links.public_address(address)


# --- the links that we give out -------------------------------------------------------------------

NAME = "frames/0b4c2f0e-8a6e-4f2c-9f57-0d6c1b2a3c4d.png"
OTHER = "frames/1b4c2f0e-8a6e-4f2c-9f57-0d6c1b2a3c4d.png"


def signature_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["signature"][0]


def test_the_callback_has_an_address_only_where_the_site_is_public(settings):
    assert links.callback_url("t0ken") == "https://studio.example.com/callbacks/luma/t0ken/"
    settings.PUBLIC_BASE_URL = ""
    assert links.callback_url("t0ken") == ""


def test_a_signed_link_fits_its_file():
    url = links.signed_file_url(NAME)
    assert url.startswith(f"https://studio.example.com/files/{NAME}?signature=")
    assert links.acceptable(url)
    assert links.signature_fits(NAME, signature_of(url))


def test_a_signed_link_fits_no_other_file():
    assert not links.signature_fits(OTHER, signature_of(links.signed_file_url(NAME)))


@pytest.mark.parametrize("forged", ["", ":", "x", "a:b", "\x00", "\ud800", "ü:ü", "1:" + "A" * 43, "9" * 10_000])
def test_a_made_up_signature_fits_nothing(forged):
    assert not links.signature_fits(NAME, forged)


def test_a_signature_with_one_letter_changed_does_not_fit():
    signature = signature_of(links.signed_file_url(NAME))
    for at in (0, len(signature) // 2, len(signature) - 2):
        changed = signature[:at] + ("a" if signature[at] != "a" else "b") + signature[at + 1 :]
        assert not links.signature_fits(NAME, changed)


def test_a_signed_link_ends_after_a_day():
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        signature = signature_of(links.signed_file_url(NAME))
    with time_machine.travel(now + timedelta(hours=23, minutes=59), tick=False):
        assert links.signature_fits(NAME, signature)
    with time_machine.travel(now + timedelta(hours=24, seconds=2), tick=False):
        assert not links.signature_fits(NAME, signature)


def test_a_signature_made_with_another_key_does_not_fit(settings):
    signature = signature_of(links.signed_file_url(NAME))
    settings.SECRET_KEY = "another-key-" * 6
    assert not links.signature_fits(NAME, signature)
