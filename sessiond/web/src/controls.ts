/*
 * What a person plays a recording with: buttons, the position, the marks, the keys.
 */
import { clockText, exitText } from "./cast";
import type { Player } from "./player";
import { SPEEDS } from "./playhead";

const STEP_SECONDS = 5;
const MARKS = 500;
const LABEL_CHARS = 200;

const $ = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;

export class Controls {
	player: Player | null = null;
	private marks: { button: HTMLButtonElement; index: number }[] = [];
	private scanned = 0;

	constructor(done: () => void) {
		$("player-close").onclick = done;
		$("play").onclick = () => this.player?.toggle();
		$("live").onclick = () => this.player?.follow();
		$<HTMLInputElement>("seek").oninput = () => this.player?.seek($<HTMLInputElement>("seek").valueAsNumber);
		$<HTMLInputElement>("idle").onchange = () => this.player?.cutSilences($<HTMLInputElement>("idle").checked);
		$("speed").onchange = () => {
			this.player?.head.setSpeed(Number($<HTMLSelectElement>("speed").value));
			this.update();
		};
		$("speed").replaceChildren(...SPEEDS.map((speed) => new Option(`${speed}×`, String(speed))));
		/* Before the controls and the terminal see them: an arrow on the position's slider is a step of 5 s as well. */
		document.addEventListener("keydown", (e) => this.key(e), { capture: true });
	}

	attach(player: Player | null): void {
		this.player = player;
		this.marks = [];
		this.scanned = 0;
		$("marks").replaceChildren();
		$("player-note").textContent = "";
		this.update();
	}

	update(): void {
		const p = this.player;
		if (!p)
			return;
		const seek = $<HTMLInputElement>("seek");
		const time = `${clockText(p.position())} / ${clockText(p.duration())}`;
		$("play").textContent = p.head.playing ? "Pause" : "Play";
		seek.max = String(p.duration());
		seek.value = String(p.position());
		seek.setAttribute("aria-valuetext", `${clockText(p.position())} of ${clockText(p.duration())}`);
		$("time").textContent = p.loaded ? time : `${time} …`;
		$("live").hidden = !p.live;
		$("live").setAttribute("aria-pressed", String(p.following()));
		$<HTMLSelectElement>("speed").value = String(p.head.speed);
		$<HTMLInputElement>("idle").checked = p.short;
		this.note(p);
		this.list(p);
	}

	/* Lines that are no events are told, not hidden. */
	private note(p: Player): void {
		const n = p.cast.broken;
		const text = n === 0 ? "" : n === 1 ? "One line of the recording is broken." : `${n} lines of the recording are broken.`;
		if ($("player-note").textContent !== text)
			$("player-note").textContent = text;
	}

	private list(p: Player): void {
		const { events } = p.cast;
		for (; this.scanned < events.length; this.scanned++) {
			const { kind, data } = events[this.scanned];
			if ((kind === "m" || kind === "x") && this.marks.length < MARKS)
				this.mark(p, this.scanned, kind === "m" ? data.slice(0, LABEL_CHARS) || "mark" : exitText(data));
		}
		for (const { button, index } of this.marks)
			button.classList.toggle("past", index < p.applied);
		$("marks").hidden = this.marks.length === 0;
	}

	/* What a recording says is text, never markup. */
	private mark(p: Player, index: number, label: string): void {
		const li = document.createElement("li");
		const button = document.createElement("button");
		button.textContent = `${clockText(p.cast.full[index])} ${label}`;
		button.onclick = () => p.seek((p.short ? p.cast.short : p.cast.full)[index]);
		li.append(button);
		$("marks").append(li);
		this.marks.push({ button, index });
	}

	private key(e: KeyboardEvent): void {
		const p = this.player;
		const on = e.target instanceof HTMLElement ? e.target : document.body;
		if (!p || e.ctrlKey || e.altKey || e.metaKey || on.id === "find" || on.closest("#login"))
			return;
		/* Space on a button is that button's, arrows in a choice are its own. */
		const own = e.key === " " ? on.matches("button, select, input[type=checkbox]") : on.matches("select");
		const keys: Record<string, () => void> = {
			" ": () => p.toggle(),
			ArrowLeft: () => p.seek(p.position() - STEP_SECONDS),
			ArrowRight: () => p.seek(p.position() + STEP_SECONDS),
			"<": () => p.head.stepSpeed(-1),
			">": () => p.head.stepSpeed(1),
		};
		if (own || !Object.hasOwn(keys, e.key))
			return;
		e.preventDefault();
		e.stopPropagation();
		keys[e.key]();
		this.update();
	}
}
