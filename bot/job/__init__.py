"""The job: durable steps from a command to its delivery. The one place where the core meets the adapters.

engine.py    the durable engine, and the only file that knows which one it is
accept.py    who may, the acknowledgement, the quick commands
run.py       the work: locate, read, ask, deliver
deliver.py   a patch becomes a comment, a commit or a pull request
tell.py      the one comment, the report and the log row of a job, kept in step
cancel.py    how a job is stopped
wait.py      what puts a job off, and how it goes on
late.py      what could not be told, or go on, when it was due
log.py       rows on their way to the request log elsewhere
turns.py     whose turn it is, among installations
worker.py    what a worker process does: take from the inbox, run, stop
"""
