"""A peer as we call it: its settings, its name, and who we say we are."""

from dataclasses import dataclass

from dicomnode.config.tables import Config, Peer, Tls
from dicomnode.errors import ConfigFault


@dataclass(frozen=True)
class Remote:
    """A peer that we can open an association to."""

    name: str
    """Its name in config.toml, [peers.NAME]."""
    peer: Peer
    our_ae: str
    """Calling AE title."""
    tls: Tls | None = None
    """Certificates, where the peer wants TLS."""

    def __str__(self) -> str:
        return f"{self.name} ({self.peer.ae_title} at {self.peer.host}:{self.peer.port})"


def remote(config: Config, name: str) -> Remote:
    """The peer of a name.

    Raises:
        ConfigFault: config.toml has no such peer.
    """
    peer = config.peers.get(name)
    if peer is None:
        known = ", ".join(sorted(config.peers)) or "none"
        raise ConfigFault(f"there is no [peers.{name}] in config.toml (known: {known})")
    return Remote(name, peer, config.receive.ae_title, config.receive.tls if peer.tls else None)
