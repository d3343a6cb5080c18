"""Addresses of pictures: chosen hosts by name, and nothing that leads inside in any disguise."""

from __future__ import annotations

import pytest

from images.addresses import is_host_name, is_public, parse_address, require_public
from images.errors import AddressRefused

HOSTS = ("cdn.example.com", "pictures.example.com")

PRIVATE = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.254",
    "127.0.0.1",
    "127.255.255.255",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:7f00:1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1%eth0",
    "fec0::1",
    "ff02::1",
    # What a resolver never gives, and a number in disguise might.
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "localhost",
    "",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "1.1.1.1", "172.32.0.1", "2606:4700::1111"])
def test_an_address_of_the_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["93.184.216.34", "10.0.0.7"],
        ["10.0.0.7", "93.184.216.34"],
        ["93.184.216.34", "::ffff:10.0.0.7"],
        ["2606:4700::1111", "fe80::1%lo"],
    ],
)
def test_one_inner_address_among_others_is_enough(addresses: list[str]) -> None:
    with pytest.raises(AddressRefused, match="not a public address"):
        require_public("cdn.example.com", addresses)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("https://cdn.example.com/a/1.png", "/a/1.png"),
        ("https://CDN.Example.com:443/a.png?x=1#part", "/a.png?x=1"),
        ("https://pictures.example.com", "/"),
    ],
)
def test_an_address_of_a_chosen_host(text: str, target: str) -> None:
    address = parse_address(text, HOSTS)
    assert address.target == target
    assert address.host in HOSTS


@pytest.mark.parametrize(
    "text",
    [
        "http://cdn.example.com/a.png",
        "ftp://cdn.example.com/a.png",
        "file:///etc/passwd",
        "//cdn.example.com/a.png",
        "cdn.example.com/a.png",
        "https:cdn.example.com/a.png",
        "https:///a.png",
        "https://cdn.example.com:8443/a.png",
        "https://cdn.example.com:80/a.png",
        "https://cdn.example.com:0443/a.png",
        "https://cdn.example.com:/a.png",
        "https://cdn.example.com:99999/a.png",
        "https://cdn.example.com:x/a.png",
        "https://cdn.example.com@127.0.0.1/a.png",
        "https://user:word@cdn.example.com/a.png",
        "https://127.0.0.1\\@cdn.example.com/a.png",
        "https://cdn.example.com\\.evil.com/a.png",
        "https://cdn.example.com.evil.com/a.png",
        "https://evil.com/cdn.example.com",
        "https://evil.com#cdn.example.com",
        "https://sub.cdn.example.com/a.png",
        "https://cdn.example.com./a.png",
        "https://cdn.example.com%2e/a.png",
        "https://cdn%2eexample.com/a.png",
        "https://cdn.example。com/a.png",
        "https://cdn.exampleⓔ.com/a.png",
        "https://cdn.example.com /a.png",
        " https://cdn.example.com/a.png",
        "https://cdn.exam\tple.com/a.png",
        "https://cdn.example.com/a.png\r\nHost: evil",
        "https://127.0.0.1/a.png",
        "https://2130706433/a.png",
        "https://0x7f000001/a.png",
        "https://017700000001/a.png",
        "https://0177.0.0.1/a.png",
        "https://127.1/a.png",
        "https://[::1]/a.png",
        "https://[::ffff:127.0.0.1]/a.png",
        "https://[fe80::1%25eth0]/a.png",
        "https://[::1/a.png",
        "https://localhost/a.png",
        "https://169.254.169.254/latest/meta-data/",
        "https://cdn.example.com/" + "a" * 2000,
        "",
    ],
)
def test_an_address_that_is_not_asked(text: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        parse_address(text, HOSTS)
    assert len(str(refused.value)) < 400
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://cdn.example.com/a.png", "does not begin with https://"),
        ("https://a@cdn.example.com/a.png", "a user name in front of its host"),
        ("https://cdn.example.com:8443/a.png", "names port 8443; only 443 is used"),
        ("https://127.0.0.1/a.png", "not one of cdn.example.com, pictures.example.com"),
        ("https://cdn.example.com:x/", "cannot be read"),
        ("https://cdn.example.com/é", "characters that no address has"),
        ("https://cdn.example.com/" + "a" * 2000, "longer than 2000 characters"),
    ],
)
def test_why_an_address_is_not_asked(text: str, reason: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        parse_address(text, HOSTS)
    assert reason in refused.value.problem


def test_a_redirect_is_read_where_it_stands() -> None:
    address = parse_address("https://cdn.example.com/a/1.png", HOSTS)
    assert address.follow("2.png", HOSTS).text == "https://cdn.example.com/a/2.png"
    assert address.follow("//pictures.example.com/3", HOSTS).host == "pictures.example.com"
    for bad in ("http://cdn.example.com/", "//evil.com/", "https://[::1]/", "\\\\evil.com", "/é"):
        with pytest.raises(AddressRefused):
            address.follow(bad, HOSTS)


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "db.localhost",
        "printer.local",
        "metadata.google.internal",
        "nas.lan",
        "router.home",
        "1.0.0.127.in-addr.arpa",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "cdn",
        "cdn.example.com.",
        "cdn.example.com:443",
        "https://cdn.example.com",
        "*.example.com",
        "a..example.com",
        "-a.example.com",
        "CDN.example.com",
        "bücher.example",
        "user@example.com",
        "[::1]",
        "",
    ],
)
def test_a_name_that_is_no_public_host(name: str) -> None:
    assert not is_host_name(name)


@pytest.mark.parametrize("name", ["cdn.nba.com", "a.espncdn.com", "x1.xn--p1ai"])
def test_a_name_of_a_public_host(name: str) -> None:
    assert is_host_name(name)
