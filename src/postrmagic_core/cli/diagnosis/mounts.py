"""On what kind of file system a path is, by /proc/self/mountinfo (proc_pid_mountinfo(5)); elsewhere it is not told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})
_NETWORK = ("nfs", "cifs", "smb", "9p", "ceph", "glusterfs", "lustre", "afs", "ocfs2", "gfs2", "fuse.", "virtiofs")
# FUSE over what is local all the same.
_LOCAL_FUSE = frozenset({"fuse.lxcfs", "fuse.fuse-overlayfs", "fuse.ntfs-3g", "fuse.bindfs"})


@dataclass(frozen=True, slots=True)
class Mount:
    """A file system: its kind, where it is mounted, and whether that is for reading alone."""

    kind: str
    point: str
    read_only: bool

    @property
    def memory(self) -> bool:
        """Whether what is there ends with the machine, or with the container."""
        return self.kind in MEMORY

    @property
    def network(self) -> bool:
        """Whether other machines may share it."""
        return self.kind.startswith(_NETWORK) and self.kind not in _LOCAL_FUSE


def mount_of(path: Path, table: str | None = None) -> Mount | None:
    """The file system of ``path``, or of the nearest folder above that exists; ``None`` where it cannot be told."""
    if table is None:
        try:
            table = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return None
    real = os.path.realpath(path)
    best: Mount | None = None
    for line in table.splitlines():
        left, mark, right = line.partition(" - ")
        fields, kinds = left.split(" "), right.split(" ")
        if not mark or len(fields) < 6 or not kinds:
            continue
        point = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        # Of two that are mounted at one point the later hides the other.
        if inside and (best is None or len(point) >= len(best.point)):
            best = Mount(kinds[0], point, "ro" in fields[5].split(","))
    return best


def in_memory(path: Path) -> bool:
    """Whether a file is on a file system in memory."""
    found = mount_of(path)
    return found is not None and found.memory
