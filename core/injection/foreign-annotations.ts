/** Annotations that somebody wrote for us and that we do not read: a misspelt prefix, another injector's, a label. Pure. */
import { asObject } from '../json.ts';
import type { RawObject } from '../json.ts';
import { annotation, ANNOTATION_PREFIX, annotationRow, ANNOTATIONS, isWish } from './annotations.ts';
import { editDistance } from './edit-distance.ts';
import { annotationsOf } from './pod.ts';

type Warn = (text: string) => void;

const DOMAIN = ANNOTATION_PREFIX.slice(0, -1);
const FOREIGN: readonly string[] = ['vault.security.banzaicloud.io/', 'vault.hashicorp.com/'];
// Longer keys than a domain and a name may have are not compared.
const LONGEST_KEY = 317;
// "vault-injection.dev", "vaultinjections.dev" and "vaultinjection.io" are typos; "vault.hashicorp.com" is not.
const MOST_TYPOS = 3;

/**
 * Warns about what was meant as an annotation of ours, on the workload and its template.
 * @param isInjected whether something is injected: then another injector's annotations may be meant for that one
 */
export function warnOfForeignAnnotations(
  workload: RawObject,
  template: RawObject,
  isInjected: boolean,
  warn: Warn,
): void {
  for (const holder of [workload, template]) {
    for (const key in annotationsOf(holder)) {
      const [domain = '', name = ''] = key.length > LONGEST_KEY ? [] : key.split('/');
      if (isMisspelt(domain)) warn(`annotation ${key} is not read; write ${ANNOTATION_PREFIX}${name}`);
    }
  }
  const foreign = FOREIGN.map((prefix) =>
    [workload, template]
      .flatMap((holder) => Object.keys(annotationsOf(holder) ?? {}))
      .find((key) => key.startsWith(prefix)),
  ).find((key) => key !== undefined);
  if (foreign !== undefined && !isInjected) {
    warn(`annotation ${foreign} is not read; a VaultInjectionPolicy says what is injected`);
  }
  for (const key in asObject(asObject(workload.metadata)?.labels)) {
    const name = key.startsWith(ANNOTATION_PREFIX) ? key.slice(ANNOTATION_PREFIX.length) : '';
    const row = annotationRow(name);
    if (row !== undefined && (isWish(row) || ANNOTATIONS.apply === row)) {
      warn(`label ${key} is not read; write it as an annotation, such as ${annotation.inject}: "true"`);
    }
  }
}

function isMisspelt(domain: string): boolean {
  if (domain === DOMAIN || !domain.includes('.')) return false;
  return editDistance(domain.toLowerCase().slice(0, 2 * DOMAIN.length), DOMAIN) <= MOST_TYPOS;
}
