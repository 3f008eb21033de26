"""config.toml of nodes under test."""

from tests.acceptance.node import MODELS


def config_text(port: int, pacs_port: int, *, pacs_ae: str = "ORTHANC", query: bool = True, more: str = "") -> str:
    """A node on one PACS that analyses every MR study."""
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
ae_title = "{pacs_ae}"
host = "127.0.0.1"
port = {pacs_port}
query = {str(query).lower()}

[[routes]]
name = "mr"
when = {{ all = [{{ tag = "Modality", equals = "MR" }}] }}
models = ["hippocampus_mr"]
destinations = ["pacs"]
{'source = "pacs"' if query else ""}
{more}
"""
