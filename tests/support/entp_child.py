"""entp in a process of its own, with the fake encoder: python entp_child.py COMMAND ARGS."""

import signal

import entp.providers.encoders
from entp.cli.main import main
from small_pool import FakeEncoder

# as in a terminal, whatever the shell that runs the tests has set
signal.signal(signal.SIGINT, signal.default_int_handler)
entp.providers.encoders.open_encoder = lambda name: FakeEncoder()
main()
