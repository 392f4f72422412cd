/* What the man pages say of each command beyond its options. */
#include "runtime/cli/texts.h"

const char cli_text_create[] =
	"Makes everything that the bundle's config.json asks for, up to the execution of its program, and returns. The "
	"container is then in the state \"created\": start executes the program, delete takes everything back, and a "
	"signal (kill) ends it.\n"
	"\n"
	"With process.terminal a unix socket must be given by --console-socket: over it the other end of the terminal is "
	"sent. The hooks prestart, createRuntime and createContainer run here; when one fails, nothing is left.\n";

const char cli_text_start[] =
	"Runs the startContainer hooks inside the container, executes its program, and runs the poststart hooks. When the "
	"program cannot be executed, the reason is this command's.\n"
	"\n"
	"With NOTIFY_SOCKET in the environment (a unit with Type=notify), of create as well, the container finds a socket of its own in "
	"that variable. The command returns when the program has said READY=1 there, has ended, or has sent 256 messages without it; "
	"that word and the container's pid are all that the service manager hears.\n";

const char cli_text_run[] =
	"In the foreground signals are passed on to the container's process, a terminal is relayed when process.terminal "
	"says so, and the container is deleted in the end. The exit status is that of the process, or 128 plus the number "
	"of the signal that ended it.\n"
	"\n"
	"    carrel-runtime spec\n"
	"    mkdir rootfs; tar -C rootfs -xf root.tar\n"
	"    carrel-runtime run first\n"
	"\n"
	"Sockets that a service manager has handed to this process (LISTEN_FDS and LISTEN_PID) go on to the container's "
	"program, in front of the descriptors of --preserve-fds.\n"
	"\n"
	"NOTIFY_SOCKET is honoured as by start; in the foreground this process stays the one that the service manager watches.\n";

const char cli_text_exec[] =
	"The process enters all namespaces of the container and its cgroup, and has the container's system call filter. "
	"Without --process it is the bundle's own process with another command, and the flags change it further; a "
	"terminal it has only with --tty.\n"
	"\n"
	"- --user takes names of the container's own passwd and group; what is a number is never looked up as a name.\n"
	"- --cgroup names an existing cgroup below the container's; on a host with cgroup version 1 also one per "
	"controller. It never leads upwards.\n"
	"- In a paused container a process would wait for resume: that is refused but for --ignore-paused.\n"
	"\n"
	"    carrel-runtime exec -t web sh\n"
	"    carrel-runtime exec --cgroup memory:jobs --cgroup cpu,cpuacct:jobs web job\n"
	"\n"
	"The exit status is that of the process, 128 plus the number of the signal that ended it, or 255 when it could not "
	"be executed.\n";

const char cli_text_state[] =
	"The document has the standard's fields ociVersion, id, status, pid, bundle and annotations, and rootfs, created and "
	"owner. The status is creating, created, running, paused or stopped; the pid of a stopped container is 0.\n";

const char cli_text_kill[] =
	"SIGNAL is a number, or a name with or without SIG in front; realtime signals are RTMIN, RTMIN+N, RTMAX-N and RTMAX. "
	"The default is TERM. It goes to the container's first process, with --all to every process in the container's "
	"cgroup. A container without a pid namespace of its own is killed (KILL) as a whole.\n"
	"\n"
	"To a stopped container nothing can be sent, which is an error but for --all.\n";

const char cli_text_delete[] =
	"The container must be stopped, or created and not started; --force kills it first, whatever its state, and removes "
	"what a runtime that was itself killed has left. Its cgroup goes with all processes that are still in it. Then "
	"the poststop hooks run.\n";

const char cli_text_list[] =
	"One line per container that is below --root: ID, PID, STATUS, BUNDLE, CREATED and OWNER, or with --format json an "
	"array of documents as state prints them.\n";

const char cli_text_ps[] =
	"The table is that of the program ps(1), called with the options that follow the id (default: -ef), less the lines "
	"of other processes; it must have a column PID. --format json prints the pids, as the host counts them, and needs "
	"no ps.\n";

const char cli_text_pause[] =
	"Freezes the container's cgroup. Its processes do not run until resume; kill --all with KILL and delete --force end "
	"them nevertheless.\n";

const char cli_text_spec[] =
	"Writes config.json for a shell in rootfs with few rights, on a terminal. A file that is there is not overwritten. "
	"With --rootless it is for the user who calls: one user id, no device rules.\n";

const char cli_text_features[] =
	"The document is that of the specification's features: what config.json may say and this build understands, "
	"whatever the host.\n";

const char cli_text_events[] =
	"Every line is one JSON object: {\"type\":\"stats\",\"id\":...,\"data\":...} at each interval, and "
	"{\"type\":\"oom\",\"id\":...} when the OOM killer has ended a process of the container. It ends with the "
	"container.\n"
	"\n"
	"- Times are nanoseconds, amounts bytes; a number that is 0 may be absent. A memory limit of 18446744073709551615 is "
	"none.\n"
	"- network_interfaces are those of the container's own network namespace.\n"
	"\n"
	"    carrel-runtime events --stats web | jq .data.memory.usage.usage\n";

const char cli_text_update[] =
	"What is not given stays as it is. Amounts of memory take units (64M, 2G). The object that --resources reads is "
	"linux.resources of the runtime specification; rules for devices that\n"
	"differ from the container's take their place.\n"
	"\n"
	"    carrel-runtime update --memory 256M --pids-limit 100 web\n"
	"    echo '{\"cpu\": {\"quota\": 50000}}' | carrel-runtime update -r - web\n";

const char cli_text_checkpoint[] =
	"CRIU saves the processes of a running or paused container into a directory and ends them; the container is deleted "
	"then, its poststop hooks run. criu 3.15 or later must be in PATH, and the caller must be root.\n"
	"\n"
	"    carrel-runtime checkpoint --image-path /var/backups/web web\n"
	"    carrel-runtime restore --image-path /var/backups/web -b /srv/web -d web\n"
	"\n"
	"- Standard streams have to be pipes, /dev/null or the container's own terminal.\n"
	"- What exec has started and is no descendant of the container's first process is not saved; a warning names it.\n"
	"- The files of the root are not part of a checkpoint.\n"
	"- A failure names CRIU's log, its last errors and, for the usual ones, the option that helps.\n";

const char cli_text_restore[] =
	"Makes a container from the bundle's config.json, as create does, and its processes from a checkpoint. Mounts, "
	"hooks, limits, namespaces and annotations are those of config.json; a checkpoint decides what the processes are, "
	"with their memory and their rights: restore only what you trust.\n"
	"\n"
	"The hooks prestart and createRuntime run when the namespaces are there. Without --detach the command waits, passes "
	"the exit status on and deletes the container.\n";
