"""The job: durable steps from a command to its delivery. Jobs call the pure packages (`thread`,
`change`) and, through the ports, the adapters.

`worker` takes a job from the inbox, `accept` decides whether it may be done, `run` does it,
`deliver` delivers the change, and `progress` updates the job's report, its row of the request log
and its comment. `engine` wraps the durable engine (dbos).
"""
