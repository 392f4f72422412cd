#!/usr/bin/env bats
# carrel-shim with carrel-runtime: each test is a function of shim_cases.py, run in a directory of its own.

load shim.bash

check() { case_of shim_cases.py "$1"; }

@test 'shim: a screen instead of output that is lost: modes, title, lines, joined with the rest' {
	check screen_instead_of_lost_output
}

@test 'shim: a life: prompt, size, resize, info, wait, exit code, exit.json, nothing left' {
	check life
}

@test 'shim: the size is there before the program runs' {
	check size_before_exec
}

@test 'shim: carrel-init passes signals on, reaps, keeps the foreground, reports 126 to 137' {
	check init
}

@test 'shim: a first process that dies of a signal' {
	check signalled
}

@test 'shim: output of a program that ended before its first client came' {
	check quick_program
}

@test 'shim: a program without a terminal: pipes, end of input' {
	check no_terminal
}

@test 'shim: remove_dir takes the directory as well' {
	check remove_dir
}

@test 'shim: a client comes back with since and misses no byte' {
	check reconnect
}

@test 'shim: the history is bounded, the gap is told, the cut is clean' {
	check history_is_bounded
}

@test 'shim: writers, viewers, packets, the limit, takeover' {
	check many_clients
}

@test 'shim: clients that do not read stall nobody and cost nothing' {
	check slow_client_stalls_nobody
}

@test 'shim: the only reader stops for a while and loses nothing' {
	check reader_stops
}

@test 'shim: a writer that never reads holds the program for seconds only' {
	check stalled_writer_holds_for_seconds_only
}

@test 'shim: all output, then EXIT, then 1000' {
	check output_complete_at_exit
}

@test 'shim: Ctrl-C during a flood, through the flooded client' {
	check ctrl_c_in_a_flood
}

@test 'shim: a long paste into a program that writes all of it back' {
	check paste
}

@test 'shim: a long paste to a program that does not read: no spinning, others are served' {
	check paste_to_a_stuck_program
}

@test 'shim: bytes that came with the upgrade request are read first' {
	check early_bytes
}

@test 'shim: a program that closed its terminal costs no processor time' {
	check silent_terminal_costs_nothing
}

@test 'shim: pings of both kinds, empty messages' {
	check pings
}

@test 'shim: end by request' {
	check deleted
}

@test 'shim: the idle limit, its warning, activity' {
	check idle
}

@test 'shim: the lifetime, its warnings, extend' {
	check lifetime
}

@test 'shim: out of memory is told from other kills' {
	check oom
}

@test 'shim: SIGTERM to the shim ends the sandbox in order' {
	check sigterm_to_the_shim
}

@test 'shim: processes that ignore signals and leave the session die too' {
	check everything_in_it_dies
}

@test 'shim: what cannot start says why and leaves nothing' {
	check cannot_start
}

@test 'shim: sandbox.json: each bad field is named' {
	check bad_orders
}

@test 'shim: a second shim and a sweep keep off a live sandbox' {
	check one_shim_only
}

@test 'shim: kill -9 of the front: the janitor ends the sandbox' {
	check kill_front
}

@test 'shim: kill -9 of the janitor: the front ends, the sweep does the rest' {
	check kill_janitor
}

@test 'shim: kill -9 of both: the sweep ends the sandbox' {
	check kill_both
}

@test 'shim: kill -9 at any moment of a start: the sweep leaves nothing' {
	check kill_at_any_moment
}

@test 'shim: kill -9 of the runtime at any moment of its run' {
	check kill_runtime
}

@test 'shim: the process that talks to clients has no rights' {
	check front_has_no_rights
}

@test 'shim: the shim outlives its starter and holds nothing of it' {
	check nothing_of_the_starter
}

@test 'shim: shim.sock: each bad request is named' {
	check control_refuses
}

@test 'shim: shim.sock answers its own user and root only' {
	check control_is_private
}

@test 'shim: several layers: whiteouts, owners, read-only, with and without layer descriptors' {
	check layers
}

@test 'shim: as many layers as an image of Docker may have, with and without layer descriptors' {
	check many_layers
}

@test 'shim: layers without an id mapping' {
	check without_idmap
}

@test 'shim: many live shims: memory, no processor time' {
	check many_live
}
