"""The set of decoders names each with its version, and says which cannot be loaded."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from index.imaging.decoding import decoders
from index.imaging.decoding.decoders import HEIF, JXL, Decoder
from index.imaging.decoding.pictures import Limits, decode
from support.file_kinds import heic
from support.pictures import photograph
from support.recompressing import saved


def test_the_set_names_every_decoder_with_its_version():
    found = dict(entry.rsplit(" ", 1) for entry in decoders.decoder_set().split(", "))
    assert {"pillow", "pi-heif-decoder", "own"} <= set(found)
    assert all(found.values())


def test_what_is_not_installed_is_not_in_it(monkeypatch):
    absent = Decoder("X", "no_such_module", "no-such-package", lambda _: None)
    monkeypatch.setattr(decoders, "ADDED", (HEIF, absent))
    assert not decoders.is_installed(absent)
    assert "no-such-package" not in decoders.decoder_set()


@pytest.fixture
def broken_heif(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A decoder whose package is installed, and lacks a library of the system."""
    (tmp_path / "heif_without_library.py").write_text("raise ImportError('libde265.so.0: cannot open')")
    monkeypatch.syspath_prepend(tmp_path)
    broken = Decoder(HEIF.format, "heif_without_library", HEIF.package, HEIF.register)
    monkeypatch.setattr(decoders, "HEIF", broken)
    monkeypatch.setattr(decoders, "ADDED", (broken, JXL))
    decoders.formats.cache_clear()
    yield
    decoders.formats.cache_clear()


@pytest.mark.usefixtures("broken_heif")
def test_a_decoder_that_cannot_be_loaded_takes_no_other_format_with_it() -> None:
    assert "HEIF" not in decoders.formats()
    assert " not loaded" in next(one for one in decoders.decoder_set().split(", ") if one.startswith(HEIF.package))
    picture = photograph(1, 160, 120)
    assert decode(saved(picture, "JPEG"), Limits()).facts.format == "JPEG"
    why = decoders.missing_for(heic(picture)[:64])
    assert why is not None
    assert str(why) == "HEIC needs pi-heif-decoder, which is installed but cannot be loaded"
    assert decoders.heif_library_version() == "?"
