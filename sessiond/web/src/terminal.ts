/*
 * One sandbox's terminal: xterm.js on one side, a carrel.v1 connection that comes back by itself on the other.
 *
 * `next` is the offset of the first byte not yet received; a reconnect asks for `since=next` and so loses
 * nothing and repeats nothing. Acknowledgements go out when xterm.js has consumed the bytes, not when they
 * arrive: that is what keeps a flood from piling up in the page.
 */
import { FitAddon } from "@xterm/addon-fit";
import * as api from "./api";
import * as wire from "./protocol";
import { copyFrom, findIn, makeTerminal } from "./xterm";

export interface Status {
	kind: "connecting" | "open" | "lost" | "ended";
	text: string;
	rtt?: number;
}

const PING_MS = 10_000;
const BACKOFF_MS = [250, 500, 1000, 2000, 4000, 8000];

export class TerminalView {
	private readonly made = makeTerminal({});
	readonly xterm = this.made.xterm;
	private readonly fit = new FitAddon();
	private socket: WebSocket | null = null;
	private next: number | null = null;
	private acked = 0;
	private window = 262_144;
	private replaying = false;
	private following = false;
	private attempts = 0;
	private ended = false;
	private closed = false;
	private exitText = "";
	private retryTimer = 0;
	private readonly pingTimer: number;
	private readonly observer: ResizeObserver;
	private readonly encoder = new TextEncoder();

	constructor(readonly id: string, host: HTMLElement, private readonly report: (s: Status) => void) {
		this.xterm.loadAddon(this.fit);
		this.xterm.open(host);
		this.fit.fit();
		this.xterm.onData((s) => this.type(this.encoder.encode(s)));
		this.xterm.onBinary((s) => this.type(Uint8Array.from(s, (c) => c.charCodeAt(0))));
		this.xterm.onResize(({ cols, rows }) => {
			/* What another client's size makes of ours is not the size that we ask for. */
			if (!this.following)
				this.send(wire.resize(cols, rows));
		});
		this.xterm.attachCustomKeyEventHandler((e) => this.shortcut(e));
		this.observer = new ResizeObserver(() => this.fit.fit());
		this.observer.observe(host);
		this.pingTimer = window.setInterval(() => this.send(wire.ping(performance.now())), PING_MS);
		void this.connect();
	}

	close(): void {
		this.closed = true;
		window.clearInterval(this.pingTimer);
		window.clearTimeout(this.retryTimer);
		this.observer.disconnect();
		this.socket?.close(1000);
		this.xterm.dispose();
	}

	find(text: string, forward: boolean): void {
		findIn(this.made.search, text, forward);
	}

	copy(): Promise<boolean> {
		return copyFrom(this.xterm);
	}

	reconnect(): void {
		if (this.ended || this.closed || this.socket)
			return;
		window.clearTimeout(this.retryTimer);
		this.attempts = 0;
		void this.connect();
	}

	private async connect(): Promise<void> {
		this.report({ kind: "connecting", text: "Connecting…" });
		let ticket: string;
		try {
			ticket = await api.ticket(this.id);
		} catch (problem) {
			this.refused(problem);
			return;
		}
		if (this.closed)
			return;
		const query: Record<string, number> = { cols: this.xterm.cols, rows: this.xterm.rows };
		if (this.next !== null)
			query.since = this.next;
		const socket = new WebSocket(api.terminalUrl(this.id, query), [wire.SUBPROTOCOL, `carrel.ticket.${ticket}`]);
		socket.binaryType = "arraybuffer";
		socket.onmessage = (e) => {
			const message = e.data instanceof ArrayBuffer ? wire.parse(e.data) : null;
			if (message)
				this.receive(message);
		};
		socket.onclose = (e) => this.lost(e.code);
		this.socket = socket;
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
		if (this.closed)
			return;
		const [text, again] = wire.describeClose(code);
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

	private receive(m: wire.ServerMessage): void {
		switch (m.type) {
		case "hello":
			this.attempts = 0;
			this.window = m.hello.window;
			this.report({ kind: "open", text: m.hello.role === "viewer" ? "Watching" : "Connected" });
			this.send(wire.ping(performance.now()));
			/* What was fitted while the connection was being made. */
			this.send(wire.resize(this.xterm.cols, this.xterm.rows));
			break;
		case "replay-begin":
			this.replaying = true;
			if (this.next === null)
				this.xterm.reset();
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
			this.xterm.write(`\r\n\x1b[0;7m ${m.to - m.from} bytes of output were skipped \x1b[0m\r\n`);
			break;
		case "screen":
			/* The bytes reset the terminal themselves, in their place among the others. */
			this.next = m.offset;
			this.acked = m.offset;
			if (m.cols !== this.xterm.cols || m.rows !== this.xterm.rows)
				this.xterm.resize(m.cols, m.rows);
			this.xterm.write(m.data);
			break;
		case "size":
			this.following = true;
			this.xterm.resize(m.cols, m.rows);
			this.following = false;
			break;
		case "notice":
			this.report({ kind: "open", text: `Ends in ${m.secondsLeft} s (${m.kind})` });
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
		this.xterm.write(data, () => {
			if (end - this.acked >= this.window / 4) {
				this.acked = end;
				this.send(wire.ack(end));
			}
		});
	}

	/* While history is replayed xterm.js answers the queries in it (device attributes, colours, cursor):
	 * those answers belong to the past and would appear as typed text. */
	private type(bytes: Uint8Array): void {
		if (this.replaying)
			return;
		if (!this.socket) {
			if (bytes.includes(13))
				this.reconnect();
			return;
		}
		for (let i = 0; i < bytes.length; i += 32_768)
			this.send(wire.input(bytes.subarray(i, i + 32_768)));
	}

	private send(message: Uint8Array<ArrayBuffer>): void {
		if (this.socket?.readyState === WebSocket.OPEN)
			this.socket.send(message);
	}

	/* Ctrl-Shift-C copies; Ctrl-C stays the interrupt, whatever is selected. */
	private shortcut(e: KeyboardEvent): boolean {
		if (e.type === "keydown" && e.ctrlKey && e.shiftKey && e.code === "KeyC") {
			void this.copy();
			e.preventDefault();
			return false;
		}
		return true;
	}
}
