import { createHash, type KeyObject, randomBytes, sign } from 'node:crypto';
import {
  bitString,
  boolean,
  type Der,
  integer,
  objectId,
  octetString,
  sequence,
  set,
  tagged,
  utcTime,
  utf8,
} from './der.ts';

const OID = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
} as const;
const DAY = 86_400_000;

export interface CertificateRequest {
  readonly subject: string;
  readonly publicKey: KeyObject;
  /** Its own name and key in a self-signed certificate. */
  readonly issuer: { readonly name: string; readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  /** `authority`: signs others and serves no host. */
  readonly use: { readonly authority: true } | { readonly hosts: readonly string[] };
  readonly now: Date;
}

/**
 * An X.509 v3 certificate (RFC 5280) for P-256 keys in PEM, valid from a day ago for a week. Strict verifiers want key
 * identifiers and critical constraints: both are there.
 */
export function createCertificate({ subject, publicKey, issuer, use, now }: CertificateRequest): string {
  const algorithm = sequence(objectId(OID.ecdsaWithSha256));
  const serial = randomBytes(16);
  serial[0] = 1;
  const body = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(serial),
    algorithm,
    distinguishedName(issuer.name),
    sequence(utcTime(new Date(now.getTime() - DAY)), utcTime(new Date(now.getTime() + 7 * DAY))),
    distinguishedName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...usage(use), ...identifiers(publicKey, issuer.publicKey))),
  );
  const signature = sign('sha256', body, issuer.privateKey);
  return pem(sequence(body, algorithm, bitString(signature)));
}

function usage(use: CertificateRequest['use']): Der[] {
  if ('authority' in use) {
    const keyCertSignAndCrlSign = bitString(Buffer.from([0x06]), 1);
    return [
      extension(OID.basicConstraints, true, sequence(boolean(true), integer(Buffer.from([0])))),
      extension(OID.keyUsage, true, keyCertSignAndCrlSign),
    ];
  }
  const digitalSignature = bitString(Buffer.from([0x80]), 7);
  return [
    extension(OID.basicConstraints, true, sequence()),
    extension(OID.keyUsage, true, digitalSignature),
    extension(OID.extendedKeyUsage, false, sequence(objectId(OID.serverAuth))),
    extension(
      OID.subjectAltName,
      false,
      sequence(...use.hosts.map((host) => tagged(0x82, Buffer.from(host, 'ascii')))),
    ),
  ];
}

function identifiers(own: KeyObject, issuer: KeyObject): Der[] {
  return [
    extension(OID.subjectKeyIdentifier, false, octetString(keyIdentifier(own))),
    extension(OID.authorityKeyIdentifier, false, sequence(tagged(0x80, keyIdentifier(issuer)))),
  ];
}

function extension(id: string, critical: boolean, value: Der): Der {
  return sequence(objectId(id), ...(critical ? [boolean(true)] : []), octetString(value));
}

function distinguishedName(commonName: string): Der {
  return sequence(set(sequence(objectId(OID.commonName), utf8(commonName))));
}

function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest();
}

function pem(der: Der): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
