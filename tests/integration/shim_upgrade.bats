#!/usr/bin/env bats
# A running carrel-shim becomes another program: each test is a function of shim_upgrade_cases.py, run in a directory of its own.

load shim.bash

check() { case_of shim_upgrade_cases.py "$1"; }

@test 'shim upgrade: another build, the same process, the same connections; the same build is nothing to do' {
	check one
}

@test 'shim upgrade: ten in a flood: six clients in five protocols, a paste and a recording miss no byte and see none twice' {
	check flood
}

@test 'shim upgrade: the screen is the same, a character and a sequence that were cut go on' {
	check screen
}

@test 'shim upgrade: processes with pipes and terminals, who waits for them, their clocks; exec at the same time' {
	check processes
}

@test 'shim upgrade: a process and the sandbox end while nobody is there to see it' {
	check ends_meanwhile
}

@test 'shim upgrade: paused stays paused, the lifetime goes on' {
	check paused_and_clocks
}

@test 'shim upgrade: under a policy the scanner is another one, too, in a flood; no byte is lost, no secret shown; one that fails is left' {
	check policy
}

@test 'shim upgrade: programs that others may write, that are none, of another format, that fail: refused, and all goes on' {
	check refusals
}

@test 'shim upgrade: kill -9 of each half at each step' {
	check killed
}
