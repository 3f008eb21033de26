"""What every command has at hand: the configuration and the index, opened when first asked for."""

from functools import cached_property
from pathlib import Path

from dicomnode.config.load import config_path, load
from dicomnode.config.tables import Config
from dicomnode.index.database import Index


class Opened:
    """The node that a command works on."""

    def __init__(self, given: Path | None) -> None:
        self._given = given

    @cached_property
    def path(self) -> Path:
        """The configuration file.

        Raises:
            ConfigFault: there is none.
        """
        return config_path(self._given)

    @cached_property
    def config(self) -> Config:
        """The configuration.

        Raises:
            ConfigFault: every fault of the file at once.
        """
        return load(self.path)

    @cached_property
    def index(self) -> Index:
        """The index, at this program's version.

        Raises:
            ConfigFault: it was written by a newer program.
        """
        self.config.node.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        index = Index(self.config.index_url)
        index.migrate()
        return index
