"""What is measured, by the name that the command line takes."""

from benchmarks.scenarios import batches, growth, memory, pages, replay, single, startup, tools

SCENARIOS = {
    "batches": batches.run,
    "tools": tools.run,
    "single": single.run,
    "growth": growth.run,
    "memory": memory.run,
    "replay": replay.run,
    "pages": pages.run,
    "startup": startup.run,
}
