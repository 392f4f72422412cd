/*
 * What the tests in a browser share: TAP, Chromium, and the terminal's text.
 */
import { chromium } from "playwright-core";

/* `failing` is called with the test's number before the next one begins. */
export function tap(area, failing = () => {}) {
	let count = 0, failed = 0;
	return {
		async test(name, body) {
			count++;
			try {
				await body();
				console.log(`ok ${count} ${area}: ${name}`);
			} catch (error) {
				failed++;
				console.log(`not ok ${count} ${area}: ${name}`);
				console.log(String(error.stack ?? error).replace(/^/gm, "# "));
				await Promise.resolve(failing(count)).catch(() => {});
			}
		},
		equal(actual, wanted, what) {
			if (actual !== wanted)
				throw new Error(`${what}: ${JSON.stringify(actual)} instead of ${JSON.stringify(wanted)}`);
		},
		end() {
			console.log(`1..${count}`);
			process.exit(failed ? 1 : 0);
		},
	};
}

export const launch = () => chromium.launch({
	executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
	args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync"],
});

/* The terminal's text, history included, lines joined where xterm.js wrapped them. */
export const textOf = (page) => page.evaluate(() => {
	const buffer = window.carrel?.xterm.buffer.active;
	if (!buffer)
		return "";
	let s = "";
	for (let i = 0; i < buffer.length; i++) {
		const line = buffer.getLine(i);
		s += (line.isWrapped ? "" : "\n") + line.translateToString(true);
	}
	return s;
});

/* As long as anything may take on a machine that is busy with other things. */
export const PATIENCE_MS = 60000;

export async function untilOn(page, what, predicate, ms = PATIENCE_MS) {
	const end = Date.now() + ms;
	let last;
	while (Date.now() < end) {
		last = await predicate();
		if (last)
			return last;
		await page.waitForTimeout(50);
	}
	throw new Error(`${what} did not happen in ${ms} ms; the terminal shows:\n${await textOf(page)}`);
}
