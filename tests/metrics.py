"""What /metrics tells, and the token that it is told for."""

from collections import defaultdict

from prometheus_client.parser import text_string_to_metric_families

TOKEN = "a-token-for-the-tests"


def read(body: bytes) -> dict[str, dict[tuple[str, ...], float]]:
    """Samples by name, then by the values of tenant, module, state, route and code that they have."""
    found: dict = defaultdict(dict)
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            labels = ("tenant", "module", "state", "route", "code", "le")
            found[sample.name][tuple(sample.labels[n] for n in labels if n in sample.labels)] = sample.value
    return found
