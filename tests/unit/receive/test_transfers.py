"""What the audit trail is told of each transfer."""

from dicomnode.receive.transfers import Transfers


def test_instances_of_one_study_from_one_peer_are_one_transfer() -> None:
    transfers = Transfers()
    for study in ("1.1", "1.1", "1.2"):
        transfers.add("PACS", "127.0.0.1", study)

    assert transfers.ended(quiet_s=60) == []
    assert {(one.study_uid, one.instances) for one in transfers.ended(quiet_s=0)} == {("1.1", 2), ("1.2", 1)}
    assert transfers.ended(quiet_s=0) == []
