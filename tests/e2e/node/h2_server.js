// An instance of HTTP/2 in Node: HOST PORT NAME [CERT KEY].	The version is the
// name up to its first dash.
"use strict";
const fs = require("fs");
const http2 = require("http2");

const [host, port, name, cert, key] = process.argv.slice(2);
const version = name.split("-")[0];
const about = { "x-version": version, "x-instance": name };

function body(stream, then) {
	const parts = [];
	stream.on("data", (part) => parts.push(part));
	stream.on("end", () => then(Buffer.concat(parts)));
}

function answer(stream, text, more) {
	stream.respond({ ":status": 200, ...about, ...more });
	stream.end(text);
}

function ask(stream, fields) {
	const path = fields[":path"];
	const id = path.match(/[?&]id=([^&]*)/); // by which the load knows it
	const echo = id ? { "x-echo": decodeURIComponent(id[1]) } : {};
	const big = path.match(/^\/big\/(\d+)$/);
	stream.on("error", () => {}); // the peer has reset it
	if (path.startsWith("/health")) {
		answer(stream, "UP");
	} else if (big) {
		answer(stream, Buffer.alloc(Number(big[1]), "x"), {
			"content-length": big[1],
		});
	} else {
		body(stream, (got) => answer(stream, got, echo));
	}
}

const server = cert === undefined
	? http2.createServer()
	: http2.createSecureServer({
		cert: fs.readFileSync(cert), key: fs.readFileSync(key), allowHTTP1: false,
	});
server.on("stream", ask);
server.on("sessionError", () => {});
server.listen(Number(port), host);
process.on("SIGTERM", () => process.exit(0));
