"""What a worker says when it cannot connect, as a person would say it."""

import asyncio
import errno
import ssl

import pytest

from daemon.remote_workers.join import _problem
from index.messages import render


def _not_verified() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1006)")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("error", "english", "french"),
    [
        (TimeoutError(), "the service does not answer", "le service ne répond pas"),
        (asyncio.IncompleteReadError(b"", 4), "the service closed the connection", "le service a fermé la connexion"),
        (OSError(errno.ECONNREFUSED, "Connect call failed"), "Connection refused", "connexion refusée"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "Network is unreachable", "réseau inaccessible"),
        (_not_verified(), "the certificate is not that of the service (self-signed certificate)", "(self-signed"),
        (ConnectionError("a message that is too long"), "a message that is too long", "a message"),
    ],
)
def test_the_reason_is_a_sentence(error: OSError, english: str, french: str) -> None:
    assert render(_problem(error)) == english
    assert french in render(_problem(error), "fr")
