"""`python3 -m sglang.launch_server --model-path=MODEL --flag=value`."""

import sys

from stand_in import Names, serve

serve(sys.argv[1:], Names(program="launch_server.py", served="served-model-name", context="context-length"))
