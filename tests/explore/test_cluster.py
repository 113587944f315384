"""Trials on a local Dask cluster of three worker processes, one of which is killed in the middle."""

import json
import subprocess
import sys
import time

import pytest

from talos.errors import TalosError
from talos.explore.area import area_model
from talos.explore.cluster import DaskWorkers
from talos.explore.explore import explore
from talos.explore.optuna_search import OptunaSearch
from talos.explore.store import Store
from talos.explore.workers import LocalWorkers
from talos.memory import MemoryTiming
from tests.explore.conftest import DEVICE

pytest.importorskip("distributed")
COMMON = ("--no-dashboard",)


@pytest.fixture
def cluster(tmp_path):
    """Address of the scheduler and the worker processes."""
    file = tmp_path / "scheduler.json"
    started = []

    def start(*arguments):
        log = (tmp_path / f"{len(started)}.log").open("w")
        command = [sys.executable, "-m", "dask", *arguments, *COMMON]
        started.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=tmp_path))
        log.close()
        return started[-1]

    try:
        scheduler = start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
        while not file.is_file() or not file.read_text().endswith("}"):
            assert scheduler.poll() is None, (tmp_path / "0.log").read_text()
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        workers = [
            start("worker", address, "--no-nanny", "--nthreads", "1", "--local-directory", str(tmp_path / str(i)))
            for i in range(3)
        ]
        yield address, workers
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()


class KillsOne:
    """Workers that lose one of their processes after the first result of a batch."""

    def __init__(self, inner, process):
        self.inner, self.process, self.killed = inner, process, False

    def run(self, jobs):
        for result in self.inner.run(jobs):
            yield result
            if not self.killed:
                self.process.kill()
                self.process.wait()
                self.killed = True


def test_a_killed_worker_loses_nothing(cluster, digits, space, budget, fits, tmp_path):
    address, processes = cluster

    def run(workers, path):
        search = OptunaSearch(space, fits, trials=40, seed=1)
        return explore(
            [digits], search, workers, Store(path, MemoryTiming()), model=area_model(DEVICE), budget=budget, memory=MemoryTiming()
        )

    with DaskWorkers([digits], address) as workers:
        # All three are there, so that the one that is killed has work.
        workers._client.wait_for_workers(3)
        killing = KillsOne(workers, processes[0])
        remote = run(killing, tmp_path / "remote")
    assert killing.killed and processes[0].returncode == -9
    assert remote.computed == 40 and len((tmp_path / "remote").read_text().splitlines()) == 40
    local = run(LocalWorkers([digits], 1), tmp_path / "local")
    assert remote.to_json() == local.to_json() and len(remote.front) > 2


def test_nobody_there(digits, monkeypatch):
    from talos.explore import cluster

    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", "1s")
    with pytest.raises(TalosError, match=r"--dask tcp://127\.0\.0\.1:1: no scheduler answers"):
        DaskWorkers([digits], "tcp://127.0.0.1:1")
    with pytest.raises(TalosError, match="--dask nowhere://1: no scheduler answers"):
        DaskWorkers([digits], "nowhere://1")
