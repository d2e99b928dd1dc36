"""Reading what ``/metrics`` says, by the parser of prometheus-client."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families


def values(body: bytes) -> dict[str, float]:
    """Every sample, by its name and labels as Prometheus writes them."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            key = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert key not in found, f"{key} is told twice"
            found[key] = sample.value
    return found


def kinds(body: bytes) -> dict[str, str]:
    """The type of each family, by its name."""
    return {family.name: family.type for family in text_string_to_metric_families(body.decode())}
