"""Check a wheel and an sdist: version, metadata, types marker, manual pages, no test or cache."""

import sys
import tarfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path

version, folder = sys.argv[1], Path(sys.argv[2])
(wheel,) = folder.glob("*.whl")
(sdist,) = folder.glob("*.tar.gz")
with zipfile.ZipFile(wheel) as archive:
    names = archive.namelist()
    metadata = HeaderParser().parsestr(
        archive.read(next(n for n in names if n.endswith(".dist-info/METADATA"))).decode()
    )
with tarfile.open(sdist) as archive:
    sources = [name.partition("/")[2] for name in archive.getnames()]

faults = []
if metadata["Version"] != version:
    faults.append(f"the wheel's version is {metadata['Version']}, not {version}")
faults += [
    f"the metadata has no {key}"
    for key in ("Summary", "License-Expression", "Requires-Python")
    if not metadata[key]
]
for wanted in ("console/py.typed", "console/launch.py", "console/metrics/profiles/vllm.toml"):
    if wanted not in names:
        faults.append(f"the wheel lacks {wanted}")
for ending in (
    "share/man/man1/midwatch.1",
    "bash-completion/completions/midwatch",
    "_midwatch",
    "midwatch.fish",
):
    if not any(name.endswith(ending) for name in names):
        faults.append(f"the wheel lacks {ending}")
faults += [
    f"the wheel holds {name}"
    for name in names
    if name.startswith("tests/") or "__pycache__" in name
]
for wanted in (
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "docs/index.md",
    "tests/conftest.py",
    "mkdocs.yml",
):
    if wanted not in sources:
        faults.append(f"the sdist lacks {wanted}")
if faults:
    sys.exit("\n".join(faults))
sys.stdout.write(f"{wheel.name}: {len(names)} files; {sdist.name}: {len(sources)} entries\n")
