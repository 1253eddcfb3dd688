import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What labels and bills of materials say about a build. */
export interface ReleaseFacts {
  readonly version: string;
  /** The commit; with -dirty if files differ from it. Undefined if this is no checkout. */
  readonly revision?: string | undefined;
  /** Where the source is: a URL. */
  readonly source?: string | undefined;
  /** RFC 3339, in UTC. Undefined if SOURCE_DATE_EPOCH is not set: then nothing says when it was built. */
  readonly created?: string | undefined;
}

/**
 * Returns what is known about a build of the checkout in `root`. IMAGE_SOURCE and IMAGE_REVISION say what the checkout
 * does not; SOURCE_DATE_EPOCH is seconds since 1970 (reproducible-builds.org/specs/source-date-epoch).
 */
export function releaseFacts(root: string, env: NodeJS.ProcessEnv): ReleaseFacts {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return {
    version,
    revision: set(env.IMAGE_REVISION) ?? revisionOf(root),
    source: set(env.IMAGE_SOURCE),
    created: createdAt(set(env.SOURCE_DATE_EPOCH)),
  };
}

/** Returns the labels that every image has (the OCI image specification's annotations), without those unknown. */
export function labelsOf(
  { title, description }: { readonly title: string; readonly description: string },
  { version, revision, source, created }: ReleaseFacts,
): Readonly<Record<string, string>> {
  const labels = { title, description, version, revision, source, created, licenses: 'Apache-2.0' };
  return Object.fromEntries(
    Object.entries(labels).flatMap(([name, value]) =>
      value === undefined ? [] : [[`org.opencontainers.image.${name}`, value]],
    ),
  );
}

function createdAt(epoch: string | undefined): string | undefined {
  if (epoch === undefined) return undefined;
  const date = new Date(/^[0-9]+$/.test(epoch) ? Number(epoch) * 1000 : Number.NaN);
  if (Number.isNaN(date.getTime())) {
    throw new Error(`SOURCE_DATE_EPOCH: "${epoch}" is not a number of seconds since 1970, as git log -1 --format=%ct`);
  }
  return date.toISOString().replace('.000Z', 'Z');
}

function revisionOf(root: string): string | undefined {
  const head = git(root, 'rev-parse', 'HEAD');
  if (head === undefined) return undefined;
  return git(root, 'status', '--porcelain', '--untracked-files=no') === '' ? head : `${head}-dirty`;
}

function git(root: string, ...args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync('git', ['-C', root, ...args], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

function set(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}
