"""dlt: merges a file of payments into PostgreSQL by (tenant, id).

    python benchmarks/references/dlt_load.py FILE.jsonl FOLDER

FOLDER keeps the pipeline's state from run to run, as a server would.
"""

import json
import os
import sys
from decimal import Decimal
from itertools import islice

import dlt

COLUMNS = {"Amount": {"data_type": "decimal"}, "Payment_Date": {"data_type": "date"}}


@dlt.resource(
    name="payments",
    primary_key=("tenant", "id"),
    write_disposition={"disposition": "merge", "strategy": "upsert"},
    columns=COLUMNS,
)
def payments(path: str):
    with open(path) as lines:
        while page := [json.loads(line, parse_float=Decimal) for line in islice(lines, 1_000)]:
            yield page


def main(path: str, folder: str) -> None:
    destination = dlt.destinations.postgres(
        os.environ["DATABASE_URL"].replace("postgres://", "postgresql://")
    )
    pipeline = dlt.pipeline("benchmark", pipelines_dir=folder, destination=destination, dataset_name="loaded")
    pipeline.run(payments(path)).raise_on_failed_jobs()


if __name__ == "__main__":
    main(*sys.argv[1:])
