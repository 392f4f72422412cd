/*
 * The page as a person uses it: sign in by the first-use address, type, see, resize, reload, survive a killed daemon, leave.
 */
import { join } from "node:path";
import { Daemon } from "./daemon.mjs";
import { PATIENCE_MS, launch, tap, textOf, untilOn } from "./tap.mjs";

const [top, build] = process.argv.slice(2);
const daemon = new Daemon(top, build);
const shots = join(top, build, "browser");
let browser, page;
const { test, equal, end } = tap("page", (n) => page?.screenshot({ path: join(shots, `failed-${n}.png`) }));
const text = () => textOf(page);
const until = (what, predicate, ms) => untilOn(page, what, predicate, ms);
const sees = (wanted, ms) => until(`"${wanted}"`, async () => (await text()).includes(wanted), ms);

async function type(line) {
	await page.locator(".xterm-helper-textarea").focus();
	await page.keyboard.type(line);
	await page.keyboard.press("Enter");
}

const size = () => page.evaluate(() => [window.carrel.xterm.cols, window.carrel.xterm.rows]);
const prompt = () => until("a prompt", async () => /[$#] *$/m.test(await text()));

/* Typed again until it is answered: what is typed while something else is going on may be lost, and the size may change meanwhile. */
const answered = (what, line, wanted) => until(what, async () => {
	const answer = await wanted();
	await type(line);
	return sees(answer, 2000).then(() => true, () => false);
});
const programKnowsSize = () => answered("the program's size", "echo now $(stty size)", async () => {
	const [cols, rows] = await size();
	return `now ${rows} ${cols}`;
});

try {
	const address = await daemon.start();
	const origin = new URL(address).origin;
	browser = await launch();
	const context = await browser.newContext({ viewport: { width: 1100, height: 700 } });
	await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin });
	page = await context.newPage();
	page.setDefaultTimeout(PATIENCE_MS);
	const noise = [];
	page.on("pageerror", (e) => noise.push(String(e)));
	page.on("console", (m) => m.type() === "error" && noise.push(m.text()));

	await test("the first-use address opens a shell in a sandbox", async () => {
		await page.goto(address);
		await page.waitForSelector(".xterm-screen");
		await prompt();
		equal(page.url().includes("key="), false, "the key stays in the address");
	});
	await test("a typed command shows its output", async () => {
		await type("echo sum=$((40+2)); id -u; tty");
		await sees("sum=42");
		await sees("/dev/");
		await page.screenshot({ path: join(shots, "terminal.png") });
	});
	await test("the program knows the size, before and after a resize of the window", async () => {
		await programKnowsSize();
		const [cols] = await size();
		await page.setViewportSize({ width: 800, height: 520 });
		await until("another size", async () => (await size())[0] < cols);
		await programKnowsSize();
	});
	await test("a window as narrow as a telephone shows every control and most of the terminal", async () => {
		const before = page.viewportSize();
		await page.setViewportSize({ width: 360, height: 640 });
		for (const id of ["status", "find", "copy", "logout", "new", "list", "terminal"]) {
			let box;
			await until(`#${id} inside the window`, async () => {
				box = await page.locator(`#${id}`).boundingBox();
				return box && box.x >= 0 && box.x + box.width <= 360 && box.y + box.height <= 640;
			}).catch(() => { throw new Error(`#${id} is at ${JSON.stringify(box)}`); });
		}
		await until("a terminal of the window's width", async () => (await size())[0] >= 38);
		await page.screenshot({ path: join(shots, "narrow.png") });
		await page.setViewportSize(before);
		await until("the size as before", async () => (await size())[0] > 60);
	});
	await test("a character that comes in two pieces is shown", async () => {
		// xterm.js itself loses this one, whose second byte is 0x80.
		await type("printf '<\\342\\200'; sleep 0.5; printf '\\225%s\\n' '>'");
		await sees("<\u2015>");
	});
	await test("a row shows an underscore", async () => {
		// The line that is typed does not hold what is looked for.
		await type("clear; printf '\\n____%s____\\n' ____");
		await sees("____________");
		// Its pixels, which a row that is too low cuts off: xterm.js draws a row after the other.
		const lit = async () => {
			const clip = await page.evaluate(() => {
				const { xterm } = window.carrel, { buffer: { active }, rows } = xterm;
				const screen = document.querySelector(".xterm-screen").getBoundingClientRect();
				let row = 0;
				while (row < rows - 1 && active.getLine(active.viewportY + row).translateToString(true) !== "____________")
					row++;
				return { x: screen.left, y: screen.top + row * screen.height / rows, width: 60, height: screen.height / rows };
			});
			const png = await page.screenshot({ clip });
			return page.evaluate(async (data) => {
				const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], { type: "image/png" }));
				const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
				canvas.getContext("2d").drawImage(bitmap, 0, 0);
				const { data: px } = canvas.getContext("2d").getImageData(0, 0, bitmap.width, bitmap.height);
				let n = 0;
				for (let i = 0; i < px.length; i += 4)
					n += px[i] > 100 ? 1 : 0;
				return n;
			}, png.toString("base64"));
		};
		// What has come is drawn some frames later.
		await until("40 lit pixels", async () => await lit() >= 40);
	});
	await test("Ctrl-C ends a flood", async () => {
		await type("yes flood");
		await sees("flood\nflood");
		await page.keyboard.press("Control+C");
		await prompt();
		await type("echo after the $((20+1))st");
		await sees("after the 21st");
	});
	await test("a selection is copied", async () => {
		await page.evaluate(() => window.carrel.xterm.selectAll());
		await page.click("#copy");
		/* Written to by a promise that the click does not wait for. */
		await until("a clipboard with the selection", async () =>
			(await page.evaluate(() => navigator.clipboard.readText())).includes("after the 21st"));
	});
	await test("a reload shows the history again", async () => {
		await type("clear; echo kept across $((3*7)) reloads");
		await sees("kept across 21 reloads");
		await page.reload();
		await page.waitForSelector(".xterm-screen");
		await sees("kept across 21 reloads");
		await page.screenshot({ path: join(shots, "reloaded.png") });
	});
	await test("a killed daemon loses no byte and no program", async () => {
		await type("for i in $(seq 1 40); do echo tick-$i; sleep 0.1; done; echo all-$((6*7))");
		await sees("tick-3");
		await daemon.stop("SIGKILL");
		await daemon.start({ firstUse: false });
		await sees("all-42");
		const ticks = [...(await text()).matchAll(/^tick-(\d+)$/gm)].map((m) => Number(m[1]));
		equal(JSON.stringify(ticks), JSON.stringify(Array.from({ length: 40 }, (_, i) => i + 1)), "the ticks");
	});
	await test("a connection that breaks resumes where it was", async () => {
		await page.evaluate(() => { window.carrel.socket.close(); });
		// What is typed meanwhile is sent as soon as there is a connection, and whole.
		await type("echo resumed-$((50+5))");
		await sees("resumed-55");
		equal((await text()).split("syntax error").length - 1, 0, "lines of which a part was lost");
		equal((await text()).split("all-42").length - 1, 1, "times that old output is shown");
	});
	await test("the exit reason is shown", async () => {
		await type("exit 3");
		await page.waitForSelector("#overlay:not([hidden])");
		equal(await page.textContent("#overlay-text"), "The program ended with exit code 3.", "the overlay");
		await page.screenshot({ path: join(shots, "ended.png") });
	});
	await test("a new sandbox from the overlay, ended from the list", async () => {
		const before = page.url();
		await page.click("#overlay-new");
		await until("another sandbox", () => page.url() !== before);
		const id = page.url().replace(/.*#s=/, "");
		await prompt();
		/* The list follows a moment later, and until then the one that has ended is its current one. */
		await page.click(`#list .current .name[title^="${id}"] ~ .remove`);
		await page.waitForSelector("#empty:not([hidden])");
		await until("an empty list", async () => await page.locator("#list li").count() === 0);
	});
	await test("the first-use key works once", async () => {
		const other = await (await browser.newContext()).newPage();
		other.setDefaultTimeout(PATIENCE_MS);
		await other.goto(address);
		await other.waitForSelector("#login:not([hidden])");
	});
	await test("the page logs no error of its own", async () => {
		const own = noise.filter((s) => !/ERR_CONNECTION_REFUSED|WebSocket connection|status of (401|404|410|50\d)/.test(s));
		equal(own.join("\n"), "", "errors");
	});
} catch (error) {
	await test("set up", () => { throw error; });
} finally {
	await browser?.close();
	await daemon.stop().catch(() => {});
	daemon.remove();
	end();
}
