#!/usr/bin/env python
"""Django's command line: `./manage.py help` lists what it can do."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        from config.command_line import run

        run(sys.argv)
    except ModuleNotFoundError as error:
        if error.name != "django":
            raise
        raise SystemExit("Django is not installed here. Run `make run`, or use .venv/bin/python.") from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
