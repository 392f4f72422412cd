/*
 * The terminal as every view of the page has it: looks, widths of Unicode 11 (as the shim's own screen), search, links.
 */
import { SearchAddon } from "@xterm/addon-search";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { type ITerminalOptions, Terminal } from "@xterm/xterm";
import { palette, settings } from "./settings";

export function makeTerminal(more: ITerminalOptions): { xterm: Terminal; search: SearchAddon } {
	const search = new SearchAddon();
	const xterm = new Terminal({
		allowProposedApi: true,
		cursorBlink: true,
		fontFamily: 'ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace',
		fontSize: settings.fontSize,
		lineHeight: 1.15, // at 1, the bottom pixels of a row are cut off, underscores among them
		scrollback: 10_000,
		screenReaderMode: settings.screenReader,
		...palette(),
		...more,
	});
	xterm.loadAddon(search);
	/* Another page learns nothing of this one. */
	xterm.loadAddon(new WebLinksAddon((_, address) => { window.open(address, "_blank", "noopener,noreferrer"); }));
	xterm.loadAddon(new Unicode11Addon());
	xterm.unicode.activeVersion = "11";
	return { xterm, search };
}

/* How many bytes at the end begin a character (UTF-8) that is not whole. */
function begun(data: Uint8Array): number {
	for (let i = 1; i <= Math.min(3, data.length); i++) {
		const byte = data[data.length - i] ?? 0;
		if ((byte & 0xc0) !== 0x80)
			return i < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1) ? i : 0;
	}
	return 0;
}

/* xterm.js loses some of the characters that two writes share: what begins one waits for the rest. */
export class Characters {
	private kept = new Uint8Array(0);

	whole(data: Uint8Array): Uint8Array {
		let all = data;
		if (this.kept.length > 0) {
			all = new Uint8Array(this.kept.length + data.length);
			all.set(this.kept);
			all.set(data, this.kept.length);
		}
		const end = all.length - begun(all);
		this.kept = all.slice(end);
		return all.subarray(0, end);
	}

	/* Something else comes instead. */
	forget(): void {
		this.kept = new Uint8Array(0);
	}
}

const marks = { matchOverviewRuler: "#d9a441", activeMatchColorOverviewRuler: "#ff8f5a", matchBackground: "#6b5518", activeMatchBackground: "#a3561f" };

/* Nothing to look for takes the marks away. `growing`: more of the same word, which may be where the last one was. */
export function findIn(search: SearchAddon, text: string, forward: boolean, growing = false): void {
	if (!text)
		search.clearDecorations();
	else if (forward)
		search.findNext(text, { incremental: growing, decorations: marks });
	else
		search.findPrevious(text, { decorations: marks });
}

/* False: nothing is selected. */
export async function copyFrom(xterm: Terminal): Promise<boolean> {
	const text = xterm.getSelection();
	if (!text)
		return false;
	await navigator.clipboard.writeText(text);
	return true;
}

/* All that it holds, lines joined where they were wrapped. */
export function textIn(xterm: Terminal): string {
	const buffer = xterm.buffer.active, lines: string[] = [];
	for (let i = 0; i < buffer.length; i++) {
		const line = buffer.getLine(i);
		if (line?.isWrapped && lines.length)
			lines[lines.length - 1] += line.translateToString(true);
		else
			lines.push(line?.translateToString(true) ?? "");
	}
	return `${lines.join("\n").trimEnd()}\n`;
}
