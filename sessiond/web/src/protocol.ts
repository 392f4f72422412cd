/*
 * carrel.v1 on the wire (docs/protocol.md): pure functions between bytes and messages.
 */

export const SUBPROTOCOL = "carrel.v1";

export interface Hello {
	version: number;
	id: string;
	client: number;
	role: "writer" | "viewer";
	oldest: number;
	next: number;
	cols: number;
	rows: number;
	window: number;
}

export interface Exit {
	reason: string;
	code: number;
	signal: number;
}

export type ServerMessage =
	| { type: "output"; offset: number; data: Uint8Array }
	| { type: "hello"; hello: Hello }
	| { type: "replay-begin"; from: number; to: number }
	| { type: "replay-end"; offset: number }
	| { type: "size"; cols: number; rows: number }
	| { type: "exit"; exit: Exit }
	| { type: "notice"; kind: string; secondsLeft: number; rule: string }
	| { type: "role"; writer: boolean }
	| { type: "pong"; data: Uint8Array }
	| { type: "gap"; from: number; to: number }
	| { type: "screen"; offset: number; cols: number; rows: number; data: Uint8Array };

/* Offsets are 64 bits on the wire; 2^53 bytes of terminal output are out of reach of a session. */
function offset(view: DataView, at: number): number {
	return Number(view.getBigUint64(at));
}

function json(bytes: Uint8Array): any {
	return JSON.parse(new TextDecoder().decode(bytes));
}

/* null: an empty message or a type this version does not know; both are ignored. */
export function parse(buffer: ArrayBuffer): ServerMessage | null {
	if (buffer.byteLength === 0)
		return null;
	const view = new DataView(buffer);
	const body = new Uint8Array(buffer, 1);

	switch (view.getUint8(0)) {
	case 0x01:
		return { type: "output", offset: offset(view, 1), data: new Uint8Array(buffer, 9) };
	case 0x02:
		return { type: "hello", hello: json(body) };
	case 0x03:
		return { type: "replay-begin", from: offset(view, 1), to: offset(view, 9) };
	case 0x04:
		return { type: "replay-end", offset: offset(view, 1) };
	case 0x05:
		return { type: "size", cols: view.getUint16(1), rows: view.getUint16(3) };
	case 0x06:
		return { type: "exit", exit: json(body) };
	case 0x07: {
		const notice = json(body);
		return { type: "notice", kind: String(notice.kind), secondsLeft: Number(notice.seconds_left ?? 0), rule: String(notice.rule ?? "") };
	}
	case 0x08:
		return { type: "pong", data: body };
	case 0x09:
		return { type: "gap", from: offset(view, 1), to: offset(view, 9) };
	case 0x0b:
		return { type: "role", writer: view.getUint8(1) === 1 };
	case 0x0c:
		return { type: "screen", offset: offset(view, 1), cols: view.getUint16(9), rows: view.getUint16(11), data: new Uint8Array(buffer, 13) };
	default:
		return null;
	}
}

export function input(data: Uint8Array): Uint8Array<ArrayBuffer> {
	const m = new Uint8Array(1 + data.length);
	m[0] = 0x10;
	m.set(data, 1);
	return m;
}

export function resize(cols: number, rows: number): Uint8Array<ArrayBuffer> {
	const m = new DataView(new ArrayBuffer(5));
	m.setUint8(0, 0x11);
	m.setUint16(1, cols);
	m.setUint16(3, rows);
	return new Uint8Array(m.buffer);
}

export function ack(at: number): Uint8Array<ArrayBuffer> {
	const m = new DataView(new ArrayBuffer(9));
	m.setUint8(0, 0x12);
	m.setBigUint64(1, BigInt(at));
	return new Uint8Array(m.buffer);
}

export function ping(stamp: number): Uint8Array<ArrayBuffer> {
	const m = new DataView(new ArrayBuffer(9));
	m.setUint8(0, 0x13);
	m.setFloat64(1, stamp);
	return new Uint8Array(m.buffer);
}

/* Takes the pen: everyone else watches. Or gives it back. */
export function pen(take: boolean): Uint8Array<ArrayBuffer> {
	return new Uint8Array([0x15, take ? 1 : 0]);
}

/* What a terminal says when a program asks it (device attributes, cursor, modes, colours, settings): no key gives it but Shift-F3, whose code
 * is that of a cursor's position. */
export function isAnswer(text: string): boolean {
	return /^\x1b(?:\[[?>=]?[\d;]*(?:[cntRu]|\$y)|[\]P_])/.test(text);
}

export function pongStamp(data: Uint8Array): number {
	return new DataView(data.buffer, data.byteOffset, data.byteLength).getFloat64(0);
}

/* What a close code says to a person, and whether another attempt can help. 1000 without EXIT before it is a
 * connection that was closed, not a program that ended. */
const closes: Record<number, [text: string, retry: boolean]> = {
	1001: ["The server is restarting.", true],
	4001: ["Another window took over.", false],
	4003: ["You may not open this terminal.", false],
	4008: ["Ended: it was idle for too long.", false],
	4009: ["Ended: its time was up.", false],
	4011: ["Ended: nobody was attached to it for too long.", false],
	4012: ["Ended: a policy forbids what it did.", false],
	4010: ["Ended: it ran out of memory.", false],
	4400: ["The server did not understand this page. Reload it.", false],
	4404: ["This sandbox is gone.", false],
	4410: ["Ended: it was deleted.", false],
	4429: ["Too many windows are attached.", true],
};

export function describeClose(code: number): [text: string, retry: boolean] {
	return closes[code] ?? ["The connection was lost.", true];
}

export function describeExit(exit: Exit): string {
	switch (exit.reason) {
	case "exited":
		return exit.code === 0 ? "The program ended." : `The program ended with exit code ${exit.code}.`;
	case "signalled":
		return `The program was ended by signal ${exit.signal}.`;
	case "oom":
		return "Ended: it ran out of memory.";
	case "idle":
		return "Ended: it was idle for too long.";
	case "lifetime":
		return "Ended: its time was up.";
	case "policy":
		return "Ended: a policy forbids what it did.";
	case "detached":
		return "Ended: nobody was attached to it for too long.";
	case "deleted":
		return "Ended: it was deleted.";
	default:
		return `Ended: ${exit.reason}.`;
	}
}
