"""What the engine does for a peer now and then."""

from pathlib import Path

from dicomnode.config.tables import Config
from dicomnode.index.database import Index
from dicomnode.serve.duties import Duties
from tests.orthanc import free_port
from tests.peers_made import Pacs, peer


def test_a_peer_is_back_once_and_one_that_answers_all_along_is_not_back_again(tmp_path: Path) -> None:
    port = free_port()
    there = {"ae_title": "PACS", "host": "127.0.0.1", "port": port}
    config = Config.model_validate({"node": {"state": tmp_path}, "peers": {"pacs": there}})
    duties = Duties(config, Index(config.index_url), lambda _: None)

    seen = [duties.came_back("pacs")]
    with peer(Pacs(), at_port=port):
        seen += [duties.came_back("pacs") for _ in range(3)]
    seen.append(duties.came_back("pacs"))
    with peer(Pacs(), at_port=port):
        seen.append(duties.came_back("pacs"))

    assert seen == [False, True, False, False, False, True]
