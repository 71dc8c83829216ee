"""The set of decoders names each with its version, and nothing is imported to find out."""

import subprocess
import sys

from index.imaging.decoding import decoders
from index.imaging.decoding.decoders import HEIF, Decoder


def test_the_set_names_every_decoder_with_its_version():
    found = dict(entry.rsplit(" ", 1) for entry in decoders.decoder_set().split(", "))
    assert {"pillow", "pi-heif-decoder", "own"} <= set(found)
    assert all(found.values())


def test_what_is_not_installed_is_not_in_it(monkeypatch):
    absent = Decoder("X", "no_such_module", "no-such-package", lambda _: None)
    monkeypatch.setattr(decoders, "ADDED", (HEIF, absent))
    assert not decoders.is_installed(absent)
    assert "no-such-package" not in decoders.decoder_set()


def test_asking_imports_no_decoder():
    asked = "from index.imaging.decoding import decoders; decoders.decoder_set()"
    code = f"import sys; {asked}; print('pi_heif' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"
