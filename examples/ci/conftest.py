"""A Slurm cluster for tests: each pytest process has one of its own, which is gone when it ends.

Copy this file beside your tests. It needs `bivouac` on PATH and nothing else.
"""

import subprocess
import time

import pytest

# The shape of the cluster: ["--slurm-conf", "tests/conf"] for that of a slurm.conf, ["--site", "alpine"] for a profile's.
SHAPE = []


class Slurm:
    """What tests do with the cluster, apart from what the program under test does."""

    def __init__(self, env):
        self.env = env

    def run(self, *words):
        """Runs a command that must succeed; its standard output."""
        return subprocess.run(words, check=True, text=True, stdout=subprocess.PIPE).stdout

    def fault(self, *words):
        """Lets something go wrong from now on: fault("refuse", "sbatch")."""
        self.run("bivouac", "fault", "add", *words)

    def state(self, job):
        """The state of a job in the accounting."""
        return self.run("sacct", "-n", "-X", "-P", "-o", "State", "-j", str(job)).strip()

    def wait(self, job, state, seconds=60):
        """Waits until a job is in that state."""
        until = time.monotonic() + seconds
        while self.state(job) != state:
            assert time.monotonic() < until, f"job {job} is {self.state(job)}, not {state}"
            time.sleep(0.05)


@pytest.fixture(scope="session")
def cluster():
    """The variables that lead to a cluster which lives as long as this process, however it ends."""
    # The cluster goes away with its command, and `cat` ends when our end of the pipe is closed, by us or by our death.
    tell = 'printf "%s\\n" "$PATH" "$BIVOUAC_STATE_DIR" "$BIVOUAC_CLUSTER"; exec cat'
    command = ["bivouac", "ephemeral", *SHAPE, "--", "sh", "-c", tell]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    names = ["PATH", "BIVOUAC_STATE_DIR", "BIVOUAC_CLUSTER"]
    env = {name: process.stdout.readline().rstrip("\n") for name in names}
    assert env["BIVOUAC_CLUSTER"], "bivouac ephemeral did not start"
    yield env
    process.communicate()
    assert process.returncode == 0


@pytest.fixture
def slurm(cluster, monkeypatch, tmp_path):
    """A test's view of the cluster: first on PATH, in a folder of the test's own, without another test's jobs and faults."""
    for name, value in cluster.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    slurm = Slurm(cluster)
    yield slurm
    slurm.run("bivouac", "fault", "clear")
    slurm.run("scancel", "--user", slurm.run("id", "-un").strip())
