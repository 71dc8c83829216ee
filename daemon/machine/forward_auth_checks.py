"""EDGE: the doctor's checks of a proxy that names the users (webui.forward_auth). They change nothing."""

from collections.abc import Iterator
from typing import Final

from daemon.configuration.config import Config
from daemon.machine.checks import Finding, Grade
from index.messages import Message
from index.settings import Network, is_loopback, parse_network

ABOUT: Final = "forward authentication"
# The size of a Docker network (172.18.0.0/16). For IPv6, a network of one site is a /64.
LARGE_BITS: Final = {4: 16, 6: 64}


def forward_auth(config: Config) -> Iterator[Finding]:
    """Which machines are trusted to name users, and whether these are too many. Nothing if no header is configured."""
    web = config.web
    if not web.auth_header and not web.auth_proxies:
        return
    if not web.auth_header:
        yield Finding(ABOUT, Grade.WARNING, Message("doctor.auth_no_header"), Message("doctor.auth_no_header_remedy"))
        return
    if not web.auth_proxies:
        yield Finding(ABOUT, Grade.WARNING, Message("doctor.auth_no_proxy", header=web.auth_header),
                      Message("doctor.auth_no_proxy_remedy"))  # fmt: skip
        return
    networks = tuple(map(parse_network, web.auth_proxies))
    proxies = ", ".join(web.auth_proxies)
    yield Finding(ABOUT, Grade.GOOD, Message("doctor.auth_believed", header=web.auth_header, proxies=proxies))
    for network in networks:
        yield from _openness(network)
    if any(network.is_loopback for network in networks):
        yield Finding(ABOUT, Grade.NOTE, Message("doctor.auth_local"), Message("doctor.auth_local_remedy"))
    if not all(network.is_loopback for network in networks):
        yield from _way(config)
    if not web.names:
        yield Finding(ABOUT, Grade.NOTE, Message("doctor.auth_no_name"), Message("doctor.auth_no_name_remedy"))


def _openness(network: Network) -> Iterator[Finding]:
    """What is wrong with trusting a network of more than one machine."""
    remedy = Message("doctor.auth_open_remedy")
    if network.prefixlen == 0:
        yield Finding(ABOUT, Grade.WRONG, Message("doctor.auth_everyone", network=network), remedy)
    elif not network.is_loopback and network.is_global:
        yield Finding(ABOUT, Grade.WARNING, Message("doctor.auth_public", network=network), remedy)
    elif not network.is_loopback and network.max_prefixlen - network.prefixlen > LARGE_BITS[network.version]:
        yield Finding(ABOUT, Grade.WARNING, Message("doctor.auth_large", network=network), remedy)
    elif not network.is_loopback and network.num_addresses > 1:
        yield Finding(ABOUT, Grade.NOTE, Message("doctor.auth_network", network=network), remedy)


def _way(config: Config) -> Iterator[Finding]:
    """How requests arrive from a proxy on another machine or in another container."""
    if is_loopback(config.web.host):
        yield Finding(ABOUT, Grade.WARNING, Message("doctor.auth_unreachable", host=config.web.host),
                      Message("doctor.auth_unreachable_remedy"))  # fmt: skip
    else:
        yield Finding(ABOUT, Grade.NOTE, Message("doctor.auth_plain"), Message("doctor.auth_plain_remedy"))
