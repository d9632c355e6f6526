"use strict";
/*
 * One thing that a WebSocket must carry: node ws_try.js URL THING, with a URL
 * as of ws_open.js.
 * Exit status 0, or 1 with the reason.
 */
const assert = require("assert");
const crypto = require("crypto");
const ws_open = require("./ws_open");

const [url, thing] = process.argv.slice(2);

function next(ws, event) {
	return new Promise((done, failed) => {
		ws.once(event, (...args) => done(args));
		ws.once("error", failed);
	});
}

async function open(protocols, options) {
	const ws = ws_open.open(url, protocols, options);

	await next(ws, "open");
	return ws;
}

async function answer(ws) {
	return (await next(ws, "message"))[0];
}

async function close(ws, ...args) {
	const closed = next(ws, "close");

	ws.close(...args);
	return closed;
}

const things = {
	async deflate() {
		const ws = await open([], { perMessageDeflate: { threshold: 0 } });
		const text = "the same again; ".repeat(12000);

		assert.match(ws.extensions, /permessage-deflate/);
		for (let i = 0; i < 3; i++) {
			const got = answer(ws);

			ws.send(text + i);
			assert.ok((await got).toString().endsWith(text + i));
		}
		await close(ws);
	},

	async fragments() {
		const ws = await open([], { perMessageDeflate: false });
		const data = crypto.randomBytes(1 << 20);
		const got = answer(ws), pong = next(ws, "pong");

		for (let at = 0; at < data.length; at += 50000) {
			ws.send(data.subarray(at, at + 50000), {
				binary: true, fin: at + 50000 >= data.length,
			});
			if (at === 500000)
				ws.ping("between");
		}
		assert.equal((await pong)[0].toString(), "between");
		assert.ok(data.equals(await got));
		await close(ws);
	},

	async whole() {
		const ws = await open([], { perMessageDeflate: false });
		const data = crypto.randomBytes((1 << 20) + 13);
		const got = answer(ws);

		ws.send(data);
		assert.ok(data.equals(await got));
		await close(ws);
	},

	async ping() {
		const ws = await open();
		const pong = next(ws, "pong");

		ws.ping("hello");
		assert.equal((await pong)[0].toString(), "hello");
		const got = answer(ws); /* it pings us, and we answer */

		ws.send("ping");
		assert.equal((await got).toString(), "pong");
		await close(ws);
	},

	async subprotocol() {
		const ws = await open(["graphql-ws", "other"]);

		assert.equal(ws.protocol, "graphql-ws");
		await close(ws);
	},

	async client_closes() {
		const ws = await open();

		assert.equal((await close(ws, 3001, "mine"))[0], 3001);
	},

	async instance_closes() {
		const ws = await open();
		const closed = next(ws, "close");

		ws.send("close 4002");
		const [code, reason] = await closed;

		assert.equal(code, 4002);
		assert.equal(reason.toString(), "as told");
	},

	/* Opens, says so, and tells the code with which it is closed. */
	async stays() {
		const ws = await open();
		const closed = next(ws, "close");

		console.log("open");
		const [code, reason] = await closed;

		console.log(code, reason.toString());
	},
};

things[thing]().then(() => process.exit(0), (e) => {
	console.error(e);
	process.exit(1);
});
