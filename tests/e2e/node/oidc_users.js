"use strict";
/*
 * People who use an application that lets them log in with oidc_server.js:
 *
 *   node oidc_users.js ISSUER USERS THINK_MS IDLE_MS [CA_FILE]
 *
 * Each has a browser with its own cookies, connection and address, and an
 * application behind it.  A flow is: authorize (code, PKCE), login, consent,
 * the code; then the application redeems it, checks the ID token, asks for
 * the user, refreshes twice; then logout with its confirmation, and a look
 * whether he is logged out.  The next flow begins with no cookies.
 *
 * Applications run on a server, with connections and addresses of their own
 * and no cookies; those of each fifth user run in the browser.
 *
 * A line on standard input asks, a line of JSON answers:
 *
 *   mark      from now on count what begins in .since, too
 *   report    {begun, ended, failed, reasons, bounces, flows, ...} so far
 *   stop      the same once all flows have ended; the last one
 *
 * .bounces are answers to a browser by another version than the one before,
 * from the first to the last of a flow; .late are those that came after it had
 * asked nothing for IDLE_MS, which ends a session.  .flows has how many ended
 * on which version, .answers and .instances who gave how many, .crossed how
 * many requests of an application another version answered than the one its
 * user is on.
 */
const crypto = require("crypto");
const fs = require("fs");
const http = require("http");
const https = require("https");
const readline = require("readline");

const issuer = process.argv[2];
const [users, think_ms, idle_ms] = process.argv.slice(3, 6).map(Number);
const ca = process.argv[6] && fs.readFileSync(process.argv[6]);
const web = ca ? https : http;
const APP = "https://app.example";
const STUCK_MS = 60000;
const SAMPLES = 8;
const report = { begun: 0, ended: 0, failed: 0, reasons: [], bounces: 0,
	late: 0, bounced: [], flows: {}, answers: {}, instances: {},
	crossed: 0, since: { flows: {}, calls: {} } };
const took = [];
let marked = false, stopping = false;

function count(where, what)
{
	where[what] = (where[what] || 0) + 1;
}

function note(where, what)
{
	if (where.length < SAMPLES)
		where.push(what);
}

function must(is, what)
{
	if (!is)
		throw new Error(what);
}

function random()
{
	return crypto.randomBytes(24).toString("base64url");
}

/* As long as people take, each time another while. */
function think()
{
	return new Promise((done) =>
		setTimeout(done, think_ms * (0.5 + Math.random())));
}

/* Cookies of one site: what it set, and what it took back. */
class Jar {
	constructor() {
		this.cookies = new Map();
	}

	take(lines) {
		for (const line of lines) {
			const [pair, ...rest] = line.split(/; */);
			const [name, value] = pair.split(/=(.*)/s);
			const has = Object.fromEntries(rest.map((r) => {
				const [k, v] = r.split(/=(.*)/s);
				return [k.toLowerCase(), v];
			}));
			const path = has.path || "/";
			const gone = has["max-age"] === "0" ||
				new Date(has.expires) < new Date();

			if (gone)
				this.cookies.delete(`${name} ${path}`);
			else
				this.cookies.set(`${name} ${path}`,
					{ path, text: `${name}=${value}` });
		}
	}

	/* Those for a path, the longest path first. */
	give(pathname) {
		return [...this.cookies.values()].filter(({ path }) =>
			pathname === path || pathname.startsWith(
				path.endsWith("/") ? path : `${path}/`))
			.sort((a, b) => b.path.length - a.path.length)
			.map((c) => c.text).join("; ");
	}
}

/* One keep-alive connection from an address of this machine's own. */
class Line {
	constructor(address) {
		this.address = address;
		this.agent = new web.Agent({ keepAlive: true, maxSockets: 1,
			ca });
	}

	send(method, url, headers, body) {
		const began = performance.now();

		return new Promise((resolve, reject) => {
			const req = web.request(url, { method, headers,
				agent: this.agent, localAddress: this.address,
			}, (res) => {
				let text = "";

				res.setEncoding("utf8");
				res.on("data", (s) => { text += s; });
				res.on("error", reject);
				res.on("end", () => {
					took.push(performance.now() - began);
					const { headers } = res;
					const version = headers["x-version"];

					if (!is_of_proxy(res)) {
						count(report.answers, version);
						count(report.instances,
							headers["x-instance"]);
					}
					resolve({ status: res.statusCode, text,
						headers, version,
						of_proxy: is_of_proxy(res) });
				});
			});

			req.setTimeout(STUCK_MS, () =>
				req.destroy(new Error("no answer")));
			req.on("error", reject);
			req.end(body);
		});
	}
}

/* The keys of both versions: of none, and no bounce. */
function is_of_proxy(res)
{
	return res.statusCode === 200 && !res.headers["x-version"];
}

const FORM = { "content-type": "application/x-www-form-urlencoded" };

class Flow {
	constructor(user) {
		this.user = user;
		this.jar = new Jar();
		this.version = null;
		this.asked = Infinity;
		this.step = "begin";
		this.is_since = marked;
	}

	/* What the browser sends, with its cookies. */
	async visit(method, url, headers, body) {
		const cookie = this.jar.give(new URL(url).pathname);
		const before = this.asked;

		this.asked = performance.now();
		const got = await this.user.browser.send(method, url,
			{ ...headers, ...(cookie && { cookie }) }, body);

		this.jar.take(got.headers["set-cookie"] || []);
		if (got.of_proxy)
			return got;
		if (this.version === null && this.is_since)
			count(report.since.flows, got.version);
		if (this.version !== null && got.version !== this.version) {
			if (performance.now() - before < idle_ms)
				report.bounces++;
			else
				report.late++;
			note(report.bounced,
				`${this.step}: from ${this.version} to ` +
				`${got.version}: ${method} ${url}`);
		}
		this.version = got.version;
		return got;
	}

	/* Goes there and on, to a page or away to the application. */
	async browse(method, url, form) {
		let got = await this.visit(method, url,
			{ "sec-fetch-dest": "document", ...(form && FORM) },
			form && new URLSearchParams(form).toString());

		while (got.status === 302 || got.status === 303) {
			const to = new URL(got.headers.location, url);

			if (to.origin === APP)
				return { away: to };
			must(to.origin === issuer, `sent to ${to}`);
			got = await this.visit("GET", to.href,
				{ "sec-fetch-dest": "document" });
		}
		must(got.status === 200, `status ${got.status}: ` +
			got.text.slice(0, 300));
		const found = /<form[^>]* action="([^"]+)"/.exec(got.text);
		must(found, `a page without a form: ${got.text.slice(0, 300)}`);
		return { action: new URL(found[1], url).href, html: got.text };
	}

	/* Back at the application. */
	returned(to, path, state) {
		must(to.away, "he did not come back to the application");
		must(to.away.pathname === path, `came to ${to.away}`);
		const said = to.away.searchParams;
		must(said.get("state") === state, "another state");
		return said;
	}

	/* What the application sends: a value of JSON. */
	async call(method, url, headers, form) {
		const body = form && new URLSearchParams(form).toString();
		const all = { ...headers, ...(form && FORM) };
		const is_since = marked && !this.user.in_browser;
		const got = this.user.in_browser ?
			await this.visit(method, url, all, body) :
			await this.user.app.send(method, url, all, body);

		if (is_since && !got.of_proxy)
			count(report.since.calls, got.version);
		if (got.version !== this.version && this.version !== null &&
			!got.of_proxy)
			report.crossed++;
		must(got.status === 200, `status ${got.status} by ` +
			`${got.version}, its user is on ${this.version}: ` +
			got.text);
		return JSON.parse(got.text);
	}

	check_token(token, keys, nonce) {
		const [head, body, signature] = token.split(".");
		const bytes = (text) => Buffer.from(text, "base64url");
		const { kid, alg } = JSON.parse(bytes(head));
		const claims = JSON.parse(bytes(body));
		const jwk = keys.find((k) => k.kid === kid);

		must(jwk && alg === "ES256", `no key ${kid} in the JWKS`);
		const key = crypto.createPublicKey({ key: jwk, format: "jwk" });
		must(crypto.verify("sha256", `${head}.${body}`,
			{ key, dsaEncoding: "ieee-p1363" }, bytes(signature)),
		"a wrong signature");
		must(claims.iss === issuer, `issuer ${claims.iss}`);
		must(claims.aud === "app", `audience ${claims.aud}`);
		must(claims.sub === this.user.name, `subject ${claims.sub}`);
		must(claims.nonce === nonce, `nonce ${claims.nonce}`);
	}

	async check_user(at, token) {
		const { sub } = await this.call("GET", at.userinfo_endpoint,
			{ authorization: `Bearer ${token}` });

		must(sub === this.user.name, `userinfo of ${sub}`);
	}

	async login(at, ask) {
		this.step = "authorize";
		const url = `${at.authorization_endpoint}?` +
			new URLSearchParams(ask);
		const login = await this.browse("GET", url);

		this.step = "login";
		must(/name="user"/.test(login.html), "not asked to log in");
		await think();
		const consent = await this.browse("POST", login.action,
			{ user: this.user.name, password: random() });

		this.step = "consent";
		must(/name="agreed"/.test(consent.html), "not asked to agree");
		await think();
		const back = this.returned(await this.browse("POST",
			consent.action, { agreed: "yes" }), "/in", ask.state);

		must(back.get("code"), `no code: ${back}`);
		return back.get("code");
	}

	async use(at, code, verifier, nonce) {
		this.step = "token";
		let tokens = await this.call("POST", at.token_endpoint, {},
			{ grant_type: "authorization_code", client_id: "app",
				redirect_uri: `${APP}/in`, code,
				code_verifier: verifier });
		const hint = tokens.id_token;

		this.step = "jwks";
		const { keys } = await this.call("GET", at.jwks_uri);
		this.check_token(hint, keys, nonce);
		this.step = "userinfo";
		await this.check_user(at, tokens.access_token);
		for (let n = 0; n < 2; n++) {
			await think();
			this.step = `refresh ${n + 1}`;
			const old = tokens.refresh_token;
			must(old, "no refresh token");
			tokens = await this.call("POST", at.token_endpoint, {},
				{ grant_type: "refresh_token",
					client_id: "app", refresh_token: old });
			must(tokens.refresh_token !== old, "the same again");
			this.check_token(tokens.id_token, keys, nonce);
		}
		this.step = "userinfo again";
		await this.check_user(at, tokens.access_token);
		return hint;
	}

	async logout(at, ask, hint) {
		this.step = "logout";
		const state = random();
		const asked = await this.browse("GET",
			`${at.end_session_endpoint}?` + new URLSearchParams({
				id_token_hint: hint, state,
				post_logout_redirect_uri: `${APP}/out` }));
		const found = /name="xsrf" value="([^"]+)"/.exec(asked.html);

		must(found, "not asked to confirm");
		await think();
		this.step = "confirm";
		this.returned(await this.browse("POST", asked.action,
			{ xsrf: found[1], logout: "yes" }), "/out", state);
		this.step = "logged out";
		const again = this.returned(await this.browse("GET",
			`${at.authorization_endpoint}?` +
			new URLSearchParams({ ...ask, prompt: "none" })),
		"/in", ask.state);
		must(again.get("error") === "login_required",
			`he is still logged in: ${again}`);
	}

	async live() {
		this.step = "discovery";
		const at = await this.call("GET",
			`${issuer}/.well-known/openid-configuration`);
		must(at.issuer === issuer, `discovery of ${at.issuer}`);

		const verifier = random() + random();
		const ask = { client_id: "app", response_type: "code",
			redirect_uri: `${APP}/in`, prompt: "consent",
			scope: "openid email offline_access",
			state: random(), nonce: random(),
			code_challenge_method: "S256",
			code_challenge: crypto.createHash("sha256")
				.update(verifier).digest("base64url") };
		const code = await this.login(at, ask);
		const hint = await this.use(at, code, verifier, ask.nonce);

		await think();
		await this.logout(at, ask, hint);
	}
}

class User {
	constructor(n) {
		const last = `${Math.floor(n / 200)}.${n % 200 + 1}`;

		this.name = `user${n}`;
		this.browser = new Line(`127.1.${last}`);
		this.app = new Line(`127.2.${last}`);
		this.in_browser = n % 5 === 4;
	}

	async live() {
		while (!stopping) {
			await think();
			const flow = new Flow(this);

			report.begun++;
			try {
				await flow.live();
				report.ended++;
				count(report.flows, flow.version);
			} catch (e) {
				report.failed++;
				note(report.reasons, `${this.name}, ` +
					`${flow.step}: ${e.message || e.code}`);
			}
		}
	}
}

function said()
{
	const sorted = took.slice().sort((a, b) => a - b);
	const at = (p) => Math.round(10 * (sorted[Math.min(sorted.length - 1,
		Math.floor(sorted.length * p))] || 0)) / 10;

	return { ...report, ms: { p50: at(0.5), p95: at(0.95), p99: at(0.99),
		max: at(1) } };
}

const all = Promise.all(Array.from({ length: users },
	(_, n) => new User(n).live()));

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
	if (line === "mark")
		marked = true;
	if (line === "stop") {
		stopping = true;
		await all;
	}
	process.stdout.write(JSON.stringify(said()) + "\n", () => {
		if (line === "stop")
			process.exit(0);
	});
}).on("close", () => process.exit(0));
