"""Runs the parts that are named on the command line, and counts."""

import importlib
import sys
import traceback

import check


def main():
    for part in sys.argv[1:]:
        print(f"# {part}", flush=True)
        try:
            importlib.import_module(part).run()
        except Exception:
            traceback.print_exc(file=sys.stdout)
            check.that(f"{part} runs to its end", False)
    print(f"{check.passed} passed, {check.failed} failed")
    sys.exit(1 if check.failed else 0)


main()
