"use strict";
/*
 * Many clients of an echo, each with up to three numbered messages under way:
 *
 *   node ws_clients.js URL CLIENTS PACE_MS       (URL: as of ws_open.js)
 *
 * Each comes back after a 1001 and sends again what had no answer.  A line
 * on standard input asks: "report" for a line of JSON now; "stop" for the
 * end: no new messages, all answers, then each client closes with 1000.
 * What is not as it must be is in .errors.
 */
const readline = require("readline");
const WebSocket = require("ws");
const { open } = require("./ws_open");

const [url, count, pace] = [process.argv[2],
	Number(process.argv[3]), Number(process.argv[4])];
const UNDER_WAY = 3;
const LARGE = "x".repeat(100000);
const report = { sent: 0, answered: 0, open: 0, done: 0, on: {},
	closes: [], errors: [] };
let stopping = false;

class Client {
	constructor(id) {
		this.id = `c${id}`;
		this.next = 0;
		this.unanswered = [];
		this.server = "";
		setTimeout(() => this.connect(), id * 4);
		this.timer = setInterval(() => this.tick(), pace);
	}

	wrong(what) {
		report.errors.push(`${this.id}: ${what}`);
	}

	connect() {
		const ws = this.ws = open(url, [], {
			perMessageDeflate: this.next % 2 === 1,
		});

		ws.on("open", () => {
			report.open++;
			for (const n of this.unanswered)
				this.send(n);
		});
		ws.on("message", (data) => this.on_answer(data.toString()));
		ws.on("close", (code, reason) => this.on_close(ws, code,
			reason.toString()));
		ws.on("error", (e) => this.wrong(e.message));
	}

	send(n) {
		this.ws.send(`${this.id} ${n} ${n % 20 === 7 ? LARGE : ""}`);
		report.sent++;
	}

	tick() {
		if (this.ws === undefined || this.ws.readyState !== WebSocket.OPEN)
			return;
		if (!stopping && this.unanswered.length < UNDER_WAY) {
			this.unanswered.push(this.next);
			this.send(this.next++);
		} else if (stopping && this.unanswered.length === 0) {
			this.ws.close(1000);
		}
	}

	on_answer(text) {
		const [server, id, n] = text.split(" ");

		this.server = server;
		if (id !== this.id || Number(n) !== this.unanswered[0])
			this.wrong(`${text.slice(0, 40)} for ${this.unanswered[0]}`);
		this.unanswered.shift();
		report.answered++;
		report.on[server] = (report.on[server] || 0) + 1;
	}

	on_close(ws, code, reason) {
		report.open--;
		report.closes.push({ code, reason, server: this.server,
			at_ms: Date.now() });
		if (stopping && code === 1000) {
			clearInterval(this.timer);
			report.done++;
			if (report.done === count)
				say_and_end();
			return;
		}
		if (code !== 1001)
			this.wrong(`closed with ${code}`);
		setTimeout(() => this.connect(), Math.random() * 100);
	}
}

const clients = [];

function say() {
	process.stdout.write(JSON.stringify({ ...report,
		next: clients.map((c) => c.next) }) + "\n");
}

function say_and_end() {
	say();
	process.stdin.destroy();
}

for (let i = 0; i < count; i++)
	clients.push(new Client(i));
readline.createInterface({ input: process.stdin }).on("line", (line) => {
	if (line === "stop")
		stopping = true;
	else
		say();
}).on("close", () => {
	if (!stopping)
		process.exit(1);
});
