"""Runs the corpus through all three; prints the table or writes the page."""
import argparse
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[0] = os.path.dirname(HERE)

from differential import page  # noqa: E402
from differential.look import look_all  # noqa: E402
from differential.proxies import PROXIES  # noqa: E402
from http1_rows import REQUESTS  # noqa: E402
from rig import Rig  # noqa: E402


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--page", action="store_true",
                   help="write doc/differential.md")
    p.add_argument("--only", default="", metavar="TEXT",
                   help="only rows whose name has this text")
    p.add_argument("--rounds", type=int, default=3, metavar="N",
                   help="how often each row is sent (3)")
    args = p.parse_args()
    rows = [r for r in REQUESTS if args.only in r.why]
    rig = Rig()
    try:
        found = look_all(rig, PROXIES, rows, args.rounds)
    finally:
        rig.end(check=False)
        rig.forget()
    missing = page.unexplained(found)
    for name in missing:
        print(f"differential: no reason given: {name}", file=sys.stderr)
    if args.page and not args.only:
        os.makedirs(os.path.dirname(page.PATH), exist_ok=True)
        with open(page.PATH, "w", encoding="utf-8") as f:
            f.write(page.text(found, args.rounds))
    else:
        print(page.table(found))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
