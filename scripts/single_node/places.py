"""Where everything is: on this machine, and as the cluster's programs see it."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from .errors import ClusterError

REPOSITORY = Path(__file__).resolve().parents[2]
INSIDE = Path("/run/cluster")  # The state's folder `run`, for the cluster's programs: sockets have short paths.
HIDDEN = (Path("/run"), Path("/var/lib"), Path("/var/log"), Path("/sys"), Path("/proc"))


@dataclasses.dataclass(frozen=True)
class Places:
    """The folder of the state and the one of the built programs."""

    state: Path
    programs: Path

    @property
    def run(self) -> Path:
        """What a cluster writes; `stop` removes it."""
        return self.state / "run"

    @property
    def debian(self) -> Path:
        """Where Debian's packages are unpacked; they stay."""
        return self.state / "debian"

    @property
    def logs(self) -> Path:
        """A file a program."""
        return self.run / "log"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.run / "kubeconfig"


def find_places() -> Places:
    """As SEGPIPE_CLUSTER and SEGPIPE_KUBERNETES say, else below `build`."""
    state = Path(os.environ.get("SEGPIPE_CLUSTER") or REPOSITORY / "build" / "cluster").resolve()
    programs = Path(os.environ.get("SEGPIPE_KUBERNETES") or REPOSITORY / "build" / "kubernetes").resolve()
    for folder in (state, programs):
        for hidden in HIDDEN:
            if hidden in (folder, *folder.parents):
                raise ClusterError(f"{folder} cannot hold the cluster: its programs see a {hidden} of their own")
    return Places(state, programs)
