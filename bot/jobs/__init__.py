"""The job: durable steps from a command to its delivery. Only here the pure parts (`thread`,
`change`) meet the outside world, through the ports.

`worker` takes a job from the inbox, `accept` decides whether it is done, `run` does it, `deliver`
delivers it, and `progress` keeps its comment, its report and its row of the request log in step.
`engine` is the only part that knows which durable engine there is.
"""
