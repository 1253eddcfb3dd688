import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const FILE = 'vaultinjectionpolicies.yaml';

/**
 * Returns the CRD that the operator was built with: next to the bundle, or in crds/ of the sources. Throws if it is in
 * neither place, because the installation has lost a file.
 */
export function readCrd(folder: string = import.meta.dirname): unknown {
  const places = [join(folder, FILE), join(folder, '../crds', FILE)];
  const path = places.find((place) => existsSync(place));
  if (path === undefined)
    throw new Error(`${FILE} is missing: it should be next to the operator, at ${places[0] ?? ''}`);
  return parse(readFileSync(path, 'utf8'));
}
