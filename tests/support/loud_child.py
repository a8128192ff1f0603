"""entp in a process of its own that logs all there is to log: python loud_child.py COMMAND ARGS.

It has the fake encoder, and tries no call twice. With BUG in the environment the stage of that name fails as
a program fails, showing the run it works on.
"""

import functools
import logging
import os

import entp.pipeline.stages.rating
import entp.providers.chat
import entp.providers.encoders
from entp.cli.main import main
from small_pool import FakeEncoder

logging.basicConfig(level=logging.DEBUG)


async def fail(run):
    raise RuntimeError(run)


if os.environ.get("BUG") == "rate":
    entp.pipeline.stages.rating.rate = fail
entp.providers.encoders.open_encoder = lambda name: FakeEncoder()
entp.providers.chat.OpenAIChat = functools.partial(entp.providers.chat.OpenAIChat, retries=0)
main()
