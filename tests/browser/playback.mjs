/*
 * Recordings in the page: the parser and the clock by themselves, then a recorded sandbox in the player.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Daemon } from "./daemon.mjs";
import { PATIENCE_MS, launch, tap, textOf, untilOn } from "./tap.mjs";

const [top, build] = process.argv.slice(2);
const out = join(top, build, "browser");
let browser, page;
const { test, equal, end } = tap("playback", (n) => page?.screenshot({ path: join(out, `failed-playback-${n}.png`) }));
const text = () => textOf(page);
const until = (what, predicate) => untilOn(page, what, predicate);

async function module(name) {
	const { buildSync } = createRequire(join(top, build, "web-build", "package.json"))("esbuild");
	const outfile = join(out, `${name}.bundle.mjs`);
	buildSync({ entryPoints: [join(top, "sessiond/web/src", `${name}.ts`)], bundle: true, format: "esm", outfile });
	return import(pathToFileURL(outfile));
}

const HEAD = '{"version": 3, "term": {"cols": 90, "rows": 30}, "title": "<b>t</b>"}\n';

async function modules() {
	const { Cast, CastError, clockText, exitText } = await module("cast");
	const { Playhead } = await module("playhead");
	const cast = (content, step = content.length || 1) => {
		const c = new Cast();
		for (let i = 0; i < content.length; i += step)
			c.push(content.slice(i, i + step));
		c.finish();
		return c;
	};
	const kinds = (c) => c.events.map((e) => `${e.kind}:${e.data}`).join(" ");
	const refused = (content) => {
		try {
			cast(content);
		} catch (error) {
			if (error instanceof CastError)
				return error.message;
			throw error;
		}
		return "it was accepted";
	};

	await test("events and their times are the same however the stream is cut", () => {
		const content = `${HEAD}# a comment\n[0.5, "o", "a\\n"]\n\n[10, "r", "100x40"]\n[0.25, "m", "here"]\n[1, "x", "3"]\n[1, "o", "half`;
		for (const step of [1, 7, 64, content.length]) {
			const c = cast(content, step);
			equal(kinds(c), "o:a\n r:100x40 m:here x:3", `events in pieces of ${step}`);
			equal(String(c.full), "0.5,10.5,10.75,11.75", "times");
			equal(String(c.short), "0.5,2.5,2.75,3.75", "times with short silences");
			equal(`${c.header.cols} ${c.header.rows} ${c.header.title} ${c.broken}`, "90 30 <b>t</b> 0", "header");
		}
	});
	await test("what is no header of version 3 is refused by a sentence", () => {
		equal(refused('{"version": 2, "width": 80, "height": 24}\n'),
			"This recording cannot be played: it is asciicast of version 2, where version 3 is needed.", "version 2");
		for (const line of ["<html>", "null", "[1]", '"3"', '{"version": "3"}'])
			equal(refused(`${line}\n`),
				"This recording cannot be played: its first line is no asciicast header, where version 3 is needed.", line);
		for (const content of ["", "# only a comment\n"])
			equal(refused(content), "The recording is empty: its first line, which tells the terminal's size, is missing.", content);
		equal(cast('{"version": 3, "term": {"cols": 1e9, "rows": -1}}\n').header.cols, 80, "columns of a header out of bounds");
	});
	await test("broken lines are counted and left out", () => {
		const lines = ["[", '{"a": 1}', "7", '["1", "o", "x"]', '[NaN, "o", "x"]', '[-1, "o", "x"]', '[1e999, "o", "x"]', "[1]",
			'[1, 2, "x"]', '[1, "o", null]', '[1, "r", "0x0"]', '[1, "r", "80"]', '[1, "r", "9999x9999"]', "\u0000"];
		const c = cast(`${HEAD}${lines.join("\n")}\n[1, "o", "good"]\n`);
		equal(`${kinds(c)} ${c.full} ${c.broken}`, `o:good 1 ${lines.length}`, "events, times, broken lines");
		const long = cast(`${HEAD}[1, "o", "${"x".repeat(5 << 20)}"]\n[1, "o", "after"]\n`, 65536);
		equal(`${kinds(long)} ${long.broken}`, "o:after 1", "after a line that is too long");
	});
	await test("unknown kinds are left out, their time passes; huge times stay numbers", () => {
		const c = cast(`${HEAD}[1, "o", "a"]\n[1, "i", "typed"]\n[1, "__proto__", "x"]\n[1, "o", "b"]\n`);
		equal(`${kinds(c)} ${c.full} ${c.broken}`, "o:a o:b 1,4 0", "events, times, broken lines");
		const huge = cast(`${HEAD}${'[1e308, "o", "x"]\n'.repeat(3)}[1, "x", "0"]\n`);
		equal(String(huge.full), "1000000,2000000,3000000,3000001", "huge times");
		equal(huge.duration(true), 7, "with short silences");
	});
	await test("a flood becomes few events, and none changes once it could have been played", () => {
		const c = new Cast();
		c.push(`${HEAD}[1, "o", "a"]\n[0, "o", "b"]\n`);
		c.push('[0, "o", "c"]\n[0, "o", "d"]\n');
		equal(kinds(c), "o:ab o:cd", "events");
	});
	await test("slices end at their limit and at a change of size; a moment is found on both time lines", () => {
		const c = cast(`${HEAD}[1, "o", "aaaa"]\n[9, "o", "bbbb"]\n[1, "r", "10x5"]\n[1, "o", "cc"]\n`);
		equal(JSON.stringify(c.slice(0, 4, 4)), '{"text":"aaaa","next":1}', "by limit");
		equal(JSON.stringify(c.slice(0, 4, 100)), '{"text":"aaaabbbb","next":3,"resize":{"cols":10,"rows":5}}', "by size");
		equal(JSON.stringify(c.slice(3, 4, 100)), '{"text":"cc","next":4}', "the rest");
		equal([-1, 0.9, 1, 9.9, 10, 99].map((s) => c.countAt(s, false)).join(), "0,0,1,1,2,4", "events by then");
		equal([0.5, 2, 8, 10, 12].map((s) => c.translate(s, true)).join(), "0.5,2,3,3,5", "to short silences");
		equal([0.5, 2, 3, 5].map((s) => c.translate(s, false)).join(), "0.5,2,10,12", "from short silences");
	});
	await test("the clock: speed, seeking, a limit that grows, what is not a number", () => {
		let now = 0;
		const head = new Playhead(() => now);
		head.setLimit(10);
		head.play();
		now = 2000;
		equal(head.position(), 2, "after 2 s");
		head.setSpeed(4);
		now = 3000;
		equal(head.position(), 6, "after one more at 4x");
		head.setSpeed(3);
		equal(head.speed, 4, "a speed that is none");
		head.stepSpeed(1);
		equal(head.speed, 4, "past the last speed");
		now = 60000;
		equal(`${head.position()} ${head.atEnd()}`, "10 true", "at the limit");
		head.setLimit(20);
		now = 61000;
		equal(head.position(), 14, "on from the limit, not from the clock");
		head.seek(NaN);
		head.setLimit(NaN);
		equal(head.position(), 14, "after NaN");
		head.seek(-5);
		head.pause();
		now = 90000;
		equal(head.position(), 0, "paused at the start");
		equal([0, 61.9, 3600, NaN].slice(0, 3).map(clockText).join(), "0:00,1:01,1:00:00", "times as text");
		equal([exitText("3"), exitText("137"), exitText("<b>")].join(" "),
			"The program ended with exit code 3. The program was ended by signal 9. The program ended.", "exits");
	});
}

const player = (f, ...more) => page.evaluate(f, ...more);
const settled = () => until("a settled player", () => player(() => window.carrel.loaded && window.carrel.settled()));
const size = () => player(() => `${window.carrel.xterm.cols}x${window.carrel.xterm.rows}`);
const seek = async (to) => {
	await player((at) => window.carrel.seek(at), to);
	await settled();
};

/* It waits for the window's size, and tells it. */
const SCRIPT = "echo first-$((6*7)); read a; printf 'second\\n\\033[31mred\\033[0m <img src=x onerror=alert(1)>\\n'; stty size; exit 3";

/* Goes on whenever the next file is there. */
const GROWS = "say() { until [ -e /tmp/go$1 ]; do sleep 0.05; done; }; echo one-$((6*7)); say 1; echo two-$((6*7)); say 2; sleep 1; " +
	"echo three-$((6*7)); say 3; exit 6";

async function pagePart() {
	const daemon = new Daemon(top, build);
	try {
		const tiers = join(daemon.dir, "tiers.yaml");
		mkdirSync(daemon.dir, { recursive: true });
		writeFileSync(tiers, readFileSync(join(top, "config/tiers.yaml"), "utf8")
			.replace(/^ {4}creations_per_hour: .*/gm, "$&\n    recording: 1Mi"));
		const address = await daemon.start({ more: ["--tiers", tiers] });
		const origin = new URL(address).origin;
		browser = await launch();
		page = await (await browser.newContext({ viewport: { width: 900, height: 600 } })).newPage();
		page.setDefaultTimeout(PATIENCE_MS);
		const noise = [];
		page.on("pageerror", (e) => noise.push(String(e)));
		page.on("console", (m) => m.type() === "error" && noise.push(m.text()));
		page.on("dialog", (d) => { noise.push("a dialog"); void d.dismiss(); });
		let id;

		await test("a sandbox that is recorded ends, and its recording is offered", async () => {
			await page.goto(address);
			await until("the first sandbox", () => player(() => Boolean(window.carrel?.xterm)));
			id = await player(async (script) => {
				const answer = await fetch("/v1/sandboxes", { method: "POST", headers: { "Content-Type": "application/json" },
					body: JSON.stringify({ command: ["sh", "-c", script], cols: 60, rows: 20 }) });
				return (await answer.json()).id;
			}, SCRIPT);
			await page.goto(`${origin}/#s=${id}`);
			await until("the first line", async () => (await text()).includes("first-42"));
			await until("the window's size", async () => (await size()) !== "60x20");
			await page.locator(".xterm-helper-textarea").focus();
			await page.keyboard.press("Enter");
			await page.waitForSelector("#overlay:not([hidden])");
			await page.waitForSelector("#overlay-play:not([hidden])");
			await page.click("#overlay-play");
			await page.waitForSelector("#player:not([hidden])");
			equal(page.url(), `${origin}/#play=${id}`, "the address");
		});
		let last;
		await test("played to its end it shows what was there, in the size that it had, the markup as text", async () => {
			await settled();
			await seek(1e9);
			last = await text();
			for (const wanted of ["first-42", "second", "red <img src=x onerror=alert(1)>"])
				if (!last.includes(wanted))
					throw new Error(`"${wanted}" is missing in ${last}`);
			const [cols, rows] = (await size()).split("x");
			if (!last.includes(`${rows} ${cols}`))
				throw new Error(`the terminal has ${cols}x${rows}, the program said: ${last}`);
			equal(await page.locator("#player img").count(), 0, "images in the page");
			const marks = (await page.locator("#marks button.past").allTextContents()).map((s) => s.replace(/^\S+ /, ""));
			equal(marks.join(), "The program ended with exit code 3.", "the marks");
			await page.screenshot({ path: join(out, "player.png") });
		});
		await test("seeking back starts again in the first size, and forward comes to the same end", async () => {
			await player(() => window.carrel.head.pause());
			await page.focus("#player");
			await seek(0);
			equal(await size(), "60x20", "the size at the start");
			equal((await text()).includes("second"), false, "the end's text at the start");
			for (let i = 0; i < 200 && !(await page.locator("#marks button.past").count()); i++)
				await page.keyboard.press("ArrowRight");
			await settled();
			equal(await text(), last, "the text at the end");
			await page.keyboard.press("ArrowLeft");
			await page.keyboard.press("<");
			equal(await page.inputValue("#speed"), "0.5", "the speed after <");
			await page.keyboard.press(">");
			await page.keyboard.press(">");
			equal(await page.inputValue("#speed"), "2", "the speed after > and >");
			await page.click("#marks button");
			await settled();
			equal(await text(), last, "the text at the mark");
		});
		await test("it plays by itself, by the space bar, and stops at the end", async () => {
			await page.focus("#player");
			equal(await page.textContent("#play"), "Play", "the button of a player at its end");
			/* In one step, since the recording may be short: what a space bar begins. */
			const begun = await player(() => {
				document.getElementById("player").dispatchEvent(new KeyboardEvent("keydown", { key: " ", bubbles: true }));
				return `${document.getElementById("play").textContent} ${window.carrel.position() < window.carrel.duration()}`;
			});
			equal(begun, "Pause true", "the button, and whether it is before the end");
			await until("the end", async () => (await page.textContent("#play")) === "Play" && (await text()) === last);
			const before = await player(() => window.carrel.duration());
			await page.click("#idle");
			if (!(await player(() => window.carrel.duration()) >= before))
				throw new Error("with its silences it is shorter");
		});
		await test("a recording that grows is followed at its end, by who plays there", async () => {
			const call = (path, body) => player(async ([to, what]) => {
				const answer = await fetch(to, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(what) });
				return answer.json();
			}, [path, body]);
			const growing = (await call("/v1/sandboxes", { command: ["sh", "-c", GROWS], cols: 60, rows: 20 })).id;
			const go = (n) => call(`/v1/sandboxes/${growing}/exec`, { command: ["touch", `/tmp/go${n}`] });
			const state = () => player(() => [window.carrel.live, window.carrel.following()].join());
			const shows = async (word) => (await text()).includes(word);
			await page.goto(`${origin}/#play=${growing}`);
			await until("the end so far", async () => (await shows("one-42")) && (await state()) === "true,true");
			equal(await page.textContent("#play"), "Pause", "the button at the end of what grows");
			await go(1);
			await until("what came", () => shows("two-42"));
			equal(await page.getAttribute("#live", "aria-pressed"), "true", "the live button");
			await page.screenshot({ path: join(out, "player-live.png") });
			/* Paused, it grows and nothing is shown. */
			await page.click("#play");
			const before = await player(() => window.carrel.duration());
			await go(2);
			await until("more of it", () => player((d) => window.carrel.duration() > d, before));
			equal(`${await state()} ${await shows("three-42")}`, "true,false false", "paused");
			await seek(0);
			equal(await shows("two-42"), false, "the end's text at the start");
			await page.click("#live");
			await until("now", async () => (await shows("three-42")) && (await state()) === "true,true");
			await go(3);
			await until("its end", async () => (await page.textContent("#play")) === "Play" && !(await page.isVisible("#live")));
			const marks = (await page.locator("#marks button.past").allTextContents()).map((s) => s.replace(/^\S+ /, ""));
			equal(marks.join(), "The program ended with exit code 6.", "the marks");
			await page.click("#player-close");
			await page.goto(`${origin}/#play=${id}`);
			await page.waitForSelector("#player:not([hidden])");
			await settled();
		});
		await test("a window as narrow as a telephone shows every control", async () => {
			await page.setViewportSize({ width: 360, height: 640 });
			for (const part of ["play", "seek", "time", "speed", "idle", "player-close", "player-screen"]) {
				let box;
				await until(`#${part} inside the window`, async () => {
					box = await page.locator(`#${part}`).boundingBox();
					return box && box.x >= 0 && box.x + box.width <= 360 && box.y + box.height <= 640;
				}).catch(() => { throw new Error(`#${part} is at ${JSON.stringify(box)}`); });
			}
			await page.screenshot({ path: join(out, "player-narrow.png") });
			await page.setViewportSize({ width: 1100, height: 700 });
		});
		await test("8 MB do not hold the page up, also with lines that are no events", async () => {
			const line = `[0.001, "o", ${JSON.stringify("\u001b[32mx".repeat(200) + "\r\n")}]\n`;
			const body = HEAD + (line.repeat(50) + '[1, "o"\n').repeat(Math.ceil((8 << 20) / (line.length * 50))) + '[0, "o", "the-end"]\n[0, "x", "0"]\n';
			await page.route("**/recording", (route) => route.fulfill({ contentType: "application/x-asciicast", body }));
			await player(() => {
				window.worst = 0;
				window.began = performance.now();
				let before = window.began;
				setInterval(() => {
					const now = performance.now();
					window.worst = Math.max(window.worst, now - before);
					before = now;
				}, 10);
			});
			await page.locator("#list .play").first().click();
			await until("the recording", () => player(() => window.carrel.loaded && window.carrel.cast.broken > 10));
			await player(() => window.carrel.seek(1e9));
			await until("the end of 8 MB", async () => (await player(() => window.carrel.settled())) && (await text()).includes("the-end"));
			const [worst, total] = await player(() => [window.worst, performance.now() - window.began].map(Math.round));
			console.log(`# the page stood still for ${worst} ms at most, of ${total}`);
			/* A slow machine has pauses as well: all in one go is what must not be. */
			if (worst > 1000 && worst > total / 3)
				throw new Error(`the page stood still for ${worst} ms of ${total}`);
			await page.unroute("**/recording");
		});
		await test("what cannot be played says so; a closed player goes back to the list", async () => {
			await page.goto(`${origin}/#play=aaaaaaaaaaaaaaaaaaaaaaaaaa`);
			await page.waitForSelector("#problem:not([hidden])");
			await page.click("#player-close");
			await page.waitForSelector("#empty:not([hidden])");
			await page.locator(`#list li[data-state="ended"] .name`).first().click();
			await page.waitForSelector("#player:not([hidden])");
			await settled();
			await page.click("#player-close");
			const ended = page.locator(`#list li[data-state="ended"]`);
			for (let left = await ended.count(); left > 0; left--) {
				await ended.locator(".remove").first().click();
				await until("a list without it", async () => (await ended.count()) === left - 1);
			}
		});
		await test("the page logs no error of its own", async () => {
			equal(noise.filter((s) => !/WebSocket connection|status of (404|410)/.test(s)).join("\n"), "", "errors");
		});
	} catch (error) {
		await test("set up", () => { throw error; });
	} finally {
		await browser?.close();
		await daemon.stop().catch(() => {});
		daemon.remove();
	}
}

await modules();
await pagePart();
end();
