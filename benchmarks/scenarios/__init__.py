"""What is measured, by the name that the command line takes."""

from benchmarks.scenarios import batches, growth, single

SCENARIOS = {
    "batches": batches.run,
    "single": single.run,
    "growth": growth.run,
}
