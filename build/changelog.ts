/**
 * The notes of a release, from CHANGELOG.md (keepachangelog.com).
 *
 *     node build/changelog.ts v1.2.3     prints them; fails unless package.json has that version too
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

/** Returns what a changelog says about a version, without its heading; throws if it says nothing. */
export function notesFor(version: string, changelog: string): string {
  const sections = changelog.split(/^## /m).slice(1);
  // "[1.2.3] - 2026-11-27"
  const section = sections.find((text) => text.startsWith(`[${version}] - `));
  const notes = section?.replace(/^.*\n/, '').trim();
  if (notes === undefined || notes === '') {
    throw new Error(`CHANGELOG.md has no section "## [${version}] - DATE": rename "## [Unreleased]" to it`);
  }
  return notes;
}

/** Returns the version that a tag names; throws unless it is this one. */
export function versionOfTag(tag: string, version: string): string {
  if (tag !== `v${version}`) throw new Error(`the tag ${tag} is not v${version}, the version of package.json`);
  return version;
}

if (import.meta.main) {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  try {
    const released = versionOfTag(process.argv[2] ?? '', version);
    console.log(notesFor(released, readFileSync(join(root, 'CHANGELOG.md'), 'utf8')));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
