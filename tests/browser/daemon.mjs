/*
 * A daemon for one test run: own directories, own port, ended with its sandboxes.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PATIENCE_MS } from "./tap.mjs";

export function freePort() {
	return new Promise((resolve, reject) => {
		const probe = createServer();
		probe.on("error", reject);
		probe.listen(0, "127.0.0.1", () => {
			const { port } = probe.address();
			probe.close(() => resolve(port));
		});
	});
}

export class Daemon {
	constructor(top, build) {
		this.bin = process.env.CARREL_BIN ?? join(top, build, "bin");
		this.store = join(top, build, "run", "store");
		this.web = join(top, build, "web");
		this.dir = mkdtempSync(join(tmpdir(), "carrel-browser."));
		this.process = null;
		this.address = "";
	}

	/* Resolves with the address that the daemon prints (with #key= when firstUse). */
	async start({ firstUse = true, ephemeral = true, more = [] } = {}) {
		this.port ??= await freePort();
		const args = ["--listen", `127.0.0.1:${this.port}`, "--run-dir", join(this.dir, "run"), "--state-dir",
			join(this.dir, "state"), "--store", this.store, "--web", this.web, ...more];
		if (firstUse)
			args.push("--first-use-key");
		if (ephemeral)
			args.push("--ephemeral");
		this.process = spawn(join(this.bin, "carrel-sessiond"), args, { stdio: ["ignore", "pipe", "pipe"] });
		this.log = "";
		this.process.stderr.on("data", (d) => { this.log += d; });
		this.ended = new Promise((resolve) => this.process.on("exit", resolve));
		return await new Promise((resolve, reject) => {
			let text = "";
			const timer = setTimeout(() => reject(new Error(`the daemon did not answer: ${this.log}`)), PATIENCE_MS);
			this.process.stdout.on("data", (d) => {
				text += d;
				const m = /(http:\/\/\S+)/.exec(text);
				if (m && text.includes("\n")) {
					clearTimeout(timer);
					resolve(m[1]);
				}
			});
			this.process.on("exit", (code) => reject(new Error(`the daemon ended with ${code}: ${this.log}`)));
		});
	}

	async stop(signal = "SIGTERM") {
		if (this.process && this.process.exitCode === null)
			this.process.kill(signal);
		await this.ended;
	}

	remove() {
		rmSync(this.dir, { recursive: true, force: true });
	}
}
