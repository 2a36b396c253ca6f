"""Every page as a picture, to look at: `python -m tests.browser.screenshots FOLDER [PAGE ...]`."""

import sys
from pathlib import Path

import tests.environment  # noqa: F401  (before Django's settings)


def main(folder: Path, names: list[str]) -> None:
    import django

    django.setup()

    from tests.browser import surf
    from tests.browser.site import SUPERUSERS, addresses, site

    folder.mkdir(parents=True, exist_ok=True)
    looks = {
        "wide": {"viewport": surf.WIDE},
        "narrow": {"viewport": surf.NARROW},
        # As in README: what stands above the fold.
        "top": {"viewport": {"width": 1280, "height": 880}},
        "dark": {"viewport": surf.WIDE, "color_scheme": "dark"},
    }
    with site() as server, surf.browser() as chromium:
        pages = addresses(server)
        for look, options in looks.items():
            with surf.visit(chromium, server.url, **options) as window:
                window.log_in("operator")
                for name in names or [name for name in pages if name not in SUPERUSERS]:
                    page = window.open(pages[name])
                    page.wait_for_load_state("networkidle")
                    page.screenshot(path=folder / f"{name}-{look}.png", full_page=look != "top")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
