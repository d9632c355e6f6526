"use strict";
/*
 * What oidc-provider 9 takes for granted and Node 18, which Debian 12 has,
 * lacks or has elsewhere.  Newer ones keep their own.
 *
 * A module of Node's gets no new names later on, so that of cryptography is
 * another one for who imports it: the same names and hash().
 */
const crypto = require("crypto");
const { register } = require("module");

globalThis.crypto ??= crypto.webcrypto;
globalThis.CryptoKey ??= crypto.webcrypto.CryptoKey;
URL.parse ??= (text, base) => {
	try {
		return new URL(text, base);
	} catch {
		return null;
	}
};

function data(text)
{
	return "data:text/javascript," + encodeURIComponent(text);
}

const ours = data(`
	import { createHash } from "node:crypto";
	export * from "node:crypto";
	export { default } from "node:crypto";
	export function hash(name, bytes, form = "hex") {
		const made = createHash(name).update(bytes);
		return form === "buffer" ? made.digest() : made.digest(form);
	}
`);

if (crypto.hash === undefined)
	register(data(`
		const ours = ${JSON.stringify(ours)};
		export async function resolve(name, context, next) {
			if (name !== "node:crypto" ||
			    context.parentURL === ours)
				return next(name, context);
			return { url: ours, shortCircuit: true };
		}
	`));
