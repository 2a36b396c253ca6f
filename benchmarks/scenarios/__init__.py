"""What is measured, by the name that the command line takes."""

from benchmarks.scenarios import batches

SCENARIOS = {
    "batches": batches.run,
}
