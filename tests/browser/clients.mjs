/*
 * Clients that others have written, each from its own package, at a sandbox's terminal: xterm.js with its attach addon, and the
 * Kubernetes client's exec.
 */
import { Exec, KubeConfig } from "@kubernetes/client-node";
import headless from "@xterm/headless";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import WebSocket from "ws";
import { Daemon } from "./daemon.mjs";
import { PATIENCE_MS } from "./tap.mjs";
/* Not among the library's exports, but Exec's own. */
import { WebSocketHandler } from "./node_modules/@kubernetes/client-node/dist/web-socket-handler.js";

const [top, build] = process.argv.slice(2);
const daemon = new Daemon(top, build);
/* What the addon expects of a browser: its global object, and the names of a socket's states. */
Object.assign(globalThis, { self: globalThis, WebSocket });
const { default: attach } = await import("@xterm/addon-attach");
let count = 0, failed = 0, origin, key;

async function test(name, body) {
	count++;
	try {
		await body();
		console.log(`ok ${count} clients: ${name}`);
	} catch (error) {
		failed++;
		console.log(`not ok ${count} clients: ${name}`);
		console.log(String(error.stack ?? error).replace(/^/gm, "# "));
	}
}

function equal(actual, wanted, what) {
	if (JSON.stringify(actual) !== JSON.stringify(wanted))
		throw new Error(`${what}: ${JSON.stringify(actual)} instead of ${JSON.stringify(wanted)}`);
}

async function until(what, predicate, shown) {
	const end = Date.now() + PATIENCE_MS;
	while (Date.now() < end) {
		if (predicate())
			return;
		await new Promise((done) => setTimeout(done, 20));
	}
	throw new Error(`${what} did not happen; there is: ${shown()}`);
}

function within(promise, what) {
	let timer;
	const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`${what} did not happen`)), PATIENCE_MS); });
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function api(method, path, body) {
	const r = await fetch(origin + path, { method, headers: { Authorization: `Bearer ${key}` }, body: body && JSON.stringify(body) });
	if (!r.ok)
		throw new Error(`${method} ${path}: ${r.status} ${await r.text()}`);
	return r.status === 204 ? null : r.json();
}
const sandbox = async () => (await api("POST", "/v1/sandboxes", {})).id;
const path = (id) => `/v1/sandboxes/${id}/terminal`;

/* xterm.js as a page has it: a ticket among the subprotocols, the addon does the rest. */
async function xterm(offers, options = {}) {
	const id = await sandbox();
	const { ticket } = await api("POST", `/v1/sandboxes/${id}/tickets`);
	const socket = new WebSocket(`${origin.replace("http", "ws")}${path(id)}?cols=91&rows=21`,
		[...offers, `carrel.ticket.${ticket}`], { origin, ...options });
	const closed = new Promise((resolve) => socket.on("close", (code, reason) => resolve([code, String(reason)])));
	const term = new headless.Terminal({ cols: 91, rows: 21, allowProposedApi: true });
	term.loadAddon(new attach.AttachAddon(socket));
	await within(new Promise((resolve, reject) => { socket.on("open", resolve); socket.on("error", reject); }), "the handshake");
	const text = () => Array.from({ length: term.buffer.active.length }, (_, i) => term.buffer.active.getLine(i).translateToString(true)).join("\n");
	return { socket, term, text, closed };
}

async function use({ term, text, closed }) {
	await prompt(text);
	term.input("echo sum=$((40+2)) grün; stty size\r");
	await until("the answer", () => text().includes("sum=42 grün\n21 91"), text);
	term.input("exit 3\r");
	equal(await within(closed, "the close"), [1000, "exited, code 3"], "the close");
}

/* The library's own exec; only the path that it asks for is replaced. */
async function kubernetes(protocols) {
	const id = await sandbox(), config = new KubeConfig();
	config.loadFromOptions({
		clusters: [{ name: "c", server: origin, skipTLSVerify: true }], users: [{ name: "u", token: key }],
		contexts: [{ name: "x", cluster: "c", user: "u" }], currentContext: "x",
	});
	const make = protocols ? (uri, _, options) => new WebSocket(uri, protocols, options) : undefined;
	const sockets = new WebSocketHandler(config, make);
	const exec = new Exec(config, { connect: (_, onText, onBinary) => sockets.connect(path(id), onText, onBinary) });
	const stdin = new PassThrough(), stdout = new PassThrough();
	Object.assign(stdout, { rows: 21, columns: 91 }); // as a terminal's stream has them
	let text = "", status;
	stdout.on("data", (d) => { text += d; });
	const ended = new Promise((resolve) => { status = resolve; });
	const socket = await within(exec.exec("ns", "pod", "box", ["sh"], stdout, null, stdin, true, status), "the connection");
	const closed = new Promise((resolve) => socket.addEventListener("close", (e) => resolve(e.code)));
	return { stdin, stdout, shown: () => text, ended, closed, socket };
}

const prompt = (shown) => until("a prompt", () => /[$#] *$/m.test(shown()), shown);

/* Asked again when it has answered: the library tells a size when it comes to it. */
async function ask({ stdin, shown }, line, wanted) {
	let asked = 0;
	await until("the answer", () => {
		if (!asked || shown().includes(`answer-${asked}\r\n`))
			stdin.write(`${line}; echo answer-$((${asked++} + 1))\n`);
		return shown().includes(wanted);
	}, shown);
}

async function useExec(k, protocol) {
	equal(k.socket.protocol, protocol, "the protocol");
	await prompt(k.shown);
	await ask(k, "echo sum=$((40+2)) grün; stty size", "sum=42 grün\r\n21 91");
	Object.assign(k.stdout, { rows: 33, columns: 101 });
	k.stdout.emit("resize");
	await ask(k, "stty size", "33 101");
	k.stdin.write("exit 3\n");
	const status = await within(k.ended, "the status");
	equal([status.status, status.reason, status.details.causes], ["Failure", "NonZeroExitCode", [{ reason: "ExitCode", message: "3" }]], "the status");
	equal(await within(k.closed, "the close"), 1000, "the close");
}

try {
	origin = new URL(await daemon.start({ firstUse: false })).origin;
	const r = spawnSync(join(daemon.bin, "carrel-sessiond"), ["--state-dir", join(daemon.dir, "state"), "key", "add", "--user", "ann", "--tier", "pro"]);
	key = String(r.stdout).trim();
	if (!key)
		throw new Error(`no key: ${r.stderr}`);

	await test("xterm.js, attach addon, subprotocol raw", async () => {
		const x = await xterm(["raw"]);
		equal(x.socket.protocol, "raw", "the protocol");
		await use(x);
	});
	await test("xterm.js, attach addon, no offer but the ticket", async () => use(await xterm([])));
	await test("@kubernetes/client-node, exec, v5", async () => useExec(await kubernetes(), "v5.channel.k8s.io"));
	await test("@kubernetes/client-node, exec, v4", async () =>
		useExec(await kubernetes(["v4.channel.k8s.io", "v3.channel.k8s.io"]), "v4.channel.k8s.io"));
	await test("@kubernetes/client-node, exec, exit code 0 is a success", async () => {
		const k = await kubernetes();
		await prompt(k.shown);
		k.stdin.write("exit 0\n");
		equal(await within(k.ended, "the status"), { metadata: {}, status: "Success" }, "the status");
	});
	await test("@kubernetes/client-node, a protocol that is not there is refused", async () => {
		let why;
		await kubernetes(["v3.channel.k8s.io"]).catch((e) => { why = e.message; });
		if (!/400/.test(why))
			throw new Error(`it said ${why}`);
	});
} catch (error) {
	failed++;
	console.log(`not ok ${++count} clients: set up`);
	console.log(String(error.stack ?? error).replace(/^/gm, "# "));
} finally {
	await daemon.stop().catch(() => {});
	daemon.remove();
	console.log(`1..${count}`);
	process.exit(failed ? 1 : 0);
}
