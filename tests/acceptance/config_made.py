"""config.toml of nodes under test."""

from tests.acceptance.node import MODELS

SECOND = """
[peers.second]
ae_title = "SECOND"
host = "127.0.0.1"
port = {port}
commitment = false
"""


def config_text(port: int, pacs_port: int, second_port: int = 0, *, prior: bool = False, objects: str = "") -> str:
    """A node on one PACS that analyses every MR study; with a second port, results go there too, uncommitted."""
    second = SECOND.format(port=second_port) if second_port else ""
    profile = f'profile = "mine"\n[profiles.mine]\nobjects = [{objects}]' if objects else ""
    return f"""
[receive]
port = {port}
reserve_bytes = 0

[complete]
quiet_s = 4.0
settle_s = 0.5

[deliver]
first_retry_s = 0.5
max_retry_s = 2.0

[infer]
folder = "{MODELS}"

[peers.pacs]
ae_title = "ORTHANC"
host = "127.0.0.1"
port = {pacs_port}
query = true
commitment_wait_s = 10.0
{profile}
{second}
[[routes]]
name = "mr"
when = {{ all = [{{ tag = "Modality", equals = "MR" }}] }}
models = ["hippocampus_mr"]
destinations = {["pacs", "second"] if second_port else ["pacs"]}
source = "pacs"
prior = {str(prior).lower()}
"""
