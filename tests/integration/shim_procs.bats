#!/usr/bin/env bats
# Several processes in one sandbox: each test is a function of shim_procs_cases.py, run in a directory of its own.

load shim.bash

check() { case_of shim_procs_cases.py "$1"; }

@test 'processes: three terminals at once, each with its size, environment, directory and clients' {
	check terminals
}

@test 'processes: a user, the rights of the sandbox, nothing of the shim, no environment on a command line' {
	check users
}

@test 'processes: pipes: standard input and its end, all output before the exit' {
	check pipes
}

@test 'processes: standard error apart, also for Kubernetes and in a replay' {
	check errors
}

@test 'processes: exits are exact, kept for a while, and bounded in number' {
	check exits
}

@test 'processes: signals to the group and to the foreground; hang-up, kill, timeout' {
	check signals
}

@test 'processes: out of memory in one of them' {
	check oom
}

@test 'processes: the first one ends, and all with it' {
	check first_ends
}

@test 'processes: pause and resume; a paused sandbox can be ended' {
	check pause
}

@test 'processes: the lifetime and kill -9 of either half while all is paused' {
	check paused_and_killed
}

@test 'processes: no client for a while ends the sandbox' {
	check detached
}

@test 'processes: usage, and which limit the memory ran into' {
	check usage
}

@test 'processes: what is refused, and the limits' {
	check limits
}

@test 'processes: kill -9 of the front: all of them end' {
	check kill_front
}

@test 'processes: kill -9 of the janitor: the sweep ends all of them' {
	check kill_janitor
}

@test 'processes: kill -9 of the runtime at any moment of an exec' {
	check kill_runtime
}

@test 'processes: the sandbox ends, or the janitor is killed, while one is starting' {
	check end_while_starting
}

@test 'processes: what one costs' {
	check figures
}
