"""Before something is lost that nothing brings back: say what, and have a person say yes."""

import sys

from engine.errors import NotAgreed


def agree(what: list[str], question: str, *, yes: bool) -> None:
    """Print what would happen and ask; return only when the answer is yes.

    yes: it was given beforehand. Without it and without a terminal nobody can be asked.
    Raises NotAgreed.
    """
    print("\n".join(what), flush=True)
    if yes:
        return
    if not sys.stdin.isatty():
        raise NotAgreed(f"{question} Nobody can be asked here: YES=1 says yes. Nothing was changed")
    try:
        answer = input(f"{question} Type yes to go on: ")
    except (EOFError, KeyboardInterrupt):
        answer = ""
        print()
    if answer.strip().lower() != "yes":
        raise NotAgreed("the answer was not yes. Nothing was changed")
