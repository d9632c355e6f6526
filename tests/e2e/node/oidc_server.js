"use strict";
/*
 * An identity server, the real oidc-provider, with its state in Redis:
 *
 *   node oidc_server.js HOST PORT NAME MAJOR ISSUER REDIS_SOCKET
 *   node oidc_server.js HOST PORT NAME MAJOR ISSUER keys:FILE
 *   node oidc_server.js HOST PORT NAME MAJOR ISSUER own
 *
 * MAJOR is 8 or 9.  All that name one Redis share their state, the signing key
 * and the keys of cookies; all that name one FILE only the keys: what they
 * issue is in the memory of each; one of its own shares nothing.  There is one
 * client, "app", public.  Whoever logs in is known: the password is not looked at.  Login and consent are pages of
 * ours; each of its answers says X-Version: MAJOR and X-Instance: NAME.
 */
const crypto = require("crypto");
const fs = require("fs");
const http = require("http");
const Redis = require("ioredis");

require("./node18.js");

const [host, port, name, major, issuer, socket] = process.argv.slice(2);
const keys_file = socket.startsWith("keys:") && socket.slice(5);
const alone = keys_file || socket === "own";
const redis = alone ? null : new Redis({ path: socket });
const PAGES = /^\/interaction\/([\w-]+)(?:\/(login|consent))?$/;

/* Where oidc-provider keeps what it knows: a hash for each thing. */
class Adapter {
	constructor(model) {
		this.model = model;
	}

	key(id) {
		return `${this.model}:${id}`;
	}

	async upsert(id, payload, seconds) {
		const all = redis.multi()
			.hset(this.key(id), "json", JSON.stringify(payload));
		const lasts = (key) => seconds && all.expire(key, seconds);

		lasts(this.key(id));
		if (payload.uid) {
			all.set(`uid:${payload.uid}`, id);
			lasts(`uid:${payload.uid}`);
		}
		if (payload.grantId && this.model !== "Grant") {
			all.sadd(`grant:${payload.grantId}`, this.key(id));
			lasts(`grant:${payload.grantId}`);
		}
		for (const [error] of await all.exec())
			if (error)
				throw error;
	}

	async find(id) {
		const got = await redis.hgetall(this.key(id));

		return got.json && { ...JSON.parse(got.json), ...(got.consumed &&
			{ consumed: Number(got.consumed) }) };
	}

	async findByUid(uid) {
		return this.find(await redis.get(`uid:${uid}`));
	}

	async consume(id) {
		await redis.hset(this.key(id), "consumed",
			Math.floor(Date.now() / 1000));
	}

	async destroy(id) {
		await redis.del(this.key(id));
	}

	async revokeByGrantId(id) {
		await redis.del(`grant:${id}`,
			...await redis.smembers(`grant:${id}`));
	}
}

/* Who comes first makes them. */
async function shared_keys()
{
	const { privateKey } = crypto.generateKeyPairSync("ec",
		{ namedCurve: "P-256" });
	const jwk = { ...privateKey.export({ format: "jwk" }), use: "sig",
		alg: "ES256", kid: crypto.randomBytes(8).toString("hex") };

	const mine = JSON.stringify({ jwks: { keys: [jwk] },
		cookies: [crypto.randomBytes(32).toString("hex")] });

	if (alone && !keys_file)
		return JSON.parse(mine);
	if (keys_file) {
		fs.writeFileSync(`${keys_file}.${name}`, mine);
		try {
			fs.linkSync(`${keys_file}.${name}`, keys_file);
		} catch (e) {
			if (e.code !== "EEXIST")
				throw e;
		}
		return JSON.parse(fs.readFileSync(keys_file));
	}
	await redis.set("keys", mine, "NX");
	return JSON.parse(await redis.get("keys"));
}

function settings(keys)
{
	return {
		adapter: alone ? undefined : Adapter,
		jwks: keys.jwks,
		cookies: { keys: keys.cookies },
		clients: [{
			client_id: "app",
			token_endpoint_auth_method: "none",
			grant_types: ["authorization_code", "refresh_token"],
			response_types: ["code"],
			redirect_uris: ["https://app.example/in"],
			post_logout_redirect_uris: ["https://app.example/out"],
			id_token_signed_response_alg: "ES256",
		}],
		claims: { openid: ["sub"], email: ["email"] },
		findAccount: (ctx, id) => ({ accountId: id, claims: () => ({
			sub: id, email: `${id}@users.example` }) }),
		interactions: { url: (ctx, i) => `/interaction/${i.uid}` },
		pkce: { required: () => true },
		ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 3600,
			IdToken: 600, Interaction: 600, RefreshToken: 3600,
			Session: 3600 },
		features: {
			devInteractions: { enabled: false },
			rpInitiatedLogout: {
				logoutSource: (ctx, form) => {
					ctx.body = form;
				},
			},
		},
	};
}

function page(res, action, field)
{
	res.setHeader("Content-Type", "text/html");
	res.end(`<form method="post" action="${action}">` +
		`<input name="${field}"><button>On</button></form>`);
}

async function text_of(req)
{
	let text = "";

	for await (const bytes of req)
		text += bytes;
	return new URLSearchParams(text);
}

/* A page of ours, or what was filled in there. */
async function interact(provider, req, res, uid, done)
{
	const form = await text_of(req);
	const { prompt, params, session } =
		await provider.interactionDetails(req, res);

	if (done === undefined) {
		const kind = prompt.name;

		return page(res, `/interaction/${uid}/${kind}`,
			kind === "login" ? "user" : "agreed");
	}
	if (done !== prompt.name)
		throw new Error(`${done} where ${prompt.name} was asked`);
	if (done === "login")
		return provider.interactionFinished(req, res,
			{ login: { accountId: form.get("user") } });
	const grant = new provider.Grant({ accountId: session.accountId,
		clientId: params.client_id });

	grant.addOIDCScope(params.scope);
	return provider.interactionFinished(req, res,
		{ consent: { grantId: await grant.save() } },
		{ mergeWithLastSubmission: true });
}

async function main()
{
	const { default: Provider } = await import(`oidc-provider-${major}`);
	const provider = new Provider(issuer, settings(await shared_keys()));
	const answer = provider.callback();

	provider.proxy = true; // we stand behind Segue
	provider.on("server_error", (ctx, error) => console.error(error));
	http.createServer((req, res) => {
		const [, uid, done] = PAGES.exec(req.url) || [];

		res.setHeader("X-Version", major);
		res.setHeader("X-Instance", name);
		if (uid === undefined) // all but our pages
			return answer(req, res);
		return interact(provider, req, res, uid, done).catch((e) => {
			res.statusCode = 400;
			res.end(`${e.name}: ${e.message} ` +
				`${e.error_description || ""}`);
		});
	}).listen(Number(port), host);
}

main();
