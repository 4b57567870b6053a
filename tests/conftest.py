"""What holds for all tests, whoever starts them."""

from __future__ import annotations

import signal

from common.tensorflow_environment import set_tensorflow_environment

set_tensorflow_environment()  # As the commands do, for the tests' own processes and those that they start.

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As shells start a command in the background; processes of the tests would inherit it, and be deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
