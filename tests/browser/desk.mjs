/*
 * The page beyond one terminal: the policy of its content, two windows, warnings, networks that are cut, copying, links, the keys on a telephone's
 * screen, settings.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Daemon } from "./daemon.mjs";
import { launch, tap, textOf, untilOn } from "./tap.mjs";

const [top, build] = process.argv.slice(2);
const daemon = new Daemon(top, build);
const shots = join(top, build, "browser");
let browser, page;
const { test, equal, end } = tap("desk", (n) => page?.screenshot({ path: join(shots, `desk-failed-${n}.png`) }));
const until = (what, predicate, on = page) => untilOn(on, what, predicate, 20000);
const sees = (wanted, on = page) => until(`"${wanted}"`, async () => (await textOf(on)).includes(wanted), on);
const carrel = (f, ...more) => page.evaluate(f, ...more);
const shown = (id, on = page) => until(`#${id}`, () => on.locator(`#${id}`).isVisible(), on);
const gone = (id, on = page) => until(`no #${id}`, async () => !(await on.locator(`#${id}`).isVisible()), on);
const size = (on = page) => on.evaluate(() => `${window.carrel.xterm.cols}x${window.carrel.xterm.rows}`);

async function type(line, on = page) {
	await on.locator(".xterm-helper-textarea").focus();
	await on.keyboard.type(line);
	await on.keyboard.press("Enter");
}

/* What a page logs, and what its policy refuses. */
function listen(on, noise) {
	on.on("pageerror", (e) => noise.push(String(e)));
	on.on("console", (m) => m.type() === "error" && noise.push(m.text()));
}

try {
	const tiers = join(daemon.dir, "tiers.yaml");
	mkdirSync(daemon.dir, { recursive: true });
	writeFileSync(tiers, readFileSync(join(top, "config/tiers.yaml"), "utf8").replace("memory: 8Gi", "memory: 64Mi")); // the owner's
	const address = await daemon.start({ more: ["--tiers", tiers] });
	const origin = new URL(address).origin;
	browser = await launch();
	const context = await browser.newContext({ viewport: { width: 1100, height: 700 }, colorScheme: "dark" });
	await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin });
	await context.addInitScript(() => {
		window.refused = [];
		document.addEventListener("securitypolicyviolation", (e) => window.refused.push(`${e.violatedDirective} ${e.sourceFile}:${e.lineNumber}`));
	});
	page = await context.newPage();
	const noise = [];
	listen(page, noise);

	await test("keys that are typed before there is a connection are sent", async () => {
		await page.goto(address);
		await shown("terminal");
		await type("echo early-$((6*7))");
		await sees("early-42");
	});
	await test("the policy allows no style of its own writing, and colours are drawn all the same", async () => {
		const policy = (await (await fetch(`${origin}/`)).headers.get("content-security-policy"));
		equal(policy.includes("unsafe"), false, `"unsafe" in ${policy}`);
		await type("clear; printf '\\033[38;2;1;200;3mtrue%s\\033[0m \\033[31mred%s\\033[0m\\n' colour colour");
		await sees("truecolour");
		const colour = (word) => until(`the colour of ${word}`, () => carrel((w) => {
			const span = [...document.querySelectorAll(".xterm-rows span")].find((s) => s.textContent.includes(w));
			return span && getComputedStyle(span).color;
		}, word));
		equal(await colour("truecolour"), "rgb(1, 200, 3)", "a colour of 24 bits");
		equal(await colour("redcolour"), "rgb(204, 0, 0)", "a colour of the palette");
		equal((await carrel(() => window.refused)).join("\n"), "", "what the policy refused");
		/* The control: a style that somebody smuggles in is refused. */
		const smuggled = await carrel(() => {
			const div = document.createElement("div");
			div.innerHTML = "<style>#desk { color: rgb(9, 9, 9) }</style><p style='color: rgb(9, 9, 9)'>x</p>";
			document.body.append(div);
			return `${getComputedStyle(document.getElementById("desk")).color} ${getComputedStyle(div.querySelector("p")).color}`;
		});
		equal(smuggled.includes("rgb(9, 9, 9)"), false, "a smuggled style in force");
		await until("the refusal", () => carrel(() => window.refused.length >= 2));
		noise.splice(0, noise.length, ...noise.filter((s) => !s.includes("Content Security Policy")));
	});
	await test("a paste of 1 MiB arrives whole", async () => {
		const text = Array.from({ length: 16384 }, (_, i) => `line ${String(i).padStart(6, "0")} ${"p".repeat(51)}`).join("\n") + "\n";
		equal(text.length, 1 << 20, "its length");
		await type("clear; stty -echo; echo ready-$((6*7)); cat > /tmp/pasted; stty echo; sha256sum < /tmp/pasted");
		await sees("ready-42");
		await carrel((t) => window.carrel.xterm.paste(t), text);
		await page.keyboard.press("Control+D");
		await sees(createHash("sha256").update(text).digest("hex"));
	});
	await test("pasted lines are one paste where the program knows pastes", async () => {
		await type("clear; printf '\\033[?2004h'; stty -echo raw; head -c 17 | od -An -c; stty sane; printf '\\033[?2004l'");
		await until("the mode", () => carrel(() => window.carrel.xterm.modes.bracketedPasteMode));
		await carrel(() => navigator.clipboard.writeText("a\nb c"));
		await page.keyboard.press("Control+Shift+V");
		await sees("033   [   2   0   0   ~   a  \\r   b       c 033   [   2   0   1");
		await type("");
	});
	await test("a program copies to the clipboard, and is not told what it holds", async () => {
		await type("clear; printf '\\033]52;c;%s\\a' $(printf 'from the prógram' | base64)");
		await until("the copy", async () => (await carrel(() => navigator.clipboard.readText())) === "from the prógram");
		await type("printf '\\033]52;c;?\\a'; read -t 1 x; echo asked-$((6*7))=$x=");
		await sees("asked-42==");
	});
	await test("an address is a link to another page, which learns nothing of this one", async () => {
		await type("clear; printf 'see http://127.0.0.1:1/%s now\\n' there");
		await sees("see http://127.0.0.1:1/there now");
		await carrel(() => { window.open = (...all) => { window.opened = all.join(" "); return null; }; });
		const at = await carrel(() => {
			const { xterm } = window.carrel, b = xterm.buffer.active, r = document.querySelector(".xterm-screen").getBoundingClientRect();
			let row = 0;
			while (!b.getLine(b.viewportY + row).translateToString(true).startsWith("see http"))
				row++;
			return { x: r.left + (8.5 * r.width) / xterm.cols, y: r.top + ((row + 0.5) * r.height) / xterm.rows };
		});
		await page.mouse.move(at.x, at.y);
		await until("the link", async () => {
			await page.mouse.move(at.x + 3, at.y);
			await page.mouse.click(at.x, at.y);
			return carrel(() => window.opened);
		});
		equal(await carrel(() => window.opened), "http://127.0.0.1:1/there _blank noopener,noreferrer", "what was opened");
	});
	await test("finding tells how many there are; the shortcut leads out of the terminal and Escape back", async () => {
		await type("clear; for i in 1 2 3; do echo ne''edle $i; done");
		await sees("needle 3");
		await page.keyboard.press("Control+Shift+F");
		equal(await carrel(() => document.activeElement.id), "find", "the focus");
		await page.keyboard.type("needle");
		await until("the count", async () => /^\d of 3$/.test(await page.textContent("#found")));
		await page.screenshot({ path: join(shots, "desk-found.png") });
		await page.keyboard.press("Enter");
		await page.keyboard.press("Escape");
		equal(await carrel(() => document.activeElement.className), "xterm-helper-textarea", "the focus");
		equal(await page.textContent("#found"), "", "the count");
	});
	await test("a connection on which nothing comes any more is given up and made anew", async () => {
		await carrel(() => {
			const { carrel } = window;
			window.before = carrel.socket;
			carrel.socket.send = () => {};
			carrel.beat(performance.now() + 20_000);
		});
		equal(await carrel(() => window.carrel.socket === window.before), true, "kept for a while");
		await carrel(() => window.carrel.beat(performance.now() + 60_000));
		await until("another connection", () => carrel(() => window.carrel.socket && window.carrel.socket !== window.before));
		await until("its greeting", async () => (await page.textContent("#status")) === "Connected");
		await type("echo anew-$((40+2))");
		await sees("anew-42");
	});
	await test("keys that are typed while history is replayed are sent, answers to its questions are not", async () => {
		await type("clear; echo asks-$((6*7)); read -s -n 4 x; echo got-$((40+2))=$x=");
		await sees("asks-42");
		await carrel(() => {
			window.carrel.replaying = true;
			window.carrel.xterm.write("\x1b[c\x1b[6n\x1b[>c\x1b[?25$p\x1b]11;?\x07", () => {
				window.carrel.xterm.input("keys");
				window.carrel.replaying = false;
			});
		});
		await sees("got-42=keys=");
	});
	await test("two windows: both type, one takes the pen, the other watches in small letters and takes over", async () => {
		const other = await context.newPage();
		listen(other, noise);
		await other.setViewportSize({ width: 700, height: 500 });
		await other.goto(page.url());
		await shown("pen", other);
		await sees("got-42=keys=", other);
		const small = await size(other);
		await until("the other's size", async () => (await size()) === small);
		await type("echo first-$((6*7))");
		await sees("first-42", other);
		await until("the own size, in both", async () => (await size(other)) === (await size()) && (await size()) !== small);
		const fits = await other.evaluate(() => {
			const screen = document.querySelector(".xterm-screen").getBoundingClientRect(), main = document.querySelector("main").getBoundingClientRect();
			return screen.right <= main.right + 1 && screen.bottom <= main.bottom + 1;
		});
		equal(fits, true, "whether all of a larger terminal is seen");
		await other.screenshot({ path: join(shots, "desk-small-letters.png") });
		equal(await page.textContent("#pen"), "Type alone", "the button");
		await page.click("#pen");
		await until("a watcher", async () => (await other.textContent("#pen")) === "Take over", other);
		await type("echo never-$((6*7))", other);
		await until("a hint", async () => (await other.textContent("#status")).startsWith("Watching"), other);
		await other.setViewportSize({ width: 640, height: 480 });
		const kept = await size();
		await other.click("#pen");
		await until("the other way round", async () => (await page.textContent("#pen")) === "Take over");
		await type("echo second-$((6*7))", other);
		await sees("second-42");
		equal((await textOf(page)).includes("never-42"), false, "what a watcher typed was run");
		equal((await size()) !== kept, true, "the size is the writer's");
		await other.click("#pen");
		await until("both again", async () => (await page.textContent("#pen")) === "Type alone");
		await other.close();
		await type("echo third-$((6*7))");
		await sees("third-42");
	});
	await test("several terminals in one sandbox: opened, switched, ended, kept by a reload", async () => {
		const id = await carrel(() => window.carrel.id), tabs = page.locator("#tabs button:not(.remove):not(#new-terminal)");
		await page.click("#new-terminal");
		await until("a second terminal", () => carrel(() => window.carrel.process !== 1));
		await until("a prompt", async () => /[$#] *$/m.test(await textOf(page)));
		await type("echo beside-$((6*7)); tty; stty size");
		await sees("beside-42");
		const wanted = await carrel(() => `${window.carrel.xterm.rows} ${window.carrel.xterm.cols}`);
		await sees(wanted);
		await page.reload();
		await sees("beside-42");
		equal(await carrel((i) => window.carrel.id === i && window.carrel.process !== 1, id), true, "the same one");
		await until("its tab", async () => (await tabs.count()) === 2);
		await page.screenshot({ path: join(shots, "desk-tabs.png") });
		await type("exit 4");
		await shown("overlay");
		equal(await page.textContent("#overlay-text"), "The program ended with exit code 4.", "its end");
		await page.click("#overlay-back");
		await sees("third-42");
		await until("one tab", async () => (await tabs.count()) === 1);
		await page.click("#new-terminal");
		await until("another", () => carrel(() => window.carrel.process > 2));
		await page.locator("#tabs .remove").click();
		await until("the first", () => carrel(() => window.carrel.process === 1));
		await sees("third-42");
	});
	await test("a warning counts down, and its button gives more time", async () => {
		const id = await carrel(() => window.carrel.id);
		const left = () => carrel(async (i) => (await (await fetch(`/v1/sandboxes/${i}`)).json()).live.lifetime_left_ms, id);
		const notice = (kind) => carrel((k) => {
			const bytes = new TextEncoder().encode(`\x07{"kind":"${k}","seconds_left":59}`);
			window.carrel.socket.onmessage({ data: bytes.buffer });
		}, kind);
		await notice("lifetime");
		await shown("warning");
		equal(/^0:5\d$/.test(await page.textContent("#warning-left")), true, "the time that is left");
		await page.screenshot({ path: join(shots, "desk-warning.png") });
		const before = await left();
		await page.click("#warning-more");
		await gone("warning");
		equal((await left()) >= before, true, "no less than before");
		await notice("idle");
		await shown("warning");
		await type("echo awake-$((6*7))");
		await sees("awake-42");
		await gone("warning");
		await notice("idle");
		await shown("warning");
		await page.click("#warning-more");
		await gone("warning");
		await carrel(() => {
			const bytes = new TextEncoder().encode(`\x07{"kind":"policy","rule":"aws-key"}`);
			window.carrel.socket.onmessage({ data: bytes.buffer });
		});
		equal(await page.textContent("#status"), "Not sent: the policy's rule aws-key forbids it", "a policy's word");
		await until("the state again", async () => (await page.textContent("#status")) === "Connected");
	});
	await test("settings: colours, size of the letters, a screen reader's view; kept by the browser", async () => {
		const before = await size();
		await page.click("#settings-open");
		await page.selectOption("#theme", "light");
		await page.fill("#font-size", "20");
		await page.check("#screen-reader");
		await until("larger letters", async () => (await size()) !== before);
		await page.screenshot({ path: join(shots, "desk-light.png") });
		await page.keyboard.press("Escape");
		await page.reload();
		await shown("pen");
		equal(await carrel(() => [document.documentElement.dataset.theme, window.carrel.xterm.options.fontSize].join()), "light,20", "after a reload");
		await type("echo read-$((6*7))");
		await until("the line for a screen reader", async () => (await page.textContent(".xterm-accessibility")).includes("read-42"));
		const [download] = await Promise.all([page.waitForEvent("download"), page.click("#settings-open").then(() => page.click("#save"))]);
		equal(readFileSync(await download.path(), "utf8").includes("read-42"), true, "the saved text");
		await carrel(() => localStorage.setItem("carrel.settings", '{"theme":7,"fontSize":"x","keys":null}'));
		await page.reload();
		await shown("pen");
		equal(await carrel(() => window.carrel.xterm.options.fontSize), 14, "of settings that are none");
	});
	await test("every control has a name", async () => {
		const nameless = await carrel(() => [...document.querySelectorAll("button, input, select")].filter((e) =>
			!(e.textContent.trim() || e.getAttribute("aria-label") || e.labels?.length) && e.checkVisibility()).map((e) => e.outerHTML));
		equal(nameless.join("\n"), "", "controls without a name");
	});
	await test("a telephone: keys on the screen, Ctrl holds for the next one", async () => {
		const phone = await browser.newContext({ viewport: { width: 390, height: 700 }, hasTouch: true, isMobile: true, storageState: await context.storageState() });
		const small = await phone.newPage();
		listen(small, noise);
		await small.goto(page.url());
		await shown("keys", small);
		await shown("pen", small);
		await type("clear; cat -v", small);
		const tap = (name) => small.locator("#keys").getByRole("button", { name, exact: true }).tap();
		await tap("Escape");
		await tap("Up");
		await tap("Pipe");
		await small.keyboard.press("Enter");
		await sees("^[^[[A|", small);
		await tap("Control");
		await small.screenshot({ path: join(shots, "desk-telephone.png") });
		await small.keyboard.type("c");
		await small.keyboard.type("echo ended-$((6*7))");
		await small.keyboard.press("Enter");
		await sees("ended-42", small);
		await phone.close();
	});
	await test("an end for want of memory says whose limit it was", async () => {
		const before = await carrel(() => window.carrel.id);
		await page.click("#new");
		await until("another sandbox", () => carrel((id) => window.carrel.id !== id, before));
		await until("a prompt", async () => /[$#] *$/m.test(await textOf(page)));
		await type("exec tail /dev/zero");
		await shown("overlay");
		await until("the account", async () => /MiB of memory/.test(await page.textContent("#overlay-more")));
		equal(/killed for want of memory, the limit is 64 MiB/.test(await page.textContent("#overlay-more")), true, await page.textContent("#overlay-more"));
		await page.screenshot({ path: join(shots, "desk-oom.png") });
	});
	await test("a window that comes back after the end is told of it", async () => {
		const before = await carrel(() => window.carrel.id);
		await page.click("#new");
		await until("another sandbox", () => carrel((id) => window.carrel.id !== id, before));
		await until("a prompt", async () => /[$#] *$/m.test(await textOf(page)));
		const id = await carrel(() => window.carrel.id);
		/* It hears nothing of the end. */
		await type("sleep 1; exit 5");
		await carrel(() => {
			const { carrel } = window, { socket } = carrel;
			socket.onmessage = socket.onclose = null;
			socket.close();
			window.again = () => carrel.lost(1006);
		});
		await until("the end", () => carrel(async (i) => (await (await fetch(`/v1/sandboxes/${i}`)).json()).state === "ended", id));
		await carrel(() => window.again());
		await shown("overlay");
		equal(await page.textContent("#overlay-text"), "The program ended with exit code 5.", "the overlay");
	});
	await test("a session that is over asks for a key", async () => {
		await context.clearCookies();
		await page.click("#new");
		await shown("login");
		equal(await page.textContent("#problem"), "Your session is over: sign in again.", "what it says");
	});
	await test("the page logs no error of its own", async () => {
		equal(noise.filter((s) => !/status of 401|WebSocket connection/.test(s)).join("\n"), "", "errors");
	});
} catch (error) {
	await test("set up", () => { throw error; });
} finally {
	await browser?.close();
	await daemon.stop().catch(() => {});
	daemon.remove();
	end();
}
