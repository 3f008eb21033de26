"""Training in several processes: torchrun, gloo, loopback alone."""

import json
import os
from pathlib import Path

import pytest
import torch
from torch import nn

from dicomnode.bundles.digest import digest
from dicomnode.learn.apart import Oversight, run_apart
from dicomnode.learn.orders import TrainOrder
from dicomnode.learn.train.ranks import Ranks, joined
from dicomnode.learn.values import RecipeName

TRAINER = '''
"""Stands in for training: gradients of three batches, averaged over the ranks; and which ports were listened on."""
import sys, types

def train(order, folder, say):
    from tests.integration.learn.test_ranks import gradients, listening
    import torch
    from dicomnode.learn.train.ranks import joined
    with joined(torch.device("cpu")) as ranks:
        found = gradients(ranks)
        decided = ranks.said_by_first([7.5 if ranks.is_first else 1.0, 2.0])
        return {"gradients": found, "count": ranks.count, "decided": decided, "ports": listening()}

module = types.ModuleType("dicomnode.learn.train.fit")
module.train = train
sys.modules["dicomnode.learn.train.fit"] = module
'''

BATCHES = ([0, 1, 2, 3, 4, 5, 6], [7, 8, 9], [10])
"""The last leaves nothing for the second of two."""


def gradients(ranks: Ranks) -> list[list[float]]:
    """Of a small network after each batch, with a step between them; items have weights."""
    torch.manual_seed(ranks.rank)
    network = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1), nn.Linear(1, 1))
    if ranks.is_first:
        torch.manual_seed(100)
        for parameter in network.parameters():
            nn.init.uniform_(parameter)
    ranks.as_first(network)
    torch.manual_seed(5)
    images, targets, weights = torch.randn(11, 5), torch.randn(11, 1), torch.rand(11, 1) + 0.1
    optimiser, found = torch.optim.SGD(network.parameters(), lr=0.1), []
    for batch in BATCHES:
        mine = list(ranks.part(batch))
        optimiser.zero_grad()
        if mine:
            losses = weights[mine] * (network(images[mine]) - targets[mine]) ** 2
            (losses.sum() / weights[mine].sum()).backward()
        ranks.mean_gradients(network.parameters(), float(weights[mine].sum()))
        found.append([float(g) for p in network.parameters() for g in p.grad.flatten()])
        optimiser.step()
    return found


def listening() -> list[str]:
    """Addresses, in hex, that this process listens on."""
    mine = {str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()}
    lines = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()]
    return [f[1].split(":")[0] for f in lines if len(f) > 9 and f[3] == "0A" and f"socket:[{f[9]}]" in mine]


def test_two_processes_find_the_gradient_of_one_on_the_whole_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(TRAINER)
    repository = str(Path(__file__).parents[3])
    paths = [str(tmp_path / "site"), repository, os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    (tmp_path / "bundle").mkdir()
    order = TrainOrder(
        bundle=tmp_path / "bundle", digest=digest(tmp_path / "bundle"), device="cpu", threads=1, processes=2,
        training_set=tmp_path / "set.json", recipe=RecipeName.NORM, seed=1,
    )  # fmt: skip

    done = run_apart(tmp_path / "job", order, Oversight(idle=False))

    with joined(torch.device("cpu")) as alone:
        expected = torch.tensor(gradients(alone))
    assert (done["count"], done["decided"]) == (2, [7.5, 2.0])
    assert torch.allclose(torch.tensor(done["gradients"]), expected, rtol=1e-5, atol=1e-7)
    assert set(done["ports"]) <= {"0100007F", "00000000000000000000000001000000"}, "loopback alone"
    assert sorted(path.name for path in (tmp_path / "job").iterdir()) == ["done.json", "order.json"]
    assert json.loads((tmp_path / "job" / "done.json").read_text()) == done
