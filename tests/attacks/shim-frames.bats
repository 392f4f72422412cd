#!/usr/bin/env bats
# Hostile clients and peers of a terminal: each test is a function of shim_attacks.py with its control beside it.

load ../integration/shim.bash

attack() { case_of shim_attacks.py "$1"; }

@test 'frame bomb: a huge announced length' {
	attack huge_length
}

@test 'frame bomb: messages beyond 65,536 bytes' {
	attack message_size
}

@test 'frame bomb: endless fragments' {
	attack endless_fragments
}

@test 'malformed frames: unmasked, reserved bits, text, other protocols' {
	attack malformed_frames
}

@test 'empty messages end nothing' {
	attack empty_messages
}

@test 'ping flood, answers unread' {
	attack ping_flood
}

@test 'resize overflow' {
	attack resize_overflow
}

@test 'resize flood' {
	attack resize_flood
}

@test 'acknowledgements of what was never sent' {
	attack acknowledging_the_future
}

@test 'frames that come a byte at a time' {
	attack slow_headers
}

@test 'read-only: a watcher neither types, nor resizes, nor takes the pen, in any protocol' {
	attack read_only
}

@test 'clients that drop in the middle of everything' {
	attack abrupt_drops
}

@test 'shim.sock: floods of connections, requests and descriptors' {
	attack control_socket_floods
}
