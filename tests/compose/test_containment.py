"""What a container holds, tells, and may do."""

import json
import re
from typing import Final

import pytest

from tests.compose.suite import Suite, run

IMAGES: Final = ("stoculus-service", "stoculus-kafka", "stoculus-apicurio", "stoculus-haproxy")
TOOLS: Final = ("pip", "gcc", "cc", "make", "mvn", "javac", "apt-key")
FOLDERS: Final = ("/", "/etc", "/usr/local/bin", "/opt", "/opt/stoculus", "/var/lib", "/home", "/root", "/run")


def test_programs_are_confined(suite: Suite) -> None:
    for name, container in suite.running().items():
        host = container["HostConfig"]

        assert container["Config"]["User"] == "10001:10001", name
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        assert host["Memory"] > 0, name
        assert 0 < host["PidsLimit"] <= 512, name
        assert not host["Privileged"], name


def test_a_container_writes_into_its_volumes_only(suite: Suite) -> None:
    probe = (
        f'for folder in {" ".join(FOLDERS)}; do [ -d "$folder" ] && touch "$folder/probe" && echo "$folder"; done; true'
    )
    for name, container in suite.running().items():
        mounts = [mount["Destination"] for mount in container["Mounts"] if mount["RW"]]

        assert suite.exec(name, "sh", "-c", f"({probe}) 2>/dev/null") == "", name
        assert all(re.fullmatch(r"/var/lib/\w+", mount) for mount in mounts), name
        assert run("docker", "diff", container["Id"]).stdout == "", name


def test_only_the_coordinator_is_published_and_on_loopback(suite: Suite) -> None:
    published = {
        name: [one["HostIp"] for ports in container["NetworkSettings"]["Ports"].values() for one in ports or ()]
        for name, container in suite.running().items()
    }

    assert {name: addresses for name, addresses in published.items() if addresses} == {"coordinator": ["127.0.0.1"]}


@pytest.mark.parametrize("image", IMAGES)
def test_no_tools_are_left_in_an_image(suite: Suite, image: str) -> None:
    look = "; ".join(f"command -v {tool}" for tool in TOOLS)
    command = ("docker", "run", "--rm", "--network", "none", "--entrypoint", "sh", image, "-c")

    assert run(*command, f"{look}; true").stdout == ""
    if image == "stoculus-service":
        assert run(*command, "/opt/stoculus/bin/python -c 'import pip'", check=False).returncode != 0


def test_sizes_of_images_are_told(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {image: json.loads(run("docker", "image", "inspect", image).stdout)[0]["Size"] for image in IMAGES}

    with capsys.disabled():
        print("\n" + ", ".join(f"{image} {size / 1e6:.0f} MB" for image, size in sizes.items()))  # noqa: T201
    assert all(size < 1e9 for size in sizes.values())
