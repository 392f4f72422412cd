/*
 * A recording as it comes off the wire: asciicast v3 in pieces of text, taken apart line by line into events on a time
 * line (docs/shim.md, "Recording"). Knows neither the page nor a clock.
 *
 * The recording is not trusted: what is no event is counted and left out, a kind that this version does not know is left
 * out, but its time passes, since each event counts from the one before. Only a first line that is no header of version
 * 3 ends the reading, with a CastError.
 */

export type Kind = "o" | "r" | "m" | "x";

export interface Event {
	kind: Kind;
	data: string;
	cols?: number; // of "r"
	rows?: number;
}

export interface Header {
	cols: number;
	rows: number;
	title: string;
}

export class CastError extends Error {}

/* What to write next: output up to a change of size, or up to `limit` characters. */
export interface Slice {
	text: string;
	next: number;
	resize?: { cols: number; rows: number };
}

const LINE_CHARS = 4 << 20;
const SIDE_MAX = 1000;
const GAP_MAX = 1e6; // seconds; a sandbox does not live as long, and sums stay exact to the millisecond
const JOIN_CHARS = 65_536;
export const IDLE_SECONDS = 2;

function side(value: unknown, otherwise: number): number {
	return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= SIDE_MAX ? (value as number) : otherwise;
}

function json(line: string): unknown {
	try {
		return JSON.parse(line);
	} catch {
		return undefined;
	}
}

export class Cast {
	header: Header | null = null;
	readonly events: Event[] = [];
	/* When each event is, in seconds from the start: as it was, and with silences cut to IDLE_SECONDS. Both ascend. */
	readonly full: number[] = [];
	readonly short: number[] = [];
	broken = 0;
	private rest = "";
	private skipping = false; // the rest of a line that is too long
	private sealed = 0; // events that someone may have written already: nothing joins them
	private waited = 0; // since the last event that was kept
	private end = { full: 0, short: 0 };

	/* A piece of the stream, cut anywhere between two characters. */
	push(piece: string): void {
		let from = 0;
		this.sealed = this.events.length;
		for (let at; (at = piece.indexOf("\n", from)) >= 0; from = at + 1) {
			const line = this.rest + piece.slice(from, at);
			this.rest = "";
			if (this.skipping || line.length > LINE_CHARS)
				this.broken++;
			else
				this.line(line);
			this.skipping = false;
		}
		if (!this.skipping)
			this.rest += piece.slice(from);
		if (this.rest.length > LINE_CHARS) {
			this.rest = "";
			this.skipping = true;
		}
	}

	/* The stream is at its end. Half a line is what a recording that still grows ends with; a header has to be whole. */
	finish(): void {
		if (!this.header && this.rest)
			this.line(this.rest);
		if (!this.header)
			throw new CastError("The recording is empty: its first line, which tells the terminal's size, is missing.");
	}

	duration(short: boolean): number {
		return short ? this.end.short : this.end.full;
	}

	/* How many events have happened at this time. */
	countAt(seconds: number, short: boolean): number {
		const times = short ? this.short : this.full;
		let low = 0, high = times.length;
		while (low < high) {
			const middle = (low + high) >> 1;
			if (times[middle] <= seconds)
				low = middle + 1;
			else
				high = middle;
		}
		return low;
	}

	/* The same moment on the other time line. */
	translate(seconds: number, toShort: boolean): number {
		const [from, to] = toShort ? [this.full, this.short] : [this.short, this.full];
		const i = this.countAt(seconds, !toShort) - 1;
		const [fromTime, toTime] = i < 0 ? [0, 0] : [from[i], to[i]];
		const next = i + 1 < to.length ? to[i + 1] : this.duration(toShort);
		return Math.min(toTime + Math.max(seconds - fromTime, 0), next);
	}

	slice(from: number, to: number, limit: number): Slice {
		const texts: string[] = [];
		let length = 0, i = from;
		while (i < to && length < limit) {
			const { kind, data, cols, rows } = this.events[i++];
			if (kind === "r" && cols && rows)
				return { text: texts.join(""), next: i, resize: { cols, rows } };
			if (kind === "o") {
				texts.push(data);
				length += data.length;
			}
		}
		return { text: texts.join(""), next: i };
	}

	private line(line: string): void {
		if (line.startsWith("#") || line.trim() === "")
			return;
		const value = json(line);
		if (!this.header)
			this.head(value);
		else if (!this.event(value))
			this.broken++;
	}

	private head(value: unknown): void {
		const { version, term, title } = (value ?? {}) as { version?: unknown; term?: Record<string, unknown>; title?: unknown };
		if (version !== 3) {
			const what = typeof version === "number" ? `it is asciicast of version ${version}` : "its first line is no asciicast header";
			throw new CastError(`This recording cannot be played: ${what}, where version 3 is needed.`);
		}
		this.header = { cols: side(term?.cols, 80), rows: side(term?.rows, 24), title: typeof title === "string" ? title : "" };
	}

	private event(value: unknown): boolean {
		if (!Array.isArray(value))
			return false;
		const [gap, kind, data] = value;
		if (typeof gap !== "number" || !Number.isFinite(gap) || gap < 0 || typeof kind !== "string" || typeof data !== "string")
			return false;
		const size = kind === "r" ? /^(\d{1,4})x(\d{1,4})$/.exec(data) : null;
		const cols = side(Number(size?.[1]), 0), rows = side(Number(size?.[2]), 0);
		if (kind === "r" && !(cols && rows))
			return false;
		this.waited = Math.min(this.waited + gap, GAP_MAX);
		if (kind === "r")
			this.add({ kind, data, cols, rows });
		else if (kind === "o" || kind === "m" || kind === "x")
			this.add({ kind, data });
		return true;
	}

	private add(event: Event): void {
		const last = this.events[this.events.length - 1];
		const gap = this.waited;
		this.waited = 0;
		/* A flood is many events of one moment: one is enough. */
		const open = this.events.length > this.sealed && last.kind === "o" && last.data.length < JOIN_CHARS;
		if (gap === 0 && event.kind === "o" && open) {
			last.data += event.data;
			return;
		}
		this.end.full += gap;
		this.end.short += Math.min(gap, IDLE_SECONDS);
		this.events.push(event);
		this.full.push(this.end.full);
		this.short.push(this.end.short);
	}
}

export function clockText(seconds: number): string {
	const s = Math.max(0, Math.floor(seconds));
	const two = (n: number) => String(n).padStart(2, "0");
	return s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

/* What an exit status (128 + N: ended by signal N) says to a person. */
export function exitText(data: string): string {
	const status = /^\d{1,3}$/.test(data) ? Number(data) : -1;
	if (status === 0)
		return "The program ended.";
	if (status > 128 && status < 193)
		return `The program was ended by signal ${status - 128}.`;
	return status < 0 ? "The program ended." : `The program ended with exit code ${status}.`;
}
