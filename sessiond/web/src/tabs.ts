/*
 * The terminals of the open sandbox, side by side: the first, which is the sandbox, and those that were opened beside it.
 */
import * as api from "./api";

/* In any image that has a shell. */
const SHELL = ["/bin/sh", "-c", "command -v bash > /dev/null && exec bash -l; exec sh -l"];

export class Tabs {
	private id = "";
	private process = 1;

	constructor(private readonly host: HTMLElement, private readonly open: (id: string, process: number) => void,
		private readonly complain: (problem: unknown) => void) {}

	show(id: string, process: number): void {
		this.id = id;
		this.process = process;
		this.host.hidden = false;
		void this.refresh();
	}

	hide(): void {
		this.id = "";
		this.host.hidden = true;
		this.host.replaceChildren();
	}

	/* Those that run, and the one that is looked at. */
	async refresh(): Promise<void> {
		const { id } = this;
		const all = await api.terminals(id).catch(() => []);
		if (id !== this.id)
			return;
		const numbers = all.filter((t) => t.terminal && t.state !== "ended").map((t) => t.process);
		if (!numbers.includes(this.process))
			numbers.push(this.process);
		const more = document.createElement("button");
		more.id = "new-terminal";
		more.textContent = "+";
		more.title = "New terminal in this sandbox";
		more.setAttribute("aria-label", more.title);
		more.onclick = () => void this.add(id);
		this.host.replaceChildren(...numbers.sort((a, b) => a - b).flatMap((n) => this.tab(id, n)), more);
	}

	private tab(id: string, n: number): HTMLElement[] {
		const tab = document.createElement("button");
		tab.textContent = n === 1 ? "Terminal" : `Terminal ${n}`;
		tab.setAttribute("aria-pressed", String(n === this.process));
		tab.onclick = () => this.open(id, n);
		if (n === 1)
			return [tab];
		const close = document.createElement("button");
		close.className = "remove";
		close.textContent = "×";
		close.title = "End this terminal";
		close.setAttribute("aria-label", `End terminal ${n}`);
		close.onclick = () => void this.end(id, n);
		return [tab, close];
	}

	private async add(id: string): Promise<void> {
		try {
			this.open(id, await api.newTerminal(id, SHELL));
		} catch (problem) {
			this.complain(problem);
		}
	}

	private async end(id: string, n: number): Promise<void> {
		try {
			await api.endTerminal(id, n);
		} catch (problem) {
			this.complain(problem);
		}
		if (n === this.process)
			this.open(id, 1);
		else
			void this.refresh();
	}
}
