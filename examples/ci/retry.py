"""The program under test of this example: submits a job, and again if the controller did not answer in time."""

import subprocess
import time


def submit(script, *options, tries=3, pause=0.1):
    """Submits a script and gives the job's number.

    Raises subprocess.CalledProcessError with what sbatch said if it is refused for good, or too often.
    """
    command = ["sbatch", "--parsable", *options]
    for left in reversed(range(tries)):
        done = subprocess.run(command, input=script, text=True, capture_output=True)
        if done.returncode == 0:
            return int(done.stdout.split(";")[0])
        if left == 0 or "timed out" not in done.stderr:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
        time.sleep(pause)


def lost(job):
    """Whether a job was ended by what was not its fault, so that it may be submitted again."""
    said = subprocess.run(
        ["sacct", "-n", "-X", "-P", "-o", "State", "-j", str(job)], check=True, text=True, capture_output=True
    )
    return said.stdout.strip() in ("NODE_FAIL", "PREEMPTED")
