/*
 * The page: sign in, the list of one's sandboxes, one terminal or one recording at a time.
 *
 * The address may carry `#key=…`, the first-use key: it is exchanged for a session cookie that scripts cannot read and
 * removed from the address at once. `#s=ID` names the open sandbox, `#play=ID` the recording, so that a reload comes back to it.
 */
import "@xterm/xterm/css/xterm.css";
import "./page.css";
import * as api from "./api";
import { Controls } from "./controls";
import { Player } from "./player";
import { type Status, TerminalView } from "./terminal";

const $ = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
let view: TerminalView | Player | null = null;
const controls = new Controls(() => void back());

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
	if (s.kind === "ended") {
		$("overlay-text").textContent = s.text;
		$("rtt").textContent = "";
		void refresh();
	}
}

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
}

/* For tests and for the console of a curious person. */
function opened(what: TerminalView | Player): void {
	view = what;
	Object.assign(window, { carrel: what });
	void refresh();
}

function open(id: string): void {
	stage("terminal");
	history.replaceState(null, "", `#s=${id}`);
	const terminal = new TerminalView(id, $("terminal"), status);
	terminal.xterm.focus();
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
	name.onclick = () => (s.state === "ended" && s.recording ? play(s.id) : open(s.id));
	const remove = document.createElement("button");
	remove.className = "remove";
	remove.textContent = "×";
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
		open(wanted);
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
$("overlay-play").onclick = () => view && play(view.id);
$("copy").onclick = async () => {
	if (view && !(await view.copy()))
		complain("Nothing is selected.");
	view?.xterm.focus();
};
$("find").onkeydown = (e) => {
	if (e.key === "Enter")
		view?.find($<HTMLInputElement>("find").value, !e.shiftKey);
	if (e.key === "Escape")
		view?.xterm.focus();
};
$("logout").onclick = async () => {
	await api.logout();
	leave();
	show("login");
};
window.addEventListener("online", () => view instanceof TerminalView && view.reconnect());
/* A link that is pasted over the open page's address; our own changes of the address do not come by here. */
window.addEventListener("hashchange", async () => {
	if (!$("desk").hidden && (fragment().has("play") || fragment().has("s")))
		follow(await refresh());
});
void boot();
