"""Who may call."""

import pytest

from dicomnode.config.tables import Receive
from dicomnode.receive.gate import Request, is_allowed


def request(address: str, calling_ae: str = "PACS") -> Request:
    return Request(calling_ae=calling_ae, called_ae="DICOMNODE", address=address, only_echo=False)


@pytest.mark.parametrize(
    ("address", "allowed"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("::ffff:127.0.0.1", True), ("10.1.2.3", False),
     ("2001:db8::1", False), ("::ffff:10.1.2.3", False), ("", False), ("no address", False)],
)  # fmt: skip
def test_without_a_list_only_loopback_may_call_under_any_title(address: str, allowed: bool) -> None:
    assert is_allowed(request(address, "ANYONE"), Receive()) is allowed


@pytest.mark.parametrize(
    ("address", "title", "allowed"),
    [("10.1.2.3", "PACS", True), ("::ffff:10.1.2.3", "PACS", True), ("10.1.3.3", "PACS", False),
     ("10.1.2.3", "OTHER", False), ("2001:db8::7", "PACS", True), ("127.0.0.1", "PACS", False),
     ("10.9.9.9", "PACS", True)],
)  # fmt: skip
def test_with_a_list_title_and_network_must_both_fit_one_entry(address: str, title: str, allowed: bool) -> None:
    settings = Receive.model_validate(
        {
            "callers": [
                {"ae_title": "PACS", "networks": ["10.1.2.0/24", "2001:db8::/32"]},
                {"ae_title": "PACS", "networks": ["10.9.9.9/32"]},
                {"ae_title": "OTHER", "networks": ["192.168.0.0/16"]},
            ]
        }
    )

    assert is_allowed(request(address, title), settings) is allowed
