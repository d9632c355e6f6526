"use strict";
/*
 * An instance that speaks WebSocket:
 *
 *   node ws_server.js HOST PORT NAME [PAGE [CERT KEY]]
 *
 * With CERT and KEY it is one of TLS, which likes HTTP/2 best and speaks
 * WebSocket over HTTP/1 alone.
 *
 *   GET /health   200
 *   GET /page     the file PAGE
 *   GET /report   what came, as JSON: messages "CLIENT N ..." by client,
 *                 with what code each connection ended, and what was told
 *   upgrade       echoes each message; large ones in fragments
 *
 * Messages that are told to do something instead: "close CODE",
 * "terminate", "ping" (answers "pong" when its ping was), "tell ...".
 */
const fs = require("fs");
const http = require("http");
const http2 = require("http2");
const { WebSocketServer } = require("ws");

const [host, port, name, page, cert, key] = process.argv.slice(2);
const FRAGMENT = 64 * 1024;
const received = {};
const closes = [];
const told = [];

function note(text) {
	const [client, n] = text.split(" ", 2);

	if (!/^c[0-9]+$/.test(client))
		return;
	(received[client] = received[client] || []).push(Number(n));
}

function send_in_fragments(ws, data, binary) {
	for (let at = 0; at < data.length; at += FRAGMENT)
		ws.send(data.subarray(at, at + FRAGMENT), {
			binary, fin: at + FRAGMENT >= data.length,
		});
}

function on_message(ws, data, binary) {
	const text = binary || data.length > 200000 ? "" : data.toString();

	note(text);
	if (text.startsWith("close "))
		ws.close(Number(text.slice(6)), "as told");
	else if (text.startsWith("tell "))
		told.push(text.slice(5));
	else if (text === "terminate")
		ws.terminate();
	else if (text === "ping")
		ws.once("pong", () => ws.send("pong")).ping("there?");
	else if (data.length > 4 * FRAGMENT)
		send_in_fragments(ws, data, binary);
	else
		ws.send(binary ? data : `${name} ${text}`, { binary });
}

function answer(request, response) {
	response.setHeader("X-Version", name);
	response.setHeader("X-Over", request.httpVersion);
	if (request.url === "/report")
		response.end(JSON.stringify({ received, closes, told }));
	else if (request.url === "/page")
		response.setHeader("Content-Type", "text/html")
			.end(fs.readFileSync(page));
	else
		response.end("UP\n");
}

const server = cert === undefined ? http.createServer(answer)
	: http2.createSecureServer({ allowHTTP1: true,
		cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, answer);
const wss = new WebSocketServer({
	server, perMessageDeflate: { threshold: 0 }, maxPayload: 64 << 20,
});

wss.on("connection", (ws) => {
	ws.on("message", (data, binary) => on_message(ws, data, binary));
	ws.on("close", (code, reason) =>
		closes.push([code, reason.toString()]));
	ws.on("error", () => {});
});
server.listen(Number(port), host);
