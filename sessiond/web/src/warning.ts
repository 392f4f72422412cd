/*
 * The time that a sandbox has left, counted down after the server's warning, with a button that gives it more.
 */
import * as api from "./api";

const LOOK_MS = 10_000;
const texts: Record<string, [says: string, button: string]> = {
	idle: ["Nothing has happened here for long.", "Keep it"],
	lifetime: ["Its time is nearly up.", "Give it more time"],
};

const $ = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;

export class Warning {
	private timer = 0;
	private end = 0;
	private looked = 0;
	private kind = "";
	private id = "";

	constructor(private readonly complain: (problem: unknown) => void) {
		$("warning-more").onclick = () => void this.more();
	}

	show(id: string, kind: string, seconds: number): void {
		const known = texts[kind];
		if (!known)
			return;
		this.id = id;
		this.kind = kind;
		this.end = performance.now() + seconds * 1000;
		this.looked = performance.now();
		$("warning-text").textContent = known[0];
		$("warning-more").textContent = known[1];
		$("warning").hidden = false;
		window.clearInterval(this.timer);
		this.timer = window.setInterval(() => void this.tick(), 1000);
		this.draw();
	}

	hide(): void {
		window.clearInterval(this.timer);
		$("warning").hidden = true;
		this.kind = "";
	}

	/* A key that was typed is all that a sandbox needs that was idle. */
	typed(): void {
		if (this.kind === "idle")
			this.hide();
	}

	private draw(): void {
		const left = Math.max(0, Math.ceil((this.end - performance.now()) / 1000));
		$("warning-left").textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
	}

	/* Another window may have given it more time meanwhile. */
	private async tick(): Promise<void> {
		this.draw();
		if (this.kind !== "lifetime" || performance.now() - this.looked < LOOK_MS)
			return;
		this.looked = performance.now();
		const { id, end } = this;
		const live = await api.get(id).then((s) => s.live, () => undefined);
		if (live && this.id === id && performance.now() + live.lifetime_left_ms > end + LOOK_MS)
			this.hide();
	}

	private async more(): Promise<void> {
		const { id, kind } = this;
		try {
			const { lifetime_left_ms: left } = await api.extend(id, kind === "idle" ? 1 : undefined);
			if (kind === "lifetime" && performance.now() + left < this.end + 1000)
				throw new Error("It already has all the time that its tier gives.");
			this.hide();
		} catch (problem) {
			this.complain(problem);
		}
	}
}
