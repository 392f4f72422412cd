/*
 * Does the model's snapshot make the same screen? A terminal (xterm.js, without a page) that saw everything is compared with one
 * that saw the snapshot of a moment and the rest: cells, wrapped lines, cursor, pen, modes, title, colours, and
 * what has scrolled away.
 *
 *   judge.mjs PROBE fuzz SEED COUNT     programs of a fuzzer
 *   judge.mjs PROBE sizes SEED COUNT    the same with changes of size, before and after that moment
 *   judge.mjs PROBE recording CUTS FILE...   recordings (record.py) of real programs, cut at random places
 */
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const require = createRequire(process.env.SCREEN_MODULES + "/");
const { Terminal } = require("@xterm/headless");
const { Unicode11Addon } = require("@xterm/addon-unicode11");

/* ---- numbers that come again with the same seed ---- */

let state = 1;
function rand(n) {
	state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
	return Math.floor((state / 4294967296) * n);
}
const pick = (list) => list[rand(list.length)];
const some = (p) => rand(1000) < p * 1000;

/* ---- the model ---- */

class Model {
	constructor(path) {
		this.child = spawn(path, [], { stdio: ["pipe", "pipe", "inherit"] });
		this.chunks = Buffer.alloc(0);
		this.child.stdout.on("data", (d) => {
			this.chunks = Buffer.concat([this.chunks, d]);
			this.wake?.();
		});
		this.child.on("exit", (code) => {
			if (!this.done) {
				console.error(`the model ended with ${code}`);
				process.exit(1);
			}
		});
	}
	send(letter, ...numbers) {
		const b = Buffer.alloc(1 + 2 * numbers.length);
		b.write(letter);
		numbers.forEach((v, i) => b.writeUInt16LE(v, 1 + 2 * i));
		this.child.stdin.write(b);
	}
	feed(bytes, letter = "F") {
		const head = Buffer.alloc(5);
		head.write(letter);
		head.writeUInt32LE(bytes.length, 1);
		this.child.stdin.write(Buffer.concat([head, bytes]));
	}
	async take(n) {
		while (this.chunks.length < n)
			await new Promise((wake) => (this.wake = wake));
		const out = this.chunks.subarray(0, n);
		this.chunks = this.chunks.subarray(n);
		return out;
	}
	async snapshot() {
		this.send("S");
		const head = await this.take(9);
		return { partial: head[4], memory: head.readUInt32LE(5), bytes: Buffer.from(await this.take(head.readUInt32LE(0))) };
	}
	end() {
		this.done = true;
		this.child.stdin.end();
	}
}

/* ---- the terminal ---- */

function terminal(cols, rows) {
	const t = new Terminal({ cols, rows, allowProposedApi: true, scrollback: 5000, logLevel: "off" });
	t.loadAddon(new Unicode11Addon());
	t.unicode.activeVersion = "11";
	t.answers = "";
	t.colours = {};
	t.titleNow = "";
	t.onTitleChange((x) => (t.titleNow = x));
	t.onData((d) => (t.answers += d));
	t._core._inputHandler.onColor((events) => {
		for (const e of events) {
			if (e.type === 1)
				t.colours[e.index] = String(e.color);
			else if (e.type === 2) {
				if (e.index === undefined) {
					for (const k of Object.keys(t.colours))
						if (k < 256)
							delete t.colours[k];
				} else
					delete t.colours[e.index];
			}
		}
	});
	return t;
}
/* On the alternate screen xterm.js keeps what fewer columns cut off, to show it again at more, and lines that scroll away after it had
 * fewer rows while it was not shown: of that no snapshot can tell. */
function resize(t, cols, rows) {
	const { alt } = t._core._bufferService.buffers;
	t.resize(cols, rows);
	if (alt.lines.length === 0)
		alt.lines.maxLength = rows;
	for (let y = 0; y < alt.lines.length; y++)
		alt.lines.get(y).resize(cols, t.buffer.active.getNullCell());
}
/* How many bytes at the end are a character that has begun. */
function unfinished(bytes) {
	for (let n = 1; n <= Math.min(3, bytes.length); n++) {
		const c = bytes[bytes.length - n];
		if (c >= 0xc0)
			return n < (c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2) ? n : 0;
		if (c < 0x80)
			return 0;
	}
	return 0;
}
/* Whole characters: of one that is cut behind a byte 0x80 (U+2015, U+200D) xterm.js loses what comes first. */
function write(t, bytes) {
	const all = Buffer.concat([t.held ?? Buffer.alloc(0), Buffer.from(bytes)]);
	const whole = all.length - unfinished(all);
	t.held = all.subarray(whole);
	return new Promise((done) => t.write(all.subarray(0, whole), done));
}

/* A colour without what is left in the bits that its kind does not use. */
function colour(v) {
	const kind = (v >>> 24) & 3;
	return kind === 0 ? "-" : kind === 3 ? `#${(v & 0xffffff).toString(16)}` : `${kind}:${v & 255}`;
}

function attributes(core, a, line, x) {
	const extended = a.bg & 0x10000000 ? a.extended : null;
	/* The style counts when the attribute is set; a restored cursor can bring one back without the other. */
	const underline = (a.fg >>> 28) & 1 ? (extended ? (extended._ext >>> 26) & 7 : 1) : 0;
	/* xterm.js forgets the address of a link when the line that it began in goes, wherever else it stands. */
	const link = extended?.urlId ? (core._oscLinkService.getLinkData(extended.urlId)?.uri ?? "forgotten") : "";
	let text = `${colour(a.fg)}/${colour(a.bg)}/${((a.fg >>> 26) & ~4).toString(2)}/${((a.bg >>> 26) & ~4).toString(2)}`;
	if (underline)
		text += `/${underline}/${extended ? colour(extended._ext) : "-"}`;
	if (link)
		text += `/${link}`;
	return text;
}

function cells(t, cell, line, cols) {
	const core = t._core;
	const out = [];
	for (let x = 0; x < cols; x++) {
		line.loadCell(x, cell);
		let chars = line.getString(x);
		let width = line.getWidth(x);
		/* An empty cell looks like a space; half a wide character alone like an empty cell. */
		if (chars === "") {
			if (width === 0 && !(x > 0 && line.getWidth(x - 1) === 2))
				width = 1;
			chars = width === 0 ? "" : " ";
		} else if (width === 2 && !(x + 1 < cols && line.getWidth(x + 1) === 0))
			[chars, width] = [core.unicodeService.wcwidth(chars.codePointAt(0)) < 2 ? chars : " ", 1]; /* at the edge without wrapping, half of a character */
		if (/^[\u0300-\u036f\u200d]+$/.test(chars))
			[chars, width] = [" ", 1]; /* combining characters joined to nothing */
		/* When it breaks a line anew, xterm.js mixes up which combining characters belong to which cell. */
		if (t.resized && line.isCombined(x) && chars !== " ")
			chars = "+";
		let look = attributes(core, cell);
		/* Of an empty cell the background shows, and lines. */
		const underlined = cell.fg & 0x10000000 && !(cell.bg & 0x10000000 && !(cell.extended._ext & 0x1c000000));
		if (line.getString(x) === "" && !underlined && !(cell.fg & 0x84000000) && !(cell.bg & 0x60000000) && !/http:|forgotten/.test(look))
			look = `-/${colour(cell.bg)}/0/0`;
		out.push(`${chars}|${width}|${look}`);
	}
	return out;
}

function buffer(t, b, history) {
	const core = t._core, rows = t.rows, cols = t.cols;
	/* One of our own: the buffer's own empty cell is what its new lines are made of. */
	const cell = t.buffer.active.getNullCell();
	const out = { lines: [], cursor: [b.x, b.y], region: [b.scrollTop, b.scrollBottom], tabs: [] };
	for (let x = 0; x < cols; x++)
		if (b.tabs[x])
			out.tabs.push(x);
	for (let y = Math.max(0, b.ybase - history); y < b.ybase + rows; y++) {
		const line = b.lines.get(y);
		/* Below nothing this shows nowhere; on one row no snapshot can make it below a line that is not full. */
		const above = y > 0 ? b.lines.get(y - 1) : null;
		const full = above && (rows > 1 || above.hasContent(cols - 1) || above.getWidth(cols - 1) === 0);
		out.lines.push({ wrapped: full ? line.isWrapped : "any", cells: cells(t, cell, line, cols) });
	}
	return out;
}

function state_of(t, history) {
	const core = t._core;
	const buffers = core._bufferService.buffers;
	const active = buffers.active;
	const alt = active === buffers.alt;
	const hist = Math.min(history, buffers.normal.ybase);
	const out = {
		title: t.titleNow,
		icon: core._inputHandler._iconName,
		colours: t.colours,
		alt,
		main: buffer(t, buffers.normal, hist),
		pen: attributes(core, core._inputHandler._curAttrData),
		modes: { ...core.coreService.modes, ...core.coreService.decPrivateModes, eol: core.optionsService.rawOptions.convertEol,
			hidden: core.coreService.isCursorHidden, mouse: core.coreMouseService.activeProtocol,
			encoding: core.coreMouseService.activeEncoding },
		charset: [core._charsetService.glevel, ...[0, 1, 2, 3].map((g) => !!core._charsetService._charsets[g]), !!core._charsetService.charset],
		cursor: [active.x, active.y],
		saved: [Math.min(Math.max(active.savedY - active.ybase, 0), t.rows - 1), Math.min(active.savedX, t.cols - 1)],
	};
	if (alt)
		out.altScreen = buffer(t, buffers.alt, 0);
	else
		out.main.cursor = 0;
	if (alt)
		out.main.cursor = 0;
	return out;
}

/* What a snapshot does not bring, and another size can show: tab stops and a saved cursor behind the last column. */
function lost_of(t) {
	const { normal, alt } = t._core._bufferService.buffers;
	const lost = [];
	if ([normal, alt].some((b) => Object.keys(b.tabs).some((x) => x >= t.cols)))
		lost.push("tabs");
	if ([normal, alt].some((b) => b.savedX >= t.cols))
		lost.push("saved");
	return lost;
}
function without(state, names) {
	for (const name of names)
		for (const part of [state, state.main, state.altScreen])
			if (part && name in part)
				part[name] = "any";
	return state;
}

/* Where two states differ, in words; "" when they do not. */
function difference(a, b, path = "") {
	if (typeof a === "string" && typeof b === "string" && (a.endsWith("/forgotten") || b.endsWith("/forgotten")))
		[a, b] = [a, b].map((v) => v.replace(/\/(forgotten|http:.*)$/, ""));
	if (typeof a !== "object" || a === null || typeof b !== "object" || b === null)
		return a === b || a === "any" || b === "any" ? "" : `${path}: ${JSON.stringify(a)} and ${JSON.stringify(b)}`;
	if (Array.isArray(a) && a.length !== b.length)
		return `${path}: ${a.length} and ${b.length} items`;
	for (const k of new Set([...Object.keys(a), ...Object.keys(b)])) {
		const d = difference(a[k], b[k], `${path}.${k}`);
		if (d)
			return d;
	}
	return "";
}

/* ---- programs ---- */

const letters = "abcdefghij KLMNOP 0123456789 -_/.qxjlmk`~#";
const others = ["é", "ß", "漢", "字", "界", "한", "😀", "e\u0301", "\u0301", "―", "│", "┌", "\u200d", "👩\u200d💻", "Ａ"];
function text() {
	let s = "";
	for (let n = 1 + rand(some(0.1) ? 120 : 12); n > 0; n--)
		s += some(0.12) ? pick(others) : letters[rand(letters.length)];
	return s;
}
const number = (n) => (some(0.15) ? "" : String(some(0.05) ? 9999 : rand(n) + (some(0.5) ? 1 : 0)));
const sgr = () => {
	const one = () => pick([
		() => String(rand(10)), () => String(20 + rand(10)), () => String(30 + rand(10)), () => String(40 + rand(10)),
		() => String(90 + rand(18)), () => `38;5;${rand(256)}`, () => `48;2;${rand(256)};${rand(256)};${rand(256)}`,
		() => `38:2::${rand(256)}:1:2`, () => `4:${rand(7)}`, () => `58;5;${rand(256)}`, () => `58:2::1:2:${rand(256)}`, () => "53", () => "55", () => "59", () => "",
		() => "0", () => "0", () => `38;2;1;2`, () => `48:5:${rand(256)}`,
	])();
	return `\x1b[${Array.from({ length: 1 + rand(3) }, one).join(";")}m`;
};
const modes = [1, 5, 6, 7, 9, 12, 25, 45, 66, 1000, 1002, 1003, 1004, 1006, 1016, 2004, 2026, 2];
const ops = [
	[30, text], [12, () => "\r\n"], [4, () => "\n"], [3, () => "\r"], [3, () => "\b"], [3, () => "\t"], [2, () => "\x0b"],
	[12, sgr],
	[10, () => `\x1b[${number(30)};${number(90)}H`],
	[8, () => `\x1b[${number(20)}${pick("ABCDEFGZIade`f")}`],
	/* At the last column xterm.js unwraps a line of the history instead of the next one. */
	[5, () => `\x1b[${pick(["", "0", "D\x1b[1", "2", "2"])}J`], /* Clearing what has scrolled away moves saved cursors in xterm.js: to where depends on how much there was. */
	[1, () => "\x1b[3J\x1b7"], [6, () => `\x1b[${pick(["", "0", "1", "2"])}K`],
	[3, () => `\x1b[${pick(["?", "D\x1b[?1", "?2"])}${pick("JK")}`], [2, () => `\x1b[${rand(3)}"q`],
	[5, () => `\x1b[${number(8)}${pick("@PX")}`], [5, () => `\x1b[${number(6)}${pick("LMST")}`],
	[2, () => `\x1b[${number(5)}${pick([" @", " A", "'}", "'~"])}`],
	[4, () => `\x1b[${number(20)};${number(30)}r`], [1, () => "\x1b[r"],
	[3, () => text() + `\x1b[${rand(40)}b`],
	[3, () => "\x1b7"], [3, () => "\x1b8"], [1, () => "\x1b[s"], [1, () => "\x1b[u"],
	[3, () => "\x1bM"], [2, () => "\x1bD"], [2, () => "\x1bE"], [2, () => "\x1bH"], [2, () => `\x1b[${pick(["0", "3", ""])}g`],
	[5, () => `\x1b[?${pick(modes)}${pick("hl")}`], [2, () => `\x1b[${pick([4, 20])}${pick("hl")}`],
	[3, () => `\x1b[?${pick([1049, 1047, 47, 1048])}${pick("hl")}`], [1, () => pick(["\x1b=", "\x1b>"])],
	[2, () => `\x1b${pick("()*+")}${pick("0AB0B")}`], [2, () => pick(["\x0e", "\x0f", "\x1bn", "\x1bo", "\x1b~"])],
	[2, () => `\x1b[${rand(7)} q`], [1, () => "\x1b#8"], [1, () => "\x1b[!p"], [0.3, () => "\x1bc"],
	[2, () => `\x1b]${pick([0, 1, 2])};${text()}${pick(["\x07", "\x1b\\"])}`],
	[1, () => `\x1b]4;${rand(256)};rgb:${pick(["ff", "10"])}/00/80\x07`], [1, () => `\x1b]${10 + rand(3)};#${100 + rand(800)}\x07`],
	[1, () => pick(["\x1b]104\x07", "\x1b]104;7\x07", "\x1b]110\x07", "\x1b]112\x07"])],
	[2, () => `\x1b]8;${pick(["", "id=1"])};http://example.org/${rand(5)}\x1b\\${text()}\x1b]8;;\x1b\\`],
	[1, () => pick(["\x1bPq#0;2;0;0;0~~\x1b\\", "\x1b_apc\x1b\\", "\x1b^pm\x07x\x1b\\", "\x1bP1$r0m\x1b\\", "\x1b[<1u", "\x1b[>1u", "\x1b[1;2;3%z"])],
	[1, () => pick(["\x18", "\x1a", "\x1b[1\x18", "\x1b]2;abort\x18", "\x9b1m", "\u009b1m", "\u0085", "\u0084", "\u0088", "\x7f", "\x00"])],
	[1, () => pick(["\xc3", "\xe2\x82", "\xf0\x9f", "\xff", "\x80"])],
];
/* Plain lines, as a log has them: what the short cut takes. */
function log() {
	const lines = [];
	for (let n = 1 + rand(120); n > 0; n--)
		lines.push(some(0.3) ? `\x1b[${pick(["1", "32", "0", "", "1;31", "4", "39"])}m` : "", text(), some(0.1) ? "\t" : "", some(0.2) ? `\x1b[m${text()}` : "", "\r\n");
	return lines.join("");
}
ops.push([1, log]);
const total = ops.reduce((sum, [w]) => sum + w, 0);
function program() {
	const parts = [];
	for (let n = 5 + rand(120); n > 0; n--) {
		let w = (rand(100000) / 100000) * total;
		for (const [weight, make] of ops) {
			w -= weight;
			if (w < 0) {
				const s = make();
				/* Characters below 256 that are meant as bytes. */
				parts.push(/^[\x80-\xff]+$/.test(s) && !s.startsWith("\u00e9") && !s.startsWith("\u00df") ? Buffer.from(s, "latin1") : Buffer.from(s));
				break;
			}
		}
	}
	return Buffer.concat(parts);
}

/* ---- the property ---- */

async function check(model, cols, rows, bytes, cut, history, resizes = []) {
	const a = terminal(cols, rows);
	a.resized = resizes.length > 0;
	let at = 0, size = [cols, rows];
	model.send("N", cols, rows);
	const letter = pick("FB");
	const steps = [...resizes.filter((r) => r.at <= cut), { at: cut }];
	for (const step of steps) {
		model.feed(bytes.subarray(at, step.at), letter);
		await write(a, bytes.subarray(at, step.at));
		at = step.at;
		if (step.cols) {
			model.send("R", step.cols, step.rows);
			resize(a, step.cols, step.rows);
			size = [step.cols, step.rows];
		}
	}
	const snap = await model.snapshot();
	const b = terminal(...size);
	b.resized = a.resized;
	/* What it was in the middle of must not matter. */
	await write(b, pick(["", "\x1b]2;unfinished", "\x1b[3", "\x1bPq", "\x1b[?1049h\x1b[5;5r\x1b[?6h\x1b[4h\x0e\x1b(0\x1b[41mjunk"]));
	b.titleNow = "";
	const asked = b.answers.length;
	await write(b, snap.bytes);
	const answered = b.answers.slice(asked).replaceAll("\x1b[I", "").replaceAll("\x1b[O", "");
	if (answered)
		return { d: `the snapshot asks something: ${JSON.stringify(answered)}`, snap };
	const lost = lost_of(a);
	const check = (when, unknown = []) => {
		const d = difference(...[state_of(a, history), state_of(b, history)].map((state) => without(state, unknown)));
		return d ? { d: `${when}${d}`, snap } : null;
	};
	/* An unfinished character belongs to what follows. */
	let d = check("after the snapshot, ");
	if (d)
		return d;
	await write(b, bytes.subarray(at - snap.partial, at));
	for (const step of [...resizes.filter((r) => r.at > cut), { at: bytes.length }]) {
		await write(a, bytes.subarray(at, step.at));
		await write(b, bytes.subarray(at, step.at));
		at = step.at;
		if (step.cols) {
			resize(a, step.cols, step.rows);
			resize(b, step.cols, step.rows);
		}
	}
	d = check("after the rest, ", resizes.some((r) => r.at > cut) ? lost : []);
	a.dispose();
	b.dispose();
	return d;
}

/* At random places, the first one first. */
function some_resizes(n) {
	const at = Array.from({ length: 1 + rand(4) }, () => rand(n + 1)).sort((a, b) => a - b);
	return at.map((at) => ({ at, cols: pick([80, 40, 20, 10, 3, 132, 2 + rand(60)]), rows: pick([24, 10, 5, 2, 1 + rand(30)]) }));
}

async function fuzz(model, seed, n, sizes) {
	for (let i = 0; i < n; i++) {
		state = (seed + i) >>> 0;
		for (let k = 0; k < 5; k++)
			rand(2);
		const cols = pick([80, 40, 20, 10, 3, 132]), rows = pick([24, 10, 5, 2]);
		const bytes = program();
		const cut = some(0.3) ? bytes.length : rand(bytes.length + 1);
		const resizes = sizes ? some_resizes(bytes.length) : [];
		const bad = await check(model, cols, rows, bytes, cut, 4000, resizes);
		if (bad) {
			console.log(`seed ${seed + i}: ${cols}x${rows}, ${bytes.length} bytes cut at ${cut}, ${JSON.stringify(resizes)}: ${bad.d}`);
			for (let k = 1; k <= bytes.length && !process.env.SCREEN_QUICK; k++) {
				const first = await check(model, cols, rows, bytes.subarray(0, k), k, 4000, resizes.filter((r) => r.at <= k));
				if (first) {
					console.log(`first after ${JSON.stringify(bytes.subarray(Math.max(0, k - 150), k).toString())}: ${first.d}`);
					break;
				}
			}
			if (process.env.SCREEN_VERBOSE) {
				console.log("before the cut:", JSON.stringify(bytes.subarray(0, cut).toString("latin1")));
				console.log("after it:", JSON.stringify(bytes.subarray(cut).toString("latin1")));
				console.log("snapshot:", JSON.stringify(bad.snap.bytes.toString("latin1")));
			}
			return 1;
		}
	}
	console.log(`${n} programs from seed ${seed}: the same`);
	return 0;
}

/* A recording: one JSON object {"cols", "rows", "events": [["o", hex], ["r", cols, rows], ...]}. */
async function recording(model, file, cuts) {
	const r = JSON.parse(readFileSync(file, "utf8"));
	const pieces = [], resizes = [];
	let at = 0;
	for (const e of r.events) {
		if (e[0] === "r")
			resizes.push({ at, cols: e[1], rows: e[2] });
		else {
			pieces.push(Buffer.from(e[1], "hex"));
			at += e[1].length / 2;
		}
	}
	const bytes = Buffer.concat(pieces);
	if (at < 1000)
		throw new Error(`${file}: only ${at} bytes`);
	for (let i = 0; i < cuts; i++) {
		const cut = i === 0 ? at : rand(at + 1);
		const bad = await check(model, r.cols, r.rows, bytes, cut, 4000, resizes);
		if (bad) {
			console.log(`${file}: ${at} bytes cut at ${cut}: ${bad.d}`);
			return 1;
		}
	}
	console.log(`${file}: ${at} bytes, ${resizes.length} resizes, ${cuts} cuts: the same`);
	return 0;
}

const [probe, what, ...rest] = process.argv.slice(2);
const model = new Model(probe);
let failed = 0;
if (what === "fuzz" || what === "sizes")
	failed = await fuzz(model, Number(rest[0]), Number(rest[1]), what === "sizes");
else if (what === "recording")
	for (const file of rest.slice(1))
		failed += await recording(model, file, Number(rest[0]));
else
	failed = 1;
model.end();
process.exitCode = failed;
