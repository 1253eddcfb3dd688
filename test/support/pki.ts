/** Certificates for the servers under test: one authority for a control plane, and what it signs. */
import 'reflect-metadata'; // @peculiar/x509 asks for it before itself
import * as x509 from '@peculiar/x509';
import { webcrypto } from 'node:crypto';

const KEYS = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;

/** A certificate and its private key (PKCS #8), both PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

export interface Authority {
  readonly certificate: string;
  /** A server's certificate for these DNS names and IP addresses. */
  server(commonName: string, names: readonly string[]): Promise<KeyPair>;
  /** A client's certificate; Kubernetes takes the common name as the user and organizations as groups. */
  client(user: string, groups?: readonly string[]): Promise<KeyPair>;
}

/**
 * A new authority; all it signs is valid from an hour ago for ten days. Its name differs from those of what it signs: to
 * OpenSSL, a certificate whose issuer has the name of its subject has signed itself.
 */
export async function createAuthority(commonName: string): Promise<Authority> {
  const keys = await generateKeys();
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(),
    name: [{ CN: [`${commonName} authority`] }],
    keys,
    signingAlgorithm: SIGNATURE,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const sign = (subject: x509.JsonName, extensions: x509.Extension[]) => issue(root, keys, subject, extensions);
  return {
    certificate: root.toString('pem'),
    server: (name, names) =>
      sign(
        [{ CN: [name] }],
        [
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
          new x509.SubjectAlternativeNameExtension(
            names.map((value) => ({ type: isAddress(value) ? 'ip' : 'dns', value })),
          ),
        ],
      ),
    client: (user, groups = []) =>
      sign(
        [...groups.map((group) => ({ O: [group] })), { CN: [user] }],
        [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])],
      ),
  };
}

/** A key pair without a certificate, as PEM: private PKCS #8, public SPKI. */
export async function createKeys(): Promise<{ readonly privateKey: string; readonly publicKey: string }> {
  const keys = await generateKeys();
  return {
    privateKey: pem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)),
    publicKey: pem('PUBLIC KEY', await webcrypto.subtle.exportKey('spki', keys.publicKey)),
  };
}

async function issue(
  root: x509.X509Certificate,
  rootKeys: webcrypto.CryptoKeyPair,
  subject: x509.JsonName,
  extensions: x509.Extension[],
): Promise<KeyPair> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    ...validity(),
    subject,
    issuer: root.subject,
    publicKey: keys.publicKey,
    signingKey: rootKeys.privateKey,
    signingAlgorithm: SIGNATURE,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      await x509.AuthorityKeyIdentifierExtension.create(rootKeys.publicKey),
      ...extensions,
    ],
  });
  const key = pem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return { certificate: certificate.toString('pem'), key };
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(KEYS, true, ['sign', 'verify']);
}

function validity(): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - DAY_MS / 24), notAfter: new Date(now + 10 * DAY_MS) };
}

function isAddress(name: string): boolean {
  return /^[\d.]+$|:/.test(name);
}

function pem(label: string, der: ArrayBuffer): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
