/*
 * The page: sign in, the list of one's sandboxes, one terminal or one recording at a time.
 *
 * The address may carry `#key=…`, the first-use key: it is exchanged for a session cookie that scripts cannot read and
 * removed from the address at once. `#s=ID` (with `&p=N`: a further terminal of it) names the open sandbox, `#play=ID` the recording, so that a reload comes back to it.
 */
import "./rules";
import "@xterm/xterm/css/xterm.css";
import "./page.css";
import * as api from "./api";
import { Controls } from "./controls";
import { Keys } from "./keys";
import { Player } from "./player";
import { change, settings } from "./settings";
import { Tabs } from "./tabs";
import { type Listener, type Status, TerminalView } from "./terminal";
import { Warning } from "./warning";
import { textIn } from "./xterm";

const $ = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
let view: TerminalView | Player | null = null;
const controls = new Controls(() => void back());
const warning = new Warning(complain);
const keys = new Keys($("keys"));
const tabs = new Tabs($("tabs"), open, complain);

function show(section: "login" | "desk"): void {
	$("login").hidden = section !== "login";
	$("desk").hidden = section !== "desk";
}

function complain(problem: unknown): void {
	const bar = $("problem");
	bar.textContent = problem instanceof Error ? problem.message : String(problem);
	bar.hidden = false;
	window.setTimeout(() => { bar.hidden = true; }, 8000);
}

function fragment(): URLSearchParams {
	return new URLSearchParams(location.hash.slice(1));
}

function status(s: Status): void {
	const line = $("status");
	line.dataset.kind = s.kind;
	if (s.text)
		line.textContent = s.text;
	if (s.rtt !== undefined)
		$("rtt").textContent = `${s.rtt.toFixed(1)} ms`;
	$("overlay").hidden = s.kind !== "ended";
	$("overlay-play").hidden = true;
	if (s.kind !== "open") {
		$("pen").hidden = true;
		warning.hide();
	}
	if (s.kind === "ended") {
		$("overlay-text").textContent = s.text;
		$("overlay-back").hidden = first();
		$("overlay-new").hidden = !first();
		$("overlay-more").textContent = "";
		$("rtt").textContent = "";
		void refresh().catch(complain);
		if (view && first())
			void account(view.id);
		else
			void tabs.refresh();
	}
}

/* The first terminal's end is the sandbox's. */
const first = () => !(view instanceof TerminalView) || view.process === 1;

const mib = (bytes: number) => `${(bytes / 1048576).toFixed(bytes < 10485760 ? 1 : 0)} MiB`;

/* What it used, and whose memory limit was met: known a moment after its last byte. */
async function account(id: string): Promise<void> {
	for (let i = 0; i < 20 && view?.id === id; i++) {
		const exit = await api.get(id).then((s) => s.exit, () => null);
		if (exit === null || view?.id !== id)
			return;
		if (exit) {
			const { oom, usage } = exit;
			const killed = oom ? `${oom.kills === 1 ? "1 process was" : `${oom.kills} processes were`} killed for want of memory, ${
				oom.own_limit ? `the limit is ${mib(oom.limit)}` : "of which the host had too little"}. ` : "";
			$("overlay-more").textContent = `${killed}${(usage.cpu_ns / 1e9).toFixed(1)} s of processor time, at most ${mib(usage.memory_peak)} of memory.`;
			return;
		}
		await new Promise((done) => setTimeout(done, 250));
	}
}

function role(writer: boolean, alone: boolean): void {
	const button = $("pen");
	button.hidden = false;
	button.textContent = !writer ? "Take over" : alone ? "Let others type" : "Type alone";
	button.title = !writer ? "Another window types; type here instead" : alone ? "Other windows may type again" : "Other windows only watch";
}

const listener: Listener = {
	status,
	role,
	warn: (kind, seconds) => view && warning.show(view.id, kind, seconds),
	typed: () => warning.typed(),
	title: (text) => { document.title = text ? `${text.slice(0, 100)} – Carrel` : "Carrel"; },
	found: (text) => { $("found").textContent = $<HTMLInputElement>("find").value ? text : ""; },
	keys: (text) => keys.apply(text),
};

/* Closes what is open and makes room for something else. */
function stage(what: "terminal" | "player" | "empty"): void {
	view?.close();
	view = null;
	controls.attach(null);
	$("terminal").replaceChildren();
	$("player-screen").replaceChildren();
	$("overlay").hidden = true;
	$("terminal").hidden = what !== "terminal";
	$("player").hidden = what !== "player";
	$("empty").hidden = what !== "empty";
	$("status").textContent = "";
	$("rtt").textContent = "";
	$("pen").hidden = true;
	$("found").textContent = "";
	$("keys").hidden = what !== "terminal";
	document.title = "Carrel";
	keys.target = null;
	if (what !== "terminal")
		tabs.hide();
	warning.hide();
}

/* For tests and for the console of a curious person. */
function opened(what: TerminalView | Player): void {
	view = what;
	Object.assign(window, { carrel: what });
	void refresh().catch(complain);
}

function open(id: string, process = 1): void {
	stage("terminal");
	history.replaceState(null, "", process === 1 ? `#s=${id}` : `#s=${id}&p=${process}`);
	tabs.show(id, process);
	const terminal = new TerminalView(id, process, $("terminal"), listener);
	terminal.xterm.focus();
	keys.target = {
		send: (text) => terminal.press(text),
		applicationCursor: () => terminal.xterm.modes.applicationCursorKeysMode,
		focus: () => terminal.xterm.focus(),
	};
	opened(terminal);
}

function play(id: string): void {
	stage("player");
	history.replaceState(null, "", `#play=${encodeURIComponent(id)}`);
	$("status").dataset.kind = "ended";
	$("status").textContent = "Recording";
	const player = new Player(id, $("player-screen"), () => controls.update(), complain);
	controls.attach(player);
	$("player").focus();
	opened(player);
}

function leave(): void {
	stage("empty");
	history.replaceState(null, "", location.pathname);
}

/* From a recording to its sandbox, while that runs. */
async function back(): Promise<void> {
	const id = view?.id;
	leave();
	try {
		if (id && (await refresh()).some((s) => s.id === id && s.state !== "ended") && !view)
			open(id);
	} catch (problem) {
		complain(problem);
	}
}

function row(s: api.Sandbox): HTMLElement {
	const li = document.createElement("li");
	li.dataset.state = s.state;
	li.classList.toggle("current", view?.id === s.id);
	const name = document.createElement("button");
	name.className = "name";
	name.textContent = s.id.slice(0, 10);
	name.title = `${s.id}\n${s.image}, tier ${s.tier}${s.policy ? `, policy ${s.policy}` : ""}, since ${s.created_at}`;
	if (view?.id === s.id)
		name.setAttribute("aria-current", "true");
	name.onclick = () => (s.state === "ended" && s.recording ? play(s.id) : open(s.id));
	const remove = document.createElement("button");
	remove.className = "remove";
	remove.textContent = "×";
	remove.setAttribute("aria-label", `${s.state === "ended" ? "Forget" : "End"} ${s.id.slice(0, 10)}`);
	remove.title = s.state === "ended" ? "Forget this sandbox and its recording" : "End this sandbox";
	remove.onclick = async () => {
		try {
			await api.remove(s.id);
			if (view?.id === s.id)
				leave();
			await refresh();
		} catch (problem) {
			complain(problem);
		}
	};
	li.append(name, ...(s.recording ? [playButton(s.id)] : []), remove);
	return li;
}

function playButton(id: string): HTMLElement {
	const button = document.createElement("button");
	button.className = "play";
	button.textContent = "▶";
	button.title = "Play the recording";
	button.setAttribute("aria-label", `Play the recording of ${id.slice(0, 10)}`);
	button.onclick = () => play(id);
	return button;
}

async function refresh(): Promise<api.Sandbox[]> {
	const items = (await api.list()).filter((s) => s.state !== "ended" || s.recording || s.id === view?.id);
	$("list").replaceChildren(...items.map(row));
	$("overlay-play").hidden = !items.some((s) => s.id === view?.id && s.recording);
	return items;
}

async function create(): Promise<void> {
	const button = $<HTMLButtonElement>("new");
	button.disabled = true;
	try {
		const { cols, rows } = view instanceof TerminalView ? view.xterm : { cols: 80, rows: 24 };
		open((await api.create(cols, rows)).id);
	} catch (problem) {
		complain(problem);
	} finally {
		button.disabled = false;
	}
}

async function enter(): Promise<void> {
	const who = await api.me();
	$("who").textContent = `${who.user} · ${who.tier}`;
	show("desk");
	const items = await refresh();
	follow(items);
}

/* What the address names, where there is such a thing. */
function follow(items: api.Sandbox[]): void {
	const wanted = fragment().get("s"), recorded = fragment().get("play");
	if (recorded)
		play(recorded);
	else if (wanted && items.some((s) => s.id === wanted))
		open(wanted, Math.max(1, Number.parseInt(fragment().get("p") ?? "1", 10) || 1));
	else
		leave();
}

async function boot(): Promise<void> {
	const key = fragment().get("key");
	if (key) {
		history.replaceState(null, "", location.pathname);
		try {
			await api.login(key);
		} catch (problem) {
			complain(problem);
		}
	}
	try {
		await enter();
		if (key && !view && $("list").childElementCount === 0)
			await create();
	} catch (problem) {
		if (!(problem instanceof api.Problem) || problem.status !== 401)
			complain(problem);
		show("login");
	}
}

$("login-form").onsubmit = async (e) => {
	e.preventDefault();
	const field = $<HTMLInputElement>("key");
	try {
		await api.login(field.value.trim());
		field.value = "";
		await enter();
	} catch (problem) {
		complain(problem);
	}
};
$("new").onclick = create;
$("overlay-new").onclick = create;
$("overlay-back").onclick = () => view && open(view.id);
$("overlay-play").onclick = () => view && play(view.id);
$("copy").onclick = async () => {
	if (view && !(await view.copy()))
		complain("Nothing is selected.");
	view?.xterm.focus();
};
const find = $<HTMLInputElement>("find");
const seek = (forward: boolean, growing = false) => {
	$("found").textContent = "";
	if (view instanceof TerminalView)
		view.find(find.value, forward, growing);
	else
		view?.find(find.value, forward);
};
find.oninput = () => seek(true, true);
find.onkeydown = (e) => {
	if (e.key === "Enter")
		seek(!e.shiftKey);
	if (e.key === "Escape") {
		find.value = "";
		seek(true);
		view?.xterm.focus();
		e.preventDefault();
	}
};
$("pen").onclick = () => {
	if (view instanceof TerminalView)
		view.hold($("pen").textContent !== "Let others type");
	view?.xterm.focus();
};
$("save").onclick = () => {
	if (!view)
		return;
	const link = document.createElement("a");
	link.href = URL.createObjectURL(new Blob([textIn(view.xterm)], { type: "text/plain" }));
	link.download = `carrel-${view.id.slice(0, 10)}.txt`;
	link.click();
	URL.revokeObjectURL(link.href);
};
$("logout").onclick = async () => {
	try {
		await api.logout();
	} catch (problem) {
		complain(problem);
		return;
	}
	leave();
	show("login");
};

function choices(): void {
	$<HTMLSelectElement>("theme").value = settings.theme;
	$<HTMLInputElement>("font-size").value = String(settings.fontSize);
	$<HTMLInputElement>("screen-reader").checked = settings.screenReader;
	$<HTMLInputElement>("screen-keys").checked = settings.keys;
}
$("theme").onchange = () => change({ theme: $<HTMLSelectElement>("theme").value as typeof settings.theme });
$("font-size").onchange = () => {
	change({ fontSize: $<HTMLInputElement>("font-size").valueAsNumber });
	choices();
};
$("screen-reader").onchange = () => change({ screenReader: $<HTMLInputElement>("screen-reader").checked });
$("screen-keys").onchange = () => change({ keys: $<HTMLInputElement>("screen-keys").checked });
choices();

/* A telephone's keyboard covers the page: what is left of it is what is used. */
window.visualViewport?.addEventListener("resize", () => {
	document.documentElement.style.setProperty("--height", `${window.visualViewport?.height}px`);
});
/* The list behind it may be somebody else's; the open sandbox stays in the address. */
api.onSignedOut(() => {
	if ($("desk").hidden)
		return;
	view?.close();
	view = null;
	show("login");
});
document.addEventListener("visibilitychange", () => {
	if (document.hidden || !(view instanceof TerminalView))
		return;
	view.beat();
	view.reconnect();
});
window.addEventListener("online", () => view instanceof TerminalView && view.reconnect());
/* A link that is pasted over the open page's address; our own changes of the address do not come by here. */
window.addEventListener("hashchange", async () => {
	if (!$("desk").hidden && (fragment().has("play") || fragment().has("s")))
		follow(await refresh());
});
void boot();
