/*
 * The page: sign in, the list of one's sandboxes, one terminal at a time.
 *
 * The address may carry `#key=…`, the first-use key: it is exchanged for a session cookie that scripts cannot read and
 * removed from the address at once. `#s=ID` names the open sandbox, so that a reload comes back to it.
 */
import "@xterm/xterm/css/xterm.css";
import "./page.css";
import * as api from "./api";
import { type Status, TerminalView } from "./terminal";

const $ = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
let view: TerminalView | null = null;

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
	if (s.kind === "ended") {
		$("overlay-text").textContent = s.text;
		$("rtt").textContent = "";
		void refresh();
	}
}

function open(id: string): void {
	view?.close();
	$("terminal").replaceChildren();
	history.replaceState(null, "", `#s=${id}`);
	$("overlay").hidden = true;
	$("empty").hidden = true;
	view = new TerminalView(id, $("terminal"), status);
	view.xterm.focus();
	/* For tests and for the console of a curious person. */
	Object.assign(window, { carrel: view });
	void refresh();
}

function leave(): void {
	view?.close();
	view = null;
	$("terminal").replaceChildren();
	$("overlay").hidden = true;
	$("empty").hidden = false;
	$("status").textContent = "";
	$("rtt").textContent = "";
	history.replaceState(null, "", location.pathname);
}

function row(s: api.Sandbox): HTMLElement {
	const li = document.createElement("li");
	li.dataset.state = s.state;
	li.classList.toggle("current", view?.id === s.id);
	const name = document.createElement("button");
	name.className = "name";
	name.textContent = s.id.slice(0, 10);
	name.title = `${s.id}\n${s.image}, tier ${s.tier}, since ${s.created_at}`;
	name.onclick = () => open(s.id);
	const remove = document.createElement("button");
	remove.className = "remove";
	remove.textContent = "×";
	remove.title = "End this sandbox";
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
	li.append(name, remove);
	return li;
}

async function refresh(): Promise<api.Sandbox[]> {
	const items = (await api.list()).filter((s) => s.state !== "ended" || s.id === view?.id);
	$("list").replaceChildren(...items.map(row));
	return items;
}

async function create(): Promise<void> {
	const button = $<HTMLButtonElement>("new");
	button.disabled = true;
	try {
		open((await api.create(view?.xterm.cols ?? 80, view?.xterm.rows ?? 24)).id);
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
	const wanted = fragment().get("s");
	if (wanted && items.some((s) => s.id === wanted))
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
window.addEventListener("online", () => view?.reconnect());
void boot();
