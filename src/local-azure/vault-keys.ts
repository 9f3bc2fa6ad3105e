import { createPublicKey, generateKeyPair, type KeyObject, privateEncrypt, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import type { Clock } from '#core/clock.ts';
import { badParameter, keyForbidden, keyNotFound } from './vault-error.ts';
import type { Vault, VaultKey, VaultKeyVersion } from './world.ts';

const SIZES: readonly unknown[] = [2_048, 3_072, 4_096];
const RSA_OPERATIONS = ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey'];
const EC_OPERATIONS = ['sign', 'verify'];
/** DER of DigestInfo before a SHA-256 digest (RFC 8017 §9.2, note 1). */
const SHA256_INFO = Buffer.from('3031300d060960864801650304020105000420', 'hex');
const generate = promisify(generateKeyPair);

type Parameters = Readonly<Record<string, unknown>>;
interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** The keys of one vault as they are now. What is secret of them is made when it is first needed, and never leaves. */
export class VaultKeys {
  readonly #host: string;
  readonly #clock: Clock;
  readonly #keys: Map<string, VaultKey>;
  readonly #pairs = new Map<string, Promise<Pair>>();

  constructor({ host, keys }: Vault, clock: Clock) {
    this.#host = host;
    this.#clock = clock;
    this.#keys = new Map(keys);
  }

  list(): unknown[] {
    return [...this.#keys.values()].map((key) => this.#item(key.name, latest(key), ''));
  }

  versions(name: string): unknown[] {
    const key = this.#find(name);
    return key.versions.map((version) => this.#item(key.name, version, `/${version.version}`));
  }

  /** The public part; also of a version that is disabled. */
  async read(name: string, version: string | undefined): Promise<unknown> {
    return this.#bundle(this.#find(name), this.#version(name, version));
  }

  async create(name: string, parameters: Parameters): Promise<unknown> {
    const { kty, key_size: size = 2_048, key_ops: operations, tags } = parameters;
    if (kty !== 'RSA' && kty !== 'RSA-HSM' && kty !== 'EC' && kty !== 'EC-HSM')
      throw badParameter('Property  has invalid value\r\n');
    if (!SIZES.includes(size)) throw badParameter(`The specified key size (${String(size)}) is not supported.`);
    return this.#add(name, {
      ...this.#now(parameters),
      kind: kty,
      size: size as number,
      operations: texts(operations) ?? (kty.startsWith('RSA') ? RSA_OPERATIONS : EC_OPERATIONS),
      tags: (tags ?? {}) as VaultKeyVersion['tags'],
    });
  }

  async rotate(name: string): Promise<unknown> {
    const { kind, size, operations, tags } = this.#version(name, undefined);
    return this.#add(name, { ...this.#now({}), kind, size, operations, tags });
  }

  async update(name: string, wanted: string | undefined, parameters: Parameters): Promise<unknown> {
    const before = this.#version(name, wanted);
    const attributes = attributesOf(parameters);
    const version = {
      ...before,
      enabled: attributes.enabled ?? before.enabled,
      expires: attributes.expires ?? before.expires,
      notBefore: attributes.notBefore ?? before.notBefore,
      operations: texts(parameters['key_ops']) ?? before.operations,
      updated: this.#seconds(),
    };
    const key = this.#find(name);
    const versions = key.versions.map((one) => (one.version === before.version ? version : one));
    this.#keys.set(name.toLowerCase(), { ...key, versions });
    return this.#bundle(key, version);
  }

  /** `value` is a digest; RS256 only. */
  async sign(name: string, wanted: string | undefined, { alg, value }: Parameters): Promise<unknown> {
    const version = this.#version(name, wanted);
    this.#checkUse(version);
    if (alg !== 'RS256' || !version.kind.startsWith('RSA'))
      throw badParameter(`Key and signing algorithm are incompatible. Key ${version.kind}, algorithm ${String(alg)}.`);
    const digest = Buffer.from(typeof value === 'string' ? value : '', 'base64url');
    if (digest.length !== 32)
      throw badParameter(`Invalid length of 'value': ${digest.length} bytes. RS256 requires 32.`);
    const { privateKey } = await this.#pair(version);
    const signature = privateEncrypt(privateKey, Buffer.concat([SHA256_INFO, digest]));
    return { kid: this.#id(this.#find(name).name, `/${version.version}`), value: signature.toString('base64url') };
  }

  /** Outside of their dates keys only undo what they did (About keys, Date-time controlled operations). */
  #checkUse({ enabled, expires, notBefore, operations }: VaultKeyVersion): void {
    const now = this.#seconds();
    if (!enabled) throw keyForbidden('Operation sign is not allowed on a disabled key.', 'KeyDisabled');
    if (expires !== undefined && expires <= now)
      throw keyForbidden('Operation sign is not allowed on an expired key.', 'KeyExpired');
    if (notBefore !== undefined && notBefore > now)
      throw keyForbidden('Operation sign is not allowed on a key that is not yet valid.', 'KeyNotYetValid');
    if (!operations.includes('sign'))
      throw keyForbidden('Operation sign is not permitted on this key.', 'KeyOperationForbidden');
  }

  #add(name: string, version: VaultKeyVersion): Promise<unknown> {
    const before = this.#keys.get(name.toLowerCase());
    const key = { name: before?.name ?? name, versions: [...(before?.versions ?? []), version] };
    this.#keys.set(name.toLowerCase(), key);
    return this.#bundle(key, version);
  }

  #now(parameters: Parameters) {
    const now = this.#seconds();
    const { enabled = true, ...attributes } = attributesOf(parameters);
    return { version: randomUUID().replaceAll('-', ''), created: now, updated: now, enabled, ...attributes };
  }

  #seconds(): number {
    return Math.floor(this.#clock.now() / 1_000);
  }

  #find(name: string): VaultKey {
    const key = this.#keys.get(name.toLowerCase());
    if (key === undefined) throw keyNotFound(name);
    return key;
  }

  #version(name: string, wanted: string | undefined): VaultKeyVersion {
    const key = this.#find(name);
    if (wanted === undefined) return latest(key);
    const version = key.versions.find((one) => one.version === wanted);
    if (version === undefined) throw keyNotFound(`${name}/${wanted}`);
    return version;
  }

  #id(name: string, suffix: string): string {
    return `https://${this.#host}/keys/${name}${suffix}`;
  }

  #item(name: string, version: VaultKeyVersion, suffix: string): Record<string, unknown> {
    const { enabled, expires, notBefore, created, updated, tags } = version;
    const dates = {
      ...(notBefore !== undefined && { nbf: notBefore }),
      ...(expires !== undefined && { exp: expires }),
    };
    const recovery = { recoveryLevel: 'Recoverable+Purgeable', recoverableDays: 90 };
    return {
      kid: this.#id(name, suffix),
      attributes: { enabled, ...dates, created, updated, ...recovery, exportable: false },
      tags,
    };
  }

  async #bundle({ name }: VaultKey, version: VaultKeyVersion): Promise<unknown> {
    const { kid, ...described } = this.#item(name, version, `/${version.version}`);
    const { publicKey } = await this.#pair(version);
    const jwk = createPublicKey(publicKey.export({ format: 'pem', type: 'spki' })).export({ format: 'jwk' });
    return { key: { ...jwk, kid, kty: version.kind, key_ops: version.operations }, ...described };
  }

  #pair({ version, kind, size }: VaultKeyVersion): Promise<Pair> {
    const known = this.#pairs.get(version);
    if (known !== undefined) return known;
    const pair = kind.startsWith('RSA')
      ? generate('rsa', { modulusLength: size })
      : generate('ec', { namedCurve: 'P-256' });
    this.#pairs.set(version, pair);
    return pair;
  }
}

function latest({ versions }: VaultKey): VaultKeyVersion {
  return versions.at(-1) as VaultKeyVersion;
}

function attributesOf({ attributes }: Parameters) {
  const { enabled, exp, nbf } = (attributes ?? {}) as { enabled?: boolean; exp?: number; nbf?: number };
  return { enabled, expires: exp, notBefore: nbf };
}

function texts(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : undefined;
}
