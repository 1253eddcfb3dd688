/** Annotations that somebody wrote for us and that we do not read: a misspelt prefix, another injector's, a label. Pure. */
import { asObject } from '../json.ts';
import type { RawObject } from '../json.ts';
import { annotation, ANNOTATION_PREFIX, annotationRow, ANNOTATIONS, isWish } from './annotations.ts';
import { editDistance } from '../edit-distance.ts';
import { annotationsOf } from './pod.ts';

type Warn = (text: string) => void;

const DOMAIN = ANNOTATION_PREFIX.slice(0, -1);
const FOREIGN: readonly string[] = ['vault.security.banzaicloud.io/', 'vault.hashicorp.com/'];
// Nobody reads what is wrong with more.
const MOST_KEYS = 1_000;
// Longer keys than a domain and a name may have are not compared.
const LONGEST_KEY = 317;
// "vault-injection.dev", "vaultinjections.dev" and "vaultinjection.io" are typos; "vault.hashicorp.com" is not.
const MOST_TYPOS = 3;
// Of these parts of our domain, that many typos leave at least one intact: a domain with none of them is no misspelling.
const PARTS = Array.from({ length: MOST_TYPOS + 1 }, (_, part) => {
  const place = (index: number): number => Math.round((index * DOMAIN.length) / (MOST_TYPOS + 1));
  return DOMAIN.slice(place(part), place(part + 1));
});

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
  const foreign: (string | undefined)[] = [];
  for (const holder of [workload, template]) {
    let rest = MOST_KEYS;
    for (const key in annotationsOf(holder)) {
      if (rest-- === 0) break;
      if (key.startsWith(ANNOTATION_PREFIX)) continue;
      const injector = FOREIGN.findIndex((prefix) => key.startsWith(prefix));
      if (injector >= 0) foreign[injector] ??= key;
      else if (isMisspelt(key))
        warn(`annotation ${key} is not read; write ${ANNOTATION_PREFIX}${key.split('/')[1] ?? ''}`);
    }
  }
  const first = foreign.find((key) => key !== undefined);
  if (first !== undefined && !isInjected) {
    warn(`annotation ${first} is not read; a VaultInjectionPolicy says what is injected`);
  }
  for (const key in asObject(asObject(workload.metadata)?.labels)) {
    if (!key.startsWith(ANNOTATION_PREFIX)) continue;
    const row = annotationRow(key.slice(ANNOTATION_PREFIX.length));
    if (row !== undefined && (isWish(row) || ANNOTATIONS.apply === row)) {
      warn(`label ${key} is not read; write it as an annotation, such as ${annotation.inject}: "true"`);
    }
  }
}

function isMisspelt(key: string): boolean {
  const slash = key.indexOf('/');
  const length = slash < 0 ? key.length : slash;
  // each letter more or less is a typo
  if (Math.abs(length - DOMAIN.length) > MOST_TYPOS || key.length > LONGEST_KEY) return false;
  const domain = key.slice(0, length);
  if (domain === DOMAIN || !domain.includes('.')) return false;
  const lower = domain.toLowerCase();
  return PARTS.some((part) => lower.includes(part)) && editDistance(lower, DOMAIN, MOST_TYPOS) <= MOST_TYPOS;
}
