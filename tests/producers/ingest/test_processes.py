"""The numbers of several processes told as one."""

from __future__ import annotations

from producers.ingest.processes import merged

ONE = """\
# HELP asked_total Requests
# TYPE asked_total counter
asked_total{code="202"} 3.0
asked_total{code="401"} 1.0
asked_created{code="202"} 100.0
# HELP took Time
# TYPE took histogram
took_bucket{le="1.0"} 2.0
took_bucket{le="+Inf"} 3.0
took_count 3.0
took_sum 4.5
# HELP age Age
# TYPE age gauge
age 7.0
# HELP process_resident_memory_bytes Memory
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 100.0
"""
OTHER = ONE.replace("3.0", "5.0").replace('asked_total{code="401"} 1.0\n', "").replace("7.0", "6.0")


def test_counts_add_up_and_of_gauges_the_largest_is_told() -> None:
    """Counters and histograms are summed by labels, memory too; other gauges would mean nothing added up."""
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in merged([ONE, OTHER])
        for sample in family.samples
    }
    assert found[("asked_total", "202")] == 8
    assert found[("asked_total", "401")] == 1
    assert found[("asked_created", "202")] == 100
    assert found[("took_bucket", "+Inf")] == found[("took_count",)] == 8
    assert found[("took_sum",)] == 9
    assert found[("age",)] == 7
    assert found[("process_resident_memory_bytes",)] == 200
