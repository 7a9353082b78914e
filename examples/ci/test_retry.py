"""Tests of retry.py on a real queue, with what goes wrong once a month made to happen now."""

import subprocess

import pytest
import retry

JOB = "#!/bin/sh\necho $SLURM_JOB_ID > out\n"
LONG = "#!/bin/sh\nsleep 300\n"


def test_a_job_runs(slurm, tmp_path):
    job = retry.submit(JOB)
    slurm.wait(job, "COMPLETED")
    assert (tmp_path / "out").read_text() == f"{job}\n"


def test_a_time_out_is_tried_again(slurm):
    slurm.fault("refuse", "sbatch", "--times", "2")
    slurm.wait(retry.submit(JOB), "COMPLETED")


def test_too_many_of_them_are_an_error(slurm):
    slurm.fault("refuse", "sbatch", "--times", "3")
    with pytest.raises(subprocess.CalledProcessError, match="sbatch"):
        retry.submit(JOB)


def test_what_sbatch_refuses_for_good_is_not_tried_again(slurm):
    with pytest.raises(subprocess.CalledProcessError) as refused:
        retry.submit(JOB, "--partition=nowhere", pause=1000)
    assert "invalid partition specified: nowhere" in refused.value.stderr


@pytest.mark.parametrize("state, fault", [("PREEMPTED", "preempt"), ("OUT_OF_MEMORY", "oom")])
def test_a_job_that_was_preempted_is_lost_and_one_that_took_too_much_is_not(slurm, state, fault):
    slurm.fault(fault)
    job = retry.submit(LONG, "--no-requeue")
    slurm.wait(job, state)
    assert retry.lost(job) == (state == "PREEMPTED")


def test_an_accounting_that_lags_is_no_reason_to_submit_again(slurm):
    slurm.fault("lag", "300")
    assert not retry.lost(retry.submit(JOB))
