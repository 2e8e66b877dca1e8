"""The Dockerfile's steps without a container engine: `python -m tests.operate.image [--extras s3,otel]` (root, Linux).

Every instruction is read from the Dockerfile and carried out in root folders of their own, which begin with the minimal
Debian of debootstrap, without what Debian's slim images lack. Then the image is run as Compose runs it: its user, no
capabilities, a read-only root, a fresh volume, a network of its own. Its health check must pass, a key be made and a
document written, and after SIGTERM and another start be there. What the image weighs is told.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.operate.container import Container, Outcome
from tests.operate.dockerfile import ROOT, Instruction, Stage, stages

BYTES_MAX = 200_000_000
TOLD = {"LABEL", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
"""Instructions that change no file: the container goes by them."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# As https://github.com/debuerreotype/debuerreotype makes Debian's slim images: no documentation, now or later.
LEFT_OUT = ("doc", "groff", "info", "linda", "lintian", "locale", "man")
GOES_THROUGH = ("http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL", "npm_config_registry")
TRUSTED = ("PIP_CERT", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")


class Build:
    """One root folder per stage, below `folder`; `sizes` is what the image weighs after each of its steps."""

    def __init__(self, folder: Path, extras: str) -> None:
        self.folder = folder
        self.sizes: list[tuple[str, int]] = []
        self._arguments = {"EXTRAS": extras}
        self._roots: dict[str, Path] = {}

    def run(self) -> Path:
        """Carries out all stages; returns the image's root. Raises CalledProcessError if a step fails."""
        for number, stage in enumerate(stages()):
            root = self.folder / (stage.name or "image")
            shutil.rmtree(root, ignore_errors=True)
            subprocess.run(["cp", "-a", self._base(stage), root], check=True)
            self._roots[stage.name or str(number)] = root
            Steps(root, self._roots, self._arguments).all(stage, self._note)
        return root

    def _base(self, stage: Stage) -> Path:
        if stage.base in self._roots:
            return self._roots[stage.base]
        root = self.folder / stage.base.replace(":", "-")
        if not root.exists():
            debian(root, stage.base)
        self.sizes.append((stage.base, size(root)))
        return root

    def _note(self, step: str, root: Path) -> None:
        if root.name != "build":
            self.sizes.append((step, size(root)))


class Steps:
    """Carries out the instructions of one stage in its root."""

    def __init__(self, root: Path, roots: dict[str, Path], arguments: dict[str, str]) -> None:
        self.root = root
        self._roots = roots
        self._arguments = arguments
        self._directory = "/"
        self._environment = {"PATH": PATH, "HOME": "/root"}

    def all(self, stage: Stage, note: Callable[[str, Path], None]) -> None:
        """One after the other. Raises NotImplementedError at a word that is not known here."""
        for one in stage.instructions:
            say(f"{stage.name or 'image'}: {one.word} {one.rest[:90]}")
            if one.word not in TOLD:
                getattr(self, f"_{one.word.lower()}", self._unknown)(one)
            if one.word in ("RUN", "COPY"):
                note(f"{one.word} {one.rest[:60]}", self.root)

    def _unknown(self, one: Instruction) -> None:
        raise NotImplementedError(f"{one.word} is not carried out here yet")

    def _arg(self, one: Instruction) -> None:
        self._environment |= {name: self._arguments.get(name, value) for name, value in one.pairs.items()}

    def _env(self, one: Instruction) -> None:
        path = self._environment["PATH"]
        self._environment |= {name: value.replace("$PATH", path) for name, value in one.pairs.items()}

    def _workdir(self, one: Instruction) -> None:
        self._directory = one.rest
        self.inside(one.rest).mkdir(parents=True, exist_ok=True)

    def _copy(self, one: Instruction) -> None:
        *sources, target = one.rest.split()
        if sources[0].startswith("--from="):
            origin = self._roots[sources.pop(0).removeprefix("--from=")]
            subprocess.run(["cp", "-a", origin / sources[0][1:], self.inside(target)], check=True)
            return
        for source in sources:
            path, wanted = ROOT / source, self.inside(target)
            if path.is_dir():
                shutil.copytree(path, wanted, ignore=shutil.ignore_patterns(*ignored()))
            else:
                shutil.copy(path, wanted)

    def _run(self, one: Instruction) -> None:
        """In a mount namespace of its own, as a container engine does it: what the build needs leaves no trace."""
        through = {name: value for name, value in os.environ.items() if name.lower() in map(str.lower, GOES_THROUGH)}
        trusted = next((os.environ[name] for name in TRUSTED if name in os.environ), "")
        certificates = dict.fromkeys(TRUSTED, "/run/trusted.crt") if trusted else {}
        shell = (
            'mount --bind "$1" "$1" && mount -t proc proc "$1/proc" && mount -t tmpfs tmpfs "$1/run" && '
            'mount -t tmpfs tmpfs "$1/tmp" && cp /etc/resolv.conf "$1/run/resolv.conf" && '
            'if [ -n "$4" ]; then cp "$4" "$1/run/trusted.crt"; fi && '
            'touch "$1/etc/resolv.conf" && mount --bind "$1/run/resolv.conf" "$1/etc/resolv.conf" && '
            'exec chroot "$1" /bin/sh -c "cd $2 && $3"'
        )
        words = ["unshare", "--mount", "sh", "-c", shell, "sh", str(self.root), self._directory, one.rest, trusted]
        subprocess.run(words, check=True, env=self._environment | through | certificates, stdout=subprocess.DEVNULL)

    def inside(self, path: str) -> Path:
        """Where a path of the image lies on this machine."""
        return self.root / os.path.join(self._directory, path).lstrip("/")


def debian(root: Path, image: str) -> None:
    """What `image` (debian:SUITE-slim) is, made by debootstrap. Raises CalledProcessError."""
    suite = image.removeprefix("debian:").removesuffix("-slim")
    say(f"{image}: debootstrap")
    command = ["debootstrap", "--variant=minbase", suite, str(root)]  # from the mirror that it knows by itself
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    except BaseException:
        shutil.rmtree(root, ignore_errors=True)
        raise
    excluded = "".join(f"path-exclude /usr/share/{name}/*\n" for name in LEFT_OUT)
    (root / "etc/dpkg/dpkg.cfg.d/docker").write_text(excluded + "path-include /usr/share/doc/*/copyright\n")
    (root / "etc/apt/apt.conf.d/docker-clean").write_text(
        'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };\n'
        'Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";\n'
        'Acquire::Languages "none"; Acquire::GzipIndexes "true";\n'
    )
    lean = " ".join(f"/usr/share/{name}" for name in LEFT_OUT)
    script = f"find {lean} -not -type d -not -name copyright -delete 2>/dev/null; find {lean} -type d -empty -delete"
    emptied = "rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* && mkdir -p /var/cache/apt/archives/partial"
    subprocess.run(["chroot", root, "sh", "-c", f"{script}; {emptied}"], check=False, stderr=subprocess.DEVNULL)


def ignored() -> list[str]:
    """Names that .dockerignore keeps out wherever they lie."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return [line.rsplit("/", 1)[-1] for line in lines if "/" in line and not line.startswith("!")]


def size(root: Path) -> int:
    """Bytes of all files, each inode once: what an engine shows as the image's size."""
    seen = {(found.stat().st_ino): found.stat().st_size for found in _files(root)}
    return sum(seen.values())


def _files(root: Path) -> list[os.DirEntry[str]]:
    found, folders = [], [str(root)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    found.append(entry)
    return found


def missing() -> str | None:
    """Why it cannot be done here, or None."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "root folders need Linux and root"
    lacking = [name for name in ("debootstrap", "unshare", "nsenter", "setpriv", "ip") if not shutil.which(name)]
    return f"not here: {', '.join(lacking)}" if lacking else None


def say(line: str) -> None:
    """Progress."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def tell(build: Build, outcome: Outcome) -> int:
    """What it weighs and how it ran; 1 if it is too large."""
    before = 0
    for step, total in build.sizes:
        say(f"{(total - before) / 1e6:8.1f} MB  {step}")
        before = total
    say(f"{before / 1e6:8.1f} MB  in all")
    say(f"healthy {outcome.healthy_s:.1f} s after its first start, ended {outcome.ended_s:.1f} s after SIGTERM")
    return 0 if before < BYTES_MAX else 1


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extras", default="", help="the build argument EXTRAS")
    parser.add_argument("--folder", type=Path, help="where to work and what to leave; a Debian that is there is used")
    options = parser.parse_args()
    reason = missing()
    if reason:
        sys.exit(reason)
    with tempfile.TemporaryDirectory(prefix="collab-image-") as scratch:
        folder = options.folder or Path(scratch)
        build = Build(folder, options.extras)
        root = build.run()
        return tell(build, Container(root, stages()[-1], Path(scratch) / "volume").live())


if __name__ == "__main__":
    sys.exit(main())
