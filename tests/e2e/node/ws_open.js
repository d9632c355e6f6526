"use strict";
/*
 * open(URL, PROTOCOLS, OPTIONS): a WebSocket of npm's ws, over HTTP/1 by ws
 * itself, or over HTTP/2 (RFC 8441) by Node's own http2 when the URL begins
 * with "h2:": then up to 64 share a connection, and one that goes away gets no
 * new ones.
 */
const http2 = require("http2");
const WebSocket = require("ws");
const { PerMessageDeflate, extension } = WebSocket;

const SHARE = 64;
const MAX_PAYLOAD = 64 << 20;
const connections = [];

/* A connection with room; its settings may not have come yet. */
function connection(origin) {
	let c = connections.find((c) => c.usable && c.streams < SHARE &&
		c.origin === origin);

	if (c !== undefined)
		return c;
	c = { origin, usable: true, streams: 0, session: http2.connect(origin) };
	c.ready = new Promise((done, failed) => {
		c.session.once("remoteSettings", (s) => s.enableConnectProtocol ?
			done() : failed(new Error("no extended CONNECT")));
		c.session.once("error", failed);
	});
	c.ready.catch(() => {});
	for (const event of ["goaway", "close", "error"])
		c.session.on(event, () => { c.usable = false; });
	connections.push(c);
	return c;
}

/* What the client offers, and what came of it. */
function offer(ws, protocols, options) {
	const fields = { "sec-websocket-version": "13" };

	if (protocols.length > 0)
		fields["sec-websocket-protocol"] = protocols.join(", ");
	if (options.perMessageDeflate !== false) {
		ws.deflate = new PerMessageDeflate({ ...options.perMessageDeflate,
			isServer: false, maxPayload: MAX_PAYLOAD });
		fields["sec-websocket-extensions"] = extension.format({
			[PerMessageDeflate.extensionName]: ws.deflate.offer() });
	}
	return fields;
}

function agree(ws, headers) {
	const name = PerMessageDeflate.extensionName;
	const said = headers["sec-websocket-extensions"];

	ws._protocol = headers["sec-websocket-protocol"] || "";
	if (said === undefined)
		return;
	ws.deflate.accept(extension.parse(said)[name]);
	ws._extensions[name] = ws.deflate;
}

async function ask(ws, url, fields) {
	const c = connection(url.origin);

	c.streams++;
	await c.ready;
	const stream = c.session.request({ ":method": "CONNECT",
		":protocol": "websocket", ":path": url.pathname, ...fields });

	/* of whom the errors are once it is open, ws sees to itself */
	stream.once("error", (e) => ws.readyState === WebSocket.CONNECTING &&
		ws.emit("error", e));
	stream.once("close", () => c.streams--);
	stream.once("response", (headers) => {
		if (headers[":status"] !== 200) {
			ws.emit("error", new Error(`status ${headers[":status"]}`));
			return;
		}
		agree(ws, headers);
		ws.setSocket(stream, Buffer.alloc(0), {
			allowSynchronousEvents: true, maxPayload: MAX_PAYLOAD });
	});
}

exports.open = function open(url, protocols = [], options = {}) {
	if (!url.startsWith("h2:"))
		return new WebSocket(url, protocols, options);
	const ws = new WebSocket(null, protocols, { autoPong: true,
		closeTimeout: 30000 });

	ws._isServer = false;
	ask(ws, new URL(url.slice(3).replace(/^ws/, "http")),
		offer(ws, protocols, options)).catch((e) => ws.emit("error", e));
	return ws;
};
