#!/usr/bin/env node
/*
 * identity.js - small stand-ins for identity servers, with what matters to who
 * switches between two versions of them: ports, readiness, migrations, a
 * database that two versions must or must not share, and how they end.
 *
 *   identity.js serve KIND VERSION NAME HOST PORT MANAGEMENT DB
 *   identity.js migrate KIND VERSION DB      what the vendor's migration does
 *   identity.js copy DB DB                   all that is written there, here
 *   identity.js lag DB DB                    exits 0 when nothing is missing
 *
 * KIND: keycloak (health on the management port; migrates at its start, and
 * must be alone then), zitadel (HTTP/2 in the clear; health among the rest; is
 * ready once somebody has run its setup), kratos and hydra (ready once their
 * migration has run; a database each), nevis (as keycloak, without migration).
 *
 * DB is a directory: schema, what it was migrated to; writes, a line a POST;
 * served, a line an instance that serves; faults, a line for what must not be:
 * a version that meets a schema it does not know, or two versions that must
 * not run side by side.  Facts: identity-servers.md 1 and 2.
 */
'use strict';
const fs = require('fs');
const http = require('http');
const http2 = require('http2');

const KINDS = {
	keycloak: { management: true, alone: true, delay: 300,
		ready: '/health/ready', up: '{"status":"UP","checks":[]}',
		down: '{"status":"DOWN","checks":[]}', status: 503 },
	zitadel: { h2: true, setup: true, delay: 100, ready: '/debug/ready',
		up: '"ok"', down: '{"code":9,"message":"not ready"}',
		status: 412 },
	kratos: { management: true, setup: true, delay: 100,
		ready: '/health/ready', up: '{"status":"ok"}',
		down: '{"errors":{"migrations":"migrations have not yet been fully applied"}}',
		status: 503 },
	hydra: { management: true, setup: true, delay: 100,
		ready: '/health/ready', up: '{"status":"ok"}',
		down: '{"errors":{"migrations":"migrations have not yet been fully applied"}}',
		status: 503 },
	nevis: { management: true, delay: 200, ready: '/nevisauth/liveness',
		up: '{"status":"UP"}', down: '{"status":"DOWN"}', status: 503 },
};

/* Versions are compared as numbers, part by part. */
function compare(a, b)
{
	const x = a.replace(/^v/, '').split('.').map(Number);
	const y = b.replace(/^v/, '').split('.').map(Number);

	for (let i = 0; i < Math.max(x.length, y.length); i++)
		if ((x[i] || 0) !== (y[i] || 0))
			return (x[i] || 0) - (y[i] || 0);
	return 0;
}

function read(file)
{
	try {
		return fs.readFileSync(file, 'utf8');
	} catch (e) {
		return '';
	}
}

const schemaOf = (db) => read(`${db}/schema`).trim() || '0';
const note = (db, file, line) => fs.appendFileSync(`${db}/${file}`, line + '\n');

/* ---- commands ---- */

function migrate(kind, version, db)
{
	if (compare(schemaOf(db), version) > 0) {
		console.error(`the schema is ${schemaOf(db)} already`);
		process.exit(1);
	}
	fs.writeFileSync(`${db}/schema`, version + '\n');
	console.log(`${kind}: migrated to ${version}`);
}

const linesOf = (db) => read(`${db}/writes`).split('\n').filter((x) => x);

function missing(from, to)
{
	const there = new Set(linesOf(to));

	return linesOf(from).filter((x) => !there.has(x));
}

function copy(from, to)
{
	const lines = missing(from, to);

	for (const line of lines)
		note(to, 'writes', line);
	console.log(`${lines.length} writes copied`);
}

function lag(from, to)
{
	const n = missing(from, to).length;

	console.log(`${n} writes behind`);
	process.exit(n === 0 ? 0 : 1);
}

/* ---- the server ---- */

function serve(name, version, instance, host, port, management, db)
{
	const kind = KINDS[name];
	/* Patches of one minor share a schema. */
	const needs = kind.alone ? version.split('.').slice(0, 2).join('.')
	    : version;
	const began = Date.now();
	let ready = false, ending = false;

	/* Who serves there of another version, by what is alive. */
	function others()
	{
		return read(`${db}/served`).split('\n').filter((line) => {
			const [v, , pid] = line.split(' ');

			if (!line || v === version)
				return false;
			return read(`/proc/${pid}/cmdline`) !== '';
		});
	}

	function start()
	{
		if (kind.alone && compare(schemaOf(db), needs) < 0) {
			if (others().length > 0)
				note(db, 'faults', `${version} ${instance} ` +
				    'migrates beside ' + others().join(', '));
			fs.writeFileSync(`${db}/schema`, needs + '\n');
		}
		note(db, 'served', `${version} ${instance} ${process.pid}`);
		ready = true;
	}

	function isReady()
	{
		if (ending || !ready)
			return false;
		return !kind.setup || compare(schemaOf(db), needs) >= 0;
	}

	function health(req, res)
	{
		const up = isReady();

		res.statusCode = up ? 200 : kind.status;
		res.setHeader('content-type', 'application/json');
		res.end(up ? kind.up : kind.down);
	}

	function answer(req, res, body)
	{
		const url = new URL(req.url, 'http://x');
		const id = url.searchParams.get('id') || '';

		/* What a schema of later means to it. */
		if (kind.alone && compare(schemaOf(db), needs) > 0) {
			note(db, 'faults', `${version} ${instance} was asked ` +
			    `with schema ${schemaOf(db)}`);
			res.statusCode = 500;
			res.end('unknown schema\n');
			return;
		}
		if (req.method === 'POST')
			note(db, 'writes', `${id} ${version} ${body}`);
		res.setHeader('x-version', version);
		res.setHeader('x-instance', instance);
		res.setHeader('x-echo', id);
		res.end(`${version} ${instance} ${id}\n`);
	}

	function handle(req, res)
	{
		let n = 0;

		if (req.url.split('?')[0] === kind.ready && !kind.management) {
			health(req, res);
			return;
		}
		if (ending && !kind.h2)
			res.setHeader('connection', 'close');
		req.on('data', (d) => { n += d.length; });
		req.on('end', () => answer(req, res, n));
	}

	function probe(req, res)
	{
		if (req.url.split('?')[0] === kind.ready)
			health(req, res);
		else {
			res.statusCode = 404;
			res.end();
		}
	}

	const main = kind.h2 ? http2.createServer(handle)
	    : http.createServer({ keepAliveTimeout: 75000 }, handle);
	const sessions = new Set();
	const servers = [main];

	main.on('session', (s) => {
		sessions.add(s);
		s.on('close', () => sessions.delete(s));
	});
	main.listen(Number(port), host, 4096);
	if (kind.management) {
		servers.push(http.createServer(probe));
		servers[1].listen(Number(management), host);
	}
	setTimeout(start, kind.delay);
	process.on('SIGTERM', () => {
		ending = true;
		for (const s of servers)
			s.close();
		for (const s of sessions)
			s.close();
		if (main.closeIdleConnections)
			main.closeIdleConnections();
		/* What is in flight ends; who is connected still is cut. */
		setTimeout(() => process.exit(0),
		    Math.max(200, 600 - (Date.now() - began)));
	});
}

const commands = { serve, migrate, copy, lag };
const [command, ...words] = process.argv.slice(2);

if (!commands[command]) {
	console.error('identity.js serve|migrate|copy|lag ...');
	process.exit(2);
}
commands[command](...words);
