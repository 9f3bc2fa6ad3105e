import { createHmac } from 'node:crypto';
import type { RefusalReason } from '#gateway/auth/token-refused.ts';
import {
  base64url,
  type Claims,
  signature,
  signed,
  type TestIssuer,
  type TestKey,
  testKey,
  token,
} from './test-issuer.ts';

/** A token that must not be accepted, and the word with which it is refused. */
export interface HostileToken {
  readonly name: string;
  readonly reason: RefusalReason;
  make(issuer: TestIssuer): string;
}

const attacker: TestKey = testKey('RS256', 'key-1');
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const MINUTE = 60;

function hostile(
  reason: RefusalReason,
  tokens: Readonly<Record<string, (issuer: TestIssuer) => string>>,
): HostileToken[] {
  return Object.entries(tokens).map(([name, make]) => ({ name, reason, make }));
}

function seconds({ now }: TestIssuer): number {
  return now / 1_000;
}

/** Payload as JSON with text put before its end. */
function appended({ claims }: TestIssuer, json: string): string {
  return `${JSON.stringify(claims).slice(0, -1)},${json}}`;
}

function unsigned({ claims }: TestIssuer, header: unknown, last = ''): string {
  return `${base64url(header)}.${base64url(claims)}.${last}`;
}

function withHeader(header: Claims) {
  return (issuer: TestIssuer) => token(issuer, {}, header);
}

function withClaims(claims: Claims) {
  return (issuer: TestIssuer) => token(issuer, claims);
}

function withPayload(payload: (issuer: TestIssuer) => string) {
  return (issuer: TestIssuer) => signed(issuer.header, payload(issuer), issuer.key);
}

function bytesPayload({ header, key }: TestIssuer, bytes: Buffer): string {
  const input = `${base64url(header)}.${bytes.toString('base64url')}`;
  return `${input}.${signature(input, key.privateKey, key.alg).toString('base64url')}`;
}

function nonCanonical(text: string): string {
  const last = ALPHABET.indexOf(text.slice(-1));
  return text.slice(0, -1) + ALPHABET[last ^ 1];
}

function withoutSignature(text: string): string {
  return text.slice(0, text.lastIndexOf('.') + 1);
}

/** One part of a token changed. */
function part(text: string, index: number, change: (part: string) => string): string {
  return text
    .split('.')
    .map((each, at) => (at === index ? change(each) : each))
    .join('.');
}

const FORM: readonly HostileToken[] = [
  ...hostile('form', {
    'empty text': () => '',
    'one word': () => 'token',
    'two parts': (issuer) => token(issuer).split('.').slice(0, 2).join('.'),
    'four parts': (issuer) => `${token(issuer)}.x`,
    'five parts, as an encrypted token': (issuer) => `${token(issuer)}.x.y`,
    'no signature': (issuer) => withoutSignature(token(issuer)),
    'no payload': (issuer) => part(token(issuer), 1, () => ''),
    'no header': (issuer) => part(token(issuer), 0, () => ''),
    'line break at the end': (issuer) => `${token(issuer)}\n`,
    'carriage return at the end': (issuer) => `${token(issuer)}\r`,
    'space before it': (issuer) => ` ${token(issuer)}`,
    'tab inside': (issuer) => token(issuer).replace('.', '.\t'),
    'byte order mark before it': (issuer) => `\ufeff${token(issuer)}`,
    'NUL at the end': (issuer) => `${token(issuer)}\0`,
    padding: (issuer) => `${token(issuer)}==`,
    'padding in the payload': (issuer) => part(token(issuer), 1, (payload) => `${payload}=`),
    'standard base64': (issuer) => part(token(issuer), 2, (last) => `${last.slice(0, -2)}+/`),
    'percent-encoded dot': (issuer) => token(issuer).replace('.', '%2e'),
    'full-width dot': (issuer) => token(issuer).replace('.', '．'),
    'JSON serialisation': (issuer) => {
      const [protectedPart, payload, last] = token(issuer).split('.');
      return JSON.stringify({ payload, protected: protectedPart, signature: last });
    },
    'two tokens with a comma': (issuer) => `${token(issuer)},${token(issuer)}`,
    'the scheme with it': (issuer) => `Bearer ${token(issuer)}`,
    'a lone surrogate': (issuer) => `${token(issuer)}\ud800`,
    'alg none without a signature': (issuer) => unsigned(issuer, { ...issuer.header, alg: 'none' }),
  }),
  ...hostile('size', {
    'a megabyte': (issuer) => token(issuer, { pad: 'x'.repeat(1_000_000) }),
    'a little over 16 KiB': (issuer) => token(issuer, { pad: 'x'.repeat(12_500) }),
    'a header over 1 KiB': (issuer) =>
      signed(`${JSON.stringify(issuer.header).slice(0, -1)}${' '.repeat(1_100)}}`, issuer.claims, issuer.key),
  }),
  ...hostile('encoding', {
    'another last character for the same signature': (issuer) => nonCanonical(token(issuer)),
    'a signature with a single left-over character': (issuer) =>
      part(token(issuer), 2, (last) => `${last}${'A'.repeat((5 - (last.length % 4)) % 4 || 4)}`),
    'payload that is no UTF-8': (issuer) =>
      bytesPayload(issuer, Buffer.concat([Buffer.from('{"a":"'), Buffer.of(0xff, 0xfe), Buffer.from('"}')])),
    'overlong UTF-8': (issuer) =>
      bytesPayload(issuer, Buffer.concat([Buffer.from('{"a":"'), Buffer.of(0xc0, 0xaf), Buffer.from('"}')])),
  }),
  ...hostile('json', {
    'payload is an array': withPayload(() => '[1]'),
    'payload is null': withPayload(() => 'null'),
    'payload is a text': withPayload(() => '"token"'),
    'payload is a number': withPayload(() => '1'),
    'payload is cut': withPayload(({ claims }) => JSON.stringify(claims).slice(0, -1)),
    'payload with a byte order mark': withPayload(({ claims }) => `\ufeff${JSON.stringify(claims)}`),
    'payload twice': withPayload(({ claims }) => JSON.stringify(claims).repeat(2)),
    'payload with a comment': withPayload(({ claims }) => `${JSON.stringify(claims)}/**/`),
    'payload with NaN': withPayload((issuer) => appended(issuer, '"a":NaN')),
    'header is an array': ({ claims, key }) => signed('[]', claims, key),
    'header is no JSON': ({ claims, key }) => signed('alg=RS256', claims, key),
    'own __proto__ in the payload': withPayload((issuer) => appended(issuer, '"__proto__":{"role":"admin"}')),
    'escaped __proto__ deep inside': withPayload((issuer) => appended(issuer, '"a":[{"\\u005f_proto__":1}]')),
    'own __proto__ in the header': ({ claims, header, key }) =>
      signed(`${JSON.stringify(header).slice(0, -1)},"__proto__":{"alg":"none"}}`, claims, key),
  }),
  ...hostile('duplicate-key', {
    'sub twice': withPayload((issuer) => appended(issuer, '"sub":"attacker"')),
    'sub twice, once escaped': withPayload((issuer) => appended(issuer, '"\\u0073ub":"attacker"')),
    'exp twice': withPayload((issuer) => appended(issuer, `"exp":${seconds(issuer) + 300}`)),
    'a name twice deep inside': withPayload((issuer) => appended(issuer, '"a":{"b":[{"c":1,"c":2}]}')),
    'alg twice in the header': ({ claims, header, key }) =>
      signed(`{"alg":"none",${JSON.stringify(header).slice(1)}`, claims, key),
    'kid twice in the header': ({ claims, header, key }) =>
      signed(`{"kid":"other",${JSON.stringify(header).slice(1)}`, claims, key),
  }),
  ...hostile('depth', {
    'four thousand arrays in each other': withPayload((issuer) =>
      appended(issuer, `"a":${'['.repeat(4_000)}${']'.repeat(4_000)}`),
    ),
    'seventeen objects in each other': withPayload((issuer) =>
      appended(issuer, `"a":${'{"a":'.repeat(16)}1${'}'.repeat(16)}`),
    ),
  }),
];

const HEADER: readonly HostileToken[] = hostile('header', {
  'jku of the attacker': withHeader({ jku: 'http://169.254.169.254/keys' }),
  'x5u of the attacker': withHeader({ x5u: 'https://attacker.example.com/cert' }),
  'an embedded key': (issuer) => signed({ ...issuer.header, jwk: attacker.jwk }, issuer.claims, attacker),
  'an embedded certificate': withHeader({ x5c: ['MIIB'] }),
  'crit with what nobody knows': withHeader({ crit: ['x'], x: 1 }),
  'empty crit': withHeader({ crit: [] }),
  'unencoded payload': withHeader({ crit: ['b64'], b64: false }),
  'b64 without crit': withHeader({ b64: false }),
  compressed: withHeader({ zip: 'DEF' }),
  'a content type': withHeader({ cty: 'JWT' }),
  'enc of an encrypted token': withHeader({ enc: 'A256GCM' }),
  'PBES2 iterations': withHeader({ p2c: 2_147_483_647 }),
  'iss in the header': withHeader({ iss: 'https://gitlab.example.com' }),
  'no kid': withHeader({ kid: undefined }),
  'kid is a list': withHeader({ kid: ['key-1'] }),
  'kid is a number': withHeader({ kid: 1 }),
  'kid is empty': withHeader({ kid: '' }),
  'kid with a line break': withHeader({ kid: 'key-1\n' }),
  'kid of 300 characters': withHeader({ kid: 'k'.repeat(300) }),
  'no alg': withHeader({ alg: undefined }),
  'alg is a list': withHeader({ alg: ['RS256'] }),
  'alg is null': withHeader({ alg: null }),
  'typ is an object': withHeader({ typ: { a: 1 } }),
  'nonce with a space': withHeader({ nonce: 'a b' }),
});

const TRUST: readonly HostileToken[] = [
  ...hostile('algorithm', {
    'alg none with a signature': (issuer) => unsigned(issuer, { ...issuer.header, alg: 'none' }, 'AAAA'),
    'alg nOnE': (issuer) => unsigned(issuer, { ...issuer.header, alg: 'nOnE' }, 'AAAA'),
    'alg NONE': (issuer) => unsigned(issuer, { ...issuer.header, alg: 'NONE' }, 'AAAA'),
    'alg in lower case': withHeader({ alg: 'rs256' }),
    'HS256 with the public key as its secret': (issuer) => {
      const input = `${base64url({ ...issuer.header, alg: 'HS256' })}.${base64url(issuer.claims)}`;
      const pem = issuer.key.publicKey.export({ type: 'spki', format: 'pem' });
      return `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`;
    },
    'RS512 with a key for RS256': ({ header, claims, key }) =>
      signed({ ...header, alg: 'RS512' }, claims, key, 'RS512'),
    'PS256 with a key for RS256': ({ header, claims, key }) =>
      signed({ ...header, alg: 'PS256' }, claims, key, 'PS256'),
    'ES256 with a key of its own': ({ header, claims }) =>
      signed({ ...header, alg: 'ES256' }, claims, testKey('ES256')),
    'EdDSA with a key of its own': ({ header, claims }) =>
      signed({ ...header, alg: 'EdDSA' }, claims, testKey('EdDSA')),
    'RSA-OAEP': withHeader({ alg: 'RSA-OAEP' }),
    'RS256 and a space inside another name': withHeader({ alg: 'RS256,none' }),
  }),
  ...hostile('type', {
    'a type that looks like an access token': withHeader({ typ: 'at+jwk' }),
    'a logout token': withHeader({ typ: 'logout+jwt' }),
    'a DPoP proof': withHeader({ typ: 'dpop+jwt' }),
    'a security event': withHeader({ typ: 'secevent+jwt' }),
    JOSE: withHeader({ typ: 'JOSE' }),
    JWE: withHeader({ typ: 'JWE' }),
  }),
  ...hostile('key', {
    'a key that nobody has': withHeader({ kid: 'key-2' }),
    'kid as a path': withHeader({ kid: '../../etc/passwd' }),
    'kid as SQL': withHeader({ kid: "key-1'--" }),
    'kid __proto__': withHeader({ kid: '__proto__' }),
    'kid constructor': withHeader({ kid: 'constructor' }),
    'kid in other case': withHeader({ kid: 'KEY-1' }),
  }),
  ...hostile('signature', {
    'of another key with the same kid': ({ header, claims }) => signed(header, claims, attacker),
    'of another payload': (issuer) => {
      const [header = '', , last = ''] = token(issuer).split('.');
      return `${header}.${base64url({ ...issuer.claims, admin: true })}.${last}`;
    },
    'of another header': (issuer) => part(token(issuer), 0, () => base64url({ ...issuer.header, nonce: 'n' })),
    'one bit changed': (issuer) => {
      const bytes = Buffer.from(token(issuer).split('.')[2] ?? '', 'base64url');
      bytes[10] = (bytes[10] ?? 0) ^ 1;
      return part(token(issuer), 2, () => bytes.toString('base64url'));
    },
    'all zero': (issuer) => part(token(issuer), 2, () => Buffer.alloc(256).toString('base64url')),
    'one byte': (issuer) => part(token(issuer), 2, () => 'AA'),
    'cut by three bytes': (issuer) =>
      part(token(issuer), 2, (last) => Buffer.from(last, 'base64url').subarray(3).toString('base64url')),
    'three bytes longer': (issuer) =>
      part(token(issuer), 2, (last) =>
        Buffer.concat([Buffer.from(last, 'base64url'), Buffer.alloc(3)]).toString('base64url'),
      ),
    'payload written another way': (issuer) =>
      part(token(issuer), 1, () => base64url(`${JSON.stringify(issuer.claims)} `)),
  }),
  ...hostile('issuer', {
    'iss of nobody': withClaims({ iss: 'https://attacker.example.com' }),
    'iss with one slash more or less': (issuer) => {
      const iss = String(issuer.claims['iss']);
      return token(issuer, { iss: iss.endsWith('/') ? iss.slice(0, -1) : `${iss}/` });
    },
    'iss in upper case': (issuer) => token(issuer, { iss: String(issuer.claims['iss']).toUpperCase() }),
    'iss over http': (issuer) => token(issuer, { iss: String(issuer.claims['iss']).replace('https:', 'http:') }),
    'iss as a prefix': (issuer) => token(issuer, { iss: `${issuer.claims['iss']}.attacker.example.com` }),
    'iss with a query': (issuer) => token(issuer, { iss: `${issuer.claims['iss']}?x` }),
    'iss with the default port': (issuer) =>
      token(issuer, { iss: String(issuer.claims['iss']).replace(/^(https:\/\/[^/]+)/, '$1:443') }),
  }),
  ...hostile('audience', {
    'of somebody else': withClaims({ aud: 'https://other.example.com' }),
    'longer than ours': (issuer) => token(issuer, { aud: `${issuer.settings.audiences[0]}x` }),
    'shorter than ours': (issuer) => token(issuer, { aud: String(issuer.settings.audiences[0]).slice(0, -1) }),
    'in upper case': (issuer) => token(issuer, { aud: String(issuer.settings.audiences[0]).toUpperCase() }),
    'with a slash': (issuer) => token(issuer, { aud: `${issuer.settings.audiences[0]}/` }),
    'ours among several with a space': (issuer) => token(issuer, { aud: `${issuer.settings.audiences[0]} other` }),
  }),
];

const TIMES: readonly HostileToken[] = [
  ...hostile('expired', {
    'over since a second': (issuer) => token(issuer, { exp: seconds(issuer) - 1 }),
    'over right now': (issuer) => token(issuer, { exp: seconds(issuer) }),
    'over since a year': (issuer) =>
      token(issuer, { iat: seconds(issuer) - 32e6, nbf: undefined, exp: seconds(issuer) - 31e6 }),
  }),
  ...hostile('times', {
    'no exp': withClaims({ exp: undefined }),
    'no iat': withClaims({ iat: undefined }),
    'exp as text': (issuer) => token(issuer, { exp: String(issuer.claims['exp']) }),
    'exp null': withClaims({ exp: null }),
    'exp true': withClaims({ exp: true }),
    'exp in a list': (issuer) => token(issuer, { exp: [issuer.claims['exp']] }),
    'exp 1e300': withClaims({ exp: 1e300 }),
    'exp 1e999': withPayload(({ claims }) => JSON.stringify({ ...claims, exp: 0 }).replace('"exp":0', '"exp":1e999')),
    'exp in milliseconds': (issuer) => token(issuer, { exp: Number(issuer.claims['exp']) * 1_000 }),
    'exp 0': withClaims({ exp: 0 }),
    'exp negative': withClaims({ exp: -1 }),
    'iat as text': (issuer) => token(issuer, { iat: String(issuer.claims['iat']) }),
    'iat 0': withClaims({ iat: 0 }),
    'nbf as text': (issuer) => token(issuer, { nbf: String(issuer.claims['iat']) }),
    'nbf null': withClaims({ nbf: null }),
    'nbf after exp': (issuer) => token(issuer, { nbf: Number(issuer.claims['exp']) + 1 }),
    'exp before iat': (issuer) => token(issuer, { exp: Number(issuer.claims['iat']) - 1, nbf: undefined }),
  }),
  ...hostile('not-yet-valid', {
    'issued in an hour': (issuer) =>
      token(issuer, { iat: seconds(issuer) + 60 * MINUTE, nbf: undefined, exp: seconds(issuer) + 65 * MINUTE }),
    'issued in 31 seconds': (issuer) => token(issuer, { iat: seconds(issuer) + 31, nbf: undefined }),
    'good in two minutes': (issuer) => token(issuer, { nbf: seconds(issuer) + 120 }),
  }),
  ...hostile('lifetime', {
    'a second longer than the policy allows': (issuer) => {
      const iat = seconds(issuer) - 10;
      return token(issuer, { iat, exp: iat + issuer.settings.maxLifetimeMs / 1_000 + 1 });
    },
    'a hundred years': (issuer) => token(issuer, { exp: seconds(issuer) + 100 * 365 * 24 * 60 * MINUTE }),
    'issued in 1970': (issuer) => token(issuer, { iat: 1, nbf: undefined }),
  }),
];

const CLAIMS: readonly HostileToken[] = [
  ...hostile('claim', {
    'no iss': withClaims({ iss: undefined }),
    'iss in a list': (issuer) => token(issuer, { iss: [issuer.claims['iss']] }),
    'iss null': withClaims({ iss: null }),
    'iss an object with toString': withClaims({ iss: { toString: 'x' } }),
    'no aud': withClaims({ aud: undefined }),
    'aud null': withClaims({ aud: null }),
    'aud empty list': withClaims({ aud: [] }),
    'aud empty text': withClaims({ aud: '' }),
    'aud an object': (issuer) => token(issuer, { aud: { 0: issuer.settings.audiences[0], length: 1 } }),
    'aud a list in a list': (issuer) => token(issuer, { aud: [[issuer.settings.audiences[0]]] }),
    'aud the same twice': (issuer) =>
      token(issuer, { aud: [issuer.settings.audiences[0], issuer.settings.audiences[0]] }),
    'no sub': withClaims({ sub: undefined }),
    'sub empty': withClaims({ sub: '' }),
    'sub in a list': (issuer) => token(issuer, { sub: [issuer.claims['sub']] }),
    'sub an object': withClaims({ sub: { a: 1 } }),
    'sub a number': withClaims({ sub: 1 }),
    'sub null': withClaims({ sub: null }),
    'sub true': withClaims({ sub: true }),
    'jti a number': withClaims({ jti: 1 }),
    'jti empty': withClaims({ jti: '' }),
  }),
  ...hostile('text', {
    'sub with a logging command': (issuer) =>
      token(issuer, { sub: `${issuer.claims['sub']}\n##vso[task.setvariable variable=a]b` }),
    'sub with NUL': (issuer) => token(issuer, { sub: `${issuer.claims['sub']}\0` }),
    'sub with an escape sequence': (issuer) => token(issuer, { sub: `${issuer.claims['sub']}\x1b[31m` }),
    'sub with U+2028': (issuer) => token(issuer, { sub: `${issuer.claims['sub']}\u2028` }),
    'sub written backwards': (issuer) => token(issuer, { sub: `${issuer.claims['sub']}\u202e` }),
    'sub with a direction isolate': (issuer) => token(issuer, { sub: `${issuer.claims['sub']}\u2066` }),
    'sub with an invisible space': (issuer) => token(issuer, { sub: `${issuer.claims['sub']}\u200b` }),
    'sub with a soft hyphen': (issuer) => token(issuer, { sub: `${issuer.claims['sub']}\u00ad` }),
    'sub with a no-break space': (issuer) => token(issuer, { sub: `${issuer.claims['sub']}\u00a0` }),
    'sub with half a surrogate pair': withPayload(({ claims }) =>
      JSON.stringify({ ...claims, sub: 'SUB' }).replace('SUB', '\\ud800'),
    ),
    'sub not in composed form': (issuer) => token(issuer, { sub: `${issuer.claims['sub']}e\u0301` }),
    'sub of 601 characters': (issuer) => token(issuer, { sub: String(issuer.claims['sub']).padEnd(601, 'x') }),
    'jti of 256 characters': withClaims({ jti: 'j'.repeat(256) }),
    'iss of 300 characters': withClaims({ iss: `https://${'a'.repeat(300)}` }),
    'another claim with a line break': withClaims({ name: 'a\r\nb' }),
    'another claim of 1,025 characters': withClaims({ name: 'n'.repeat(1_025) }),
    'another claim with invisible tags': withClaims({ name: 'a\u{e0061}\u{e0062}' }),
    'a line break deep inside': withClaims({ a: [{ b: 'x\ny' }] }),
    'a claim whose name holds a line break': withClaims({ 'a\nb': 1 }),
    'a claim whose name is written backwards': withClaims({ '\u202eadmin': 1 }),
  }),
];

/** What no issuer's token may be, whatever its profile. */
export const HOSTILE_TOKENS: readonly HostileToken[] = [...FORM, ...HEADER, ...TRUST, ...TIMES, ...CLAIMS];
