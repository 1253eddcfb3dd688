/** Bills of materials in CycloneDX: what an image consists of, with versions, licences and hashes. */
import { Enums, Models, Serialize, Spec } from '@cyclonedx/cyclonedx-library';
import { createHash } from 'node:crypto';
import { PackageURL } from 'packageurl-js';

import type { BundledPackage } from './bundled.ts';
import type { Image } from './image.ts';
import type { ReleaseFacts } from './release-facts.ts';
import { archiveName, type Architecture, type Pins } from './runtime/pins.ts';

export interface Part {
  readonly type: Enums.ComponentType;
  readonly name: string;
  readonly version: string;
  /** An SPDX expression. */
  readonly license: string;
  /** Of the archive that it comes from, in hex. */
  readonly hash?: readonly [Enums.HashAlgorithm, string];
  readonly purl: string;
}

/** Returns a bill of materials as JSON, the same for the same image and facts. */
export function sbom(
  image: Image & { readonly architecture: string },
  parts: readonly Part[],
  { version, created }: ReleaseFacts,
): string {
  const [repository = '', name = ''] = image.name.replace(/:[^:/]*$/, '').match(/^.*(?=\/)|[^/]+$/g) ?? [];
  const bom = new Models.Bom({ serialNumber: `urn:uuid:${uuidOf(image.digest)}` });
  const subject = component({
    type: Enums.ComponentType.Container,
    name,
    version,
    license: 'Apache-2.0',
    hash: [Enums.HashAlgorithm['SHA-256'], image.digest.replace('sha256:', '')],
    purl: purl('oci', '', name, image.digest, { arch: image.architecture, repository_url: `${repository}/${name}` }),
  });
  bom.metadata.component = subject;
  if (created !== undefined) bom.metadata.timestamp = new Date(created);
  for (const part of parts) {
    const added = component(part);
    bom.components.add(added);
    subject.dependencies.add(added.bomRef);
  }
  const normalizer = new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6);
  return `${new Serialize.JsonSerializer(normalizer).serialize(bom, { sortLists: true, space: 2 })}\n`;
}

/** Returns what the operator's image has beside the operator. */
export function runtimeParts({ node, debian }: Pins, architecture: Architecture): readonly Part[] {
  const { name, integrity } = node.packages[architecture];
  const sha512 = Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex');
  return [
    {
      type: Enums.ComponentType.Platform,
      name: 'node',
      version: node.version,
      license: node.license,
      hash: [Enums.HashAlgorithm['SHA-512'], sha512],
      purl: purl('npm', '', name, node.version),
    },
    ...debian.map((pin): Part => ({
      type: Enums.ComponentType.Library,
      name: pin.package,
      version: pin.version,
      license: pin.license,
      hash: [Enums.HashAlgorithm['SHA-256'], pin.sha256[architecture]],
      purl: purl('deb', 'debian', pin.package, pin.version, {
        arch: architecture,
        file_name: archiveName(pin, architecture),
      }),
    })),
  ];
}

/** Returns the npm packages that are bundled into the operator. */
export function bundledParts(packages: readonly BundledPackage[]): readonly Part[] {
  // two versions of a package are two parts, two folders with the same version one
  const distinct = new Map(packages.map((one) => [`${one.name}@${one.version}`, one]));
  return Array.from(distinct.values(), ({ name, version, license }) => {
    const [scope = '', bare = name] = name.startsWith('@') ? name.split('/') : ['', name];
    return { type: Enums.ComponentType.Library, name, version, license, purl: purl('npm', scope, bare, version) };
  });
}

/** Returns what vault-env has beside its own code: the standard library of the Go that built it, such as go1.26.1. */
export function goParts(goVersion: string): readonly Part[] {
  const version = goVersion.replace(/^go/, '');
  return [
    {
      type: Enums.ComponentType.Library,
      name: 'stdlib',
      version,
      license: 'BSD-3-Clause',
      purl: purl('golang', '', 'stdlib', version),
    },
  ];
}

function component({ type, name, version, license, hash, purl: bomRef }: Part): Models.Component {
  return new Models.Component(type, name, {
    bomRef,
    version,
    purl: bomRef,
    licenses: new Models.LicenseRepository([new Models.LicenseExpression(license)]),
    hashes: new Models.HashDictionary(hash === undefined ? [] : [hash]),
  });
}

function purl(
  type: string,
  namespace: string,
  name: string,
  version: string,
  qualifiers: Readonly<Record<string, string>> = {},
): string {
  return new PackageURL(type, namespace === '' ? undefined : namespace, name, version, qualifiers).toString();
}

/** Of version 8, for own use (RFC 9562): the same image has the same number in every build. */
function uuidOf(digest: string): string {
  const hex = createHash('sha256').update(`sbom of ${digest}`).digest('hex');
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ];
  return parts.join('-');
}
