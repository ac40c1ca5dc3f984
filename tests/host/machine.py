"""A Debian machine of the test's own: a root file system by debootstrap, booted with its own systemd by
systemd-nspawn. It shares this machine's network, so its ports must be free here."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests import ROOT
from tests.conftest import absent
from tests.polling import poll

PACKAGES = ("systemd", "systemd-sysv", "dbus")
"""What a cloud's image of Debian has beside the smallest one."""
SOURCE = "/opt/tinygen/source"
_AUTHORITIES = "/root/authorities.pem"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def make_debian(folder: Path) -> None:
    """A root with nothing of TinyGen's, in a minute or two. `TINYGEN_DEBIAN_ROOT`, where set, names one
    that was made before, which is copied."""
    if os.geteuid() != 0:
        absent("root", "run the tests as root: they boot a machine")
    for tool, package in (("debootstrap", "debootstrap"), ("systemd-nspawn", "systemd-container")):
        if shutil.which(tool) is None:
            absent(tool, f"install Debian's package {package}")
    made = os.environ.get("TINYGEN_DEBIAN_ROOT")
    if made:
        subprocess.run(["cp", "-a", "--reflink=auto", made, folder], check=True)
        return
    include = f"--include={','.join(PACKAGES)}"
    command = ["debootstrap", "--variant=minbase", include, "bookworm", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Machine:
    """`root` is its file system. It runs from `boot` to `stop`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._pid = 0
        self._container: subprocess.Popen[bytes] | None = None
        # Where this machine reaches the package index through a proxy with an authority of its own.
        authorities = os.environ.get("PIP_CERT") or ssl.get_default_verify_paths().openssl_cafile
        shutil.copy(authorities, root / _AUTHORITIES.lstrip("/"))

    def boot(self) -> None:
        command = ["systemd-nspawn", "-q", "-D", str(self.root), "--boot", "--register=no"]
        self._container = subprocess.Popen(
            [*command, "--keep-unit", "--console=pipe", f"--machine={self.root.name}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # Its first child may be one that soon ends.
        is_up = poll(lambda: self._find_init() and self._is_up(), within_s=120)
        assert is_up, "the machine did not boot"

    def stop(self) -> None:
        """Powers it off."""
        if self._container is not None:
            if self._pid:
                os.kill(self._pid, signal.SIGRTMIN + 4)
            else:
                self._container.terminate()
            self._container.wait(timeout=120)
            self._container = None

    def run(
        self, *command: str, check: bool = True, within_s: float = 300, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """As root in the machine."""
        given = {"PATH": _PATH, "HOME": "/root", "LANG": "C.UTF-8", "PIP_CERT": _AUTHORITIES}
        enter = ["nsenter", "-t", str(self._pid), "-m", "-p", "-u", "-i", "-r", "-w"]
        settings = [f"{name}={value}" for name, value in {**given, **environment}.items()]
        ended = subprocess.run(
            [*enter, "env", "-i", *settings, *command],
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
        if check:
            assert ended.returncode == 0, f"{shlex.join(command)}: {ended.stdout}{ended.stderr}"
        return ended

    def write(self, path: str, text: str) -> None:
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def clone_source(self) -> None:
        """This repository's newest commit, where deploy/README.md puts it."""
        target = self.root / SOURCE.lstrip("/")
        subprocess.run(["git", "clone", "-q", "--no-hardlinks", ROOT, target], check=True)

    def commit(self, files: Mapping[str, str], title: str) -> None:
        """One more commit in the source."""
        for path, text in files.items():
            self.write(f"{SOURCE}/{path}", text)
        git = ("git", "-C", SOURCE, "-c", "user.name=t", "-c", "user.email=t@example.com")
        self.run(*git, "add", "--all")
        self.run(*git, "commit", "-q", "-m", title)

    def install(self, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run(f"{SOURCE}/deploy/install.sh", *options, check=check, within_s=600)

    def is_active(self, unit: str) -> bool:
        return self.run("systemctl", "is-active", "-q", unit, check=False).returncode == 0

    def _find_init(self) -> bool:
        assert self._container is not None
        found = subprocess.run(
            ["pgrep", "-P", str(self._container.pid)], capture_output=True, text=True, check=False
        )
        self._pid = int(found.stdout.split()[0]) if found.stdout else 0
        return self._pid > 0

    def _is_up(self) -> bool:
        said = self.run("systemctl", "is-system-running", check=False)
        return said.stdout.strip() in ("running", "degraded")
