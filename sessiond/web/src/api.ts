/*
 * The daemon's REST API as this page uses it. Errors are RFC 9457 problems, thrown as Problem.
 */

export interface Sandbox {
	id: string;
	state: string;
	tier: string;
	policy: string | null;
	image: string;
	created_at: string;
	expires_at?: string;
	exit?: {
		reason: string;
		code: number;
		signal: number;
		oom?: { kills: number; limit: number; own_limit: boolean };
		usage: { cpu_ns: number; memory_peak: number };
	};
	live?: { lifetime_left_ms: number };
	recording?: string;
}

export interface Me {
	user: string;
	tier: string;
}

export class Problem extends Error {
	constructor(readonly status: number, title: string, readonly detail: string) {
		super(detail || title);
	}
}

/* A session lasts for some hours only: whoever shows the page asks for a key again then. */
let signedOut = () => {};
export function onSignedOut(f: () => void): void {
	signedOut = f;
}

/* The body of an answer; a refusal is thrown. */
async function read(response: Response): Promise<any> {
	const text = await response.text();
	let value: any = {};
	try {
		value = text ? JSON.parse(text) : {};
	} catch {
		/* A proxy's own error page: the status says what there is to say. */
	}
	if (!response.ok)
		throw new Problem(response.status, value.title ?? `HTTP ${response.status}`, value.detail ?? "");
	return value;
}

async function call(method: string, path: string, body?: unknown): Promise<any> {
	const response = await fetch(path, {
		method,
		credentials: "same-origin",
		headers: body === undefined ? {} : { "Content-Type": "application/json" },
		body: body === undefined ? undefined : JSON.stringify(body),
	});
	if (response.status === 401 && path !== "/v1/session") {
		signedOut();
		throw new Problem(401, "Your session is over: sign in again.", "");
	}
	return response.status === 204 ? null : read(response);
}

const at = (id: string) => `/v1/sandboxes/${encodeURIComponent(id)}`;

export const login = (key: string): Promise<void> => call("POST", "/v1/session", { key });
export const logout = (): Promise<void> => call("DELETE", "/v1/session");
export const me = (): Promise<Me> => call("GET", "/v1/me");
export const list = async (): Promise<Sandbox[]> => (await call("GET", "/v1/sandboxes")).items;
export const get = (id: string): Promise<Sandbox> => call("GET", at(id));
export const create = (cols: number, rows: number): Promise<Sandbox> => call("POST", "/v1/sandboxes", { cols, rows });
export const remove = (id: string): Promise<void> => call("DELETE", at(id));
/* Without a number: what its tier gives. */
export const extend = (id: string, seconds?: number): Promise<{ lifetime_left_ms: number }> =>
	call("POST", `${at(id)}/extend`, seconds === undefined ? {} : { seconds });
export const terminals = async (id: string): Promise<{ process: number; state: string; terminal: boolean }[]> =>
	(await call("GET", `${at(id)}/terminals`)).items;
export const newTerminal = async (id: string, command: string[]): Promise<number> =>
	(await call("POST", `${at(id)}/terminals`, { command })).process;
export const endTerminal = (id: string, n: number): Promise<void> => call("DELETE", `${at(id)}/terminals/${n}`);
export const ticket = async (id: string): Promise<string> => (await call("POST", `${at(id)}/tickets`, {})).ticket;

/* As it is written so far, without its first `from` bytes, in pieces. */
export async function recording(id: string, from: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
	const response = await fetch(`${at(id)}/recording${from ? `?from=${from}` : ""}`, { credentials: "same-origin", signal });
	if (!response.ok)
		await read(response);
	if (!response.body)
		throw new Problem(response.status, "The recording came without content.", "");
	return response.body;
}

export function terminalUrl(id: string, query: Record<string, number>): string {
	const url = new URL(`${at(id)}/terminal`, location.href);
	url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
	url.hash = "";
	for (const [name, value] of Object.entries(query))
		url.searchParams.set(name, String(value));
	return url.href;
}
