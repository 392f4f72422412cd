/*
 * Keys on the screen, for telephones: those that their keyboards lack. Ctrl and Alt hold for the next key, wherever it comes from.
 */
const named: [label: string, name: string, normal: string, application?: string][] = [
	["Esc", "Escape", "\x1b"],
	["Tab", "Tab", "\t"],
	["Ctrl", "Control", ""],
	["Alt", "Alt", ""],
	["←", "Left", "\x1b[D", "\x1bOD"],
	["↓", "Down", "\x1b[B", "\x1bOB"],
	["↑", "Up", "\x1b[A", "\x1bOA"],
	["→", "Right", "\x1b[C", "\x1bOC"],
	["Home", "Home", "\x1b[H", "\x1bOH"],
	["End", "End", "\x1b[F", "\x1bOF"],
	["PgUp", "Page up", "\x1b[5~"],
	["PgDn", "Page down", "\x1b[6~"],
	["|", "Pipe", "|"],
	["/", "Slash", "/"],
	["~", "Tilde", "~"],
	["-", "Minus", "-"],
];

export interface Typed {
	send(text: string): void;
	applicationCursor(): boolean;
	focus(): void;
}

export class Keys {
	target: Typed | null = null;
	private readonly held = { Control: false, Alt: false };
	private readonly buttons = new Map<string, HTMLButtonElement>();

	constructor(bar: HTMLElement) {
		for (const [label, name, normal, application] of named) {
			const button = document.createElement("button");
			button.type = "button";
			button.textContent = label;
			button.setAttribute("aria-label", name);
			/* The terminal keeps the focus, and with it the telephone its keyboard. */
			button.onpointerdown = (e) => e.preventDefault();
			button.onclick = () => {
				if (name === "Control" || name === "Alt")
					this.hold(name, !this.held[name]);
				else
					this.target?.send(this.target.applicationCursor() ? (application ?? normal) : normal);
				this.target?.focus();
			};
			this.buttons.set(name, button);
			bar.append(button);
		}
		this.hold("Control", false);
		this.hold("Alt", false);
	}

	private hold(name: "Control" | "Alt", on: boolean): void {
		this.held[name] = on;
		this.buttons.get(name)?.setAttribute("aria-pressed", String(on));
	}

	/* What the next key becomes while Ctrl or Alt holds. */
	apply(text: string): string {
		const { Control: control, Alt: alt } = this.held;
		if (!control && !alt)
			return text;
		this.hold("Control", false);
		this.hold("Alt", false);
		const code = text.length === 1 ? text.toUpperCase().charCodeAt(0) : 0;
		const key = control && code >= 0x3f && code <= 0x5f ? String.fromCharCode((code - 0x40) & 0x7f) : control && text === " " ? "\0" : text;
		return alt ? `\x1b${key}` : key;
	}
}
