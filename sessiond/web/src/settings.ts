/*
 * What a person chooses for this browser: colours, size of the letters, a screen reader's view, keys on the screen.
 */
import type { ITheme } from "@xterm/xterm";

export interface Settings {
	theme: "system" | "dark" | "light";
	fontSize: number;
	screenReader: boolean;
	keys: boolean;
}

const NAME = "carrel.settings";
export const FONT_MIN = 8, FONT_MAX = 32;
const light = window.matchMedia("(prefers-color-scheme: light)");

const themes: Record<"dark" | "light", ITheme> = {
	dark: { background: "#10141a", foreground: "#d6dde6", cursor: "#7cc4ff", selectionBackground: "#2f4a66" },
	light: {
		background: "#fbfcfd", foreground: "#1d2733", cursor: "#0b62a8", cursorAccent: "#ffffff", selectionBackground: "#bcd9f2",
		black: "#1d2733", red: "#b3261e", green: "#1e7a3c", yellow: "#8a6100", blue: "#0b57b0", magenta: "#8b2fa8", cyan: "#0b7285", white: "#6b7785",
		brightBlack: "#566270", brightRed: "#d03a30", brightGreen: "#2a8f4c", brightYellow: "#a37400", brightBlue: "#1f6fd0",
		brightMagenta: "#a544c4", brightCyan: "#128a9e", brightWhite: "#8d99a6",
	},
};

/* What is stored may be anything: another version's, or a hand's. */
function load(): Settings {
	let stored: Partial<Settings> = {};
	try {
		stored = JSON.parse(localStorage.getItem(NAME) ?? "{}") ?? {};
	} catch {
		/* As if there were nothing. */
	}
	return {
		theme: stored.theme === "dark" || stored.theme === "light" ? stored.theme : "system",
		fontSize: fontSize(stored.fontSize),
		screenReader: stored.screenReader === true,
		keys: typeof stored.keys === "boolean" ? stored.keys : window.matchMedia("(pointer: coarse)").matches,
	};
}

function fontSize(n: unknown): number {
	return typeof n === "number" && n >= FONT_MIN && n <= FONT_MAX ? Math.round(n) : 14;
}

export const settings = load();
const watchers = new Set<() => void>();

export function change(more: Partial<Settings>): void {
	Object.assign(settings, more, more.fontSize === undefined ? {} : { fontSize: fontSize(more.fontSize) });
	try {
		localStorage.setItem(NAME, JSON.stringify(settings));
	} catch {
		/* A browser that keeps nothing keeps it for this page. */
	}
	apply();
}

/* Calls back now and at every change, until the returned function is called. */
export function watch(f: () => void): () => void {
	watchers.add(f);
	f();
	return () => { watchers.delete(f); };
}

/* Programs paint for a dark background: on a light one colours are made to stand out from it. */
export function palette(): { theme: ITheme; minimumContrastRatio: number } {
	const chosen = document.documentElement.dataset.theme === "light" ? "light" : "dark";
	return { theme: themes[chosen], minimumContrastRatio: chosen === "light" ? 3 : 1 };
}

function apply(): void {
	const chosen = settings.theme === "system" ? (light.matches ? "light" : "dark") : settings.theme;
	document.documentElement.dataset.theme = chosen;
	document.documentElement.classList.toggle("keys", settings.keys);
	watchers.forEach((f) => f());
}

light.addEventListener("change", apply);
apply();
