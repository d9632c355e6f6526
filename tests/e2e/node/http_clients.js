"use strict";
/*
 * Clients of Node's own, living through sessions of a dozen requests:
 *
 *   node http_clients.js KIND URL CLIENTS [CA_FILE]
 *
 * KIND is http2 (a connection a client, its requests three at a time), http
 * or https (an agent that keeps connections) or fetch.  A line on standard
 * input asks: "report" for a line of JSON now; "stop" for the last one.
 * What is not as it must be is in .failed; .born has the version of each
 * session in their order.
 */
const dns = require("dns");
const fs = require("fs");
const http = require("http");
const http2 = require("http2");
const https = require("https");
const readline = require("readline");

const [kind, url, count, ca_file] = [process.argv[2], process.argv[3],
	Number(process.argv[4]), process.argv[5]];
const ca = ca_file && fs.readFileSync(ca_file);
const EACH = 12;
const BODY = "x".repeat(3000);
const report = { answers: 0, born: [], failed: [], protocols: {} };
let stopping = false;

dns.setDefaultResultOrder("ipv4first"); // nobody listens on ::1

/* Reads a stream of Node's to its end. */
function drained(stream)
{
	return new Promise((resolve, reject) => {
		let n = 0;

		stream.on("data", (d) => n += d.length);
		stream.on("end", () => resolve(n));
		stream.on("error", reject);
		stream.on("aborted", () => reject(new Error("cut")));
	});
}

class Http2 {
	constructor() {
		this.session = http2.connect(url, { ca });
		this.broken = new Promise((_, reject) => {
			this.session.on("error", reject);
			this.session.on("goaway", (code) => reject(
				new Error(`GOAWAY ${code}`)));
		});
		this.broken.catch(() => {});
	}

	async ask(path, body, cookie) {
		const fields = { ":path": path,
			":method": body === undefined ? "GET" : "POST" };
		if (cookie)
			fields.cookie = cookie;
		const stream = this.session.request(fields);
		const head = new Promise((resolve, reject) => {
			stream.on("response", resolve);
			stream.on("error", reject);
		});
		stream.end(body);
		const got = await Promise.race([head, this.broken]);
		await drained(stream);
		return { status: got[":status"], version: got["x-version"],
			cookies: got["set-cookie"] || [],
			protocol: this.session.alpnProtocol };
	}

	end() {
		this.session.close();
	}
}

class Http1 {
	constructor() {
		this.lib = kind === "https" ? https : http;
		this.agent = new this.lib.Agent({ keepAlive: true,
			maxSockets: 2, ca });
	}

	async ask(path, body, cookie) {
		const headers = cookie ? { cookie } : {};
		const got = await new Promise((resolve, reject) => {
			const r = this.lib.request(new URL(path, url), {
				agent: this.agent, headers,
				method: body === undefined ? "GET" : "POST",
			}, resolve);
			r.on("error", reject);
			r.end(body);
		});
		await drained(got);
		return { status: got.statusCode,
			version: got.headers["x-version"],
			cookies: got.headers["set-cookie"] || [],
			protocol: got.httpVersion };
	}

	end() {
		this.agent.destroy();
	}
}

/* Node 18 has no getSetCookie(); there is one cookie at most. */
function cookies_of(headers)
{
	if (headers.getSetCookie)
		return headers.getSetCookie();
	return headers.has("set-cookie") ? [headers.get("set-cookie")] : [];
}

class Fetch {
	async ask(path, body, cookie) {
		const got = await fetch(new URL(path, url), {
			method: body === undefined ? "GET" : "POST", body,
			headers: cookie ? { cookie } : {},
		});
		await got.arrayBuffer();
		return { status: got.status,
			version: got.headers.get("x-version"),
			cookies: cookies_of(got.headers), protocol: "fetch" };
	}

	end() {}
}

const CLIENTS = { http2: Http2, http: Http1, https: Http1, fetch: Fetch };

class Session {
	constructor(client) {
		this.client = client;
		this.cookie = "";
		this.version = "";
	}

	async ask(n) {
		const got = n % 3 === 2 ?
			await this.client.ask("/post", BODY, this.cookie) :
			await this.client.ask("/get", undefined, this.cookie);
		if (got.status !== 200)
			throw new Error(`status ${got.status}`);
		if (this.version !== "" && got.version !== this.version)
			throw new Error(`bounced to ${got.version}`);
		if (this.version === "")
			report.born.push(got.version);
		this.version = got.version;
		for (const c of got.cookies)
			this.cookie = c.split(";")[0];
		report.protocols[got.protocol] = true;
		report.answers++;
	}

	/* The first alone, since it brings the cookie; then three at a time. */
	async live() {
		await this.ask(0);
		for (let n = 1; n < EACH; n += 3)
			await Promise.all([n, n + 1, n + 2].filter(
				(m) => m < EACH).map((m) => this.ask(m)));
	}
}

async function go_on()
{
	while (!stopping) {
		const client = new CLIENTS[kind]();

		try {
			await new Session(client).live();
		} catch (e) {
			const why = e.cause ? ` (${e.cause.message})` : "";
			report.failed.push(e.message + why);
			if (report.failed.length > 100)
				return;
		}
		client.end();
	}
}

const all = Promise.all(Array.from({ length: count }, go_on));

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
	if (line === "stop") {
		stopping = true;
		await all;
	}
	process.stdout.write(JSON.stringify(report) + "\n", () => {
		if (line === "stop")
			process.exit(0);
	});
});
