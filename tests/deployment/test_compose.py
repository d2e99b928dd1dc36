"""What the Compose file says of a deployment, and what it must say."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from postrmagic_core.deployment import Release
from postrmagic_core.deployment.compose import check_release, check_variables, layout_of
from postrmagic_core.errors import DeployRefused

LABELS = {
    "org.postrmagic.release": "1.1",
    "org.postrmagic.image": "app:1.1",
    "org.postrmagic.previous-release": "",
    "org.postrmagic.previous-image": "",
}
RELEASE = Release("1.1", "app:1.1")
DOCUMENT: dict[str, Any] = {
    "name": "shop",
    "x-postrmagic-deploy": {
        "app": "shop:stack",
        "web": ["app"],
        "workers": ["worker"],
        "proxy": "http://proxy:8404/stats;csv",
    },
    "services": {
        "app": {
            "image": "app:1.1",
            "labels": LABELS,
            "deploy": {"replicas": 3},
            "depends_on": {"migrate": {"condition": "service_completed_successfully"}, "database": {}},
        },
        "worker": {"image": "app:1.1", "labels": LABELS, "scale": 2},
        "migrate": {"image": "app:1.1"},
        "copy": {"image": "busybox"},
        "database": {"image": "mariadb", "depends_on": {"copy": {"condition": "service_completed_successfully"}}},
        "proxy": {"image": "haproxy", "depends_on": {"app": {"condition": "service_healthy"}}},
        "page": {"image": "nginx", "depends_on": {"proxy": {}}},
    },
}


def changed(**told: Any) -> dict[str, Any]:
    """The document with other words for the deployment; ``None`` leaves one out."""
    document = deepcopy(DOCUMENT)
    document["x-postrmagic-deploy"] |= told
    document["x-postrmagic-deploy"] = {
        key: one for key, one in document["x-postrmagic-deploy"].items() if one is not None
    }
    return document


def test_the_layout() -> None:
    """Given a file, then workers come before the web, and services are told apart by whom they need."""
    layout = layout_of(DOCUMENT)
    assert (layout.project, layout.rolled) == ("shop", ("worker", "app"))
    assert layout.replicas == {"worker": 2, "app": 3}
    assert (layout.before, layout.after) == (("database",), ("proxy", "page"))  # what ends by itself is left alone


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"services": {}}, "x-postrmagic-deploy"),
        (changed(web=[]), "`web`"),
        (changed(web="app"), "`web`"),
        (changed(web=["shop"]), "shop"),
        (changed(workers=["app"]), "twice"),
        (changed(app=None), "`app`"),
        (changed(app="--help"), "`app`"),
        (changed(proxy="file:///etc/passwd"), "`proxy`"),
        (changed(wep=["app"]), "wep"),
    ],
)
def test_what_is_wrong_in_it_is_named(document: dict[str, Any], said: str) -> None:
    """Given a file that says too little or too much, then the place is named."""
    with pytest.raises(DeployRefused, match=said):
        layout_of(document)


def test_a_circle_of_services_ends() -> None:
    """Given services that need each other, which the engine refuses later, then the reading ends."""
    document = deepcopy(DOCUMENT)
    document["services"]["page"]["depends_on"] = {"rest": {}}
    document["services"]["rest"] = {"depends_on": {"page": {}}}
    assert "page" in layout_of(document).before


def test_a_release_that_is_written_into_the_file_is_refused() -> None:
    """Given an image or a label that does not come from outside, then each is named, and none where all do."""
    check_variables(DOCUMENT, layout_of(DOCUMENT), RELEASE)
    document = deepcopy(DOCUMENT)
    document["services"]["app"]["image"] = "app:1.0"
    del document["services"]["worker"]["labels"]["org.postrmagic.release"]
    with pytest.raises(DeployRefused) as refused:
        check_variables(document, layout_of(document), RELEASE)
    assert "services.app: image must be `${IMAGE:-}`" in str(refused.value)
    assert "services.worker: labels.org.postrmagic.release must be `${RELEASE:-}`" in str(refused.value)


@pytest.mark.parametrize(
    ("version", "image"),
    [("", "app:1"), ("--help", "app:1"), ("1 2", "app:1"), ("1", "-v"), ("1", "a b"), ("1\n", "a")],
)
def test_what_is_no_release_is_refused(version: str, image: str) -> None:
    """Given what would be an option, or no name, then nothing is run."""
    with pytest.raises(DeployRefused, match="expected"):
        check_release(Release(version, image))
