"""A real cluster of Slurm on this machine: one node, without systemd, on ports and in folders of its own."""

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.processes import end, free_port, start

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch")
# Two stages at once on any machine; memory is not counted.
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
KillWait=5
MessageTimeout=3
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=100000
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Which program is not installed; empty where all are."""
    path = os.environ["PATH"] + os.pathsep + "/usr/sbin"
    return next((name for name in PROGRAMS if not shutil.which(name, path=path)), "")


@dataclass
class Cluster:
    """The daemons of a cluster, and the variables by which its programs find it."""

    folder: Path
    variables: dict[str, str]
    daemons: dict[str, subprocess.Popen]

    def start(self, name: str, *command: str) -> None:
        """Start a daemon, whose output is in a file."""
        self.daemons[name] = start([*command], self.folder / f"{name}.output", os.environ | self.variables)

    def go_away(self) -> None:
        """Let the controller end, as for an update; jobs go on."""
        self.stop("slurmctld")

    def come_back(self) -> None:
        """Start the controller, which knows what it knew."""
        self.start("slurmctld", "slurmctld", "-D")

    def stop(self, name: str) -> None:
        """End a daemon that this cluster started."""
        end(self.daemons.pop(name))

    def wait_for_node(self) -> None:
        """Return when a job could start."""
        for _ in range(150):
            said = subprocess.run(
                ["sinfo", "--noheader", "--format=%T"], env=os.environ | self.variables, capture_output=True, text=True
            ).stdout
            if said.strip() == "idle":
                return
            time.sleep(0.2)
        logs = [each.read_text(errors="replace") for each in sorted(self.folder.glob("*.log"))]
        raise AssertionError("\n".join(["no node within 30 seconds", *logs]))


@contextmanager
def serve(folder: Path) -> Iterator[Cluster]:
    """Run a cluster until the block ends."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o711)
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    text = CONFIGURATION.format(
        host=socket.gethostname().partition(".")[0],
        user=subprocess.check_output(["id", "-un"], text=True).strip(),
        controller=free_port(),
        node=free_port(),
        folder=folder,
    )
    (folder / "slurm.conf").write_text(text)
    path = os.environ["PATH"] + os.pathsep + "/usr/sbin"
    found = Cluster(folder, {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": path}, {})
    try:
        files = {"socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        own = [f"--{option}={folder}/munge.{suffix}" for option, suffix in files.items()]
        # Its checks of folders are for a machine that many people use.
        found.start("munged", "munged", "--foreground", "--force", f"--key-file={key}", *own)
        for _ in range(100):
            if (folder / "munge.socket").exists():
                break
            time.sleep(0.1)
        found.come_back()
        found.start("slurmd", "slurmd", "-D")
        found.wait_for_node()
        yield found
    finally:
        for name in reversed(list(found.daemons)):
            found.stop(name)
