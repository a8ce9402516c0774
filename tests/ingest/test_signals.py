"""A signal stops, whatever the main thread is doing."""

import subprocess
import sys

IN_THE_MIDDLE = """
import os, signal, threading, time
from ingest.signals import stop_on_signals
stopped = threading.Event()
stop_on_signals(stopped.set)
for _ in range(2):
    with stopped._cond:  # where stopped.wait() spends most of its time
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)
    assert stopped.wait(10)
    stopped.clear()
print("stopped each time")
"""


def test_a_signal_in_the_middle_of_a_wait_does_not_hang() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_THE_MIDDLE],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout == "stopped each time\n"
