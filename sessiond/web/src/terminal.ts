/*
 * One of a sandbox's terminals: xterm.js on one side, a carrel.v1 connection that comes back by itself on the other.
 *
 * `next` is the offset of the first byte not yet received; a reconnect asks for `since=next` and so loses
 * nothing and repeats nothing. Acknowledgements go out when xterm.js has consumed the bytes, not when they
 * arrive: that is what keeps a flood from piling up in the page.
 *
 * The terminal has one size, which may be another client's. `own` is what this window would give it; where the size in force is larger, the
 * letters shrink until all of it is seen.
 */
import { FitAddon } from "@xterm/addon-fit";
import * as api from "./api";
import * as wire from "./protocol";
import { palette, settings, watch } from "./settings";
import { Characters, copyFrom, findIn, makeTerminal } from "./xterm";

export interface Status {
	kind: "connecting" | "open" | "lost" | "ended";
	text: string;
	rtt?: number;
}

/* Who listens to what the terminal says of itself. */
export interface Listener {
	status(s: Status): void;
	warn(kind: string, secondsLeft: number): void;
	typed(): void;
	role(writer: boolean, alone: boolean): void;
	title(text: string): void;
	found(text: string): void;
	/* What is typed, as the keys on the screen change it. */
	keys(text: string): string;
}

const PING_MS = 10_000, SILENCE_MS = 25_000, SAY_MS = 5000;
const BACKOFF_MS = [250, 500, 1000, 2000, 4000, 8000];
const LETTERS_MIN = 5;
const EARLY_MAX = 1000, EARLY_MS = 15_000; // keys and pastes while there is no connection: all are sent when there is one, or none
const CLIPBOARD_MAX = 1 << 20;

export class TerminalView {
	private readonly made = makeTerminal({});
	readonly xterm = this.made.xterm;
	private readonly fit = new FitAddon();
	private readonly characters = new Characters();
	private own = { cols: 80, rows: 24 };
	private socket: WebSocket | null = null;
	private next: number | null = null;
	private acked = 0;
	private window = 262_144;
	private heard = 0;
	private replaying = false;
	private writer = true;
	private alone = false;
	private early: Uint8Array[] | null = [];
	private earlySince = performance.now();
	private attempts = 0;
	private ended = false;
	private closed = false;
	private exitText = "";
	private offered = "";
	private retryTimer = 0;
	private sayTimer = 0;
	private readonly pingTimer: number;
	private readonly observer: ResizeObserver;
	private readonly unwatch: () => void;
	private readonly encoder = new TextEncoder();

	constructor(readonly id: string, readonly process: number, host: HTMLElement, private readonly listener: Listener) {
		this.xterm.loadAddon(this.fit);
		this.xterm.open(host);
		this.refit();
		this.xterm.onData((s) => this.data(s));
		this.xterm.onBinary((s) => this.type(Uint8Array.from(s, (c) => c.charCodeAt(0))));
		this.xterm.onTitleChange((s) => listener.title(s));
		this.xterm.parser.registerOscHandler(52, (s) => this.clipboard(s));
		this.made.search.onDidChangeResults(({ resultIndex: at, resultCount: n }) =>
			listener.found(n === 0 ? "none" : at < 0 ? `${n}` : `${at + 1} of ${n}`));
		this.xterm.attachCustomKeyEventHandler((e) => this.shortcut(e));
		/* The outer edge, which does not move when the letters shrink. */
		this.observer = new ResizeObserver(() => this.refit());
		this.observer.observe(host, { box: "border-box" });
		this.unwatch = watch(() => {
			Object.assign(this.xterm.options, palette());
			this.xterm.options.screenReaderMode = settings.screenReader;
			this.refit();
		});
		this.pingTimer = window.setInterval(() => this.beat(), PING_MS);
		void this.connect();
	}

	close(): void {
		this.closed = true;
		window.clearInterval(this.pingTimer);
		window.clearTimeout(this.retryTimer);
		window.clearTimeout(this.sayTimer);
		this.observer.disconnect();
		this.unwatch();
		this.socket?.close(1000);
		this.xterm.dispose();
	}

	find(text: string, forward: boolean, growing = false): void {
		findIn(this.made.search, text, forward, growing);
	}

	/* The selection, else what the program has offered. */
	async copy(): Promise<boolean> {
		if (await copyFrom(this.xterm))
			return true;
		if (this.offered)
			await navigator.clipboard.writeText(this.offered);
		return this.offered !== "";
	}

	reconnect(): void {
		if (this.ended || this.closed || this.socket)
			return;
		window.clearTimeout(this.retryTimer);
		this.attempts = 0;
		void this.connect();
	}

	/* A network that is cut says nothing: a connection on which nothing comes any more, not even the answer to a ping, is given up. */
	beat(now = performance.now()): void {
		const { socket } = this;
		if (socket?.readyState === WebSocket.OPEN && now - this.heard > SILENCE_MS) {
			socket.onclose = socket.onmessage = null;
			socket.close();
			this.lost(1006);
		} else {
			this.send(wire.ping(performance.now()));
		}
	}

	/* Takes the pen, or gives it back. */
	hold(alone: boolean): void {
		this.alone = alone;
		this.send(wire.pen(alone));
		this.listener.role(this.writer, this.alone);
	}

	/* As if it had been typed. */
	press(text: string): void {
		this.xterm.input(text);
	}

	private async connect(): Promise<void> {
		this.retryTimer = 0;
		this.report({ kind: "connecting", text: "Connecting…" });
		let ticket: string;
		try {
			ticket = await api.ticket(this.id);
		} catch (problem) {
			this.refused(problem);
			return;
		}
		if (this.closed || this.socket)
			return;
		const query: Record<string, number> = { ...this.own, process: this.process };
		if (this.next !== null)
			query.since = this.next;
		const socket = new WebSocket(api.terminalUrl(this.id, query), [wire.SUBPROTOCOL, `carrel.ticket.${ticket}`]);
		socket.binaryType = "arraybuffer";
		socket.onmessage = (e) => {
			const message = e.data instanceof ArrayBuffer ? wire.parse(e.data) : null;
			this.heard = performance.now();
			if (message)
				this.receive(message);
		};
		socket.onclose = (e) => this.lost(e.code);
		this.socket = socket;
	}

	private report(s: Status): void {
		if (s.text)
			window.clearTimeout(this.sayTimer);
		this.listener.status(s);
	}

	/* For a while, in the place of the state. */
	private say(text: string): void {
		this.report({ kind: "open", text });
		this.sayTimer = window.setTimeout(() => this.report({ kind: "open", text: this.writer ? "Connected" : "Watching" }), SAY_MS);
	}

	/* A problem of the API: a sandbox that is gone or not ours stays so, anything else may pass. */
	private refused(problem: unknown): void {
		const status = problem instanceof api.Problem ? problem.status : 0;
		if (status === 401 || status === 403 || status === 404 || status === 410) {
			this.ended = true;
			this.report({ kind: "ended", text: problem instanceof Error ? problem.message : "Gone." });
		} else {
			this.retry("The server cannot be reached.");
		}
	}

	private lost(code: number): void {
		this.socket = null;
		this.keepTyped();
		if (this.closed)
			return;
		const [said, again] = wire.describeClose(code);
		const text = code === 4404 && this.process !== 1 ? "This terminal is gone." : said;
		if (this.exitText || !again) {
			this.ended = true;
			this.report({ kind: "ended", text: this.exitText || text });
		} else {
			this.retry(text);
		}
	}

	private retry(text: string): void {
		const delay = BACKOFF_MS[Math.min(this.attempts++, BACKOFF_MS.length - 1)];
		this.report({ kind: "lost", text: `${text} Trying again… (Enter: now)` });
		this.retryTimer = window.setTimeout(() => void this.connect(), delay);
	}

	private hello(hello: wire.Hello): void {
		this.attempts = 0;
		this.window = hello.window;
		this.alone = false;
		this.become(hello.role === "writer");
		this.send(wire.ping(performance.now()));
		/* What was fitted while the connection was being made. */
		this.send(wire.resize(this.own.cols, this.own.rows));
		if (hello.role !== "writer")
			this.follow(hello.cols, hello.rows);
		this.typeEarly();
	}

	/* Until there is a connection. */
	private keepTyped(): void {
		if (this.early)
			return;
		this.early = [];
		this.earlySince = performance.now();
	}

	/* The end of a line without its beginning might be another command. */
	private typeEarly(): void {
		const early = this.early ?? [];
		this.early = null;
		if (early.length <= EARLY_MAX && performance.now() - this.earlySince <= EARLY_MS)
			early.forEach((bytes) => this.type(bytes));
		else if (early.length > 0)
			this.say("What was typed meanwhile was not sent");
	}

	private become(writer: boolean): void {
		this.writer = writer;
		this.alone &&= writer;
		this.listener.role(writer, this.alone);
		this.report({ kind: "open", text: writer ? "Connected" : "Watching" });
	}

	private receive(m: wire.ServerMessage): void {
		switch (m.type) {
		case "hello":
			this.hello(m.hello);
			break;
		case "role":
			this.become(m.writer);
			break;
		case "replay-begin":
			this.replaying = true;
			if (this.next === null) {
				this.characters.forget();
				this.xterm.reset();
			}
			break;
		case "replay-end":
			/* Queued behind the history, so that answers to queries in it are still swallowed. */
			this.xterm.write("", () => {
				this.replaying = false;
			});
			break;
		case "output":
			this.output(m.offset, m.data);
			break;
		case "gap":
			this.next = m.to;
			this.acked = m.to;
			this.characters.forget();
			this.xterm.write(`\r\n\x1b[0;7m ${m.to - m.from} bytes of output were skipped \x1b[0m\r\n`);
			break;
		case "screen":
			/* The bytes reset the terminal themselves, in their place among the others. */
			this.next = m.offset;
			this.acked = m.offset;
			this.characters.forget();
			this.follow(m.cols, m.rows);
			this.xterm.write(m.data);
			break;
		case "size":
			this.follow(m.cols, m.rows);
			break;
		case "notice":
			if (m.kind === "policy")
				this.say(`Not sent: the policy's rule ${m.rule} forbids it`);
			else
				this.listener.warn(m.kind, m.secondsLeft);
			break;
		case "pong":
			this.report({ kind: "open", text: "", rtt: performance.now() - wire.pongStamp(m.data) });
			break;
		case "exit":
			this.exitText = wire.describeExit(m.exit);
			break;
		}
	}

	private output(offset: number, data: Uint8Array): void {
		const end = offset + data.length;
		this.next = end;
		this.xterm.write(this.characters.whole(data), () => {
			if (end - this.acked >= this.window / 4) {
				this.acked = end;
				this.send(wire.ack(end));
			}
		});
	}

	/* ---- size ---- */

	private refit(): void {
		this.xterm.options.fontSize = settings.fontSize;
		const own = this.fit.proposeDimensions();
		if (!own || !(own.cols > 0 && own.rows > 0))
			return;
		this.own = { cols: Math.min(own.cols, 1000), rows: Math.min(own.rows, 1000) };
		this.send(wire.resize(this.own.cols, this.own.rows));
		if (this.writer)
			this.xterm.resize(this.own.cols, this.own.rows);
		else
			this.follow(this.xterm.cols, this.xterm.rows);
	}

	private follow(cols: number, rows: number): void {
		const scale = Math.min(1, this.own.cols / cols, this.own.rows / rows);
		if (cols !== this.xterm.cols || rows !== this.xterm.rows)
			this.xterm.resize(cols, rows);
		this.xterm.options.fontSize = Math.max(LETTERS_MIN, Math.floor(settings.fontSize * scale * 2) / 2);
	}

	/* ---- what is typed ---- */

	/* While history is replayed xterm.js answers the queries in it (device attributes, colours, cursor):
	 * those answers belong to the past and would appear as typed text. Keys are sent. */
	private data(text: string): void {
		if (this.replaying && wire.isAnswer(text))
			return;
		this.type(this.encoder.encode(this.listener.keys(text)));
	}

	private type(bytes: Uint8Array): void {
		if (this.ended)
			return;
		if (this.socket?.readyState !== WebSocket.OPEN)
			this.keepTyped();
		if (this.early) {
			if (this.early.length <= EARLY_MAX)
				this.early.push(bytes);
			if (this.retryTimer && bytes.includes(13))
				this.reconnect();
			return;
		}
		if (!this.writer) {
			this.say("Watching: take over to type");
			return;
		}
		this.listener.typed();
		for (let i = 0; i < bytes.length; i += 32_768)
			this.send(wire.input(bytes.subarray(i, i + 32_768)));
	}

	private send(message: Uint8Array<ArrayBuffer>): void {
		if (this.socket?.readyState === WebSocket.OPEN)
			this.socket.send(message);
	}

	/* OSC 52: a program (tmux, vim) copies. It is never told what the clipboard holds, and history copies nothing again. */
	private clipboard(data: string): boolean {
		const text = data.slice(data.indexOf(";") + 1);
		if (this.replaying || text === "?" || text.length > CLIPBOARD_MAX)
			return true;
		try {
			this.offered = new TextDecoder().decode(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
		} catch {
			return true; /* no base64 */
		}
		/* A browser may want a click first: then the button copies it. */
		navigator.clipboard?.writeText(this.offered).then(
			() => this.say(`The program copied ${this.offered.length} characters`),
			() => this.say("The program offers text: Copy takes it"));
		return true;
	}

	/* Ctrl-Shift-C copies; Ctrl-C stays the interrupt, whatever is selected. Ctrl-Shift-F leads out of the terminal. */
	private shortcut(e: KeyboardEvent): boolean {
		if (e.type !== "keydown" || !e.ctrlKey || !e.shiftKey || (e.code !== "KeyC" && e.code !== "KeyF"))
			return true;
		if (e.code === "KeyC")
			void this.copy();
		else
			document.getElementById("find")?.focus();
		e.preventDefault();
		return false;
	}
}
