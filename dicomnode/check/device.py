"""The device that analyses: asked in a process of its own, since torch is heavy and a broken driver can crash it."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from dicomnode.check.finding import Finding, fault, ok, warning
from dicomnode.config.tables import Config

PATIENCE_S = 120
DRIVER = Path("/proc/driver/nvidia/version")
QUESTION = """
import json, torch
count = torch.cuda.device_count() if torch.cuda.is_available() else 0
gib = [torch.cuda.get_device_properties(n).total_memory / 2**30 for n in range(count)]
names = [f"{torch.cuda.get_device_name(n)} ({gib[n]:.0f} GiB)" for n in range(count)]
print(json.dumps({"version": torch.__version__, "built_for": torch.version.cuda or "", "accelerators": names}))
"""


@dataclass(frozen=True)
class Torch:
    """What torch says of itself."""

    version: str
    built_for: str
    """CUDA version; empty: a CPU build."""
    accelerators: tuple[str, ...]


def device(config: Config) -> list[Finding]:
    """Ask torch what it can use, and compare with what the configuration wants."""
    found = ask()
    if isinstance(found, str):
        return [fault("device", f"torch does not start: {found}", "install dicomnode again (deploy/install.sh)")]
    if found.accelerators:
        said = f"torch {found.version} with {', '.join(found.accelerators)}"
    else:
        said = f"torch {found.version} on the CPU"
    return [ok("device", said), *unmet(config, found), *_unused(found)]


def ask() -> Torch | str:
    """What torch can use; or, in words, why it cannot be asked."""
    command = [sys.executable, "-W", "ignore", "-c", QUESTION]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return f"no answer in {PATIENCE_S} s"
    if done.returncode != 0:
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    said = json.loads(done.stdout.splitlines()[-1])
    return Torch(said["version"], said["built_for"], tuple(said["accelerators"]))


def unmet(config: Config, found: Torch) -> list[Finding]:
    """What the configuration wants of the device and does not get."""
    count = len(found.accelerators)
    wanted = {name: setting.device for name, setting in config.models.items() if setting.device.startswith("cuda")}
    findings = [
        fault(f"model {name}", f"it wants {device}, and there is none", f'set [models.{name}].device = "auto"')
        for name, device in wanted.items()
        if int(device.partition(":")[2] or 0) >= count
    ]
    processes = config.infer.processes
    if processes > max(1, count):
        said = f"{processes} gpu processes share {count or 'no'} accelerator(s)"
        findings.append(warning("device", said, f"set [infer].processes = {max(1, count)}"))
    return findings


def _unused(found: Torch) -> list[Finding]:
    if found.accelerators or not DRIVER.exists():
        return []
    if not found.built_for:
        fix = "install torch built for CUDA (deploy/install.sh without TORCH_INDEX)"
        return [warning("device", "there is an NVIDIA driver, and torch is a CPU build", fix)]
    fix = "look at nvidia-smi: the driver may be older than torch needs, or the account may not open /dev/nvidia*"
    return [warning("device", "there is an NVIDIA driver, and torch cannot use it", fix)]
