/*
 * The terminal as every view of the page has it: looks, widths of Unicode 11 (as the shim's own screen), search.
 */
import { SearchAddon } from "@xterm/addon-search";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import { type ITerminalOptions, Terminal } from "@xterm/xterm";

export function makeTerminal(more: ITerminalOptions): { xterm: Terminal; search: SearchAddon } {
	const search = new SearchAddon();
	const xterm = new Terminal({
		allowProposedApi: true,
		cursorBlink: true,
		fontFamily: 'ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace',
		fontSize: 14,
		lineHeight: 1.15, // at 1, the bottom pixels of a row are cut off, underscores among them
		scrollback: 10_000,
		theme: { background: "#10141a", foreground: "#d6dde6", cursor: "#7cc4ff", selectionBackground: "#2f4a66" },
		...more,
	});
	xterm.loadAddon(search);
	xterm.loadAddon(new Unicode11Addon());
	xterm.unicode.activeVersion = "11";
	return { xterm, search };
}

export function findIn(search: SearchAddon, text: string, forward: boolean): void {
	if (forward)
		search.findNext(text);
	else
		search.findPrevious(text);
}

/* False: nothing is selected. */
export async function copyFrom(xterm: Terminal): Promise<boolean> {
	const text = xterm.getSelection();
	if (!text)
		return false;
	await navigator.clipboard.writeText(text);
	return true;
}
