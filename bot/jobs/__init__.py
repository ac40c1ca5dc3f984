"""The job: durable steps from a command to its delivery. The one place where the core meets the
adapters.

worker.py takes a job from the inbox, accept.py decides whether it is done, run.py does it,
deliver.py delivers it, and tell.py keeps its comment, its report and its row of the request log in
step. engine.py is the only file that knows which durable engine there is. What each other file is
for stands in its first line.
"""

from __future__ import annotations
