"""A docker daemon of a test's own: its socket, data and state are below one directory, and it is ended by its id.

    with DockerEngine() as engine:
        engine.import_image("hakuriver/box:base", root)
        engine.docker("ps", "-a")

Images are made from busybox-static, without any hub: such an image has no libc, no users and no /etc but os-release.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time

PATIENCE = 60
APPLETS = ("sh", "ls", "cat", "echo", "sleep", "env", "id", "pwd", "true", "false", "kill", "setsid", "dd", "touch", "test",
           "hostname", "nproc", "seq", "head", "tail", "wc", "stat", "ps", "rm", "mkdir", "tr", "grep", "nice", "trap",
           "stty")
BUSYBOX = "/usr/bin/busybox" if pathlib.Path("/usr/bin/busybox").exists() else "/bin/busybox"


def reason_to_skip():
    """Why no daemon can be had here; nothing where one can."""
    if os.geteuid() != 0:
        return "a docker daemon of one's own takes root"
    for program in ("dockerd", "docker"):
        if shutil.which(program) is None:
            return f"{program} is not installed (package docker.io)"
    done = subprocess.run(["ldd", BUSYBOX], capture_output=True, text=True, check=False) if os.path.exists(BUSYBOX) else None
    if done is None or "not a dynamic executable" not in done.stdout + done.stderr:
        return "busybox-static is not installed"
    try:
        with DockerEngine():
            return None
    except RuntimeError as error:
        return str(error)


def reason_to_skip_podman():
    """Why podman runs no containers here; nothing where it does."""
    for program in ("podman", "catatonit"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    with PodmanEngine() as engine:
        try:
            engine.import_image("hakuriver/tried:base")
            engine.docker("create", "--init", "--network=none", "--name=tried", "hakuriver/tried:base", "true")
            engine.docker("start", "--attach", "tried")
        except subprocess.CalledProcessError as error:
            return f"podman runs no containers here: {error.stderr[-600:]}"
    return None


class DockerEngine:
    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="hakuriver-docker-"))
        self.socket = self.home / "docker.sock"
        self.host = f"unix://{self.socket}"
        self.daemon = None

    def __enter__(self):
        try:
            for driver in ("overlay2", "vfs"):
                if self._start(driver):
                    return self
            raise RuntimeError("dockerd does not start here: " + (self.home / "log").read_text(errors="replace")[-600:])
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()

    def _start(self, driver):
        self.driver = driver
        with open(self.home / "log", "wb") as log:
            self.daemon = subprocess.Popen(
                ["dockerd", f"--storage-driver={driver}", "--iptables=false", "--bridge=none",
                 f"--data-root={self.home}/data", f"--exec-root={self.home}/exec", f"--host={self.host}",
                 f"--pidfile={self.home}/pid"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.daemon.poll() is None:
            if self.socket.exists() and self.docker("version", check=False).returncode == 0:
                return True
            time.sleep(0.1)
        self.stop()
        return False

    def restart(self):
        self.stop()
        self.start_again()

    def start_again(self):
        if not self._start(self.driver):
            raise RuntimeError("dockerd does not start again")

    def stop(self):
        if self.daemon is not None and self.daemon.poll() is None:
            self.daemon.terminate()
            try:
                self.daemon.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
        self.daemon = None

    def close(self):
        """Its containers go with it."""
        if self.daemon is not None and self.daemon.poll() is None:
            names = self.docker("ps", "-aq", check=False).stdout.split()
            if names:
                self.docker("rm", "-f", *names, check=False)
        self.stop()
        for mount in sorted((line.split()[1] for line in pathlib.Path("/proc/mounts").read_text().splitlines()
                             if line.split()[1].startswith(f"{self.home}/")), reverse=True):
            subprocess.run(["umount", "--lazy", mount], capture_output=True, check=False)
        shutil.rmtree(self.home, ignore_errors=True)

    def docker(self, *words, check=True, stdin=None):
        return subprocess.run(["docker", "--host", self.host, *words], text=True, capture_output=True, check=check,
                              stdin=stdin if stdin is not None else subprocess.DEVNULL,
                              env={"PATH": os.environ["PATH"], "HOME": str(self.home)}, timeout=PATIENCE)

    def import_image(self, name, *changes, programs=None):
        """An image with busybox and an /etc/os-release that names it. `programs`: names and texts of scripts."""
        with tempfile.TemporaryDirectory(dir=self.home) as directory:
            root = pathlib.Path(directory)
            (root / "bin").mkdir()
            (root / "etc").mkdir()
            (root / "etc/os-release").write_text(f'NAME="{name}"\n')
            shutil.copy(BUSYBOX, root / "bin/busybox")
            for applet in APPLETS:
                (root / "bin" / applet).symlink_to("busybox")
            for program, text in (programs or {}).items():
                (root / "bin" / program).write_text(text)
                (root / "bin" / program).chmod(0o755)
            with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as tar:
                words = [word for change in changes for word in ("--change", change)]
                self.docker("import", *words, "-", name, stdin=tar.stdout)

    def names(self):
        end = time.monotonic() + PATIENCE
        while True:  # the daemon fails to list what goes at that moment
            done = self.docker("ps", "-a", "--format", "{{.Names}}", check=False)
            if done.returncode == 0:
                return set(done.stdout.split())
            if time.monotonic() > end:
                raise RuntimeError(f"docker ps: {done.stderr}")


class PodmanEngine(DockerEngine):
    """No daemon, but a podman whose containers and images are all below one directory."""

    def __init__(self):
        super().__init__()
        self.host = ""
        binary = self.home / "bin/podman"
        binary.parent.mkdir()
        # A node in a container of its own may not raise the limits that podman gives by default.
        binary.write_text(f"""#!/bin/sh
podman="{shutil.which("podman")} --root={self.home}/data --runroot={self.home}/run --tmpdir={self.home}/tmp --storage-driver=vfs"
podman="$podman --cgroup-manager=cgroupfs --events-backend=file"
[ "$1" = create ] || exec $podman "$@"
shift
exec $podman create --init-path={shutil.which("catatonit")} --ulimit=nofile=1024:1024 --ulimit=nproc=1024:1024 "$@"
""")
        binary.chmod(0o755)

    def __enter__(self):
        return self

    def docker(self, *words, check=True, stdin=None):
        return subprocess.run([self.home / "bin/podman", *words], text=True, capture_output=True, check=check,
                              stdin=stdin if stdin is not None else subprocess.DEVNULL,
                              env={"PATH": os.environ["PATH"], "HOME": str(self.home)}, timeout=PATIENCE)

    def close(self):
        names = self.docker("ps", "--all", "--quiet", check=False).stdout.split()
        if names:
            self.docker("rm", "--force", *names, check=False)
        super().close()
