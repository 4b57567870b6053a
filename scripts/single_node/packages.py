"""containerd, runc and the CNI plug-ins from Debian, unpacked beside the state; nothing is installed."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from .errors import ClusterError
from .places import Places
from .shell import run, succeeds

PACKAGES = ("containerd", "runc", "containernetworking-plugins", "nftables", "busybox-static")
_LIBRARIES = ("libnftables1", "libnftnl11", "libmnl0", "libjansson4", "libedit2", "libbsd0", "libmd0", "libseccomp2")
PROGRAMS = ("usr/bin/containerd", "usr/bin/ctr", "usr/sbin/runc", "usr/sbin/nft", "usr/lib/cni/bridge", "bin/busybox")
_ELSEWHERE = {"bin/busybox": "usr/bin/busybox"}  # Where a release has merged /bin into /usr/bin.


def program(places: Places, path: str) -> Path:
    """A program of the packages."""
    return next((p for p in (places.debian / path, places.debian / _ELSEWHERE.get(path, path)) if p.exists()), Path())


def environment(places: Places) -> dict[str, str]:
    """In which the packages' programs find each other and their libraries."""
    folders = [str(places.debian / each) for each in ("usr/bin", "usr/sbin", "bin", "sbin")]
    libraries = [str(folder) for folder in sorted(places.debian.glob("usr/lib/*-linux-gnu"))]
    return {
        "PATH": os.pathsep.join([*folders, "/usr/sbin", "/usr/bin", "/sbin", "/bin"]),
        "LD_LIBRARY_PATH": os.pathsep.join(libraries),
        "HOME": "/root",
    }


def unpack_packages(places: Places) -> None:
    """Downloads and unpacks what is not there yet.

    Raises:
        ClusterError: This is not a Debian, or its packages cannot be had.
    """
    if all(program(places, path).is_file() for path in PROGRAMS):
        return
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise ClusterError("needs Debian's apt-get and dpkg-deb, for containerd, runc and the CNI plug-ins")
    shutil.rmtree(places.debian, ignore_errors=True)
    places.debian.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=places.state) as folder:
        for package in _download(Path(folder)):
            run("dpkg-deb", "-x", package, places.debian)
    missing = [path for path in PROGRAMS if not program(places, path).is_file()]
    if missing:
        raise ClusterError(f"Debian's packages have no {missing[0]}")


def _download(folder: Path) -> list[Path]:
    """The packages in a folder, by lists of its own, so that those of this machine stay as they are."""
    (folder / "lists" / "partial").mkdir(parents=True)
    (folder / "cache" / "archives" / "partial").mkdir(parents=True)
    options = ("-qq", "-o", f"Dir::State::Lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache")
    script = 'cd "$1" && shift && exec apt-get "$@"'
    run("apt-get", *options, "-o", "APT::Sandbox::User=root", "update")
    cache = ("apt-cache", *options[1:])
    libraries = [each for each in _LIBRARIES if succeeds(*cache, "show", each)]
    run("sh", "-c", script, "sh", folder, *options, "-o", "APT::Sandbox::User=root", "download", *PACKAGES, *libraries)
    return sorted(folder.glob("*.deb"))
