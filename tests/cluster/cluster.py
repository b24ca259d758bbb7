"""A throw-away SLURM cluster on loopback: one controller, five logical nodes, declared GPUs, accounting.

Made from Debian's packages, by root, with no systemd and no container. All files stand below one folder;
every daemon is stopped by its process id. Partitions: cpu and gpu; spot, whose node urgent takes from it; far,
whose node can be given a file system of its own.

    python tests/cluster/cluster.py FOLDER      # starts it, waits for Ctrl-C, stops it
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PACKAGES = "slurmctld slurmd slurm-client munge slurm-wlm-basic-plugins slurmdbd slurm-wlm-mysql-plugin mariadb-server"
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged", "slurmdbd", "mariadbd")
INSTALL = f"apt-get install --no-install-recommends {PACKAGES}"
CPU_NODES = ("c1", "c2", "c3")
GPU_NODES = ("g1", "g2")
NODES = (*CPU_NODES, *GPU_NODES)
FAR_NODE, SPOT_NODE = "c2", "c3"
NAME = "nanosnake"
SYSTEM = Path("/etc/slurm")
CONFIGURATION = ("slurm.conf", "slurmdbd.conf", "gres.conf")
LOCK = "lock"  # held by the process that runs the cluster: the kernel lets go of it when that is killed
HOSTS = Path("/etc/hosts")
HOSTS_LINE = f"127.0.0.1 {' '.join(NODES)} # a throw-away cluster of nanosnake's tests\n"
SBIN = "/usr/sbin:/usr/bin:/sbin:/bin"

SLURM_CONF = """\
ClusterName={name}
SlurmctldHost=localhost
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=3
SlurmctldPort={controller}
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.%n.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
PropagateResourceLimits=NONE
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
ReturnToService=0
SlurmctldTimeout=30
SlurmdTimeout=20
EnforcePartLimits=ALL
KillWait=2
MinJobAge=300
SlurmdParameters=config_overrides
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={accounting}
AccountingStoragePass={folder}/munge.sock
{nodes}
PartitionName=cpu Nodes={cpu_nodes} Default=YES MaxTime=2:00:00 DefMemPerCPU=100 PreemptMode=OFF
PartitionName=gpu Nodes={gpu_nodes} MaxTime=1-00:00:00 DefMemPerCPU=100 PreemptMode=OFF
PartitionName=far Nodes={far_node} DefMemPerCPU=100 PreemptMode=OFF
PartitionName=spot Nodes={spot_node} DefMemPerCPU=100 PriorityTier=1 PreemptMode=REQUEUE
PartitionName=urgent Nodes={spot_node} DefMemPerCPU=100 PriorityTier=10 PreemptMode=OFF
"""

SLURMDBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=3
DbdHost=localhost
DbdPort={accounting}
SlurmUser=root
PidFile={folder}/run/slurmdbd.pid
LogFile={folder}/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct_db
CommitDelay=1
"""

# GPUs that are only declared: SLURM schedules them, and a device file has to exist for each
GRES_CONF = "NodeName={gpu_nodes} Name=gpu Type=h200 File=/dev/null,/dev/zero,/dev/full,/dev/random\n"


def missing() -> str | None:
    """Return what keeps a cluster from being started here, or None."""
    absent = [program for program in PROGRAMS if shutil.which(program, path=SBIN) is None]
    if absent:
        return f"no {', '.join(absent)}; as root: {INSTALL}"
    if os.geteuid() != 0:
        return "only root can start SLURM's daemons; run the tests as root, in a container for instance"
    theirs = SYSTEM / CONFIGURATION[0]
    if not theirs.exists():
        return None
    if not (owned := theirs.resolve().with_name(LOCK)).exists():
        return f"{theirs} exists: this machine belongs to a cluster, which the tests would disturb"
    if not is_free(owned):
        return f"{theirs} exists: other tests run a cluster on this machine, in {owned.parent}"
    return None


def is_free(lock: Path) -> bool:
    """Return whether the process that locked a file has ended."""
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def stop_what_was_left() -> None:
    """Stop the cluster of a test run that was killed, and delete its folder."""
    theirs = SYSTEM / CONFIGURATION[0]
    if theirs.exists():
        folder = theirs.resolve().parent
        Cluster(folder).stop()
        shutil.rmtree(folder)


def poll(what: str, seconds: float, ready: Callable[[], bool]) -> None:
    """Wait until `ready` is true.

    Raises:
        TimeoutError: if it is not within so many seconds.
    """
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not so after {seconds:g} s")
        time.sleep(0.1)


def succeeds(*command: str) -> bool:
    """Return whether a command ends with 0 within ten seconds."""
    try:
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def ask(*command: str) -> str:
    """Return what a command prints."""
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()


def alive(pid: int) -> bool:
    """Return whether a process runs; one that ended but was not reaped does not."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return not any(line.split()[1:2] == ["Z"] for line in status.splitlines() if line.startswith("State:"))


def processes_of_jobs() -> Iterator[int]:
    """Yield the processes that jobs of such a cluster left behind: without cgroups SLURM misses some."""
    for file in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"SLURM_CLUSTER_NAME={NAME}".encode() in file.read_bytes().split(b"\0"):
                yield int(file.parent.name)


def free_ports(count: int) -> list[int]:
    """Return TCP ports that nothing listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


class Cluster:
    """A cluster below a folder whose path is short (a socket's path has at most 107 characters)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def start(self) -> None:
        """Start every daemon and wait until the nodes are idle."""
        try:
            self._write()
            self._start_munge()
            self._start_accounting()
            subprocess.run(["/usr/sbin/slurmctld", "-i"], check=True)
            poll("the controller answers", 20, lambda: succeeds("scontrol", "ping"))
            for node in NODES:
                apart = ["unshare", "--mount", "--propagation", "slave"] if node == FAR_NODE else []
                subprocess.run([*apart, "/usr/sbin/slurmd", "-N", node], check=True)
            poll("all nodes are idle", 30, lambda: self.states() == dict.fromkeys(NODES, "idle"))
        except (OSError, subprocess.SubprocessError, TimeoutError) as error:
            logs = [f"== {log}\n{log.read_text()[-800:]}" for log in sorted(self.folder.glob("log/*.log"))]
            self.stop()
            raise RuntimeError(f"the cluster did not start: {error}\n" + "\n".join(logs)) from error

    def stop(self) -> None:
        """Cancel all jobs and stop what was started, by process id."""
        if succeeds("scancel", "--user=root"):
            # a job that does not end by itself is killed below
            with contextlib.suppress(TimeoutError, subprocess.SubprocessError):
                poll("all jobs have ended", 30, lambda: not self.jobs())
        daemons = ("slurmctld", "slurmdbd", "mariadbd", "munged")
        for file in [
            *self.folder.glob("*/slurmd.*.pid"),
            *(self.folder / f"run/{name}.pid" for name in daemons),
        ]:
            self._stop(file)
        for pid in processes_of_jobs():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for link in (SYSTEM / name for name in CONFIGURATION):
            if link.is_symlink() and link.readlink().parent == self.folder:
                link.unlink()
        HOSTS.write_text(HOSTS.read_text().replace(HOSTS_LINE, ""))

    def states(self) -> dict[str, str]:
        """Return the state of each node."""
        lines = ask("sinfo", "--noheader", "--Node", "--format=%N %t").splitlines()
        return dict(line.split() for line in lines)

    def jobs(self, *options: str) -> list[str]:
        """Return the ids of the jobs that wait or run."""
        return ask("squeue", "--noheader", "--format=%A", *options).split()

    def job(self, job: str) -> dict[str, str]:
        """Return what the controller knows of a job."""
        words = ask("scontrol", "--oneliner", "show", "job", job).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def cancel(self, job: str) -> None:
        """Cancel a job, as a person would."""
        ask("scancel", job)

    def requeue(self, job: str) -> None:
        """Send a running job back to the queue, as SLURM does when it preempts one."""
        ask("scontrol", "requeue", job)

    def preempt(self, seconds: int = 3) -> str:
        """Hand in a job that takes the preemptable node for itself; return its id."""
        wanted = ["--partition=urgent", "--exclusive", "--output=/dev/null", f"--wrap=sleep {seconds}"]
        return ask("sbatch", "--parsable", *wanted)

    def history(self, job: str) -> list[str]:
        """Return the state that accounting knows for each time a job was started."""
        return ask("sacct", "--duplicates", "-nX", "--format=State", "-j", job).split()

    @contextlib.contextmanager
    def a_view_of_its_own(self, folder: Path, seen: Path) -> Iterator[None]:
        """Let the far node see `seen` where others see `folder`, as if its writes reached them later."""
        pid = (self.folder / f"run/slurmd.{FAR_NODE}.pid").read_text().strip()
        inside = ["nsenter", f"--mount=/proc/{pid}/ns/mnt"]
        subprocess.run([*inside, "mount", "--bind", str(seen), str(folder)], check=True)
        try:
            yield
        finally:
            subprocess.run([*inside, "umount", str(folder)], check=True)

    def set_down(self, node: str) -> None:
        """Tell the controller that a node is lost; its jobs are killed."""
        ask("scontrol", "update", f"nodename={node}", "state=down", "reason=test")

    def set_up(self, node: str) -> None:
        """Take a node back and wait until it is idle."""
        ask("scontrol", "update", f"nodename={node}", "state=resume")
        poll(f"{node} is idle", 30, lambda: self.states()[node] == "idle")

    def _write(self) -> None:
        self.folder.chmod(0o755)  # the database runs as another user
        for name in ("run", "log", "state", *(f"spool/{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        controller, accounting, *ports = free_ports(2 + len(NODES))
        lines = [
            f"NodeName={node} NodeHostname=localhost Port={port} "
            + ("CPUs=2 RealMemory=16000" if node in CPU_NODES else "CPUs=8 RealMemory=64000 Gres=gpu:h200:4")
            for node, port in zip(NODES, ports, strict=True)
        ]
        values = {
            "name": NAME,
            "folder": self.folder,
            "controller": controller,
            "accounting": accounting,
            "nodes": "\n".join(lines),
            "cpu_nodes": ",".join(CPU_NODES),
            "gpu_nodes": ",".join(GPU_NODES),
            "far_node": FAR_NODE,
            "spot_node": SPOT_NODE,
        }
        for name, text in zip(CONFIGURATION, (SLURM_CONF, SLURMDBD_CONF, GRES_CONF), strict=True):
            file = self.folder / name
            file.write_text(text.format(**values))
            file.chmod(0o600)
            # the job step's srun loses SLURM_CONF, so the files have to stand where SLURM looks by itself
            link = SYSTEM / name
            link.unlink(missing_ok=True)
            link.symlink_to(file)
        with HOSTS.open("a") as hosts:  # processes on several nodes find each other by the nodes' names
            hosts.write(HOSTS_LINE)

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        options = {
            "key-file": key,
            "socket": self.folder / "munge.sock",
            "pid-file": self.folder / "run/munged.pid",
            "log-file": self.folder / "log/munged.log",
            "seed-file": self.folder / "munge.seed",
        }
        command = ["/usr/sbin/munged", "--force", *(f"--{key}={value}" for key, value in options.items())]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)  # warns of the folder's owner
        poll("munge answers", 10, lambda: succeeds("munge", "-n", "-S", str(self.folder / "munge.sock")))

    def _start_accounting(self) -> None:
        data, log = self.folder / "database", self.folder / "log/database.log"
        data.mkdir()
        for folder in (data, self.folder / "run"):
            shutil.chown(folder, "mysql", "mysql")
        options = ["--no-defaults", "--user=mysql", f"--datadir={data}"]
        with log.open("ab") as stream:
            install = [*options, "--auth-root-authentication-method=normal", "--skip-test-db"]
            subprocess.run(["mariadb-install-db", *install], stdout=stream, stderr=stream, check=True)
            database_socket = data / "sock"
            small = [
                "--skip-networking",
                "--innodb-buffer-pool-size=64M",
                "--innodb-flush-log-at-trx-commit=0",
            ]
            subprocess.Popen(
                [
                    "/usr/sbin/mariadbd",
                    *options,
                    f"--socket={database_socket}",
                    *small,
                    f"--pid-file={self.folder}/run/mariadbd.pid",
                ],
                stdout=stream,
                stderr=stream,
            )
        ping = ["mariadb-admin", "--no-defaults", "-S", str(database_socket), "ping"]
        poll("the database answers", 30, lambda: succeeds(*ping))
        environment = {**os.environ, "MYSQL_UNIX_PORT": str(database_socket)}
        subprocess.run(["/usr/sbin/slurmdbd"], check=True, env=environment)
        poll("accounting answers", 30, lambda: succeeds("sacctmgr", "-n", "list", "cluster"))

    def _stop(self, file: Path) -> None:
        if not file.exists():
            return
        pid, program = int(file.read_text()), file.name.split(".")[0]
        if not alive(pid) or Path(f"/proc/{pid}/comm").read_text().strip() != program:
            return  # ended, and perhaps its number is another's now
        os.kill(pid, signal.SIGTERM)
        try:
            poll(f"{file.name} has ended", 15, lambda: not alive(pid))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """Start a cluster below a folder; stop it in the end."""
    stop_what_was_left()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cluster = Cluster(folder)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()


if __name__ == "__main__":
    if reason := missing():
        sys.exit(reason)
    with running(Path(sys.argv[1])):
        print(ask("sinfo"), flush=True)
        stop = {signal.SIGINT, signal.SIGTERM}
        signal.pthread_sigmask(signal.SIG_BLOCK, stop)
        signal.sigwait(stop)
