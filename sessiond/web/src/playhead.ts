/*
 * Where playing is: a position that runs with a clock at some speed, between 0 and a limit that may still grow.
 */

export const SPEEDS = [0.5, 1, 2, 4];

export class Playhead {
	playing = false;
	speed = 1;
	private at = 0; // seconds, at the moment `since`
	private since = 0;
	private limit = 0;

	/* `now` is in milliseconds and never goes back, as performance.now(). */
	constructor(private readonly now: () => number) {
		this.since = now();
	}

	position(): number {
		const run = this.playing ? ((this.now() - this.since) / 1000) * this.speed : 0;
		return Math.min(this.at + run, this.limit);
	}

	atEnd(): boolean {
		return this.position() >= this.limit;
	}

	/* What is not a number seeks nowhere. */
	seek(seconds: number): void {
		if (Number.isNaN(seconds))
			return;
		this.at = Math.min(Math.max(seconds, 0), this.limit);
		this.since = this.now();
	}

	play(): void {
		this.seek(this.position());
		this.playing = true;
	}

	pause(): void {
		this.seek(this.position());
		this.playing = false;
	}

	setSpeed(speed: number): void {
		if (!SPEEDS.includes(speed))
			return;
		this.seek(this.position());
		this.speed = speed;
	}

	/* A step up or down in SPEEDS, which has ends. */
	stepSpeed(step: number): void {
		this.setSpeed(SPEEDS[SPEEDS.indexOf(this.speed) + step] ?? this.speed);
	}

	/* More has been read: who waited at the end goes on from there, not from where the clock would be. */
	setLimit(limit: number): void {
		this.seek(this.position());
		this.limit = Number.isFinite(limit) ? Math.max(limit, 0) : this.limit;
		this.seek(this.at);
	}
}
