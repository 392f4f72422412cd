#!/usr/bin/env bats
# The subprotocols of a terminal: each test is a function of dialect_cases.py.

load shim.bash

check() { case_of dialect_cases.py "$1"; }

@test 'dialects: each frame case of tests/tools/ws_cases over a socket' {
	check frames
}

@test 'dialects: ttyd: greeting, size, input, empty messages, exit is 1000' {
	check tty
}

@test 'dialects: ttyd: PAUSE holds the client that asked and nobody else' {
	check tty_pause
}

@test 'dialects: Kubernetes v5 and v4: channels, resize, end of stdin, status' {
	check k8s
}

@test 'dialects: terminado: JSON, characters in pieces, bytes that are none' {
	check terminado
}

@test 'dialects: raw: text and binary in, binary out, size by attach' {
	check raw
}

@test 'dialects: a client without GAP that fell behind: a reset and a clean cut' {
	check behind
}

@test 'dialects: a program is not asked again what it asked its terminal long ago' {
	check questions
}

@test 'dialects: floods to each protocol, a stuck client beside it' {
	check floods
}

@test 'dialects: the pen: taken, handed on, given back, left behind' {
	check roles
}

@test 'dialects: the size: the last active writer's, told to all, restored when it goes' {
	check sizes
}

@test 'dialects: the round-trip time of pings' {
	check round_trip
}

@test 'dialects: a thousand connections dropped in the middle of everything leave nothing' {
	check residue
}

@test 'dialects: protocols that are not there' {
	check refused
}
