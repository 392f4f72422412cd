/*
 * A recording on a terminal: read in pieces, written in slices, so that a large one never holds the page up.
 *
 * `applied` events are on the screen; `pump` alone writes, until they are those of the position. A position before them
 * resets the terminal and writes on from the start. Nobody can type here, and what the terminal answers goes nowhere.
 *
 * A recording whose sandbox still runs is `live`: it is asked again and again for what has come. Who plays at its end is shown
 * that at once, since the silence before it is over; for all others it only grows.
 */
import { FitAddon } from "@xterm/addon-fit";
import * as api from "./api";
import { Cast } from "./cast";
import { Playhead } from "./playhead";
import { copyFrom, findIn, makeTerminal } from "./xterm";

const TICK_MS = 40;
const SLICE_CHARS = 65_536;
const PIECE_BYTES = 131_072;
const FOLLOW_MS = 500;
const FONT = { least: 7, most: 14 };

const breathe = (ms = 0) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export class Player {
	private readonly made = makeTerminal({ disableStdin: true, cursorBlink: false, fontSize: FONT.most });
	readonly xterm = this.made.xterm;
	readonly cast = new Cast();
	readonly head = new Playhead(() => performance.now());
	short = true; // silences are cut
	loaded = false; // what had been written when it was opened
	live = false; // more may come
	applied = 0;
	private readonly fit = new FitAddon();
	private readonly abort = new AbortController();
	private readonly observer: ResizeObserver;
	private readonly timer: number;
	private readonly decoder = new TextDecoder();
	private bytes = 0; // that were read
	private pumping = false;
	private closed = false;
	private wanted: number | null = null; // where a seek goes; the clock waits until it is there

	constructor(readonly id: string, host: HTMLElement, private readonly changed: () => void,
		private readonly failed: (problem: unknown) => void) {
		this.xterm.loadAddon(this.fit);
		this.xterm.open(host);
		/* Keys are the player's; none is typed into the past. */
		this.xterm.attachCustomKeyEventHandler(() => false);
		this.observer = new ResizeObserver(() => this.scale());
		this.observer.observe(host);
		this.timer = window.setInterval(() => this.tick(), TICK_MS);
		this.head.play();
		void this.read();
	}

	close(): void {
		this.closed = true;
		this.abort.abort();
		window.clearInterval(this.timer);
		this.observer.disconnect();
		this.xterm.dispose();
	}

	find(text: string, forward: boolean): void {
		findIn(this.made.search, text, forward);
	}

	copy(): Promise<boolean> {
		return copyFrom(this.xterm);
	}

	position(): number {
		return this.wanted ?? this.head.position();
	}

	duration(): number {
		return this.cast.duration(this.short);
	}

	/* Whether what comes is shown as it comes. */
	following(): boolean {
		return this.live && this.head.playing && this.wanted === null && this.head.atEnd();
	}

	follow(): void {
		this.head.play();
		this.seek(this.duration());
	}

	/* Whether the screen shows the position. */
	settled(): boolean {
		return !this.pumping && this.applied === this.cast.countAt(this.position(), this.short);
	}

	seek(seconds: number): void {
		this.head.seek(seconds);
		this.wanted = this.head.position();
		this.tick();
	}

	toggle(): void {
		if (this.head.playing) {
			this.head.pause();
		} else {
			if (this.loaded && !this.live && this.position() >= this.duration())
				this.seek(0);
			this.head.play();
		}
		this.tick();
	}

	cutSilences(short: boolean): void {
		if (short === this.short)
			return;
		const at = this.cast.translate(this.position(), short);
		this.short = short;
		this.head.setLimit(this.duration());
		this.seek(at);
	}

	private tick(): void {
		if (this.loaded && !this.live && this.head.playing && this.wanted === null && this.head.atEnd())
			this.head.pause();
		void this.pump();
		this.changed();
	}

	private async read(): Promise<void> {
		try {
			await this.readAll();
			this.take(this.decoder.decode());
			this.cast.finish();
		} catch (problem) {
			this.abort.abort();
			if (this.closed)
				return;
			this.failed(problem);
		}
		this.live = false;
		this.loaded = true; // what has come can be played
		this.tick();
	}

	private async readAll(): Promise<void> {
		for (let ended = await this.hasEnded(); ; ) {
			const before = this.bytes;
			await this.fetch();
			/* What was written before it ended has been read, too. */
			if (ended || this.closed)
				return;
			this.live = this.loaded = true;
			this.tick();
			if (this.bytes === before)
				ended = await this.hasEnded();
			if (!ended)
				await breathe(FOLLOW_MS);
		}
	}

	private async hasEnded(): Promise<boolean> {
		return (await api.get(this.id)).state === "ended";
	}

	private async fetch(): Promise<void> {
		const reader = (await api.recording(this.id, this.bytes, this.abort.signal)).getReader();
		for (let piece; !(piece = await reader.read()).done;)
			for (let i = 0; i < piece.value.length; i += PIECE_BYTES) {
				const part = piece.value.subarray(i, i + PIECE_BYTES);
				this.bytes += part.length;
				this.take(this.decoder.decode(part, { stream: true }));
				await breathe();
			}
	}

	private take(text: string): void {
		const began = this.cast.header !== null;
		const following = this.following();
		this.cast.push(text);
		if (!began && this.cast.header && !this.closed)
			this.resize(this.cast.header.cols, this.cast.header.rows);
		this.head.setLimit(this.duration());
		if (following)
			this.head.seek(this.duration());
	}

	private async pump(): Promise<void> {
		if (this.pumping)
			return;
		this.pumping = true;
		while (!this.closed && this.cast.header) {
			const target = this.cast.countAt(this.position(), this.short);
			if (target < this.applied)
				this.rewind();
			if (target === this.applied)
				break;
			const slice = this.cast.slice(this.applied, target, SLICE_CHARS);
			await new Promise<void>((resolve) => this.xterm.write(slice.text, resolve));
			if (this.closed)
				break;
			if (slice.resize)
				this.resize(slice.resize.cols, slice.resize.rows);
			this.applied = slice.next;
		}
		this.pumping = false;
		if (this.wanted !== null) {
			this.head.seek(this.wanted);
			this.wanted = null;
		}
	}

	private rewind(): void {
		this.applied = 0;
		this.xterm.reset();
		if (this.cast.header)
			this.resize(this.cast.header.cols, this.cast.header.rows);
	}

	private resize(cols: number, rows: number): void {
		if (cols !== this.xterm.cols || rows !== this.xterm.rows)
			this.xterm.resize(cols, rows);
		this.scale();
	}

	/* The terminal has its own size, not the window's: the letters shrink until it fits, within reason. */
	private scale(): void {
		const room = this.fit.proposeDimensions();
		const size = this.xterm.options.fontSize ?? FONT.most;
		if (!room || !Number.isFinite(room.cols) || !Number.isFinite(room.rows))
			return;
		const fitting = size * Math.min(room.cols / this.xterm.cols, room.rows / this.xterm.rows);
		const next = Math.min(Math.max(Math.floor(fitting * 2) / 2, FONT.least), FONT.most);
		if (next !== size)
			this.xterm.options.fontSize = next;
	}
}
