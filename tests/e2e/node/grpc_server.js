"use strict";
/*
 * An instance that speaks gRPC: node grpc_server.js HOST PORT NAME
 *
 * Messages are bytes as they are.  Service t.Echo:
 *   Unary    what it was sent; "fail CODE" ends with that status
 *   Server   "COUNT INTERVAL_MS": so many messages; COUNT 0: until it is cut
 *   Client   how many messages came
 *   Bidi     each message as it comes
 * grpc.health.v1.Health/Check is SERVING for the server and for "t.Echo", until
 * SIGUSR1 comes, NOT_SERVING until the next.
 */
const grpc = require("@grpc/grpc-js");

const [host, port, name] = process.argv.slice(2);
const raw = (bytes) => bytes;
let serving = true;

function method(path, request_stream, response_stream) {
	return {
		path, requestStream: request_stream, responseStream: response_stream,
		requestSerialize: raw, requestDeserialize: raw,
		responseSerialize: raw, responseDeserialize: raw,
	};
}

function about(call) {
	const m = new grpc.Metadata();

	m.set("x-version", name);
	call.sendMetadata(m);
}

function last(text) {
	const m = new grpc.Metadata();

	m.set("x-last", text);
	return m;
}

function unary(call, done) {
	const text = call.request.toString();

	about(call);
	if (text.startsWith("fail "))
		done({ code: Number(text.slice(5)), details: "as told",
			metadata: last("failed") });
	else
		done(null, call.request, last("well"));
}

function server_stream(call) {
	const [count, interval] = call.request.toString().split(" ").map(Number);
	let n = 0;

	about(call);
	const timer = setInterval(() => {
		call.write(Buffer.from(`${name} ${n++}`));
		if (n === count) {
			clearInterval(timer);
			call.end(last("well"));
		}
	}, interval);
	call.on("cancelled", () => clearInterval(timer));
}

function client_stream(call, done) {
	let n = 0;

	call.on("data", () => n++);
	call.on("end", () => done(null, Buffer.from(String(n)), last("well")));
}

function bidi(call) {
	about(call);
	call.on("data", (bytes) => call.write(bytes));
	call.on("end", () => call.end(last("well")));
	call.on("error", () => {});
}

function check(call, done) {
	const known = call.request.length === 0 ||
		call.request.subarray(2).toString() === "t.Echo";

	if (known)
		done(null, Buffer.from([8, serving ? 1 : 2]));
	else
		done({ code: grpc.status.NOT_FOUND, details: "unknown service" });
}

const server = new grpc.Server();
server.addService({
	unary: method("/t.Echo/Unary", false, false),
	server: method("/t.Echo/Server", false, true),
	client: method("/t.Echo/Client", true, false),
	bidi: method("/t.Echo/Bidi", true, true),
}, { unary, server: server_stream, client: client_stream, bidi });
server.addService({
	check: method("/grpc.health.v1.Health/Check", false, false),
}, { check });
process.on("SIGUSR1", () => { serving = !serving; });
server.bindAsync(`${host}:${port}`, grpc.ServerCredentials.createInsecure(),
	(error) => {
		if (error)
			throw error;
	});
