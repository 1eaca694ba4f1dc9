import dataclasses
import re

import pytest

import draggan_widget
from draggan_widget.checkpoints.hub import cache as hub
from draggan_widget.checkpoints.hub.catalog import HEADS, NAMED, UrlCheckpoint

NGC = r"https://api\.ngc\.nvidia\.com/v2/models/nvidia/research"
ADDRESSES = (
    rf"{NGC}/stylegan2/versions/1/files/(?P<name>stylegan2-[a-z0-9]+-(?P<side>\d+)x\d+)\.pkl",
    rf"{NGC}/stylegan3/versions/1/files/(?P<name>stylegan3-[tr]-[a-z0-9]+-(?P<side>\d+)x\d+)\.pkl",
    r"https://storage\.googleapis\.com/self-distilled-stylegan/[a-z]+_(?P<side>\d+)_pytorch\.pkl",
    r"https://nvlabs-fi-cdn\.nvidia\.com/stylegan2/networks/stylegan2-cat-config-f\.pkl",
    r"http://d36zk2xti64re0\.cloudfront\.net/stylegan2/networks/stylegan2-car-config-f\.pkl",
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DRAGGAN_CACHE", str(tmp_path))
    return tmp_path


def test_every_address_is_a_published_one_and_its_name_says_what_it_is():
    addresses = [named for named in NAMED.values() if isinstance(named, UrlCheckpoint)]
    assert len(addresses) == len({named.url for named in addresses}) == 33
    for named in addresses:
        (found,) = [match for pattern in ADDRESSES if (match := re.fullmatch(pattern, named.url))]
        groups = found.groupdict()
        assert groups.get("name", named.name) == named.name
        assert int(groups.get("side", named.image_size[0])) == named.image_size[0] == named.image_size[1]
        assert named.name.startswith(f"{named.family}-")
        assert named.filename == named.url.rsplit("/", 1)[1]
        assert named.licence
        assert named.citation
        assert (named.sha256, named.size) == (None, None)


def test_what_this_version_cannot_read_is_marked_and_comes_last():
    listed = draggan_widget.available_generators()
    assert [entry.name for entry in listed if not entry.readable] == [
        "stylegan2-cat-config-f",
        "stylegan2-car-config-f",
        *[name for name in NAMED if name.startswith("stylegan3")],
    ]
    assert [entry.readable for entry in listed] == sorted((entry.readable for entry in listed), reverse=True)
    assert {entry.name for entry in listed} == set(NAMED)


def test_an_entry_says_whether_it_is_on_this_disk(cache):
    def cached() -> list[str]:
        listed = draggan_widget.available_generators()
        assert [entry.name for entry in listed if entry.bundled] == ["heads"]
        return [entry.name for entry in listed if entry.cached and not entry.bundled]

    lions = NAMED["stylegan2-lions-512"]
    assert cached() == []
    (cache / "stylegan2-ffhq-512x512-1.safetensors").write_bytes(b"")
    (cache / lions.name).mkdir()
    (cache / lions.name / f"{lions.filename}.part").write_bytes(b"")
    assert cached() == ["stylegan2-ffhq-512x512"]
    (cache / lions.name / lions.filename).write_bytes(b"")
    (cache / "mobilestylegan-ffhq" / "random-face==2021.7.21.1").mkdir(parents=True)
    assert cached() == ["mobilestylegan-ffhq", "stylegan2-ffhq-512x512", lions.name]
    hub.discard(lions.name)
    assert cached() == ["mobilestylegan-ffhq", "stylegan2-ffhq-512x512"]


def test_an_entry_is_plain_and_frozen():
    first, second = draggan_widget.available_generators()[:2]
    assert (first.name, first.family, first.image_size) == ("heads", "stylegan2", HEADS.image_size)
    assert (second.name, second.family, second.image_size) == ("mobilestylegan-ffhq", "mobilestylegan", (1024, 1024))
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.name = "x"  # pyright: ignore[reportAttributeAccessIssue]


def test_the_list_is_shown_as_a_table_in_text_and_in_a_notebook():
    listed = draggan_widget.available_generators()
    lines = repr(listed).splitlines()
    assert lines[0].split("  ")[0] == "name"
    side, size = HEADS.image_size[0], HEADS.size // 10**6
    assert re.split(" {2,}", lines[1]) == [
        *("heads", "stylegan2", f"{side} x {side}", f"{size} MB", "Apache-2.0, weights and code", "bundled", "yes"),
    ]
    assert re.split(" {2,}", lines[2]) == [
        *("mobilestylegan-ffhq", "mobilestylegan", "1024 x 1024", "37 MB", "Apache-2.0 as published by its author"),
        *("no", "yes"),
    ]
    assert len(lines) == len(listed) + 1 == listed._repr_html_().count("<tr>")
    assert "<td>Its authors&#x27; own, non-commercial at its strictest</td>" in listed._repr_html_()
