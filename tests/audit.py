"""`make audit`: whether anything that requirements.lock names has a known vulnerability, as pip-audit finds.

Where no vulnerability service answers, nothing is audited: that is told, and no failure. All else that goes wrong is.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
UNREACHABLE = re.compile(
    r"requests\.exceptions\.(?:Connect|Read|Proxy|SSL|Connection)\w*|Could not connect to|network may be blocking"
)


def judge(code: int, out: str, err: str) -> tuple[int, list[str]]:
    """What pip-audit has found, by how it ended: an exit code, and what to say."""
    if not out.strip():
        if code == 0:
            return 0, ["audited: no known vulnerability"]
        if UNREACHABLE.search(err):
            return 0, [f"not audited: no vulnerability service can be reached ({err.splitlines()[-1]})"]
        return code, [err]
    packages: list[dict[str, Any]] = json.loads(out)["dependencies"]
    skipped = [one["name"] for one in packages if "skip_reason" in one]
    found = [
        f"{one['name']} {one['version']}: {flaw['id']}, {_mended(flaw['fix_versions'])}"
        for one in packages
        for flaw in one.get("vulns", [])
    ]
    if len(skipped) == len(packages):
        return code, [f"not audited: what answers as vulnerability service knows none of {len(packages)} packages"]
    told = [f"audited: {len(packages) - len(skipped)} packages, {len(found)} known vulnerabilities", *found]
    if skipped:
        told.append(
            f"not audited: {len(skipped)} packages that the vulnerability service does not know: {_few(skipped)}"
        )
    return (1 if found else code), told


def _mended(versions: list[str]) -> str:
    return f"mended in {', '.join(versions)}" if versions else "mended in no version"


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def main() -> int:
    """Run pip-audit over the lock; nothing is installed or built for it."""
    options = ["--require-hashes", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    code, told = judge(ended.returncode, ended.stdout, ended.stderr)
    sys.stdout.write("\n".join(told) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
