"use strict";
/*
 * Clients of grpc_server.js: node grpc_clients.js ADDRESS, told by lines:
 *
 *   try KIND TEXT    one call; {code, details, got: [..], last, version}
 *   unary N          from now on N callers, each call after the last one
 *   streams N        N calls that last: half of them Server, half Bidi
 *   report           {unary: {ok, failed: {"CODE details": n}},
 *                     streams: {open, messages, ended: {..}, versions}}
 *   stop             the same once no caller is under way
 *
 * Each answers with a line of JSON.  Retries of the library's own are off.
 */
const grpc = require("@grpc/grpc-js");
const readline = require("readline");

const [address] = process.argv.slice(2);
const raw = (bytes) => bytes;
const CONNECTIONS = 8;
const clients = Array.from({ length: CONNECTIONS }, (_, i) =>
	new grpc.Client(address, grpc.credentials.createInsecure(), {
		"grpc.enable_retries": 0, "grpc.use_local_subchannel_pool": 1,
		"test.number": i,
	}));
const unary = { ok: 0, failed: {}, under_way: 0, versions: {} };
const streams = { open: 0, messages: 0, ended: {}, lost: 0, versions: {} };
let stopping = false;

function count(where, what) {
	where[what] = (where[what] || 0) + 1;
}

function say(value) {
	process.stdout.write(JSON.stringify(value) + "\n");
}

function start(i, kind, bytes, done) {
	const client = clients[i % CONNECTIONS];
	const path = `/t.Echo/${kind}`;

	switch (kind) {
	case "Unary":
		return client.makeUnaryRequest(path, raw, raw, bytes, done);
	case "Server":
		return client.makeServerStreamRequest(path, raw, raw, bytes);
	case "Client":
		return client.makeClientStreamRequest(path, raw, raw, done);
	default:
		return client.makeBidiStreamRequest(path, raw, raw);
	}
}

function attempt(kind, text) {
	const out = { got: [] };
	const call = start(0, kind, Buffer.from(text), (error, bytes) => {
		if (bytes)
			out.got.push(bytes.toString());
	});

	call.on("metadata", (m) => { out.version = m.get("x-version")[0]; });
	call.on("data", (bytes) => out.got.push(bytes.toString()));
	call.on("error", () => {});
	call.on("status", (s) => {
		out.code = s.code;
		out.details = s.details;
		out.last = s.metadata.get("x-last")[0];
		setImmediate(() => say(out));
	});
	if (kind === "Client" || kind === "Bidi") {
		for (const word of text.split(" "))
			call.write(Buffer.from(word));
		call.end();
	}
}

let serial = 0;

function caller(i) {
	const text = `u${serial++}`;

	unary.under_way++;
	const call = start(i, "Unary", Buffer.from(text), (error, bytes) => {
		unary.under_way--;
		if (error)
			count(unary.failed, `${error.code} ${error.details}`);
		else if (bytes.toString() !== text)
			count(unary.failed, "another's answer");
		else
			unary.ok++;
		if (!stopping)
			setTimeout(caller, 5, i);
	});

	call.on("metadata", (m) => count(unary.versions, m.get("x-version")[0]));
}

function stream(i) {
	const kind = i % 2 === 0 ? "Server" : "Bidi";
	const call = start(i, kind, Buffer.from("0 50"));
	let sent = 0, heard = 0, timer = null;

	streams.open++;
	call.on("metadata", (m) => count(streams.versions, m.get("x-version")[0]));
	call.on("data", () => { streams.messages++; heard++; });
	call.on("error", () => {});
	call.on("status", (s) => {
		clearInterval(timer);
		streams.open--;
		count(streams.ended, `${s.code} ${s.details}`);
	});
	if (kind === "Bidi")
		timer = setInterval(() => call.write(Buffer.from(`${sent++}`)), 50);
}

function finish() {
	if (unary.under_way > 0)
		setTimeout(finish, 10);
	else
		say({ unary, streams });
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
	const [verb, first, ...rest] = line.split(" ");

	if (verb === "try") {
		attempt(first, rest.join(" "));
	} else if (verb === "unary" || verb === "streams") {
		for (let i = 0; i < Number(first); i++)
			(verb === "unary" ? caller : stream)(i);
		say({});
	} else if (verb === "report") {
		say({ unary, streams });
	} else {
		stopping = true;
		finish();
	}
}).on("close", () => process.exit(0));
